"""Decisions of a session against the backtest's, cause by cause."""

from datetime import timedelta

import polars as pl

from kalshi_assets.tables import DECISIONS, LIVE_DECISIONS
from kalshi_assets.tables.backtest import FILL_MODELS
from kalshi_assets.trading import records
from kalshi_assets.trading.engine import backtest
from kalshi_assets.trading.parity import parity
from kalshi_assets_tests.trading.days import Shape, generated_day, lively

DAY = generated_day(1, lively(), Shape(minutes=60, brackets=4, trades=600, spoilt=0.02))
BACKTEST = records.decisions(DAY, backtest(DAY, fill_models=tuple(FILL_MODELS)))
VALUE = pl.col("strategy") == "value"


def _causes(decisions: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Rows by strategy and cause."""
    recorded = decisions.with_columns(session_id=pl.lit("s"), recorded_at="minute")
    found = parity(LIVE_DECISIONS.arranged(recorded), BACKTEST)
    assert (found.group_by("strategy").agg(pl.col("share").sum())["share"] - 1).abs().max() < 1e-12
    return {
        name: dict(rows.select("cause", "rows").iter_rows())
        for (name,), rows in found.group_by("strategy")
    }


def test_the_same_decisions_are_equal() -> None:
    rows = BACKTEST.filter(VALUE).height
    assert _causes(BACKTEST) == {name: {"equal": rows} for name in ("value", "move", "sets")}


def test_minutes_without_a_decision_are_missing() -> None:
    until = BACKTEST["minute"].min() + timedelta(minutes=20)
    causes = _causes(BACKTEST.filter(pl.col("minute") < until))
    assert causes["value"] == {"equal": 4 * 20, "missing": 4 * 40}


def test_strategies_that_the_session_did_not_run_are_not_judged() -> None:
    assert set(_causes(BACKTEST.filter(VALUE))) == {"value"}


def test_other_probabilities_are_late_facts_whatever_was_decided() -> None:
    changed = pl.when(VALUE).then(pl.col("p_used") * 0.5).otherwise("p_used")
    known = BACKTEST.filter(VALUE & pl.col("p_used").is_not_null()).height
    causes = _causes(BACKTEST.with_columns(p_used=changed, reason=pl.lit("trade")))
    assert causes["value"]["late_facts"] == known


def test_another_position_alone_is_a_cause_of_its_own() -> None:
    causes = _causes(BACKTEST.with_columns(position=pl.col("position") + 1))
    assert set(causes["value"]) == {"position"}


def test_another_decision_from_the_same_facts_is_unexplained() -> None:
    first = pl.int_range(pl.len()) == 0
    other = pl.when(first).then(pl.lit("unheard_of")).otherwise("reason")
    causes = _causes(DECISIONS.arranged(BACKTEST.with_columns(reason=other)))
    assert sum(each.get("unexplained", 0) for each in causes.values()) == 1
