"""The engine does, order by order, what docs/trading.md says."""

from datetime import date

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from kalshi_assets.benchmarks.trading_reference import reference
from kalshi_assets.tables.backtest import FILL_MODELS, ORDER_ENDS, REASONS, STRATEGIES
from kalshi_assets.trading import records
from kalshi_assets.trading.day import TradingDay
from kalshi_assets.trading.engine import backtest
from kalshi_assets_tests.shared import ARCHIVE, needs_archive
from kalshi_assets_tests.trading.days import generated_day, lively
from kalshi_assets_tests.trading.recorded import recorded_day

FEW, MANY = range(10), range(10, 90)


def of_engine(day: TradingDay) -> dict[str, pl.DataFrame]:
    runs = backtest(day)
    return {
        "decisions": records.decisions(day, runs),
        "orders": records.orders(day, runs),
        "fills": records.fills(day, runs, None),
    }


def assert_agree(day: TradingDay) -> None:
    seen = of_engine(day)
    sent = pl.col("execution").is_not_null()
    seen["decisions"] = seen["decisions"].with_columns(side=pl.when(sent).then("side"))
    for name, expected in reference(day).items():
        order = ["strategy", "bracket", "minute"] if name == "decisions" else None
        order = order or ["strategy", "fill_model", "order_id", "event_time"]
        assert_frame_equal(
            seen[name].select(expected.columns).sort(order, maintain_order=True),
            expected.sort(order, maintain_order=True),
            check_dtypes=False,
        )


@pytest.mark.parametrize("seed", FEW)
def test_a_second_engine_agrees_on_a_generated_day(seed: int) -> None:
    assert_agree(generated_day(seed))


@pytest.mark.slow
@pytest.mark.parametrize("seed", MANY)
def test_a_second_engine_agrees_on_many_generated_days(seed: int) -> None:
    assert_agree(generated_day(seed))


@pytest.mark.slow
@needs_archive
@pytest.mark.parametrize(
    ("ladder", "day", "trades"),
    [("chicago", date(2025, 5, 5), True), ("new_york", date(2025, 4, 25), False)],
)
def test_a_second_engine_agrees_on_a_recorded_day(ladder: str, day: date, trades: bool) -> None:
    recorded = recorded_day(ARCHIVE, ladder, day, lively())
    assert_agree(recorded)
    # Too few quotes can be inferred in New York for a market PMF: no order there.
    assert (of_engine(recorded)["fills"].height > 0) == trades


def test_the_generated_days_reach_every_reason_end_strategy_and_model() -> None:
    frames = [of_engine(generated_day(seed)) for seed in (*FEW, *MANY)]
    whole = {name: pl.concat(frame[name] for frame in frames) for name in frames[0]}
    # Of the words of REASONS, a veto is given in the family's, and not_wanted is of strategies
    # that are called minute by minute.
    expected = {*REASONS, "hazard", "late_feed", "veto_unknown"} - {"veto", "not_wanted"}
    assert {*whole["decisions"]["reason"]} == expected
    assert {*whole["orders"]["end"]} == {*ORDER_ENDS}
    both = whole["fills"].select("strategy", "fill_model", "execution").unique()
    assert {*both.filter(execution="taker").select("strategy", "fill_model").iter_rows()} == {
        (strategy, model) for strategy in STRATEGIES for model in FILL_MODELS
    }
    assert {*both.filter(execution="maker").select("strategy", "fill_model").iter_rows()} == {
        (strategy, model) for strategy in ("value", "move") for model in FILL_MODELS
    }
