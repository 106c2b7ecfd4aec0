"""The event log with kept connections is the stock event log, only quicker."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from kalshi_assets.defs.event_log import KEPT_ENGINES, KeptEngineEventLogStorage

RUN_ID = "00000000-0000-4000-8000-000000000001"
MATERIALIZED = "dagster_event_type = 'ASSET_MATERIALIZATION' ORDER BY id"
TAGS_OF_EVENTS = (
    "SELECT partition, key, value FROM asset_event_tags t JOIN event_logs e ON e.id = t.event_id"
)
CHECK_COLUMNS = (
    "asset_key, check_name, partition, run_id, execution_status, evaluation_event_storage_id, "
    "json_extract(evaluation_event, '$.dagster_event.event_type_value')"
)
EVENT_COLUMNS = "dagster_event_type, step_key, asset_key, partition"
ROOT = Path(__file__).resolve().parents[2]


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["a", "b"]))
def thing() -> None:
    """Something to log."""


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    shutil.copy(ROOT / "dagster.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with dg.DagsterInstance.get() as made:
        yield made


def test_the_projects_instance_uses_it(instance: dg.DagsterInstance) -> None:
    assert isinstance(instance.event_log_storage, KeptEngineEventLogStorage)


def test_what_it_stored_the_stock_storage_reads(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    for key in ("a", "b"):
        assert dg.materialize([thing], instance=instance, partition_key=key).success
    stock = SqliteEventLogStorage(base_dir=str(tmp_path / ".dagster" / "history" / "runs"))
    assert stock.get_materialized_partitions(thing.key) == {"a", "b"}
    assert instance.get_materialized_partitions(thing.key) == {"a", "b"}


def _rows(folder: Path, statement: str) -> list[tuple]:
    found = []
    for path in sorted((folder / ".dagster" / "history" / "runs").glob("*.db")):
        with closing(sqlite3.connect(path)) as connection:
            found += connection.execute(statement).fetchall()
    return found


def test_a_range_is_logged_together_as_it_would_be_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events, tags, planned checks, and the assets' last words, in order."""
    nine = dg.StaticPartitionsDefinition([str(n) for n in range(9)])

    @dg.asset(
        partitions_def=nine,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=[
            dg.AssetCheckSpec("whole", asset="several"),
            dg.AssetCheckSpec("right", asset="several", partitions_def=nine),
            dg.AssetCheckSpec("known", asset="several", partitions_def=nine),
        ],
    )
    def several(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        for key in context.partition_keys:
            context.add_asset_metadata({"n": int(key)}, partition_key=key)
        return dg.MaterializeResult(
            data_version=dg.DataVersion("7"),
            check_results=[
                dg.AssetCheckResult(passed=name != "right", check_name=name)
                for name in ("whole", "right", "known")
            ],
        )

    def logged(name: str, batch: int) -> list[list[tuple]]:
        home = tmp_path / name
        home.mkdir()
        shutil.copy(ROOT / "dagster.yaml", home)
        monkeypatch.chdir(home)
        monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", str(batch))
        monkeypatch.setenv("DAGSTER_HOME", str(home))
        with dg.DagsterInstance.get() as made:
            tags = {"dagster/asset_partition_range_start": "2"}
            tags["dagster/asset_partition_range_end"] = "6"
            job = dg.Definitions([several]).resolve_implicit_global_asset_job_def()
            assert job.execute_in_process(instance=made, tags=tags, run_id=RUN_ID).success
            assert made.get_materialized_partitions(several.key) == set("23456")
            last = made.get_latest_materialization_event(several.key)
            assert last is not None
            assert last.asset_materialization is not None
            partitions = _rows(home, f"SELECT partition FROM event_logs WHERE {MATERIALIZED}")
            assert last.asset_materialization.partition == partitions[-1][0]
        return [
            _rows(
                home, "SELECT dagster_event_type, step_key, asset_key, partition FROM event_logs"
            ),
            _rows(home, "SELECT event_id, asset_key, key, value FROM asset_event_tags"),
            _rows(home, "SELECT asset_key, last_run_id FROM asset_keys"),
            _rows(home, f"SELECT {CHECK_COLUMNS} FROM asset_check_executions ORDER BY id"),
        ]

    one_by_one, together = logged("alone", 0), logged("together", 1000)
    assert len(together[0]) > 20
    assert len(together[1]) >= 5
    assert {partition for _, _, partition, *_ in together[3]} == {None, *"23456"}
    assert together == one_by_one


def test_connections_to_old_runs_are_let_go(instance: dg.DagsterInstance) -> None:
    for _ in range(KEPT_ENGINES + 3):
        assert dg.materialize([thing], instance=instance, partition_key="a").success
    storage = instance.event_log_storage
    assert isinstance(storage, KeptEngineEventLogStorage)
    assert len(storage.kept) <= KEPT_ENGINES
    runs = instance.get_runs()
    assert len(runs) == KEPT_ENGINES + 3
    assert all(instance.all_logs(run.run_id) for run in runs)
