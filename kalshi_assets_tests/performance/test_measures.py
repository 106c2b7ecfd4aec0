"""Totals, paths and judgements of a lake whose results are known by hand."""

from datetime import date, timedelta
from pathlib import Path

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
from kalshi_assets.statistics.selection import sharpe
from kalshi_assets.tables import PERFORMANCE
from kalshi_assets.tables.backtest import DECIDING_MODEL
from kalshi_assets_tests.performance.worlds import CONTRACTS, FEE, FIRST, build, results

# By date under `through`: 40,000, -60,000, 10,000, 20,000; new_york's last day is not settled.
GAINS = [40_000, -60_000, 10_000, 20_000]


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return results(tmp_path_factory.mktemp("lake"))


def _row(frame: pl.DataFrame, model: str = DECIDING_MODEL) -> dict[str, object]:
    return frame.filter(strategy="value", fill_model=model).row(0, named=True)


def test_the_headline_adds_up_settled_days_and_counts_all(read: Results) -> None:
    row = _row(headline(read))
    assert (row["days"], row["settled_days"], row["days_with_orders"]) == (8, 7, 8)
    assert (row["orders"], row["orders_filled"], row["contracts"]) == (16, 8, 8 * CONTRACTS)
    assert row["net_cc"] == sum(GAINS)
    assert row["settled_fees_cc"] == 7 * FEE
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


def test_a_judgement_says_how_much_is_luck(read: Results) -> None:
    value = next(each for each in judgements(read, configurations=1) if each.strategy == "value")
    assert value.dates == 4
    assert value.mean_cc == pytest.approx(2_500)
    assert value.lo_cc is not None
    assert value.hi_cc is not None
    assert value.lo_cc < 2_500 < value.hi_cc
    assert value.sharpe == pytest.approx(sharpe(pl.Series(GAINS).to_numpy().astype(float)))
    assert value.p_value is not None
    assert value.p_value > 0.1
    # One strategy alone varies: there is no spread of trials to deflate by.
    assert value.deflated is None


def test_a_strategy_without_gains_has_no_sharpe_ratio(read: Results) -> None:
    sets = next(each for each in judgements(read, configurations=1) if each.strategy == "sets")
    assert (sets.sharpe, sets.p_value, sets.city_days_needed) == (None, None, None)


def test_overfitting_of_one_trading_strategy_is_not_computed(read: Results) -> None:
    assert overfitting(read) == "fewer than two strategies have gains"


def test_only_the_days_asked_for_are_read(tmp_path: Path) -> None:
    build(tmp_path)
    with connect(Files(tmp_path)) as catalogue:
        read = results_of(catalogue, ladder="city", start=FIRST, end=date(2025, 4, 28))
    assert read.days["date"].unique().to_list() == [FIRST]
    assert _row(headline(read))["net_cc"] == 40_000


def test_a_lake_without_backtests_has_empty_results(tmp_path: Path) -> None:
    build(tmp_path)
    with connect(Files(tmp_path)) as catalogue:
        read = results_of(catalogue, ladder="city", start=date(2026, 1, 1))
    assert headline(read).is_empty()
    assert judgements(read, configurations=1) == []
    assert worst_drawdowns(read) == []
