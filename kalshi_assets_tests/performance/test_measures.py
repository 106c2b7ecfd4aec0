"""Totals, paths and judgements of a lake whose results are known by hand."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kalshi_assets.lake.catalogue import connect
from kalshi_assets.lake.files import Files
from kalshi_assets.performance.measures import (
    by_calendar,
    equity,
    headline,
    judgements,
    overfitting,
    parts_of_gain,
    performance,
    widths,
    with_extra_cost,
    worst_drawdowns,
)
from kalshi_assets.performance.results import Results, results_of
from kalshi_assets.tables import PERFORMANCE
from kalshi_assets.tables.backtest import DECIDING_MODEL, FILL_MODELS
from kalshi_assets_tests.performance.worlds import CITIES, CONTRACTS, FEE, FIRST, build, results

# By date under `through`: 40,000, -60,000, 10,000, 20,000; new_york's last day is not settled.
GAINS = [40_000, -60_000, 10_000, 20_000]


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return results(tmp_path_factory.mktemp("lake"))


def _row(frame: pl.DataFrame, model: str = DECIDING_MODEL) -> dict[str, object]:
    return frame.filter(strategy="value", fill_model=model).row(0, named=True)


def test_the_headline_adds_up_settled_days_and_counts_all(read: Results) -> None:
    row = _row(headline(read))
    assert (row["days"], row["settled_days"], row["days_with_orders"]) == (8, 7, 7)
    assert (row["orders"], row["orders_filled"], row["contracts"]) == (14, 7, 7 * CONTRACTS)
    assert row["net_cc"] == sum(GAINS)
    assert row["fees_cc"] == 7 * FEE
    assert row["gross_cc"] == sum(GAINS) + 7 * FEE
    assert row["worst_day_cc"] == -50_000
    assert row["net_cents"] == pytest.approx(sum(GAINS) / (7 * CONTRACTS) / 100)
    assert row["hit_rate"] == pytest.approx(2 / CONTRACTS)
    assert row["mark_out_5m_cents"] == pytest.approx(-500 / CONTRACTS / 100)


def test_the_width_is_that_between_the_best_and_the_worst_fill_model(read: Results) -> None:
    row = widths(read).filter(strategy="value").row(0, named=True)
    assert (row["low_cc"], row["high_cc"]) == (10_000, 10_000 + 7 * 2_000)
    assert row["width_cc"] == 14_000


def test_a_strategy_without_orders_has_no_rates(read: Results) -> None:
    row = headline(read).filter(strategy="sets", fill_model="touch").row(0, named=True)
    assert row["net_cc"] == 0
    assert row["hit_rate"] is None
    assert row["net_cents"] is None


def test_equity_adds_up_the_gains_of_a_date_over_cities(read: Results) -> None:
    path = equity(read).filter(strategy="value", fill_model=DECIDING_MODEL)
    assert path["net_cc"].to_list() == GAINS
    assert path["equity_cc"].to_list() == [40_000, -20_000, -10_000, 10_000]
    assert path["drawdown_cc"].to_list() == [0, 60_000, 50_000, 30_000]


def test_drawdowns_have_their_dates(read: Results) -> None:
    (worst,) = worst_drawdowns(read)
    assert (worst.strategy, worst.depth_cc, worst.recovery, worst.dates) == (
        "value",
        60_000,
        None,
        3,
    )
    assert (worst.start, worst.trough) == (FIRST + timedelta(days=1),) * 2


def test_the_parts_of_a_gain_add_up_to_it(read: Results) -> None:
    for row in parts_of_gain(read).iter_rows(named=True):
        parts = row["mark_out_cc"] + row["afterwards_cc"] + row["fees_cc"]
        assert parts == pytest.approx(row["net_cc"])


def test_every_contract_of_a_settled_day_bears_an_extra_cost(read: Results) -> None:
    rows = with_extra_cost(read).filter(strategy="value", fill_model=DECIDING_MODEL)
    by_cents = dict(rows.select("extra_cents", "net_cc").iter_rows())
    assert by_cents[0.0] == sum(GAINS)
    assert by_cents[1.0] == sum(GAINS) - 7 * CONTRACTS * 100


def test_the_calendar_holds_every_settled_date(read: Results) -> None:
    rows = by_calendar(read).filter(strategy="value")
    assert rows["net_cc"].sum() == sum(GAINS)
    assert rows["month"].to_list() == ["2025-04", "2025-04", "2025-04", "2025-05"]
    assert rows["weekday"].to_list() == [1, 2, 3, 4]


def test_sums_by_city_and_season_add_up_to_all(read: Results) -> None:
    value = read.sums.filter(strategy="value", fill_model="touch")
    whole = value.filter(by="all")["contracts"].sum()
    for by in ("ladder", "season", "time_of_day"):
        assert value.filter(by=by)["contracts"].sum() == whole
    assert set(value.filter(by="ladder")["bucket"]) == {"chicago", "new_york"}
    assert set(value.filter(by="season")["bucket"]) == {"spring"}


def test_the_performance_table_keeps_its_contract(read: Results) -> None:
    rows = PERFORMANCE.conform(performance(read))
    assert rows.height == read.sums.height


def test_of_few_dates_only_the_mean_is_given(read: Results) -> None:
    value = next(each for each in judgements(read, configurations=1) if each.strategy == "value")
    assert (value.dates, value.mean_cc) == (4, pytest.approx(2_500))
    assert (value.lo_cc, value.sharpe, value.p_value, value.deflated) == (None,) * 4


def _many(**gains: np.ndarray) -> Results:
    """Results of one city with these gains under every fill model."""
    rows = [
        {
            "strategy": name,
            "fill_model": model,
            "ladder": "new_york",
            "date": FIRST + timedelta(days=day),
            "settled": True,
            "orders": 1,
            "contracts": 10,
            "net_cc": int(gain),
        }
        for name, of_days in gains.items()
        for model in FILL_MODELS
        for day, gain in enumerate(of_days)
    ]
    days = pl.DataFrame(rows)
    nothing = pl.DataFrame(schema={"strategy": pl.String, "rows": pl.Int64})
    return Results(days=days, sums=nothing, reasons=nothing)


def test_a_judgement_says_how_much_is_luck() -> None:
    noise = np.random.default_rng(1).normal(0, 10_000, (2, 100))
    found = {
        each.strategy: each
        for each in judgements(_many(lucky=noise[0], skilled=noise[1] + 8_000), configurations=50)
    }
    skilled, lucky = found["skilled"], found["lucky"]
    assert skilled.lo_cc is not None
    assert skilled.hi_cc is not None
    assert skilled.lo_cc < 8_000 < skilled.hi_cc
    assert skilled.p_value is not None
    assert skilled.p_value < 0.01
    assert skilled.deflated is not None
    assert skilled.deflated > 0.95
    assert lucky.deflated is not None
    assert lucky.deflated < 0.5
    assert lucky.p_value is not None
    assert lucky.p_value > 0.05


def test_ratios_that_happen_to_be_close_do_not_make_luck_small() -> None:
    noise = np.random.default_rng(2).normal(0, 10_000, 150)
    same = {name: noise - noise.mean() + mean for name, mean in (("a", 1_900), ("b", 2_000))}
    each = judgements(_many(**same), configurations=49)[0]
    # With 98 trials a ratio of 0.19 over 150 dates is what chance gives.
    assert each.by_chance is not None
    assert each.by_chance > 0.19
    assert each.deflated is not None
    assert each.deflated < 0.5


def test_a_strategy_without_a_settled_day_is_not_judged_and_stops_no_other() -> None:
    results = _many(old=np.arange(40.0), new=np.arange(40.0))
    unsettled = pl.col("strategy") == "new"
    days = results.days.with_columns(settled=~unsettled, net_cc=pl.when(~unsettled).then("net_cc"))
    found = {j.strategy: j for j in judgements(replace(results, days=days), configurations=1)}
    assert found["old"].dates == 40
    assert (found["new"].dates, found["new"].mean_cc) == (0, None)


def test_overfitting_of_one_trading_strategy_is_not_computed(read: Results) -> None:
    assert overfitting(read) == "fewer than two strategies have gains"


def test_only_the_days_asked_for_are_read(tmp_path: Path) -> None:
    build(tmp_path)
    with connect(Files(tmp_path)) as catalogue:
        read = results_of(catalogue, replace(CITIES, start=FIRST, end=FIRST))
    assert read.days["date"].unique().to_list() == [FIRST]
    assert _row(headline(read))["net_cc"] == 40_000


def test_a_lake_without_backtests_has_empty_results(tmp_path: Path) -> None:
    build(tmp_path)
    with connect(Files(tmp_path)) as catalogue:
        read = results_of(catalogue, replace(CITIES, start=date(2026, 1, 1)))
    assert headline(read).is_empty()
    assert judgements(read, configurations=1) == []
    assert worst_drawdowns(read) == []
