"""The minute panel: one row per bracket and minute, from open to close, as known at the minute."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.features import kinematics
from kalshi_assets.features.facts import candles_of, tape_of
from kalshi_assets.features.flow import Flow, flow_of
from kalshi_assets.features.lead_lag import lead_lag
from kalshi_assets.features.quotes import SOURCES, quotes_as_of
from kalshi_assets.features.spreads import spread_proxy_cents
from kalshi_assets.instants import microseconds, microseconds_of
from kalshi_assets.ladder.grid import Grid
from kalshi_assets.ladder.terms import terms_at, trading_end, versions
from kalshi_assets.tables import MINUTE_PANEL
from kalshi_assets.units import CC_A_CENT, CC_A_DOLLAR, MINUTE_US, Array, Ints


def minute_panel(events: pl.DataFrame, candles: pl.DataFrame, trades: pl.DataFrame) -> pl.DataFrame:
    """`panel.minute_panel` of one event.

    A fact enters the first minute that is not before its `known_at`.

    Parameters
    ----------
    events
        `market.events` of the event: brackets, open and close, as known at each minute. The panel
        ends where trading did, but earlier rows do not use that.
    candles, trades
        `market.candles` and `market.trades` of its markets; either may be empty. Volume and flow
        come from the tape from its first trade on, and before it, or without a tape, from the
        candles.
    """
    grid = _grid(events)
    arrived = candles_of(grid, candles), tape_of(grid, trades)
    quotes, flow = quotes_as_of(grid, *arrived), flow_of(grid, *arrived)
    # Half a hundredth of a cent is the least step of a mid.
    mid = np.round((quotes.bid + quotes.ask) / (2 * CC_A_DOLLAR), 6)
    until_close, contract_known_at = _terms_in_force(events, grid)
    columns: dict[str, NDArray | pl.Series] = {
        "known_at": np.maximum(np.maximum(quotes.known_at, flow.known_at), contract_known_at),
        "bid_cc": quotes.bid,
        "ask_cc": quotes.ask,
        "quote_source": pl.Series(SOURCES)[quotes.source.ravel()],
        "quote_age_s": quotes.age_s,
        "mid": mid,
        "spread_cents": np.round((quotes.ask - quotes.bid) / CC_A_CENT, 4),
        "last_price_cc": flow.last,
        "last_trade_age_s": flow.last_age_s,
        "high_1m_cc": flow.high,
        "low_1m_cc": flow.low,
        "volume_1m": flow.volume,
        "flow_1m": flow.signed,
        "minutes_to_close": until_close // MINUTE_US,
        **_motion(grid, mid, flow),
    }
    found = [_column(name, values) for name, values in columns.items()]
    return MINUTE_PANEL.arranged(pl.DataFrame([*grid.key, *found]))


def _column(name: str, values: NDArray | pl.Series) -> pl.Series:
    if isinstance(values, np.ndarray):
        values = pl.Series(values.ravel(), nan_to_null=True)
    return values.cast(MINUTE_PANEL.dtypes[name]).alias(name)


def _terms_in_force(events: pl.DataFrame, grid: Grid) -> tuple[Ints, Ints]:
    """Microseconds to the close as known, (brackets, minutes), and since when, (minutes,)."""
    until_close, known_at = np.empty(grid.shape, np.int64), np.empty(grid.shape[1], np.int64)
    for minutes, terms in versions(events, grid.minutes):
        close = microseconds(terms["close_time"])
        until_close[:, minutes] = np.maximum(close[:, None] - grid.minutes[minutes], 0)
        known_at[minutes] = microseconds(terms["known_at"]).max()
    return until_close, known_at


def _grid(events: pl.DataFrame) -> Grid:
    """Whole minutes from the first open to the last close."""
    ladder = terms_at(events).sort("market_ticker")
    opened = microseconds(ladder["open_time"])
    first = -(-opened.min() // MINUTE_US) * MINUTE_US
    return Grid(
        markets=ladder["market_ticker"],
        brackets=ladder["bracket"].to_numpy(),
        minutes=np.arange(first, microseconds_of(trading_end(events)) + 1, MINUTE_US),
    )


def _motion(grid: Grid, mid: Array, flow: Flow) -> dict[str, Array]:
    log_odds = kinematics.logit(mid)
    return {
        "volume_15m": np.maximum(np.round(kinematics.trailing_sum(flow.volume, 15), 2), 0.0),
        "flow_15m": np.round(kinematics.trailing_sum(flow.signed, 15), 2),
        "velocity_1m": kinematics.velocity(mid, 1),
        "velocity_5m": kinematics.velocity(mid, 5),
        "velocity_15m": kinematics.velocity(mid, 15),
        "acceleration_5m": kinematics.acceleration(mid, 5),
        "logit_velocity_1m": kinematics.velocity(log_odds, 1),
        "logit_velocity_5m": kinematics.velocity(log_odds, 5),
        "logit_acceleration_5m": kinematics.acceleration(log_odds, 5),
        "close_location": kinematics.close_location(mid, 15),
        "realised_volatility_30m": kinematics.realised_volatility(mid, 30),
        "spread_proxy_cents": spread_proxy_cents(flow.high, flow.low),
        # Neighbours are those of the ladder.
        "relative_acceleration": grid.in_table(
            kinematics.relative_acceleration(grid.in_ladder(mid))
        ),
        "lead_lag_min": grid.in_table(lead_lag(grid.in_ladder(log_odds))),
    }
