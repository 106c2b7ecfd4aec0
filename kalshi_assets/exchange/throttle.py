"""The request budget: a token bucket like the exchange's own (kalshi.md 3.7), per machine.

The exchange limits accounts, not processes. The bucket is therefore a file that all processes using
the account share: runs, sensors, commands.

Here: waiting until a request may be sent. Not here: the cost of a request (rest), the limits of an
account (defs.resources).
"""

import math
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

from kalshi_assets.shared_files import locked

# A larger debt can only stem from callers that were killed, and is written off.
MAX_DEBT_S = 60.0
# Content of the file: tokens, negative while callers wait, and the second of the clock.
_LEVEL = struct.Struct("<dd")


class TokenBucket:
    """A bucket that refills at a constant rate; `take` waits until it holds enough tokens.

    Safe for any number of threads and processes. Taking tokens that are not there yet puts the
    bucket into debt, so that later callers wait longer. A process that dies loses only the tokens
    that it has taken.

    Parameters
    ----------
    path
        The shared file. A missing file is a full bucket, an invalid one an empty bucket.
    rate, capacity
        Tokens per second, and maximum number of tokens.
    clock
        Seconds, the same in all processes: by default those since boot, which cannot be set. After
        a reboot, when they start again, the tokens are kept.
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
        """Take `tokens`, waiting for them in order of arrival.

        Raises
        ------
        ValueError
            `tokens` exceeds the capacity.
        OSError
            The file cannot be opened or locked.
        """
        if tokens > self.capacity:
            raise ValueError(f"{tokens} tokens exceed the bucket's capacity of {self.capacity}")
        with locked(self.path) as descriptor:
            now = self._clock()
            left = self._refilled(os.pread(descriptor, 1024, 0), now) - tokens
            os.ftruncate(descriptor, _LEVEL.size)
            os.pwrite(descriptor, _LEVEL.pack(left, now), 0)
        if left < 0:
            self._sleep(-left / self.rate)

    def _refilled(self, data: bytes, now: float) -> float:
        stored = _LEVEL.unpack(data) if len(data) == _LEVEL.size else (math.nan, math.nan)
        if not all(map(math.isfinite, stored)):
            return 0.0 if data else self.capacity
        tokens, at = stored
        tokens = max(tokens, -MAX_DEBT_S * self.rate) + max(0.0, now - at) * self.rate
        return min(self.capacity, tokens)
