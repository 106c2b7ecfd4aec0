"""Assets made from steps: single partitions and ranges, good ones kept, bad ones reported."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import polars as pl
import pytest

from kalshi_assets.commands.backfill import RANGE_END, RANGE_START
from kalshi_assets.defs.assets import asset_of
from kalshi_assets.defs.in_process import EXECUTOR, run_in_process
from kalshi_assets.defs.lake_io import ASSET_KEYS, LakeIOManager, the_lake
from kalshi_assets.defs.partitions import dagster_key
from kalshi_assets.families.temperature.cities import city_days
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.store import MissingPartitionError, OriginMismatchError
from kalshi_assets.pipeline.step import Input, LookBack, step
from kalshi_assets.tables import DROPPED_OBSERVATIONS, FORECASTS, OBSERVATIONS, Table
from kalshi_assets_tests.lake.handmade import KEY, observations

DAYS = city_days(["new_york"], date(2025, 4, 21), date(2025, 4, 25))
LOOK_BACK = 2

Compute = Callable[[LadderDay], pl.DataFrame]


@pytest.fixture(autouse=True)
def _data(settings_at: Path) -> None:
    """Every test has a data folder of its own."""


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as passing:
        yield passing


def _warm(key: LadderDay) -> pl.DataFrame:
    return observations([60 + key.date.day, 61], key)


def _observations(
    compute: Compute = _warm, describe: Any = None, finish: Any = None
) -> dg.AssetsDefinition:
    return asset_of(
        step(
            OBSERVATIONS,
            lambda key: compute(key),
            kinds={"test"},
            describe=describe or {},
            finish=finish,
        )
    )


def _reader(seen: dict[LadderDay, Any]) -> dg.AssetsDefinition:
    """Tells what it sees of its own day, and which days before."""

    def read(key: LadderDay, today: pl.DataFrame, earlier: Any) -> pl.DataFrame:
        seen[key] = today["temp_f"].to_list(), [day for day, _ in earlier]
        return FORECASTS.empty()

    inputs: Any = {"today": Input(OBSERVATIONS), "earlier": LookBack(LOOK_BACK, (OBSERVATIONS,))}
    return asset_of(step(FORECASTS, read, kinds={"test"}, **inputs))


def _run(
    instance: dg.DagsterInstance,
    assets: Sequence[Any],
    keys: Sequence[LadderDay],
    *,
    select: Table | None = None,
    manager: LakeIOManager | None = None,
) -> dg.ExecuteInProcessResult:
    definitions = dg.Definitions(assets=assets, resources={"lake": manager or LakeIOManager()})
    target: dict[str, Any] = {"partition_key": dagster_key(keys[0])}
    if len(keys) > 1:
        ends = (str(dagster_key(keys[0])), str(dagster_key(keys[-1])))
        target = {"tags": {RANGE_START: ends[0], RANGE_END: ends[1]}}
    return definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        instance=instance,
        raise_on_error=False,
        asset_selection=[ASSET_KEYS[select]] if select else None,
        **target,
    )


def _materialised(instance: dg.DagsterInstance) -> Mapping[str, dg.AssetMaterialization]:
    events = instance.fetch_materializations(ASSET_KEYS[OBSERVATIONS], limit=100).records
    return {
        record.asset_materialization.partition or "": record.asset_materialization
        for record in events
        if record.asset_materialization is not None
    }


def _said(result: dg.ExecuteInProcessResult) -> str:
    failed = next(iter(result.filter_events(lambda event: event.is_step_failure)))
    assert failed.step_failure_data.user_failure_data is not None
    return failed.step_failure_data.user_failure_data.description or ""


def test_a_single_partition_is_written_with_what_a_person_would_look_at(
    instance: dg.DagsterInstance,
) -> None:
    describe: Any = lambda made: {"warmest": made.frame["temp_f"].max()}  # noqa: E731
    assert _run(instance, [_observations(describe=describe)], [KEY]).success
    assert the_lake().read(OBSERVATIONS, KEY).equals(_warm(KEY))
    materialised = _materialised(instance)
    assert list(materialised) == [str(dagster_key(KEY))]
    metadata = {k: v.value for k, v in materialised[str(dagster_key(KEY))].metadata.items()}
    assert metadata["dagster/partition_row_count"] == 2
    assert metadata["file"] == the_lake().address(OBSERVATIONS, KEY)
    assert metadata["first"] == "2025-04-25 05:00:00+00:00"
    assert metadata["last"] == "2025-04-25 05:05:00+00:00"
    assert metadata["warmest"] == 85.0


def test_every_partition_of_a_range_is_written_and_has_its_own_metadata(
    instance: dg.DagsterInstance,
) -> None:
    watched: list[LadderDay] = []
    finished: list[int] = []
    made = _observations(
        describe=lambda made: {"day": made.key.date.day}, finish=lambda: finished.append(1)
    )
    manager = LakeIOManager(lambda table, key: watched.append(key))
    assert _run(instance, [made], DAYS, manager=manager).success
    assert the_lake().keys(OBSERVATIONS) == DAYS
    materialised = _materialised(instance)
    assert {key: m.metadata["day"].value for key, m in materialised.items()} == {
        str(dagster_key(key)): key.date.day for key in DAYS
    }
    assert watched == DAYS
    assert finished == [1]


def test_one_bad_partition_does_not_lose_the_good_ones(instance: dg.DagsterInstance) -> None:
    def compute(key: LadderDay) -> pl.DataFrame:
        if key.date.day == 22:
            raise ValueError("the station was on fire")
        if key.date.day == 24:
            return observations([500], key)
        return _warm(key)

    result = _run(instance, [_observations(compute)], DAYS)
    assert not result.success
    said = _said(result)
    assert "weather.observations: 2 of 5 partitions failed" in said
    assert "new_york 2025-04-22: ValueError: the station was on fire" in said
    assert "new_york 2025-04-24" in said
    assert "temp_f" in said
    good = [key for key in DAYS if key.date.day not in (22, 24)]
    assert the_lake().keys(OBSERVATIONS) == good
    assert sorted(_materialised(instance)) == [str(dagster_key(key)) for key in good]


def test_a_partition_that_the_disk_refuses_is_named_and_the_others_are_written(
    instance: dg.DagsterInstance,
) -> None:
    folder = Path(the_lake().address(OBSERVATIONS, DAYS[3])).parent
    folder.parent.mkdir(parents=True)
    folder.write_text("a file where a folder should be")
    result = _run(instance, [_observations()], DAYS)
    assert not result.success
    said = _said(result)
    assert "weather.observations: 1 of 5 partitions failed, 4 are written" in said
    assert "new_york 2025-04-24: FileExistsError" in said
    good = [key for key in DAYS if key.date.day != 24]
    assert sorted(_materialised(instance)) == [str(dagster_key(key)) for key in good]


def test_a_bad_partition_keeps_what_was_there(instance: dg.DagsterInstance) -> None:
    assert _run(instance, [_observations()], DAYS).success
    before = Path(the_lake().address(OBSERVATIONS, DAYS[2])).read_bytes()

    def compute(key: LadderDay) -> pl.DataFrame:
        return observations([float("nan")], key) if key == DAYS[2] else observations([20], key)

    assert not _run(instance, [_observations(compute)], DAYS).success
    assert Path(the_lake().address(OBSERVATIONS, DAYS[2])).read_bytes() == before
    assert the_lake().read(OBSERVATIONS, DAYS[3])["temp_f"].to_list() == [20.0]


def test_what_depends_on_a_failed_step_is_not_made(instance: dg.DagsterInstance) -> None:
    def compute(key: LadderDay) -> pl.DataFrame:
        raise ValueError("no")

    seen: dict[LadderDay, Any] = {}
    reader = _reader(seen)
    assert not _run(instance, [_observations(compute), reader], [KEY]).success
    assert seen == {}
    assert not the_lake().has(FORECASTS, KEY)


def test_a_service_out_of_reach_is_waited_for_once(instance: dg.DagsterInstance) -> None:
    tried: list[LadderDay] = []

    def compute(key: LadderDay) -> pl.DataFrame:
        tried.append(key)
        if key == DAYS[1]:
            raise RuntimeError("no answer") from httpx.ConnectError("refused")
        return _warm(key)

    result = _run(instance, [_observations(compute)], DAYS)
    assert not result.success
    assert tried == DAYS[:2]
    assert the_lake().keys(OBSERVATIONS) == DAYS[:1]
    assert "3 were not tried" in _said(result)


def test_an_asset_reads_its_own_day_and_the_days_before_that_exist(
    instance: dg.DagsterInstance,
) -> None:
    for key in DAYS[1:]:
        the_lake().write(OBSERVATIONS, key, _warm(key))
    seen: dict[LadderDay, Any] = {}
    assets = [_observations(), _reader(seen)]
    assert _run(instance, assets, DAYS[2:3], select=FORECASTS).success
    assert seen == {DAYS[2]: ([83.0, 61.0], [DAYS[1]])}


def test_in_a_range_every_day_sees_its_own_window_only(instance: dg.DagsterInstance) -> None:
    seen: dict[LadderDay, Any] = {}
    assert _run(instance, [_observations(), _reader(seen)], DAYS).success
    assert {key: days for key, (_, days) in seen.items()} == {
        key: DAYS[max(0, position - LOOK_BACK) : position] for position, key in enumerate(DAYS)
    }


def test_a_missing_input_is_named_with_its_remedy(instance: dg.DagsterInstance) -> None:
    reader = _reader({})
    result = _run(instance, [_observations(), reader], [KEY], select=FORECASTS)
    assert not result.success
    assert "weather.observations has no partition new_york 2025-04-25" in _said(result)
    assert "kalshi-assets backfill" in _said(result)
    assert MissingPartitionError.__name__ in _said(result)


def test_a_lake_of_another_origin_is_refused(instance: dg.DagsterInstance) -> None:
    the_lake().claim("somebody else")
    result = _run(instance, [_observations()], [KEY])
    assert not result.success
    failure = result.failure_data_for_node("weather__observations")
    assert failure is not None
    assert OriginMismatchError.__name__ in str(failure.error)
    assert not the_lake().has(OBSERVATIONS, KEY)


@pytest.mark.parametrize("keys", [[KEY], DAYS], ids=["a day", "a range"])
def test_a_step_writes_all_its_tables_whichever_is_asked_for(
    instance: dg.DagsterInstance, keys: list[LadderDay]
) -> None:
    def compute(key: LadderDay) -> dict[Table, pl.DataFrame]:
        return {OBSERVATIONS: _warm(key), DROPPED_OBSERVATIONS: DROPPED_OBSERVATIONS.empty()}

    both = asset_of(step((OBSERVATIONS, DROPPED_OBSERVATIONS), compute, kinds={"test"}))
    assert _run(instance, [both], keys, select=OBSERVATIONS).success
    for table in (OBSERVATIONS, DROPPED_OBSERVATIONS):
        assert list(the_lake().keys(table)) == keys
    assert sorted(_materialised(instance)) == [str(dagster_key(key)) for key in keys]
    aside = instance.fetch_materializations(ASSET_KEYS[DROPPED_OBSERVATIONS], limit=100)
    assert aside.records == []


def test_a_step_that_makes_nothing_is_red_and_what_may_do_without_it_runs(
    instance: dg.DagsterInstance,
) -> None:
    def compute(key: LadderDay) -> dict[Table, pl.DataFrame]:
        raise ValueError("the station was on fire")

    seen: list[bool] = []

    def read(kept: pl.DataFrame | None) -> pl.DataFrame:
        seen.append(kept is None)
        return FORECASTS.empty()

    both = asset_of(step((OBSERVATIONS, DROPPED_OBSERVATIONS), compute, kinds={"test"}))
    aside = Input(DROPPED_OBSERVATIONS, optional=True)
    reader = asset_of(step(FORECASTS, read, kinds={"test"}, kept=aside))
    definitions = dg.Definitions(
        assets=[both, reader], resources={"lake": LakeIOManager()}, executor=EXECUTOR
    )
    made = run_in_process(
        definitions.resolve_implicit_global_asset_job_def(),
        [ASSET_KEYS[table] for table in (OBSERVATIONS, DROPPED_OBSERVATIONS, FORECASTS)],
        instance=instance,
        tags={RANGE_START: str(dagster_key(KEY)), RANGE_END: str(dagster_key(KEY))},
    )
    assert "the station was on fire" in _said(made)
    assert seen == [True]
    for table, there in ((OBSERVATIONS, 0), (DROPPED_OBSERVATIONS, 0), (FORECASTS, 1)):
        found = instance.fetch_materializations(ASSET_KEYS[table], limit=10).records
        assert len(found) == there, table.full_name
