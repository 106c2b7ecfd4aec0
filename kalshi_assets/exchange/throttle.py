"""The request budget: a token bucket like the exchange's own (kalshi.md 3.7), of a whole machine.

The exchange counts by account, not by process. So the bucket lies on disk, and every process that
uses the account takes from it: runs, watchers, commands.

Here: waiting until a request may be sent. Not here: what a request costs (rest), and which account
has which limits (defs.resources).
"""

import math
import os
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from kalshi_assets.shared_files import locked

# Debt beyond this can only come from callers that were killed, and is forgiven.
MAX_DEBT_S = 60.0
_LEVEL = struct.Struct("<dd")


@dataclass(frozen=True)
class Level:
    """Tokens in a bucket, negative where callers wait for theirs, and the second they were counted.

    Attributes
    ----------
    tokens
        How many.
    at
        Seconds of the clock.
    """

    tokens: float
    at: float

    @classmethod
    def unpacked(cls, data: bytes) -> Self | None:
        """The level in a file; None: there is none that makes sense."""
        if len(data) != _LEVEL.size:
            return None
        level = cls(*_LEVEL.unpack(data))
        return level if math.isfinite(level.tokens) and math.isfinite(level.at) else None

    def packed(self) -> bytes:
        """What `unpacked` reads."""
        return _LEVEL.pack(self.tokens, self.at)


class TokenBucket:
    """A bucket that refills steadily; `take` waits until it holds enough.

    Any number of threads and processes may take from it. Whoever comes later waits longer: a debt
    reserves the place in the queue. A process that dies loses what it has taken, and nothing else.

    Parameters
    ----------
    path
        The file that all of them share. It begins full; one that makes no sense begins empty.
    rate
        Tokens a second.
    capacity
        Most tokens that it holds.
    clock
        Seconds that all processes agree on: those since the machine was started, which nobody sets.
        Where they fall back, with a restart, time begins anew and the tokens stay.
    sleep
        How to wait.
    """

    def __init__(
        self,
        path: Path,
        *,
        rate: float,
        capacity: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if rate <= 0 or capacity <= 0:
            raise ValueError(
                f"rate and capacity must be positive, got rate {rate} and capacity {capacity}"
            )
        self.path = path
        self.rate = rate
        self.capacity = capacity
        self._clock = clock
        self._sleep = sleep

    def take(self, tokens: float) -> None:
        """Take `tokens`, waiting for them in the order of arrival.

        Raises
        ------
        ValueError
            More than the bucket ever holds.
        OSError
            The file cannot be had.
        """
        if tokens > self.capacity:
            raise ValueError(f"{tokens} tokens never fit a bucket that holds {self.capacity}")
        with locked(self.path) as descriptor:
            left = self._refilled(os.pread(descriptor, 1024, 0), self._clock())
            left = Level(left.tokens - tokens, left.at)
            os.ftruncate(descriptor, _LEVEL.size)
            os.pwrite(descriptor, left.packed(), 0)
        if left.tokens < 0:
            self._sleep(-left.tokens / self.rate)

    def _refilled(self, data: bytes, now: float) -> Level:
        level = Level.unpacked(data)
        if level is None:
            return Level(0.0 if data else self.capacity, now)
        tokens = max(level.tokens, -MAX_DEBT_S * self.rate)
        tokens += max(0.0, now - level.at) * self.rate
        return Level(min(self.capacity, tokens), now)
