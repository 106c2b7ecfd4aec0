"""The time of a session: the wall clock, or a sandbox's.

Here: reading the time and waiting for it. Not here: what happens at which time (`session`).
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

import httpx

from kalshi_assets.instants import microseconds_of
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


class SandboxClock:
    """The time of a sandbox that moves when told to: days pass as fast as they are computed.

    Parameters
    ----------
    url
        Root of the sandbox.
    """

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=60.0)
        self._why = ""
        self._now = self._said(self._http.get("/sandbox/clock"))

    def now_us(self) -> int:
        """When the sandbox was told to be."""
        return self._now

    def stop(self, why: str) -> None:
        """Make the next wait raise; safe in a signal handler."""
        self._why = why

    def wait_until(self, at_us: int) -> None:
        """Move the sandbox's time."""
        if self._why:
            raise SessionStopped(self._why)
        if at_us > self._now:
            to = datetime.fromtimestamp(at_us / SECOND_US, UTC).isoformat()
            self._now = self._said(self._http.post("/sandbox/clock", json={"advance_to": to}))

    @staticmethod
    def _said(answer: httpx.Response) -> int:
        answer.raise_for_status()
        return microseconds_of(datetime.fromisoformat(answer.json()["now"]))
