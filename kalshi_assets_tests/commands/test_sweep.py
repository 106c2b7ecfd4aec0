"""`kalshi-assets sweep` and `performance`: stored days, surfaces, pages."""

import shutil
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from kalshi_assets.families.temperature.cities import TEMPERATURE, city_day
from kalshi_assets.lake.configurations import Configurations
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake
from kalshi_assets.pages.library import PERFORMANCE_PAGE, SENSITIVITY_PAGE
from kalshi_assets.sandbox.server import Sandbox
from kalshi_assets.tables import EVENTS, SENSITIVITY, TRADES
from kalshi_assets_tests.chain.inputs import chain_of, read_inputs
from kalshi_assets_tests.commands.conftest import LAST, Command

DAY = city_day("new_york", LAST - timedelta(days=1))
SURFACES = """
[latency]
strategy = "value"
x = "latency_s"
x_values = [0, 60]
y = "honesty"
y_values = [0.5, 1.0]
"""


@pytest.fixture(scope="module")
def stored(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the features of one day, which is not settled."""
    folder = tmp_path_factory.mktemp("stored") / "data"
    lake, inputs = Lake(Files(folder), TEMPERATURE), read_inputs(sandbox, DAY, look_back=5)
    frames = {EVENTS: inputs.events, TRADES: inputs.trades, **chain_of(inputs)}
    for table, frame in frames.items():
        if table.stored and table.schema != "backtest":
            lake.write(table, DAY, frame)
    return folder


@pytest.fixture
def lake(home: Path, stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    folder = tmp_path / "data"
    shutil.copytree(stored, folder)
    monkeypatch.setenv("KALSHI_ASSETS_DATA", str(folder))
    config = tmp_path / "config"
    config.mkdir()
    (config / "sensitivity.toml").write_text(SURFACES, "utf-8")
    monkeypatch.setenv("KALSHI_ASSETS_CONFIG", str(config))
    return Lake(Files(folder), TEMPERATURE)


def of_days(first: int = 0) -> tuple[str, ...]:
    start = DAY.date + timedelta(days=first)
    return ("sweep", "--city", "new_york", "--start", f"{start}", "--end", f"{DAY.date}")


def test_a_sweep_stores_every_point_beside_its_controls_and_writes_the_pages(
    lake: Lake, command: Command
) -> None:
    said = command(*of_days())
    assert said.code == 0, said.err
    rows = lake.read(SENSITIVITY, DAY)
    # No day before is stored: of the controls only the market's own forecast can be made.
    assert set(rows["control"]) == {"none", "market_only"}
    assert rows.height == 2 * 4 * 3
    assert rows.filter(control="market_only")["orders"].sum() == 0
    assert lake.files.exists(SENSITIVITY_PAGE)
    assert lake.files.exists(PERFORMANCE_PAGE)
    assert Configurations(lake.files).count() == 4


def test_a_day_that_has_its_surfaces_is_not_computed_again_unless_asked(
    lake: Lake, command: Command
) -> None:
    assert command(*of_days()).code == 0
    marked = lake.read(SENSITIVITY, DAY).with_columns(orders=pl.lit(7, pl.Int64))
    lake.write(SENSITIVITY, DAY, marked)
    assert command(*of_days()).code == 0
    assert set(lake.read(SENSITIVITY, DAY)["orders"]) == {7}
    assert command(*of_days(), "--again").code == 0
    assert set(lake.read(SENSITIVITY, DAY)["orders"]) != {7}


def test_days_without_features_are_counted_and_the_exit_code_says_so(
    lake: Lake, command: Command
) -> None:
    said = command(*of_days(-1))
    assert said.code == 1
    assert "1 of 2 days have no stored features" in said.err
    assert lake.has(SENSITIVITY, DAY)


def test_a_point_that_is_no_valid_parameter_fails_its_day_by_name(
    lake: Lake, command: Command, tmp_path: Path
) -> None:
    bad = SURFACES.replace("[0.5, 1.0]", "[0.5, 2.0]")
    (tmp_path / "config" / "sensitivity.toml").write_text(bad, "utf-8")
    said = command(*of_days())
    assert said.code == 1
    assert f"new_york {DAY.date}" in said.err
    assert "honesty" in said.err


def test_performance_of_a_lake_without_backtests_says_so(lake: Lake, command: Command) -> None:
    said = command("performance")
    assert said.code == 0, said.err
    assert "No day has been backtested yet." in said.out
