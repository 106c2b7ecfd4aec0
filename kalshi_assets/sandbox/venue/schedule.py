"""What is due when.

Here: a queue of actions by instant. Not here: what they do (`venue`).
"""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

Action = Callable[[], None]


class Schedule:
    """Actions by instant (microseconds); those of one instant in the order of being added."""

    def __init__(self) -> None:
        self._queue: list[tuple[int, int, Action]] = []
        self._numbers = count()

    def add(self, at_us: int, action: Action) -> None:
        """Do something at an instant."""
        heappush(self._queue, (at_us, next(self._numbers), action))

    @property
    def next_us(self) -> int | None:
        """The instant of the next action; None: nothing is due ever."""
        return self._queue[0][0] if self._queue else None

    def pop(self) -> tuple[int, Action]:
        """Remove and return the next action and its instant."""
        at_us, _, action = heappop(self._queue)
        return at_us, action
