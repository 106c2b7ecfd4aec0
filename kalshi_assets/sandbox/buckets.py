"""Token buckets that refuse callers who ask too often.

Here: the arithmetic and who shares a bucket. Not here: what a request costs (`account_routes`) and
the answer (`exchange_errors`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock


@dataclass(frozen=True, kw_only=True)
class BucketSize:
    """How much a bucket holds and how fast it fills.

    Attributes
    ----------
    refill_rate
        Tokens per second.
    capacity
        Tokens when full.
    """

    refill_rate: float
    capacity: float

    def __post_init__(self) -> None:
        if self.refill_rate <= 0 or self.capacity <= 0:
            raise ValueError(f"a bucket needs a positive rate and capacity, got {self}")


BASIC_READ = BucketSize(refill_rate=200, capacity=200)
ANONYMOUS = BucketSize(refill_rate=100, capacity=250)


class Buckets:
    """One bucket per caller, full at first.

    Parameters
    ----------
    size
        Of every bucket.
    clock
        Seconds, never going back.
    """

    def __init__(self, size: BucketSize, *, clock: Callable[[], float]) -> None:
        self._size = size
        self._clock = clock
        self._levels: dict[str, tuple[float, float]] = {}
        self._lock = Lock()

    def take(self, caller: str, cost: float) -> bool:
        """Take `cost` tokens of the caller's bucket; where they are not there, none and False."""
        with self._lock:
            now = self._clock()
            level, since = self._levels.get(caller, (self._size.capacity, now))
            level = min(self._size.capacity, level + (now - since) * self._size.refill_rate)
            enough = level >= cost
            self._levels[caller] = (level - cost if enough else level, now)
            return enough
