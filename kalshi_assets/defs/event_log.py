"""Dagster's event log on SQLite with persistent connections and batched writes.

The stock storage opens and closes the database for every event: it creates an engine, compiles the
statements, merges and deletes the write-ahead log and flushes the disk. A partition has two events
per asset. Here connections stay open, events that Dagster passes together (those of all partitions
of an asset) are written in one transaction, and the disk is flushed at checkpoints only: a power
failure may lose the last events of a run but not the file, and the lake does not depend on the log.
For measurements see docs/performance.md.
"""

import os
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import groupby
from typing import Any, Self

import sqlalchemy as db
from dagster._core.events import ASSET_EVENTS, DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.sqlite import create_db_conn_string
from dagster._serdes import ConfigurableClassData, serialize_value
from sqlalchemy.pool import QueuePool

BUSY_TIMEOUT_S = 60
KEPT_ENGINES = 8
BATCH_SIZE = 1000
"""Maximum number of events in a transaction."""


class KeptEngineEventLogStorage(SqliteEventLogStorage):
    """`SqliteEventLogStorage` that keeps its engines open."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        """Called by Dagster with the configuration in dagster.yaml."""
        # At every event Dagster reads from the environment whether to collect events.
        os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(BATCH_SIZE))
        return cls(inst_data=inst_data, **config_value)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Like `store_event` for each event in turn, in one transaction per database."""
        for store, together in groupby(events, self._stored_by):
            store(list(together))

    def _stored_by(self, event: EventLogEntry) -> Callable[[Sequence[EventLogEntry]], None]:
        if event.dagster_event_type in ASSET_EVENTS:
            return self._store_together
        if event.dagster_event_type is DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED:
            return self._store_planned_checks
        return self._store_each

    def _store_each(self, events: Sequence[EventLogEntry]) -> None:
        for event in events:
            self.store_event(event)

    def _store_together(self, events: Sequence[EventLogEntry]) -> None:
        """Store asset events of one run."""
        with self._stored(events) as (connection, ids):
            self._store_asset_event_tags(connection, events, ids)
            # Only the last event of each type changes the asset's row.
            last = {
                (event.get_dagster_event().asset_key, event.dagster_event_type): (event, event_id)
                for event, event_id in zip(events, ids, strict=True)
            }
            for event, event_id in last.values():
                self._store_asset_event(connection, event, event_id)

    def _store_planned_checks(self, events: Sequence[EventLogEntry]) -> None:
        """Store the checks planned for one run.

        Dagster serialises an event for every partition and compiles a statement as long as the run.
        """
        with self._stored(events) as (connection, ids):
            rows = [
                row | {"partition": partition}
                for event, event_id in zip(events, ids, strict=True)
                for row in [self._planned_row(event, event_id)]
                for partition in _partitions_of(event)
            ]
            connection.execute(db.insert(AssetCheckExecutionsTable), rows)

    def _planned_row(self, event: EventLogEntry, event_id: int) -> dict[str, Any]:
        planned = event.get_dagster_event().asset_check_planned_data
        return {
            "asset_key": planned.asset_key.to_string(),
            "check_name": planned.check_name,
            "run_id": event.run_id,
            "execution_status": AssetCheckExecutionRecordStatus.PLANNED.value,
            "evaluation_event": serialize_value(event),
            "evaluation_event_timestamp": self._event_insert_timestamp(event),
            "evaluation_event_storage_id": event_id,
        }

    @contextmanager
    def _stored(
        self, events: Sequence[EventLogEntry]
    ) -> Iterator[tuple[db.Connection, Sequence[int]]]:
        """Store events of one run; a transaction on the index, and the events' numbers there."""
        rows = [self._event_to_row(event) for event in events]
        with self.run_connection(events[0].run_id) as connection:
            connection.execute(db.insert(SqlEventLogStorageTable), rows)
        numbered = db.insert(SqlEventLogStorageTable).returning(
            SqlEventLogStorageTable.c.id, sort_by_parameter_order=True
        )
        with self.index_transaction() as connection:
            yield connection, list(connection.execute(numbered, rows).scalars())

    def has_table(self, table_name: str) -> bool:
        """Whether the table exists; cached, because Dagster asks at nearly every event."""
        if table_name not in self.tables_found and super().has_table(table_name):
            self.tables_found.add(table_name)
        return table_name in self.tables_found

    @cached_property
    def tables_found(self) -> set[str]:
        """Tables known to exist."""
        return set()

    @contextmanager
    def _connect(self, shard: str) -> Iterator[db.Connection]:
        with self._db_lock:
            engine = self._kept_engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    @cached_property
    def kept(self) -> OrderedDict[str, db.Engine]:
        """Engines by database, least recently used first."""
        return OrderedDict()

    def _kept_engine(self, shard: str) -> db.Engine:
        engines = self.kept
        if shard not in engines:
            # Every caller holds the lock, so one connection is enough for all threads.
            engines[shard] = db.create_engine(
                create_db_conn_string(self._base_dir, shard),
                poolclass=QueuePool,
                pool_size=1,
                max_overflow=4,
                connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
            )
            db.event.listen(engines[shard], "connect", _flush_at_checkpoints)
            if len(engines) > KEPT_ENGINES:  # the UI may open the database of every past run
                engines.popitem(last=False)[1].dispose()
        engines.move_to_end(shard)
        return engines[shard]

    def dispose(self) -> None:
        """Close all engines."""
        while self.kept:
            self.kept.popitem()[1].dispose()
        super().dispose()


def _partitions_of(event: EventLogEntry) -> Sequence[str | None]:
    subset = event.get_dagster_event().asset_check_planned_data.partitions_subset
    return [*subset.get_partition_keys()] if subset else [None]


def _flush_at_checkpoints(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA synchronous=NORMAL")
