"""From the panel to wanted orders: edges after fees, gates, and the first gate that failed.

Here: what follows from a row of the panel alone. Not here: positions, limits, working orders
(`policy`), so that a row's signal is the same in any slice of the panel, in any mode.

Rows are arrays, with NaN for missing values: a day's 14,000 rows take a third of the time of
expressions over frames.

NaN makes every comparison false. So a gate tests that a value is known to be good, or a separate
gate tests that it is known: an unknown value never lets an order through, and cancels resting ones.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl

from kalshi_assets.trading.orders import Execution, FeeOf, Side, sign_of
from kalshi_assets.trading.params import TradingParams
from kalshi_assets.units import CC_A_CENT, CC_A_DOLLAR, Array, Bools

NO_VETO = ""

_KEY = ("market_ticker", "minute")
_SIDES = pl.Series(["bid", "ask", None])
_EXECUTIONS = pl.Series(["taker", "maker", None])


def priced(panel: pl.DataFrame, calibrated: pl.DataFrame, veto: pl.Series) -> pl.DataFrame:
    """The panel with the other columns that trading reads.

    Parameters
    ----------
    panel
        The family's full panel of one event.
    calibrated
        `learning.calibrated` of the event.
    veto
        For every row of the panel why no order may rest or be sent, in the family's terms; empty:
        orders are allowed. Null: not known, and treated as a veto.

    Returns
    -------
    DataFrame
        The panel's rows and columns, `p_calibrated`, `impossible` and `veto`; its `known_at` is
        the later of both, null where either is.

    Raises
    ------
    ValueError
        A row of the panel has no calibrated probability.
    """
    beside = _in_rows_of(panel, calibrated)
    if beside["p_calibrated"].null_count():
        ticker, minute = panel.filter(beside["p_calibrated"].is_null()).select(_KEY).row(0)
        raise ValueError(
            f"{ticker} at {minute:%Y-%m-%dT%H:%MZ} has no calibrated probability; "
            "materialise learning.calibrated of the day again"
        )
    both_known = pl.col("known_at").is_not_null() & beside["known_at"].is_not_null()
    return panel.with_columns(
        known_at=pl.when(both_known).then(pl.max_horizontal("known_at", beside["known_at"])),
        p_calibrated=beside["p_calibrated"],
        impossible=beside["impossible"],
        veto=veto,
    )


def _in_rows_of(panel: pl.DataFrame, calibrated: pl.DataFrame) -> pl.DataFrame:
    """`calibrated` with a row per row of the panel; of whole days the rows are the same already."""
    if all(panel[name].equals(calibrated[name]) for name in reversed(_KEY)):
        return calibrated
    return panel.select(_KEY).join(calibrated, on=_KEY, how="left", maintain_order="left")


def signals(
    panel: pl.DataFrame, params: TradingParams, fee: FeeOf, free: Bools | None = None
) -> pl.DataFrame:
    """Trading signals of every bracket and minute of `panel`.

    Parameters
    ----------
    panel
        Rows of a `priced` panel, any slice.
    params
        Gates and edges.
    fee
        The exchange's; evaluated at the size of an order.
    free
        Rows where the exchange waives it; None: nowhere.

    Returns
    -------
    DataFrame
        One row per row, in its order: `market_ticker`, `bracket`, `minute`, `known_at`,
        `minutes_to_close`, `p_used` (null: not known), `p_mkt`, `side` and `edge_cents` of the
        better side (null without two quotes or `p_used`), `execution` and `price_cc` of the order
        it would be (null unless `reason` is ``trade``), `reason`, and `pull`: whether resting
        orders must be cancelled.

    Notes
    -----
    With mid m and the market's probability q, all in cents, a maker's bid at b is worth
    ``min(p - m, p - q) - adverse selection - fee``: being filled is taken as news that the fair
    price moved from where it was, the farther of m and q, to b (methods 8, E[p|fill] = p - kappa).
    So where the sources agree with the market (p = q) no maker order has an edge. A taker's bid
    is worth ``p - (ask + slippage) - fee``. Asks mirror bids.
    """
    quoted = _Quoted.of(panel, params)
    bid, ask = (_Orders.of(side, quoted, params, fee, free) for side in ("bid", "ask"))
    would_take = np.fmax(bid.taker, ask.taker) >= params.taker_min_edge_cents
    takes = would_take & _is(panel["quote_source"] == "recorded")
    makes = (np.fmax(bid.maker, ask.maker) >= params.maker_min_edge_cents) & ~takes
    bids, asks = (
        np.where(takes, of.taker, np.where(makes, of.maker, np.fmax(of.maker, of.taker)))
        for of in (bid, ask)
    )
    is_bid, judged = bids >= asks, ~np.isnan(np.fmax(bids, asks))
    reason, trades = _first_no(panel, quoted, params, takes | makes, would_take)
    price = np.where(
        takes,
        np.where(is_bid, bid.taker_cc, ask.taker_cc),
        np.where(is_bid, bid.maker_cc, ask.maker_cc),
    )
    return panel.select(
        "market_ticker",
        "bracket",
        "minute",
        "known_at",
        "minutes_to_close",
        pl.Series("p_used", quoted.used, nan_to_null=True),
        "p_mkt",
        _SIDES.gather(np.where(judged, ~is_bid, 2)).alias("side"),
        pl.Series("edge_cents", np.fmax(bids, asks), nan_to_null=True),
        _EXECUTIONS.gather(np.where(trades, ~takes, 2)).alias("execution"),
        pl.Series("price_cc", np.where(trades, price, np.nan), nan_to_null=True).cast(pl.Int32),
        reason,
        pl.Series("pull", quoted.must_go),
    )


@dataclass(frozen=True, kw_only=True)
class _Quoted:
    """Rows of a panel as arrays.

    Attributes
    ----------
    used, market
        Probabilities: the one used for edges, and the market's.
    bid_cc, ask_cc
        Quotes; NaN: none.
    vetoed, impossible
        Whether the family forbids orders, or does not know; whether the bracket cannot pay.
    unknown
        Whether another value that the decision needs, except quotes, is not known or not valid.
    """

    used: Array
    market: Array
    bid_cc: Array
    ask_cc: Array
    vetoed: Bools
    impossible: Bools
    unknown: Bools

    @classmethod
    def of(cls, panel: pl.DataFrame, params: TradingParams) -> Self:
        market, calibrated = (_probabilities(panel[name]) for name in ("p_mkt", "p_calibrated"))
        return cls(
            used=np.clip(market + params.honesty * (calibrated - market), 0.0, 1.0),
            market=market,
            bid_cc=_prices(panel["bid_cc"]),
            ask_cc=_prices(panel["ask_cc"]),
            vetoed=(panel["veto"] != NO_VETO).fill_null(value=True).to_numpy(),
            impossible=_is(panel["impossible"]),
            unknown=np.isnan(market) | np.isnan(calibrated) | _something_unknown(panel),
        )

    @property
    def two_sided(self) -> Bools:
        """Whether bid and ask both stand."""
        return ~np.isnan(self.bid_cc + self.ask_cc)

    @property
    def must_go(self) -> Bools:
        """Whether a resting order must be cancelled: for a danger, or if there may be one.

        Without a bid or an ask the value of a resting order is unknown.
        """
        return self.vetoed | self.impossible | self.unknown | ~self.two_sided


def _prices(values: pl.Series) -> Array:
    """Whole cc; NaN for null and for invalid prices."""
    prices = values.cast(pl.Float64).to_numpy()
    return np.where((prices >= 0) & (prices <= CC_A_DOLLAR), prices, np.nan)


def _probabilities(values: pl.Series) -> Array:
    """NaN for null and for invalid probabilities."""
    found = values.to_numpy()
    return np.where((found >= 0) & (found <= 1), found, np.nan)


def _is(flags: pl.Series) -> Bools:
    """Where a flag is known and true."""
    return flags.fill_null(value=False).to_numpy()


_NEVER_BELOW_0 = ("quote_age_s", "volume_15m", "minutes_to_close")
_NEEDED = ("known_at", "quote_source", "market_valid", "impossible")


def _something_unknown(panel: pl.DataFrame) -> Bools:
    """Where a value other than quotes, probabilities and the veto is not known."""
    unknown = np.zeros(panel.height, dtype=np.bool_)
    for name in _NEVER_BELOW_0:
        values = panel[name].to_numpy()
        unknown |= ~((values >= 0) & (values < np.inf))
    for name in _NEEDED:
        unknown |= panel[name].is_null().to_numpy()
    return unknown


@dataclass(frozen=True, kw_only=True)
class _Orders:
    """The two orders of one side that each row allows.

    Attributes
    ----------
    maker, taker
        Edge per contract, cents; NaN: no such order.
    maker_cc, taker_cc
        Limit prices.
    """

    maker: Array
    taker: Array
    maker_cc: Array
    taker_cc: Array

    @classmethod
    def of(
        cls, side: Side, quoted: _Quoted, params: TradingParams, fee: FeeOf, free: Bools | None
    ) -> Self:
        sign, slippage = sign_of(side), round(params.slippage_cents * CC_A_CENT)
        if side == "bid":
            rests_at, limit = quoted.bid_cc, np.minimum(quoted.ask_cc + slippage, CC_A_DOLLAR)
        else:
            rests_at, limit = quoted.ask_cc, np.maximum(quoted.bid_cc - slippage, 0)
        used, market = quoted.used * 100, quoted.market * 100
        mid = (quoted.bid_cc + quoted.ask_cc) / (2 * CC_A_CENT)
        maker = (
            np.minimum(sign * (used - mid), sign * (used - market))
            - params.adverse_selection_cents
            - _fees(rests_at, "maker", params, fee, free)
        )
        taker = sign * (used - limit / CC_A_CENT) - _fees(limit, "taker", params, fee, free)
        return cls(
            # In a locked book a post-only order is refused.
            maker=np.where(quoted.bid_cc < quoted.ask_cc, maker, np.nan),
            taker=np.where(quoted.two_sided, taker, np.nan),
            maker_cc=rests_at,
            taker_cc=limit,
        )


def _fees(
    prices: Array, execution: Execution, params: TradingParams, fee: FeeOf, free: Bools | None
) -> Array:
    """Fee per contract, cents, of an order at each price in cc; NaN: no price."""
    known, contracts = ~np.isnan(prices), params.order_contracts
    at = prices[known].astype(np.int64)
    cents = np.full(CC_A_DOLLAR + 1, np.nan)
    for price in np.flatnonzero(np.bincount(at)).tolist():
        cents[price] = fee(price, contracts, execution) / contracts / CC_A_CENT
    fees = np.full(len(prices), np.nan)
    fees[known] = cents[at]
    return fees if free is None else np.where(known & free, 0.0, fees)


def _first_no(
    panel: pl.DataFrame, quoted: _Quoted, params: TradingParams, wants: Bools, would_take: Bools
) -> tuple[pl.Series, Bools]:
    """The first gate that fails, else ``trade``, and whether it is the latter.

    Gates have the order of `tables.backtest.REASONS`. A veto is given in the family's terms.
    """
    spread_cents = (quoted.ask_cc - quoted.bid_cc) / CC_A_CENT
    used = quoted.used
    gates = {
        "no_quote": ~quoted.two_sided,
        "input_unknown": quoted.unknown,
        "market_invalid": ~_is(panel["market_valid"]),
        "dead_bracket": quoted.impossible,
        "stale_quote": ~(panel["quote_age_s"].to_numpy() <= params.max_quote_age_s),
        "extreme_probability": ~(
            (used >= params.min_probability) & (used <= params.max_probability)
        ),
        "wide_spread": ~(spread_cents <= params.max_spread_cents),
        "low_volume": ~(panel["volume_15m"].to_numpy() >= params.min_volume_15m),
        "veto": quoted.vetoed,
        "inferred_quote": ~wants & would_take,
        "edge_too_small": ~wants,
        "too_late": ~(panel["minutes_to_close"].to_numpy() >= params.last_minutes_without_orders),
    }
    first = np.select(list(gates.values()), range(len(gates)), len(gates))
    reason = pl.Series("reason", [*gates, "trade"]).gather(first)
    vetoes = panel["veto"].fill_null("veto_unknown")
    return vetoes.zip_with(reason == "veto", reason).alias("reason"), first == len(gates)
