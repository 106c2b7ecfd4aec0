"""Journals of sessions as tables of the lake.

Here: which sessions traded an event, and their rows. Not here: the journal (`journal`), the step
that stores the rows (`pipeline.live`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from kalshi_assets.instants import NEVER, as_times
from kalshi_assets.lake.files import Files
from kalshi_assets.live.journal import Journal, session_names
from kalshi_assets.live.journal_records import Session
from kalshi_assets.tables import LIVE_DECISIONS, LIVE_FILLS, LIVE_ORDERS, LIVE_SESSIONS, Table

_FRAMES = {
    LIVE_DECISIONS: "decisions",
    LIVE_ORDERS: "simulated_orders",
    LIVE_FILLS: "simulated_fills",
}


@dataclass(frozen=True)
class SessionJournals:
    """The journals in a data folder."""

    files: Files

    def of_event(self, event_ticker: str) -> Mapping[Table, pl.DataFrame]:
        """The rows of every session that traded an event, by table.

        Raises
        ------
        LookupError
            No session did.
        """
        found: dict[Table, list[pl.DataFrame]] = {LIVE_SESSIONS: [], **{t: [] for t in _FRAMES}}
        for session_id in session_names(self.files):
            with Journal.of(self.files, session_id, clock_us=lambda: 0) as journal:
                session = journal.session()
                if session is None:
                    continue
                rows = {
                    table: _of_event(journal, name, event_ticker) for table, name in _FRAMES.items()
                }
                failures = journal.events("ladder_failed")
            if rows[LIVE_DECISIONS].is_empty():
                continue
            rows[LIVE_ORDERS] = _without_ends(rows[LIVE_ORDERS])
            for table, frame in rows.items():
                found[table].append(_fitted(table, frame, session_id))
            failed = sum(each.get("event_ticker") == event_ticker for each in failures)
            found[LIVE_SESSIONS].append(_session(session, rows[LIVE_DECISIONS].height, failed))
        if not found[LIVE_SESSIONS]:
            raise LookupError(
                f"no session traded {event_ticker}; start one with: kalshi-assets trade"
            )
        return {table: table.arranged(pl.concat(frames)) for table, frames in found.items()}


def _of_event(journal: Journal, name: str, event_ticker: str) -> pl.DataFrame:
    rows = journal.frame(name)
    return rows.filter(pl.col("market_ticker").str.starts_with(f"{event_ticker}-"))


def _without_ends(orders: pl.DataFrame) -> pl.DataFrame:
    """Orders, those that still worked without a time of their end."""
    ended = pl.when(pl.col("end") != "working")
    return orders.with_columns(
        ended.then(pl.col(name)).alias(name) for name in ("event_time", "known_at")
    )


def _fitted(table: Table, rows: pl.DataFrame, session_id: str) -> pl.DataFrame:
    return rows.with_columns(session_id=pl.lit(session_id)).select(list(table.dtypes))


def _session(session: Session, decisions: int, failures: int) -> pl.DataFrame:
    times = [session.started_at_us, session.ended_at_us or NEVER]
    started, ended = as_times(np.array(times, np.int64))
    row = {
        "session_id": session.session_id,
        "account": session.account,
        "mode": session.mode,
        "started_at": started,
        "ended_at": ended,
        "end_reason": session.end_reason,
        "versions": json.dumps(session.versions, sort_keys=True),
        "decisions": decisions,
        "failures": failures,
    }
    return pl.DataFrame([row], schema=LIVE_SESSIONS.dtypes)


def last_beat_us(files: Files, session_id: str) -> int | None:
    """When a session's heart beat last, microseconds; None: it has no journal, or none yet.

    Parameters
    ----------
    files, session_id
        The data folder and the session.
    """
    if session_id not in session_names(files):
        return None
    with Journal.of(files, session_id, clock_us=lambda: 0) as journal:
        return journal.last_beat_us()
