"""The time of a session: the wall clock, or one that is moved.

Here: reading the time and waiting for it. Not here: what happens at which time (`session`).
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

import httpx

from kalshi_assets.instants import microseconds_of
from kalshi_assets.stream.events import Event
from kalshi_assets.stream.feed import Feed
from kalshi_assets.units import SECOND_US

_CONNECTS_S, _ARRIVES_S = 5.0, 60.0


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
    speed
        By how much that time is faster than real time.
    """

    def __init__(
        self, read_us: Callable[[], int] = lambda: time.time_ns() // 1000, speed: float = 1.0
    ) -> None:
        self.now_us, self.speed = read_us, speed
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
            if self._asked.wait(max(left, 0) / SECOND_US / self.speed):
                raise SessionStopped(self._why)
            if self.now_us() >= at_us:
                return


@contextmanager
def stopped_by_signals(stop: Callable[[str], None]) -> Iterator[None]:
    """SIGTERM and SIGINT end a session in its journal instead of killing it.

    Only a process's main thread receives signals; in others nothing changes.

    Parameters
    ----------
    stop
        Of the session's clock; told of the signal's name.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, lambda got, frame: stop(signal.Signals(got).name))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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


class SandboxTime(WallClock):
    """The time of a sandbox that runs by itself, at a multiple of real time.

    Parameters
    ----------
    url
        Root of the sandbox.
    monotonic
        Real seconds.

    Raises
    ------
    httpx.HTTPError
        The sandbox does not answer.
    ValueError
        Its time stands still until it is moved.
    """

    def __init__(self, url: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._url, self._monotonic = url, monotonic
        super().__init__(self._read)
        self._ask()

    def wait_until(self, at_us: int) -> None:
        """Sleep until then.

        Raises
        ------
        SessionStopped
            The session was asked to stop, or the sandbox has ended, and its time with it.
        """
        try:
            self._ask()
        except httpx.ConnectError as gone:
            raise SessionStopped(f"the sandbox at {self._url} has ended") from gone
        super().wait_until(at_us)

    def _ask(self) -> None:
        answer = httpx.get(f"{self._url}/sandbox/clock", timeout=10.0).raise_for_status().json()
        speed = float(answer["speed"])
        if speed <= 0:
            raise ValueError(
                f"the time of the sandbox at {self._url} stands still; start it with --speed 1"
            )
        self.speed = speed
        self._base = microseconds_of(datetime.fromisoformat(answer["now"]))
        self._since = self._monotonic()

    def _read(self) -> int:
        return self._base + int((self._monotonic() - self._since) * self.speed * SECOND_US)


class SteppedSandbox(AbstractContextManager):
    """The time of a sandbox that stands still: waiting moves it, with everything that is due.

    As a context manager it closes its connection.

    Parameters
    ----------
    url
        Root of the sandbox.
    """

    def __init__(self, url: str) -> None:
        self._why = ""
        self._http = httpx.Client(base_url=url, timeout=60.0)
        self._said: dict[str, Any] = self._asked(self._http.get("/sandbox/clock"))

    def __exit__(self, *error: object) -> None:
        self._http.close()

    def now_us(self) -> int:
        """Where the sandbox was moved to."""
        return microseconds_of(datetime.fromisoformat(self._said["now"]))

    def drain(self, feed: Feed) -> Sequence[Event]:
        """Everything that the sandbox had sent to a feed when it arrived at the present.

        Raises
        ------
        TimeoutError
            It did not come within a minute of real time.
        """
        events = list(feed.next_events(0.0 if feed.connected else _CONNECTS_S))
        frames = int(self._said["frames"].get(feed.connection_name, 0))
        return [*events, *feed.events_to_frame(frames, _ARRIVES_S)]

    def stop(self, why: str) -> None:
        """Make the next wait raise; safe in a signal handler."""
        self._why = why

    def wait_until(self, at_us: int) -> None:
        """Move the sandbox, unless it is there already."""
        if self._why:
            raise SessionStopped(self._why)
        self._move_to(at_us)

    def sleep(self, seconds: float) -> None:
        """Move the sandbox by some seconds, also when the session was asked to stop."""
        self._move_to(self.now_us() + round(seconds * SECOND_US))

    def _move_to(self, at_us: int) -> None:
        if at_us > self.now_us():
            to = datetime.fromtimestamp(at_us / SECOND_US, UTC).isoformat()
            answer = self._http.post("/sandbox/clock", json={"advance_to": to})
            self._said = self._asked(answer)

    @staticmethod
    def _asked(answer: httpx.Response) -> dict[str, Any]:
        found: dict[str, Any] = answer.raise_for_status().json()
        return found
