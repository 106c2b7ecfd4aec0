"""The file of a journal, and what it holds beside orders: session, decisions, events, heartbeats.

One SQLite file, written ahead (WAL, flushed at every commit). Every write is one transaction, so
that the files are consistent between any two of them.

Here: opening, reading and writing the file. Not here: orders and fills (journal), the tables
(journal_schema).
"""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import polars as pl

from kalshi_assets.live.journal_records import JournalError, Session
from kalshi_assets.live.journal_schema import FRAMES, SCHEMA, VERSION
from kalshi_assets.live.masking import masking
from kalshi_assets.tables import DECISIONS

_BUSY_MS = 2_000


class SessionLog(AbstractContextManager):
    """The file of a session. Thread-safe; as a context manager it closes the file.

    Parameters
    ----------
    path
        An empty file, or a journal.
    clock_us
        Microseconds since the epoch, recorded with every write.
    on_write
        Called after every commit with the name of what was written; for drills.
    key_id
        ID of the key in use: notes and details are masked, as those of telemetry.
    busy_ms
        How long to wait for a lock of another process.

    Raises
    ------
    JournalError
        The file is of another version, damaged, or locked by another process.
    """

    def __init__(
        self,
        path: str,
        *,
        clock_us: Callable[[], int],
        on_write: Callable[[str], None] = lambda name: None,
        key_id: str | None = None,
        busy_ms: int = _BUSY_MS,
    ) -> None:
        self.path = path
        self._clock = clock_us
        self._on_write = on_write
        self._mask = masking(key_id)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(
            path, timeout=busy_ms / 1000, isolation_level=None, check_same_thread=False
        )
        self._db.row_factory = sqlite3.Row
        try:
            with self._explained("opening"):
                self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA foreign_keys = ON")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._db.executescript(
                f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT"
            )
        elif version != VERSION:
            raise JournalError(
                f"{self.path} is a journal of version {version}, this program writes {VERSION}; "
                "end that session with the program that began it"
            )

    def __exit__(self, *error: object) -> None:
        self._db.close()

    def begin(self, session_id: str, *, account: str, mode: str, versions: Mapping) -> None:
        """Record the session, or check that it is the one that began this journal.

        Parameters
        ----------
        session_id, account, mode
            Names of the session, the account, and shadow, demo or live.
        versions
            What was loaded; of a session that starts again, recorded as an event.
        """
        known = self.session()
        if known is None:
            with self._write("session") as db:
                db.execute(
                    "INSERT INTO session (id, session_id, account, mode, started_at_us, versions)"
                    " VALUES (1, ?, ?, ?, ?, ?)",
                    (session_id, account, mode, self._clock(), self._json(versions)),
                )
            return
        if (known.session_id, known.account, known.mode) != (session_id, account, mode):
            raise JournalError(
                f"{self.path} is the journal of session {known.session_id} ({known.mode}, account "
                f"{known.account}), not of {session_id} ({mode}, account {account})"
            )
        with self._write("session") as db:
            db.execute("UPDATE session SET ended_at_us = NULL, end_reason = NULL")
        self.event("session_resumed", {"versions": dict(versions)})

    def end(self, reason: str) -> None:
        """Record that the session ended."""
        with self._write("session_end") as db:
            db.execute(
                "UPDATE session SET ended_at_us = ?, end_reason = ?", (self._clock(), reason)
            )

    def session(self) -> Session | None:
        """The session; None: not begun."""
        rows = self._rows("SELECT * FROM session")
        if not rows:
            return None
        row = {name: rows[0][name] for name in rows[0].keys() if name != "id"}  # noqa: SIM118
        return Session(**row | {"versions": json.loads(row["versions"])})

    def keep_decisions(self, decisions: pl.DataFrame) -> int:
        """Record rows of `tables.DECISIONS`; rows of the same key are kept as they were.

        Returns
        -------
        int
            Rows added.
        """
        with self._write("decisions") as db:
            return self._keep(db, "decisions", decisions, "IGNORE")

    def keep_simulated(self, orders: pl.DataFrame, fills: pl.DataFrame) -> None:
        """Record simulated orders and fills; an order replaces what was known of it.

        Parameters
        ----------
        orders, fills
            Rows of `tables.ORDERS` and `tables.FILLS`.
        """
        with self._write("simulated") as db:
            self._keep(db, "simulated_orders", orders, "REPLACE")
            self._keep(db, "simulated_fills", fills, "REPLACE")

    def _keep(self, db: sqlite3.Connection, name: str, frame: pl.DataFrame, if_there: str) -> int:
        columns = list(FRAMES[name].dtypes)
        rows = frame.select(columns).with_columns(pl.col(pl.Datetime).to_physical())
        marks = ", ".join("?" * len(columns))
        return db.executemany(
            f"INSERT OR {if_there} INTO {name} VALUES ({marks}, {int(self._clock())})",  # noqa: S608
            rows.iter_rows(),
        ).rowcount

    def decisions(self) -> pl.DataFrame:
        """All decisions, as a frame of `tables.DECISIONS`."""
        return DECISIONS.arranged(self.frame("decisions").drop("recorded_at"))

    def frame(self, name: str) -> pl.DataFrame:
        """The rows of one of `FRAMES`, with its table's columns and `recorded_at`."""
        dtypes = pl.Schema(FRAMES[name].dtypes)
        physical = {
            column: pl.Int64 if dtype.is_temporal() else dtype for column, dtype in dtypes.items()
        }
        rows = self._rows(f"SELECT * FROM {name}")  # noqa: S608
        frame = pl.DataFrame(
            [tuple(row) for row in rows],
            schema=physical | {"recorded_at": pl.Int64},
            orient="row",
        )
        return frame.cast(pl.Schema({**dtypes, "recorded_at": pl.Datetime("us", "UTC")}))

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        """Record what happened beside orders: reconciliations, refusals of the gate, the switch.

        Parameters
        ----------
        kind
            Name.
        data
            Details, as JSON.
        """
        with self._write("event") as db:
            db.execute(
                "INSERT INTO events (at_us, kind, data) VALUES (?, ?, ?)",
                (self._clock(), kind, self._json(data)),
            )

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Details of all events of a kind, oldest first."""
        rows = self._rows("SELECT data FROM events WHERE kind = ? ORDER BY id", kind)
        return [json.loads(row["data"]) for row in rows]

    def beat(self, data: Mapping[str, Any]) -> None:
        """Record a heartbeat."""
        with self._write("heartbeat") as db:
            db.execute(
                "INSERT OR REPLACE INTO heartbeats VALUES (?, ?)", (self._clock(), self._json(data))
            )

    def last_beat_us(self) -> int | None:
        """When the last heartbeat was recorded; None: never."""
        at: int | None = self._rows("SELECT max(at_us) AS at FROM heartbeats")[0]["at"]
        return at

    def _rows(self, statement: str, *values: object) -> list[sqlite3.Row]:
        with self._lock, self._explained("reading"):
            return self._db.execute(statement, values).fetchall()

    @contextmanager
    def _write(self, name: str) -> Iterator[sqlite3.Connection]:
        with self._lock, self._explained(f"writing {name}"):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        self._on_write(name)

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise JournalError(f"{self.path}, {doing}: {error}; no order is sent") from error

    def _json(self, data: Mapping[str, Any]) -> str:
        return json.dumps(self._mask(data), sort_keys=True)
