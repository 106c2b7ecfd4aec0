"""What weeks of shadow must show before an account trades live."""

from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest
from pydantic import ValidationError

from kalshi_assets.config import load_toml
from kalshi_assets.performance.promotion import (
    CONFIG_NAME,
    Bars,
    Shadow,
    may_trade_live,
    promotion,
)
from kalshi_assets.tables.live import TRADING_ENDED

BARS = Bars(**load_toml(CONFIG_NAME))
DATES = [date(2026, 7, 1) + timedelta(days=n) for n in range(20)]
LADDERS = ["chicago", "new_york"]
DAYS = [(ladder, day) for day in DATES for ladder in LADDERS]


def shadow() -> Shadow:
    """Twenty days of two ladders that pass every test."""
    keys = {"ladder": [k for k, _ in DAYS], "date": [d for _, d in DAYS]}
    fills = [
        (ladder, day, 10_000, 900 if (n + number) % 2 else -100)
        for number, (ladder, day) in enumerate(DAYS)
        for n in range(9)
    ]
    return Shadow(
        sessions=pl.DataFrame(
            {
                **keys,
                "session_id": [f"shadow-{day}" for _, day in DAYS],
                "end_reason": TRADING_ENDED,
                "failures": 0,
            }
        ),
        parity=pl.DataFrame({**keys, "strategy": "value", "cause": "equal", "rows": 1000}),
        fills=pl.DataFrame(fills, schema=["ladder", "date", "cost_cc", "net_cc"], orient="row"),
        expected=pl.DataFrame({**keys, "expected_cents": 45.0}),
        scores=pl.DataFrame({**keys, "market": 1.0, "fused": 0.99}),
    )


GOOD = shadow()


def failed(of: Shadow) -> list[str]:
    rows = promotion(of, BARS)
    assert may_trade_live(rows) is (not rows.filter(~pl.col("passed")).height)
    assert rows.filter(~pl.col("passed") & (pl.col("missing") == "")).is_empty()
    return rows.filter(~pl.col("passed"))["test"].to_list()


def test_weeks_that_pass_every_test_are_promoted() -> None:
    assert failed(GOOD) == []
    assert may_trade_live(promotion(GOOD, BARS))


def test_no_sessions_are_not_promoted_and_no_figure_is_made_up() -> None:
    none = Shadow(**{name: frame.clear() for name, frame in vars(GOOD).items()})
    rows = promotion(none, BARS)
    assert not rows["passed"].any()
    unknown = rows.filter(pl.col("found").is_null())["test"].to_list()
    assert {"net_bps", "t_value", "equal_share", "unexplained", "ended_share"} <= set(unknown)
    assert not may_trade_live(rows.clear())


@pytest.mark.parametrize(
    ("field", "change", "test"),
    [
        ("sessions", pl.col("date") < DATES[13], "days"),
        ("sessions", pl.col("ladder") == "chicago", "ladder_days"),
        ("fills", pl.col("date") < DATES[5], "fills"),
    ],
)
def test_too_little_is_not_enough(field: str, change: pl.Expr, test: str) -> None:
    fewer = replace(GOOD, **{field: getattr(GOOD, field).filter(change)})
    assert test in failed(fewer)


@pytest.mark.parametrize(
    ("field", "change", "tests"),
    [
        ("fills", {"net_cc": pl.col("net_cc") - 2_000}, {"net_bps", "t_value", "realised_share"}),
        ("fills", {"net_cc": pl.lit(1)}, {"t_value", "net_bps", "realised_share"}),
        ("expected", {"expected_cents": pl.lit(500.0)}, {"realised_share"}),
        ("scores", {"fused": pl.lit(1.001)}, {"log_loss_excess"}),
        ("scores", {"fused": pl.lit(None, pl.Float64)}, {"log_loss_excess"}),
        ("sessions", {"end_reason": pl.lit("stopped: SIGTERM")}, {"ended_share"}),
        ("parity", {"cause": pl.lit("late_facts")}, {"equal_share"}),
    ],
)
def test_every_defect_fails_its_test(
    field: str, change: dict[str, pl.Expr], tests: set[str]
) -> None:
    worse = replace(GOOD, **{field: getattr(GOOD, field).with_columns(**change)})
    assert set(failed(worse)) == tests


def test_one_unexplained_decision_is_enough() -> None:
    first = pl.int_range(pl.len()) == 0
    cause = pl.when(first).then(pl.lit("unexplained")).otherwise("cause")
    rows = pl.when(first).then(1).otherwise("rows")
    worse = replace(GOOD, parity=GOOD.parity.with_columns(cause=cause, rows=rows))
    assert failed(worse) == ["unexplained"]


def test_a_deep_fall_is_found_though_it_was_made_good() -> None:
    fall = (
        pl.when(pl.col("date") == DATES[9]).then(-1_000_000).otherwise(pl.col("net_cc") + 900_000)
    )
    deep = replace(GOOD, fills=GOOD.fills.with_columns(net_cc=fall))
    assert failed(deep) == ["drawdown_cc"]


def test_bars_cannot_be_lowered_below_their_floors() -> None:
    given = load_toml(CONFIG_NAME)
    for name, low in (("fills", 10), ("t_value", 0.5), ("net_bps", 0), ("days", 1)):
        with pytest.raises(ValidationError, match=name):
            Bars(**{**given, name: low})
