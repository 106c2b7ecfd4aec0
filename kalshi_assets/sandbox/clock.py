"""The simulated present of a sandbox that accepts orders.

Here: time that runs at a multiple of real time, or stands still until it is moved. Not here: what
happens as it goes on (`venue.driver`), the wall clock of signatures.
"""

from collections.abc import Callable
from datetime import datetime

from kalshi_assets.instants import microseconds_of
from kalshi_assets.sandbox.exchange_state import instant
from kalshi_assets.units import SECOND_US

FASTEST = 1000.0


class SandboxClock:
    """A clock that starts at an instant.

    Parameters
    ----------
    start
        The first instant, with a time zone.
    speed
        Simulated seconds per real second, up to 1,000; 0: it stands until it is moved.
    monotonic
        Real seconds.

    Raises
    ------
    ValueError
        The speed is out of range.
    """

    def __init__(self, start: datetime, *, speed: float, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._base_us = microseconds_of(start)
        self._since = monotonic()
        self._speed = 0.0
        self.speed = speed

    @property
    def speed(self) -> float:
        """Simulated seconds per real second; 0: it stands."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        if not 0 <= speed <= FASTEST:
            raise ValueError(f"speed {speed} is not between 0 and {FASTEST:.0f}")
        self.move_to(self.now_us())
        self._speed = speed

    def now_us(self) -> int:
        """The simulated present in microseconds."""
        passed = (self._monotonic() - self._since) * self._speed
        return self._base_us + int(passed * SECOND_US)

    def now(self) -> datetime:
        """The simulated present."""
        return instant(self.now_us())

    def move_to(self, at_us: int) -> None:
        """Go on from another instant."""
        self._base_us, self._since = at_us, self._monotonic()


class SkewedClock:
    """A wall clock that can be made wrong by `skew_s` seconds."""

    def __init__(self, wall_clock: Callable[[], float]) -> None:
        self._wall_clock = wall_clock
        self.skew_s = 0.0

    def __call__(self) -> float:
        """Unix seconds."""
        return self._wall_clock() + self.skew_s
