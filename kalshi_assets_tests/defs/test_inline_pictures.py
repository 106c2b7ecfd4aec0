"""What a materialisation shows of itself in the UI."""

from pathlib import Path

import dagster as dg
import pytest

from kalshi_assets.definitions import build
from kalshi_assets.defs.lake_io import ASSET_KEYS, LakeIOManager, the_lake
from kalshi_assets.defs.partitions import dagster_key
from kalshi_assets.families.temperature.cities import city_day
from kalshi_assets.families.temperature.fit.fitting import mc_params
from kalshi_assets.families.temperature.fit.priors import load_priors
from kalshi_assets.keys import LadderDay
from kalshi_assets.tables import EVENTS, FORECASTS, HAZARD_PMF, MC_PARAMS, OBSERVATIONS
from kalshi_assets_tests.pages.factory import a_day

MOST = 40_000


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LadderDay:
    """A city-day whose inputs of the hazard are in a lake of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("KALSHI_ASSETS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("KALSHI_ASSETS_ORIGIN", "a test")
    day = a_day()
    key = city_day(day.city.name, day.date)
    lake = the_lake()
    for table in (EVENTS, OBSERVATIONS, FORECASTS):
        lake.write(table, key, getattr(day, table.name))
    lake.write(MC_PARAMS, key, mc_params(day.day_start, [], [], [], load_priors()))
    return key


def test_the_hazard_shows_temperature_and_probabilities_inline(key: LadderDay) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        result = (
            build(lake=LakeIOManager())
            .resolve_implicit_global_asset_job_def()
            .execute_in_process(
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                asset_selection=[ASSET_KEYS[HAZARD_PMF]],
                instance=instance,
                partition_key=str(dagster_key(key)),
            )
        )
    (event,) = result.get_asset_materialization_events()
    shown = event.materialization.metadata["weather"]
    assert isinstance(shown, dg.MarkdownMetadataValue)
    assert shown.md_str is not None
    assert shown.md_str.startswith(
        "![temperature and weather PMF over the day](data:image/svg+xml;"
    )
    assert len(shown.md_str) < MOST
