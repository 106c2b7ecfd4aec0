"""The performance asset: SQL over the catalogue, a table, a page."""

from pathlib import Path

import dagster as dg
import pytest

from kalshi_assets.defs.performance import performance
from kalshi_assets.defs.resources import catalogue, configurations, pages
from kalshi_assets.families.temperature.cities import EVERY_CITY, TEMPERATURE
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.configurations import Configurations
from kalshi_assets.lake.files import Files
from kalshi_assets.pages.library import PERFORMANCE_PAGE
from kalshi_assets.tables import PERFORMANCE, SUMMARIES_DATE
from kalshi_assets_tests.performance.worlds import build


def test_it_judges_every_day_of_the_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KALSHI_ASSETS_DATA", str(tmp_path))
    lake = build(tmp_path)
    resources = {"catalogue": catalogue, "configurations": configurations, "pages": pages}
    made = dg.materialize([performance], resources=resources)
    events = made.get_asset_materialization_events()
    event = next(each for each in events if each.asset_key.path[-1] == "performance")
    assert "value +$1.00 to +$2.40" in str(event.materialization.metadata["result"].value)
    assert lake.files.exists(PERFORMANCE_PAGE)
    kept = lake.read(PERFORMANCE, LadderDay(TEMPERATURE, EVERY_CITY, SUMMARIES_DATE))
    assert kept.filter(strategy="value", fill_model="touch", by="all")["net_cc"].item() == 24_000


def test_a_configuration_is_counted_once(tmp_path: Path) -> None:
    registry = Configurations(Files(tmp_path))
    registry.add({"honesty": 0.9})
    Configurations(Files(tmp_path)).add({"honesty": 0.9})
    registry.add({"honesty": 0.8})
    assert registry.count() == 2
