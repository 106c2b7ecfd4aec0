"""The time of a session: the wall clock, or one that is moved.

Here: reading the time and waiting for it. Not here: what happens at which time (`session`).
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from kalshi_assets.units import SECOND_US


class SessionStopped(Exception):  # noqa: N818 (a request, not an error)
    """Somebody asked the session to stop; the message says who or why."""


class Clock(Protocol):
    """The present, and waiting for a later one."""

    def now_us(self) -> int:
        """Microseconds since the epoch."""

    def wait_until(self, at_us: int) -> None:
        """Return when it is `at_us` or later.

        Raises
        ------
        SessionStopped
            The session was asked to stop.
        """


class WallClock:
    """The time of this machine.

    Parameters
    ----------
    read_us
        Microseconds since the epoch.
    """

    def __init__(self, read_us: Callable[[], int] = lambda: time.time_ns() // 1000) -> None:
        self.now_us = read_us
        self._asked = threading.Event()
        self._why = ""

    def stop(self, why: str) -> None:
        """Make the present and every later wait raise; safe in a signal handler."""
        self._why = why
        self._asked.set()

    def wait_until(self, at_us: int) -> None:
        """Sleep until then."""
        while True:
            left = at_us - self.now_us()
            if self._asked.wait(max(left, 0) / SECOND_US):
                raise SessionStopped(self._why)
            if self.now_us() >= at_us:
                return


class MovedClock:
    """A time that moves only when it is waited for: days pass as fast as they are computed.

    Parameters
    ----------
    start_us
        The first present.
    """

    def __init__(self, start_us: int) -> None:
        self._now, self._why = start_us, ""

    def now_us(self) -> int:
        """The present."""
        return self._now

    def now(self) -> datetime:
        """The present, for services and a sandbox beside the session."""
        return datetime.fromtimestamp(self._now / SECOND_US, UTC)

    def stop(self, why: str) -> None:
        """Make the next wait raise; safe in a signal handler."""
        self._why = why

    def wait_until(self, at_us: int) -> None:
        """Make it `at_us`, unless it is later."""
        if self._why:
            raise SessionStopped(self._why)
        self._now = max(self._now, at_us)
