"""The lease of an account: at most one session trades it.

A row with a heartbeat in a small SQLite file per account. Another session may take the account when
the heartbeat is older than its expiry and the last order that the holder could have sent has
ended; or at once, by naming the holder, for whoever knows that it is dead.

Here: taking, renewing and releasing, and the guard before orders. Not here: the kill switch.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from kalshi_assets.lake.files import Files
from kalshi_assets.units import SECOND_US

EXPIRY_US = 30 * SECOND_US
_BUSY_S = 1.0
_NAME = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS lease (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  epoch INTEGER NOT NULL,
  session_id TEXT NOT NULL,
  acquired_at_us INTEGER NOT NULL,
  renewed_at_us INTEGER NOT NULL,
  free_at_us INTEGER NOT NULL
) STRICT
"""


class LeaseError(RuntimeError):
    """The account is another session's, or its lease cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who holds an account.

    Attributes
    ----------
    epoch
        Number of this holding; every new one has a higher number.
    session_id, acquired_at_us, renewed_at_us
        The session, since when, and its last heartbeat, microseconds since the epoch.
    free_at_us
        When anybody may take the account, if there is no other heartbeat.
    """

    epoch: int
    session_id: str
    acquired_at_us: int
    renewed_at_us: int
    free_at_us: int


class Lease(AbstractContextManager):
    """A session's hold on an account; as a context manager it is released at the end.

    Parameters
    ----------
    files, account, session_id
        The data folder, the account and the session.
    clock_us
        Microseconds since the epoch.
    longest_order_us
        The longest lifetime of the session's orders.
    expiry_us
        Age of a heartbeat at which the holder itself stops trading.

    Raises
    ------
    ValueError
        The account's name cannot be part of a file's.
    """

    def __init__(
        self,
        files: Files,
        account: str,
        *,
        session_id: str,
        clock_us: Callable[[], int],
        longest_order_us: int,
        expiry_us: int = EXPIRY_US,
    ) -> None:
        if _NAME.fullmatch(account) is None:
            raise ValueError(f"account {account!r}: use letters, digits, dots and dashes only")
        name = f"live/lease-{account}.sqlite"
        files.create(name, b"")
        self.path = files.address(name)
        self._account = account
        self._session_id = session_id
        self._clock = clock_us
        self._longest = longest_order_us
        self._expiry = expiry_us
        self._epoch: int | None = None
        with self._opened() as db:
            db.execute(_SCHEMA)

    def __exit__(self, *error: object) -> None:
        self.release()

    def holder(self) -> Holder | None:
        """Who holds the account; None: nobody."""
        with self._opened() as db:
            return _holder(db)

    def acquire(self, taking_over: str | None = None) -> Holder:
        """Take the account.

        Parameters
        ----------
        taking_over
            Session that is known to be dead, whose hold is not waited for.

        Raises
        ------
        LeaseError
            Another process holds the account; the message says until when.
        """
        with self._opened() as db:
            now, before = self._clock(), _holder(db)
            if before is not None and now < before.free_at_us and before.session_id != taking_over:
                raise LeaseError(
                    f"account {self._account} is held by session {before.session_id}, last "
                    f"heartbeat {(now - before.renewed_at_us) / SECOND_US:.0f} s ago; it is free "
                    f"in {(before.free_at_us - now) / SECOND_US:.0f} s, or at once by taking over "
                    "that session by name, if its process is known to be dead"
                )
            epoch = 1 if before is None else before.epoch + 1
            db.execute(
                "INSERT OR REPLACE INTO lease VALUES (1, ?, ?, ?, ?, ?)",
                (epoch, self._session_id, now, now, now + self._expiry + self._longest),
            )
            self._epoch = epoch
            found = _holder(db)
        assert found is not None
        return found

    def renew(self) -> None:
        """Record a heartbeat.

        Raises
        ------
        LeaseError
            The account is not this session's any more: stop trading.
        """
        with self._opened() as db:
            now = self._clock()
            changed = db.execute(
                "UPDATE lease SET renewed_at_us = ?, free_at_us = ? WHERE epoch = ?",
                (now, now + self._expiry + self._longest, self._epoch),
            ).rowcount
        if not changed:
            raise LeaseError(f"account {self._account} is no longer held by {self._session_id}")

    def release(self) -> None:
        """Free the account, whose orders have ended; nothing if it is another's by now."""
        with self._opened() as db:
            db.execute("UPDATE lease SET free_at_us = 0 WHERE epoch = ?", (self._epoch,))
        self._epoch = None

    def guard(self, market: str) -> str | None:
        """Why this session may send no order; None: it may."""
        holder = self.holder()
        if holder is None or self._epoch is None or holder.epoch != self._epoch:
            return f"account {self._account} is not held by this session"
        age = self._clock() - holder.renewed_at_us
        if age > self._expiry:
            return f"the last heartbeat of this session was {age / SECOND_US:.0f} s ago"
        return None

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """One transaction on the file, which is not held open: a hung session locks nobody out."""
        try:
            db = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None)
            try:
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.execute("COMMIT")
            finally:
                db.close()
        except sqlite3.Error as error:
            raise LeaseError(f"{self.path}: {error}; no order is sent without a lease") from error


def _holder(db: sqlite3.Connection) -> Holder | None:
    row = db.execute(
        "SELECT epoch, session_id, acquired_at_us, renewed_at_us, free_at_us FROM lease"
    ).fetchone()
    names = ("epoch", "session_id", "acquired_at_us", "renewed_at_us", "free_at_us")
    return None if row is None else Holder(**dict(zip(names, row, strict=True)))
