"""The minute panel: one row per bracket and minute, from open to close, nothing later in it."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.features import kinematics
from kalshi_assets.features.lead_lag import lead_lag
from kalshi_assets.features.quotes import CC, quotes_as_of
from kalshi_assets.features.spreads import PROXIES, Bars, SpreadProxy, spread_proxy_cents
from kalshi_assets.tables import MINUTE_PANEL

MINUTE = pl.duration(minutes=1)


@dataclass(frozen=True, kw_only=True)
class PanelParams:
    """Choices of the minute panel.

    Attributes
    ----------
    spread_proxy
        Which estimate of the spread from trades; see `spreads`.
    """

    spread_proxy: SpreadProxy = "range"

    def __post_init__(self) -> None:
        if self.spread_proxy not in PROXIES:
            raise ValueError(
                f"no spread proxy {self.spread_proxy!r}; there are {', '.join(PROXIES)}"
            )


DEFAULTS = PanelParams()


def minute_panel(
    events: pl.DataFrame,
    candles: pl.DataFrame,
    trades: pl.DataFrame,
    params: PanelParams = DEFAULTS,
) -> pl.DataFrame:
    """Build the panel of one event.

    Parameters
    ----------
    events
        `market.events` of the event: brackets, open and close.
    candles, trades
        `market.candles` and `market.trades` of its markets; either may be empty. Volume and flow
        come from the tape from the first trade on, before and without one from the candles.
    params
        Choices.

    Returns
    -------
    DataFrame
        `panel.minute_panel`: brackets x minutes rows, sorted by market and minute.

    Notes
    -----
    A fact enters the first minute that is not before its `known_at`.
    """
    ladder = events.sort("bracket")
    minutes = _minutes(ladder)
    grid = ladder.select("market_ticker", "bracket", "close_time").join(minutes, how="cross")
    activity = _activity(grid, candles, trades)
    frame = pl.concat([quotes_as_of(grid, candles, trades), activity], how="horizontal")
    contract_known_at = ladder["known_at"].max()
    frame = frame.with_columns(
        # Half a hundredth of a cent is the least step of a mid.
        mid=((pl.col("bid") + pl.col("ask")) / 2).round(6),
        spread_cents=((pl.col("ask") - pl.col("bid")) * 100).round(4),
        known_at=pl.max_horizontal("quote_known_at", "trade_known_at", pl.lit(contract_known_at)),
        minutes_to_close=(pl.col("close_time") - pl.col("minute"))
        .dt.total_minutes()
        .cast(pl.Int32),
    )
    shape = (ladder.height, minutes.height)
    frame = frame.with_columns(_motion(frame, shape, params))
    return MINUTE_PANEL.arranged(frame)


def _minutes(ladder: pl.DataFrame) -> pl.DataFrame:
    return ladder.select(
        pl.datetime_range(
            _ceil_minute(pl.col("open_time").min()), pl.col("close_time").max(), "1m"
        ).alias("minute")
    )


def _ceil_minute(time: pl.Expr) -> pl.Expr:
    return (time - pl.duration(microseconds=1)).dt.truncate("1m") + MINUTE


def _activity(grid: pl.DataFrame, candles: pl.DataFrame, trades: pl.DataFrame) -> pl.DataFrame:
    """Trades of every minute, in the grid's order: volume, flow, range, last price."""
    tape = trades.filter(~pl.col("is_block_trade")).sort("known_at", "event_time", "trade_id")
    tape_starts = tape["known_at"].min()
    price = pl.col("yes_price_cc") / CC
    signed = (
        pl.when(pl.col("taker_side") == "yes").then(pl.col("count")).otherwise(-pl.col("count"))
    )
    from_tape = tape.group_by(
        "market_ticker", _ceil_minute(pl.col("known_at")).alias("minute"), maintain_order=True
    ).agg(
        volume_1m=pl.col("count").sum(),
        flow_1m=signed.sum(),
        high_1m=price.max(),
        low_1m=price.min(),
        last_price=price.last(),
        trade_time=pl.col("event_time").max(),
        trade_known_at=pl.col("known_at").max(),
    )
    direction = (pl.col("price_close_cc") - pl.col("price_open_cc")).sign()
    from_candles = (
        candles.filter(
            pl.col("price_close_cc").is_not_null(),
            True if tape_starts is None else pl.col("known_at") < tape_starts,
        )
        .sort("known_at")
        .group_by(
            "market_ticker", _ceil_minute(pl.col("known_at")).alias("minute"), maintain_order=True
        )
        .agg(
            volume_1m=pl.col("volume").sum(),
            flow_1m=(direction * pl.col("volume")).sum(),
            high_1m=pl.col("price_high_cc").max() / CC,
            low_1m=pl.col("price_low_cc").min() / CC,
            last_price=pl.col("price_close_cc").last() / CC,
            trade_time=pl.col("event_time").max(),
            trade_known_at=pl.col("known_at").max(),
        )
    )
    active = pl.concat([from_candles, from_tape]).unique(
        ["market_ticker", "minute"], keep="last", maintain_order=True
    )
    return (
        grid.select("market_ticker", "minute")
        .join(active, on=["market_ticker", "minute"], how="left", maintain_order="left")
        .with_columns(
            pl.col("volume_1m", "flow_1m").fill_null(0.0),
            pl.col("last_price", "trade_time", "trade_known_at")
            .forward_fill()
            .over("market_ticker"),
        )
        .select(
            "volume_1m",
            "flow_1m",
            "high_1m",
            "low_1m",
            "last_price",
            "trade_known_at",
            last_trade_age_s=(pl.col("minute") - pl.col("trade_time")).dt.total_microseconds()
            / 1e6,
        )
    )


def _motion(frame: pl.DataFrame, shape: tuple[int, int], params: PanelParams) -> list[pl.Series]:
    def matrix(name: str) -> NDArray[np.float64]:
        return frame[name].to_numpy().astype(np.float64).reshape(shape)

    mid = matrix("mid")
    log_odds = kinematics.logit(mid)
    bars = Bars.of_dollars(matrix("high_1m"), matrix("low_1m"), matrix("last_price"))
    columns = {
        "volume_15m": np.maximum(
            np.round(kinematics.trailing_sum(matrix("volume_1m"), 15), 2), 0.0
        ),
        "flow_15m": np.round(kinematics.trailing_sum(matrix("flow_1m"), 15), 2),
        "velocity_1m": kinematics.velocity(mid, 1),
        "velocity_5m": kinematics.velocity(mid, 5),
        "velocity_15m": kinematics.velocity(mid, 15),
        "acceleration_5m": kinematics.acceleration(mid, 5),
        "logit_velocity_1m": kinematics.velocity(log_odds, 1),
        "logit_velocity_5m": kinematics.velocity(log_odds, 5),
        "logit_acceleration_5m": kinematics.acceleration(log_odds, 5),
        "close_location": kinematics.close_location(mid, 15),
        "realised_volatility_30m": kinematics.realised_volatility(mid, 30),
        "relative_acceleration": kinematics.relative_acceleration(mid),
        "spread_proxy_cents": spread_proxy_cents(bars, params.spread_proxy),
        "lead_lag_min": lead_lag(log_odds),
    }
    return [
        pl.Series(name, values.ravel(), nan_to_null=True).cast(MINUTE_PANEL.dtypes[name])
        for name, values in columns.items()
    ]
