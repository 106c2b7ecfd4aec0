from pathlib import Path

import pytest

from kalshi_assets.benchmarks.minutes import Length, figures_of
from kalshi_assets.benchmarks.session_day import DAY, fill_lake, write_world
from kalshi_assets.lake.store import Lake
from kalshi_assets.tables import DECISIONS
from kalshi_assets_tests.shared_work import of_this_run, once

SHORT = Length(shadow=3, exchange=3, ladders=2, rounds=2)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once(of_this_run(tmp_path_factory) / "live-world", write_world)


@pytest.fixture(scope="module")
def lake(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return fill_lake(archive, tmp_path_factory.mktemp("filled") / "data")


def test_minutes_are_measured_in_shadow_of_an_account_and_side_by_side(
    archive: Path, lake: Lake
) -> None:
    figures = figures_of(lake, archive, SHORT)
    assert {"minute_decision_p99_s", "ladders_2_s", "rss_growth_mb"} <= set(figures)
    assert all(0 < figures[name] < 60 for name in figures if name.endswith("_s"))


def test_decisions_that_are_not_the_backtests_are_no_benchmark(archive: Path, lake: Lake) -> None:
    decisions = lake.read(DECISIONS, DAY)
    other = decisions.with_columns(contracts=decisions["contracts"] + 1)
    lake.write(DECISIONS, DAY, other)
    for name in lake.files.names("live"):
        lake.files.delete(f"live/{name}")
    with pytest.raises(RuntimeError, match="decisions are not the backtest's"):
        figures_of(lake, archive, SHORT)
    lake.write(DECISIONS, DAY, decisions)
