"""From the panel to wanted orders: edges after fees, gates, and the first gate that said no.

Here: what a row of the panel says by itself. Not here: positions, limits, working orders
(`policy`), so that a row's signal is the same in any slice of the panel, in any mode.
"""

import polars as pl

from kalshi_assets.trading.orders import PAYOFF_CC, Execution, FeeOf
from kalshi_assets.trading.params import TradingParams

_CC_A_CENT = 100


def priced(panel: pl.DataFrame, calibrated: pl.DataFrame) -> pl.DataFrame:
    """The panel with the only probabilities that trading reads beside the market's.

    Parameters
    ----------
    panel
        `panel.minute_panel_full`, one event.
    calibrated
        `learning.calibrated` of it.

    Returns
    -------
    DataFrame
        The panel's rows and columns, and `p_calibrated`; its `known_at` is the later of both.

    Raises
    ------
    ValueError
        A row of the panel has no calibrated probability.
    """
    key = ["market_ticker", "minute"]
    later = calibrated.select(*key, "p_calibrated", calibrated_known_at="known_at")
    rows = panel.join(later, on=key, how="left", maintain_order="left")
    if rows["p_calibrated"].null_count():
        without = rows.filter(pl.col("p_calibrated").is_null()).select(key).row(0)
        raise ValueError(
            f"{without[0]} at {without[1]:%Y-%m-%dT%H:%MZ} has no calibrated probability; "
            "materialise learning.calibrated of the day again"
        )
    return rows.with_columns(known_at=pl.max_horizontal("known_at", "calibrated_known_at")).drop(
        "calibrated_known_at"
    )


def signals(panel: pl.DataFrame, params: TradingParams, fee: FeeOf) -> pl.DataFrame:
    """What every bracket and minute of `panel` says about trading it.

    Parameters
    ----------
    panel
        Rows of a `priced` panel, any slice.
    params
        Gates and edges.
    fee
        The exchange's; evaluated at the size of an order.

    Returns
    -------
    DataFrame
        One row per row, in its order: `market_ticker`, `bracket`, `minute`, `known_at`,
        `minutes_to_close`, `p_used`, `p_mkt`, `side` and `edge_cents` of the better side (null
        without two quotes), `execution` and `price_cc` of the order it would be (null unless
        `reason` is ``trade``), `reason`, and `pull`: whether resting orders must go.

    Notes
    -----
    With mid m and the market's probability q, all in cents, a maker's bid at b is worth
    ``min(p - m, p - q) - adverse selection - fee``: being filled is taken as news that the fair
    price moved from where it was, the farther of m and q, to b (methods 8, E[p|fill] = p - kappa).
    So where the sources agree with the market (p = q) no maker order has an edge. A taker's bid
    is worth ``p - (ask + slippage) - fee``. Asks mirror bids.
    """
    quoted = panel.select(
        "market_ticker",
        "bracket",
        "minute",
        "known_at",
        "minutes_to_close",
        "quote_source",
        "quote_age_s",
        "volume_15m",
        "market_valid",
        "dead",
        "p_mkt",
        p_used=(pl.col("p_mkt") + params.honesty * (pl.col("p_calibrated") - pl.col("p_mkt"))).clip(
            0.0, 1.0
        ),
        hazard=pl.col("hazard_next_5m"),
        bid_cc=_in_cc("bid"),
        ask_cc=_in_cc("ask"),
    ).with_columns(**_taker_limits(params))
    edges = _edges(_with_fees(quoted, params, fee), params)
    return _choose(edges, params).select(
        "market_ticker",
        "bracket",
        "minute",
        "known_at",
        "minutes_to_close",
        "p_used",
        "p_mkt",
        "side",
        "edge_cents",
        "execution",
        "price_cc",
        "reason",
        "pull",
    )


def _in_cc(dollars: str) -> pl.Expr:
    return (pl.col(dollars) * PAYOFF_CC).round().cast(pl.Int32)


def _taker_limits(params: TradingParams) -> dict[str, pl.Expr]:
    slippage = round(params.slippage_cents * _CC_A_CENT)
    return {
        "buy_limit_cc": (pl.col("ask_cc") + slippage).clip(upper_bound=PAYOFF_CC),
        "sell_limit_cc": (pl.col("bid_cc") - slippage).clip(lower_bound=0),
    }


def _with_fees(quoted: pl.DataFrame, params: TradingParams, fee: FeeOf) -> pl.DataFrame:
    """Add the fee a contract, cents, of each of the four orders that the row allows."""

    def cents(price: str, execution: Execution) -> pl.Series:
        prices = quoted[price]
        unique = prices.drop_nulls().unique().to_list()
        contracts = params.order_contracts
        fees = [fee(each, contracts, execution) / contracts / _CC_A_CENT for each in unique]
        return prices.replace_strict(unique, fees, default=None, return_dtype=pl.Float64)

    return quoted.with_columns(
        maker_bid_fee=cents("bid_cc", "maker"),
        maker_ask_fee=cents("ask_cc", "maker"),
        taker_bid_fee=cents("buy_limit_cc", "taker"),
        taker_ask_fee=cents("sell_limit_cc", "taker"),
    )


def _edges(quoted: pl.DataFrame, params: TradingParams) -> pl.DataFrame:
    used, market = pl.col("p_used") * 100, pl.col("p_mkt") * 100
    mid = (pl.col("bid_cc") + pl.col("ask_cc")) / (2 * _CC_A_CENT)
    two_sided = mid.is_not_null()
    rests = pl.col("bid_cc") < pl.col("ask_cc")  # in a locked book a post-only order is refused
    adverse = params.adverse_selection_cents
    maker_bid = pl.min_horizontal(used - mid, used - market) - adverse - pl.col("maker_bid_fee")
    maker_ask = pl.min_horizontal(mid - used, market - used) - adverse - pl.col("maker_ask_fee")
    taker_bid = used - pl.col("buy_limit_cc") / _CC_A_CENT - pl.col("taker_bid_fee")
    taker_ask = pl.col("sell_limit_cc") / _CC_A_CENT - used - pl.col("taker_ask_fee")
    return quoted.with_columns(
        maker_bid=pl.when(rests).then(maker_bid),
        maker_ask=pl.when(rests).then(maker_ask),
        taker_bid=pl.when(two_sided).then(taker_bid),
        taker_ask=pl.when(two_sided).then(taker_ask),
    ).with_columns(
        maker_edge=pl.max_horizontal("maker_bid", "maker_ask"),
        taker_edge=pl.max_horizontal("taker_bid", "taker_ask"),
        best_bid_edge=pl.max_horizontal("maker_bid", "taker_bid"),
        best_ask_edge=pl.max_horizontal("maker_ask", "taker_ask"),
    )


def _choose(edges: pl.DataFrame, params: TradingParams) -> pl.DataFrame:
    """Add side, execution, price and reason."""
    would_take = (pl.col("taker_edge") >= params.taker_min_edge_cents).fill_null(False)
    takes = would_take & (pl.col("quote_source") == "recorded")
    makes = (pl.col("maker_edge") >= params.maker_min_edge_cents).fill_null(False) & ~takes
    is_bid = (
        pl.when(takes)
        .then(pl.col("taker_bid") >= pl.col("taker_ask"))
        .when(makes)
        .then(pl.col("maker_bid") >= pl.col("maker_ask"))
        .otherwise(pl.col("best_bid_edge") >= pl.col("best_ask_edge"))
    )
    chosen = edges.with_columns(
        takes=takes,
        is_bid=is_bid,
        reason=_first_no(params, wants=takes | makes, would_take=would_take),
        pull=_hazard(params) | pl.col("dead"),
        edge_cents=pl.when(takes)
        .then(pl.col("taker_edge"))
        .when(makes)
        .then(pl.col("maker_edge"))
        .otherwise(pl.max_horizontal("best_bid_edge", "best_ask_edge")),
    ).with_columns(
        side=pl.when("is_bid").then(pl.lit("bid")).when(~pl.col("is_bid")).then(pl.lit("ask"))
    )
    taker_price = pl.when("is_bid").then("buy_limit_cc").otherwise("sell_limit_cc")
    maker_price = pl.when("is_bid").then("bid_cc").otherwise("ask_cc")
    trades = pl.col("reason") == "trade"
    return chosen.with_columns(
        execution=pl.when(trades & pl.col("takes"))
        .then(pl.lit("taker"))
        .when(trades)
        .then(pl.lit("maker")),
        price_cc=pl.when(trades & pl.col("takes")).then(taker_price).when(trades).then(maker_price),
    )


def _hazard(params: TradingParams) -> pl.Expr:
    return (pl.col("hazard") > params.max_hazard_5m).fill_null(False)


def _first_no(params: TradingParams, wants: pl.Expr, would_take: pl.Expr) -> pl.Expr:
    """The first gate that says no, in the order of `tables.backtest.REASONS`; else ``trade``."""
    spread_cents = (pl.col("ask_cc") - pl.col("bid_cc")) / _CC_A_CENT
    gates = {
        "no_quote": spread_cents.is_null(),
        "market_invalid": ~pl.col("market_valid"),
        "dead_bracket": pl.col("dead"),
        "stale_quote": (pl.col("quote_age_s") > params.max_quote_age_s).fill_null(True),
        "extreme_probability": ~pl.col("p_used").is_between(
            params.min_probability, params.max_probability
        ),
        "wide_spread": spread_cents > params.max_spread_cents,
        "low_volume": pl.col("volume_15m") < params.min_volume_15m,
        "hazard": _hazard(params),
        "inferred_quote": ~wants & would_take,
        "edge_too_small": ~wants,
        "too_late": pl.col("minutes_to_close") < params.last_minutes_without_orders,
    }
    return pl.coalesce(
        *(pl.when(says_no).then(pl.lit(reason)) for reason, says_no in gates.items()),
        pl.lit("trade"),
    )
