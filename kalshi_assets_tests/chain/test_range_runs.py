"""A range of days in one run computes what the functions compute; days do not leak into others."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from kalshi_assets.commands.backfill import RANGE_END, RANGE_START, plan, run
from kalshi_assets.definitions import build
from kalshi_assets.defs.lake_io import ASSET_KEYS, LakeIOManager, the_lake
from kalshi_assets.defs.partitions import dagster_key
from kalshi_assets.families.temperature.cities import city_days
from kalshi_assets.families.temperature.pool import WEATHER
from kalshi_assets.keys import LadderDay
from kalshi_assets.learning.calibration.maps import IDENTITY
from kalshi_assets.pooling.weights import PoolWeights
from kalshi_assets.sandbox.server import Sandbox
from kalshi_assets.tables import (
    ACTIVITY,
    FUSION_WEIGHTS,
    HAZARD_PMF,
    OBSERVATIONS,
    PREDICTIONS,
    Table,
)
from kalshi_assets_tests.chain.backfills import service_settings
from kalshi_assets_tests.chain.conftest import WORLD_CITY, WORLD_END
from kalshi_assets_tests.chain.inputs import chain_of, read_inputs

DAYS = city_days([WORLD_CITY], WORLD_END - timedelta(days=2), WORLD_END)


@pytest.fixture(scope="module", autouse=True)
def _filled(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A lake with three days from one backfill."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("filled")
        patch.delenv("DAGSTER_HOME", raising=False)
        patch.chdir(folder)
        for name, value in service_settings(sandbox, folder).items():
            patch.setenv(name, value)
        plans = plan(the_lake(), [WORLD_CITY], DAYS[0].date, DAYS[-1].date)
        assert run(plans, lambda *_: None).failed == {}
        yield


def _materialise(table: Table, keys: Sequence[LadderDay]) -> None:
    ends: dict[str, Any] = {
        RANGE_START: str(dagster_key(keys[0])),
        RANGE_END: str(dagster_key(keys[-1])),
    }
    with dg.DagsterInstance.ephemeral() as instance:
        result = (
            build(lake=LakeIOManager())
            .resolve_implicit_global_asset_job_def()
            .execute_in_process(
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                asset_selection=[ASSET_KEYS[table]],
                instance=instance,
                tags=ends,
            )
        )
    assert result.success


@pytest.mark.parametrize("key", DAYS, ids=str)
def test_the_graph_computes_what_the_functions_compute(sandbox: Sandbox, key: LadderDay) -> None:
    lake = the_lake()
    inputs = replace(
        read_inputs(sandbox, key),
        usual=[lake.read(ACTIVITY, day) for day in key.earlier(3) if lake.has(ACTIVITY, day)],
        weights=PoolWeights.from_frame(lake.read(FUSION_WEIGHTS, key), WEATHER),
        packaged=IDENTITY,
        predictions=lake.read(PREDICTIONS, key),
    )
    for table, frame in chain_of(inputs).items():
        assert_frame_equal(lake.read(table, key), table.conform(frame), check_exact=True)


def test_a_range_gives_the_same_as_day_by_day() -> None:
    together = {key: the_lake().read(HAZARD_PMF, key) for key in DAYS}
    for key in DAYS:
        _materialise(HAZARD_PMF, [key])
    for key, frame in together.items():
        assert_frame_equal(the_lake().read(HAZARD_PMF, key), frame, check_exact=True)


def test_a_day_of_a_range_does_not_know_the_days_after_it() -> None:
    lake = the_lake()
    before = {key: lake.read(HAZARD_PMF, key) for key in DAYS}
    last = lake.read(OBSERVATIONS, DAYS[-1])
    try:
        hotter = last.with_columns(pl.col("temp_f") + 9, pl.col("lo_f", "hi_f") + 9)
        lake.write(OBSERVATIONS, DAYS[-1], hotter)
        _materialise(HAZARD_PMF, DAYS)
        for key in DAYS[:-1]:
            assert_frame_equal(lake.read(HAZARD_PMF, key), before[key], check_exact=True)
        assert not lake.read(HAZARD_PMF, DAYS[-1]).equals(before[DAYS[-1]])
    finally:
        lake.write(OBSERVATIONS, DAYS[-1], last)


def test_a_backfill_leaves_a_page_for_every_day_and_an_index() -> None:
    pages = list((the_lake().files.root / "reports").rglob("*.html"))
    assert len(pages) == len(DAYS) + 1
