"""The read budget: a token bucket like the exchange's own (kalshi.md 3.7).

Here: waiting until a request may be sent. Not here: what a request costs (client).
"""

import threading
import time
from collections.abc import Callable


class TokenBucket:
    """A bucket that refills steadily; `take` waits until it holds enough. Thread-safe.

    Parameters
    ----------
    rate
        Tokens a second.
    capacity
        Most tokens that it holds; it starts full.
    clock, sleep
        Monotonic seconds, and how to wait.
    """

    def __init__(
        self,
        rate: float,
        capacity: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if rate <= 0 or capacity <= 0:
            raise ValueError(
                f"rate and capacity must be positive, got rate {rate} and capacity {capacity}"
            )
        self.rate = rate
        self.capacity = capacity
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._tokens = capacity
        self._at = clock()

    def take(self, tokens: float) -> None:
        """Take `tokens`, waiting for them in the order of arrival.

        Raises
        ------
        ValueError
            More than the bucket ever holds.
        """
        if tokens > self.capacity:
            raise ValueError(f"{tokens} tokens never fit a bucket that holds {self.capacity}")
        with self._lock:
            now = self._clock()
            self._tokens = min(self.capacity, self._tokens + (now - self._at) * self.rate)
            self._at = now
            # A debt reserves the place in the queue: whoever comes later waits longer.
            self._tokens -= tokens
            wait = -self._tokens / self.rate
        if wait > 0:
            self._sleep(wait)
