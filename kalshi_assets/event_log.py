"""Dagster's event log on SQLite, with what its connections cost taken out.

Stock storage opens and closes the database for every event: an engine is built, statements are
compiled, the write-ahead log is folded in and deleted, the disk is flushed. A partition is two
events an asset. Here connections stay open, and commits are flushed at checkpoints: a power cut
may cost the last events of a run, never the file, and the lake does not depend on the log.
Measured in docs/performance.md.
"""

import sqlite3
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Self

import sqlalchemy as db
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import create_db_conn_string
from dagster._serdes import ConfigurableClassData
from sqlalchemy.pool import QueuePool

BUSY_TIMEOUT_S = 60
KEPT_ENGINES = 8


class KeptEngineEventLogStorage(SqliteEventLogStorage):
    """`SqliteEventLogStorage` that keeps its engines."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        """As Dagster's instance makes it from dagster.yaml."""
        return cls(inst_data=inst_data, **config_value)

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
        """Engines by database, the one unused longest first."""
        return OrderedDict()

    def _kept_engine(self, shard: str) -> db.Engine:
        engines = self.kept
        if shard not in engines:
            # Every caller holds the lock, so one connection is enough, from whichever thread.
            engines[shard] = db.create_engine(
                create_db_conn_string(self._base_dir, shard),
                poolclass=QueuePool,
                pool_size=1,
                max_overflow=4,
                connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
            )
            db.event.listen(engines[shard], "connect", _flush_at_checkpoints)
            if len(engines) > KEPT_ENGINES:  # the UI looks into every run there ever was
                engines.popitem(last=False)[1].dispose()
        engines.move_to_end(shard)
        return engines[shard]

    def dispose(self) -> None:
        """Close what is open."""
        while self.kept:
            self.kept.popitem()[1].dispose()
        super().dispose()


def _flush_at_checkpoints(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA synchronous=NORMAL")
