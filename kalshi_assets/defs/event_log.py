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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import groupby
from typing import Any, Self

import sqlalchemy as db
from dagster._core.events import ASSET_EVENTS
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.sqlite import create_db_conn_string
from dagster._serdes import ConfigurableClassData
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
        for of_assets, together in groupby(events, lambda e: e.dagster_event_type in ASSET_EVENTS):
            if of_assets:
                self._store_together(list(together))
            else:
                for event in together:
                    self.store_event(event)

    def _store_together(self, events: Sequence[EventLogEntry]) -> None:
        """Store asset events of one run."""
        rows = [self._event_to_row(event) for event in events]
        with self.run_connection(events[0].run_id) as connection:
            connection.execute(db.insert(SqlEventLogStorageTable), rows)
        numbered = db.insert(SqlEventLogStorageTable).returning(
            SqlEventLogStorageTable.c.id, sort_by_parameter_order=True
        )
        with self.index_transaction() as connection:
            ids = list(connection.execute(numbered, rows).scalars())
            self._store_asset_event_tags(connection, events, ids)
            # Only the last event of each type changes the asset's row.
            last = {
                (event.get_dagster_event().asset_key, event.dagster_event_type): (event, event_id)
                for event, event_id in zip(events, ids, strict=True)
            }
            for event, event_id in last.values():
                self._store_asset_event(connection, event, event_id)

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


def _flush_at_checkpoints(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA synchronous=NORMAL")
