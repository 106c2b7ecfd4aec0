"""Every rule between trading's tables passes what the engine makes and fails what is spoilt."""

from collections.abc import Callable
from itertools import chain

import polars as pl
import pytest

from kalshi_assets.benchmarks.engine import BUSY_EDGE, generated_day
from kalshi_assets.lake.store import Lake
from kalshi_assets.lake.trading_checks import TRADING_CHECKS
from kalshi_assets.tables import (
    DAILY_PNL,
    DECISIONS,
    FILLS,
    LEDGER,
    METRICS,
    ORDERS,
    Table,
)
from kalshi_assets.trading import records
from kalshi_assets.trading.engine import backtest
from kalshi_assets.trading.ledger import postings
from kalshi_assets.trading.metrics import metrics
from kalshi_assets_tests.lake.handmade import KEY

Frames = dict[Table, pl.DataFrame]


def _frames(*, settled: bool) -> Frames:
    day = generated_day(3, BUSY_EDGE, minutes=600)
    day.panel.insert_column(0, pl.Series("hour_lst", [12.0] * day.panel.height))
    paid = (0, 0, 10_000, 0, 0, 0)
    outcome = records.Outcome(
        settled_by="exchange",
        value=1,
        winning_bracket=2,
        payoffs_cc=paid,
        known_at=int(day.instants[-1]),
    )
    known = outcome if settled else None
    runs = backtest(day)
    sent, filled = records.orders(day, runs), records.fills(day, runs, known)
    return {
        DECISIONS: records.decisions(day, runs),
        ORDERS: sent,
        FILLS: filled,
        LEDGER: postings(filled, paid if settled else None, day.markets, outcome.known_at),
        DAILY_PNL: records.daily_pnl(day, runs, known),
        METRICS: metrics(day, runs, sent, filled, ("front", "feed gap")),
    }


SETTLED, UNSETTLED = _frames(settled=True), _frames(settled=False)


def _failed(lake: Lake, frames: Frames) -> set[str]:
    for table, frame in frames.items():
        lake.write(table, KEY, frame)
    return {
        check.name
        for table, wanted in TRADING_CHECKS.items()
        for check in wanted
        if not check.rule(frames[table], lake, KEY).passed
    }


@pytest.mark.parametrize("frames", [SETTLED, UNSETTLED], ids=["settled", "unsettled"])
def test_what_the_engine_makes_passes(lake: Lake, frames: Frames) -> None:
    assert frames[FILLS].height > 50
    assert _failed(lake, frames) == set()


def test_a_day_without_orders_passes(lake: Lake) -> None:
    nothing = {table: frame.clear() for table, frame in SETTLED.items()}
    zeros = [name for name in DAILY_PNL.dtypes if name.endswith("_cc")]
    counts = ["orders", "maker_fills", "taker_fills", "contracts"]
    nothing[DAILY_PNL] = SETTLED[DAILY_PNL].with_columns(
        pl.lit(0).cast(DAILY_PNL.dtypes[name]).alias(name) for name in [*zeros, *counts]
    )
    assert _failed(lake, nothing) == set()


def _first(frame: pl.DataFrame, **changes: pl.Expr) -> pl.DataFrame:
    first = pl.int_range(pl.len()) == 0
    return frame.with_columns(
        pl.when(first).then(change).otherwise(name).cast(frame.schema[name]).alias(name)
        for name, change in changes.items()
    )


SPOILT: dict[str, tuple[Table, Callable[[pl.DataFrame], pl.DataFrame]]] = {
    "orders_are_decisions": (DECISIONS, lambda f: f.filter(pl.col("reason") != "trade")),
    "orders_end_in_time": (
        ORDERS,
        lambda f: _first(f, event_time=pl.col("placed_at") - pl.duration(minutes=1)),
    ),
    "fills_are_of_orders": (FILLS, lambda f: _first(f, contracts=pl.col("contracts") + 1)),
    "entries_balance": (LEDGER, lambda f: _first(f, amount_cc=pl.col("amount_cc") + 1)),
    "results_are_the_fills": (DAILY_PNL, lambda f: _first(f, net_cc=pl.lit(None))),
    "results_are_the_cash": (LEDGER, lambda f: f.filter(pl.col("account") != "cash")),
    "metrics_add_up": (METRICS, lambda f: f.filter(pl.col("bucket") != "maker")),
}


@pytest.mark.parametrize("name", SPOILT)
def test_what_is_spoilt_fails_the_rule_that_is_about_it(lake: Lake, name: str) -> None:
    table, spoil = SPOILT[name]
    assert name in _failed(lake, SETTLED | {table: spoil(SETTLED[table])})


def test_every_test_of_a_trader_has_the_whole_day(lake: Lake) -> None:
    wrong = pl.when(pl.col("bucket") == "feed gap").then(pl.col("fees_cc") + 1).otherwise("fees_cc")
    spoilt = SETTLED[METRICS].with_columns(fees_cc=wrong)
    assert _failed(lake, SETTLED | {METRICS: spoilt}) == {"metrics_add_up"}


def test_a_fill_beyond_its_orders_price_is_found(lake: Lake) -> None:
    bid = pl.col("side") == "bid"
    dearer = pl.when(bid).then(9_999).otherwise(1).cast(pl.Int32)
    worse = SETTLED[FILLS].with_columns(price_cc=dearer)
    assert "fills_are_of_orders" in _failed(lake, SETTLED | {FILLS: worse})


def test_every_rule_is_shown_to_fail() -> None:
    rules = {check.name for check in chain(*TRADING_CHECKS.values())}
    assert rules == set(SPOILT)
