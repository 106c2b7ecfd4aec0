"""The event log with kept connections is the stock event log, only quicker."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from kalshi_assets.event_log import KEPT_ENGINES, KeptEngineEventLogStorage

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


def test_connections_to_old_runs_are_let_go(instance: dg.DagsterInstance) -> None:
    for _ in range(KEPT_ENGINES + 3):
        assert dg.materialize([thing], instance=instance, partition_key="a").success
    storage = instance.event_log_storage
    assert isinstance(storage, KeptEngineEventLogStorage)
    assert len(storage.kept) <= KEPT_ENGINES
    runs = instance.get_runs()
    assert len(runs) == KEPT_ENGINES + 3
    assert all(instance.all_logs(run.run_id) for run in runs)
