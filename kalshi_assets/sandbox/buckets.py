"""Token buckets for rate limits.

Here: the arithmetic, with a bucket per caller. Not here: the cost of a request (`account_routes`),
the response to a refused request (`exchange_errors`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock


@dataclass(frozen=True, kw_only=True)
class BucketSize:
    """Refill rate in tokens per second, and capacity in tokens."""

    refill_rate: float
    capacity: float

    def __post_init__(self) -> None:
        if self.refill_rate <= 0 or self.capacity <= 0:
            raise ValueError(f"a bucket needs a positive rate and capacity, got {self}")


BASIC_READ = BucketSize(refill_rate=200, capacity=200)
BASIC_WRITE = BucketSize(refill_rate=100, capacity=100)
ANONYMOUS = BucketSize(refill_rate=100, capacity=250)


class Buckets:
    """One bucket of the same size per caller, initially full; `clock` is monotonic, in seconds."""

    def __init__(self, size: BucketSize, *, clock: Callable[[], float]) -> None:
        self._size = size
        self._clock = clock
        self._levels: dict[str, tuple[float, float]] = {}
        self._lock = Lock()

    def take(self, caller: str, cost: float) -> bool:
        """Take `cost` tokens from the caller's bucket; False, without effect, if it has fewer."""
        with self._lock:
            now = self._clock()
            level, since = self._levels.get(caller, (self._size.capacity, now))
            level = min(self._size.capacity, level + (now - since) * self._size.refill_rate)
            enough = level >= cost
            self._levels[caller] = (level - cost if enough else level, now)
            return enough
