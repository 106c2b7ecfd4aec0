"""Checks of the tables of schema `backtest` against each other, the same for every family.

Here: what must hold between decisions, orders, fills, ledger, results and metrics of a day. Not
here: rules that follow from one table's declaration (`rules`), computing any of them (`trading`).
"""

import polars as pl

from kalshi_assets.lake.checks import Verdict
from kalshi_assets.lake.rules import alone, beside
from kalshi_assets.tables import DAILY_PNL, DECISIONS, FILLS, LEDGER, METRICS, ORDERS

_RUN = ("strategy", "fill_model")
_ORDER = (*_RUN, "order_id")
# The fill model under which decisions are recorded.
_DECIDING = "through"


def orders_are_decisions(orders: pl.DataFrame, decisions: pl.DataFrame) -> Verdict:
    """The orders under `through` are the decisions to trade: side, price and size are the same."""
    key = ("strategy", "market_ticker", "minute", "side", "execution", "price_cc", "contracts")
    sent = orders.filter(fill_model=_DECIDING).rename({"decided_at": "minute"}).select(key)
    decided = decisions.filter(reason="trade").select(key)
    without = sent.join(decided, on=key, how="anti").height
    unsent = decided.join(sent, on=key, how="anti").height
    return Verdict(
        not without and not unsent,
        f"{sent.height} orders; without a decision: {without}; decisions without one: {unsent}",
    )


def orders_end_in_time(orders: pl.DataFrame) -> Verdict:
    """Every order was decided before it reached the book and ended no earlier, filled in part."""
    wrong = orders.filter(
        (pl.col("placed_at") < pl.col("decided_at"))
        | (pl.col("event_time") < pl.col("placed_at"))
        | (pl.col("filled") > pl.col("contracts"))
        | ((pl.col("end") == "filled") & (pl.col("filled") < pl.col("contracts")))
    ).height
    return Verdict(wrong == 0, f"{wrong} of {orders.height} orders")


def fills_are_of_orders(fills: pl.DataFrame, orders: pl.DataFrame) -> Verdict:
    """Fills belong to orders, add up to what those say, and are never beyond their price."""
    of_fills = fills.group_by(_ORDER).agg(
        pl.col("contracts").sum(), pl.col("fee_cc").sum(), pl.col("event_time").min()
    )
    found = orders.join(of_fills, on=_ORDER, how="left", suffix="_of_fills")
    wrong = found.filter(
        (pl.col("contracts_of_fills").fill_null(0) != pl.col("filled"))
        | (pl.col("fee_cc_of_fills").fill_null(0) != pl.col("fee_cc"))
        | (pl.col("event_time_of_fills") < pl.col("placed_at"))
    ).height
    strays = of_fills.join(orders, on=_ORDER, how="anti").height
    limits = orders.select(*_ORDER, limit="price_cc")
    past = pl.col("price_cc") - pl.col("limit")
    beyond = (
        fills.join(limits, on=_ORDER)
        .filter(pl.when(pl.col("side") == "bid").then(past).otherwise(-past) > 0)
        .height
    )
    return Verdict(
        not (wrong or strays or beyond),
        f"orders whose fills do not add up: {wrong}; fills of no order: {strays}; beyond the "
        f"order's price: {beyond}",
    )


def entries_balance(ledger: pl.DataFrame) -> Verdict:
    """The postings of every entry sum to zero."""
    sums = ledger.group_by(*_RUN, "entry").agg(pl.col("amount_cc").sum())
    wrong = sums.filter(pl.col("amount_cc") != 0).height
    return Verdict(wrong == 0, f"{wrong} of {sums.height} entries do not sum to zero")


def results_are_the_fills(pnl: pl.DataFrame, fills: pl.DataFrame) -> Verdict:
    """Net, fees and contracts of the day are the sums of its fills."""
    sums = fills.group_by(_RUN).agg(
        pl.col("contracts").sum(),
        pl.col("fee_cc").sum().alias("fees_cc"),
        # A sum of unknowns would be 0.
        pl.when(pl.col("pnl_cc").null_count() == 0).then(pl.col("pnl_cc").sum()).alias("net_cc"),
    )
    found = pnl.join(sums, on=_RUN, how="left", suffix="_of_fills")
    nothing = pl.col("contracts_of_fills").is_null()
    settled = pl.col("settled_by") != "unsettled"
    net = pl.when(nothing & settled).then(0).otherwise("net_cc_of_fills")
    wrong = found.filter(
        (pl.col("contracts_of_fills").fill_null(0) != pl.col("contracts"))
        | (pl.col("fees_cc_of_fills").fill_null(0) != pl.col("fees_cc"))
        | net.ne_missing(pl.col("net_cc"))
    ).height
    return Verdict(wrong == 0, f"{wrong} of {pnl.height} results are not the sums of their fills")


def results_are_the_cash(pnl: pl.DataFrame, ledger: pl.DataFrame) -> Verdict:
    """Of a settled day the ledger's cash is the net result, and no contracts are held."""
    account = pl.col("account")
    sums = ledger.group_by(_RUN).agg(
        cash=pl.col("amount_cc").filter(account == "cash").sum(),
        held=pl.col("contracts").sum(),
    )
    found = pnl.filter(pl.col("net_cc").is_not_null()).join(sums, on=_RUN, how="left")
    wrong = found.filter(
        (pl.col("cash").fill_null(0) != pl.col("net_cc")) | (pl.col("held").fill_null(0) != 0)
    ).height
    return Verdict(wrong == 0, f"{wrong} of {found.height} settled results differ from the ledger")


def metrics_add_up(metrics: pl.DataFrame, pnl: pl.DataFrame) -> Verdict:
    """Orders and contracts of every kind of bucket, and of each of stress, add up to the day's."""
    # A day counts once for everything that tested a trader on it.
    whole = pl.when(pl.col("by") == "stress").then("bucket").alias("whole")
    found = (
        metrics.group_by(*_RUN, "by", whole)
        .agg(pl.col("orders", "contracts", "fees_cc").sum())
        .join(pnl, on=_RUN, how="left", suffix="_of_day")
    )
    wrong = found.filter(
        pl.any_horizontal(
            pl.col(name).ne_missing(pl.col(f"{name}_of_day").cast(pl.Int64))
            for name in ("orders", "contracts", "fees_cc")
        )
    ).height
    return Verdict(wrong == 0, f"{wrong} of {found.height} sums differ from the day's")


TRADING_CHECKS = {
    ORDERS: [alone(orders_end_in_time), beside(orders_are_decisions, DECISIONS)],
    FILLS: [beside(fills_are_of_orders, ORDERS)],
    LEDGER: [alone(entries_balance)],
    DAILY_PNL: [beside(results_are_the_fills, FILLS), beside(results_are_the_cash, LEDGER)],
    METRICS: [beside(metrics_add_up, DAILY_PNL)],
}
"""The checks by table."""
