"""Earlier days of a ladder, each read once.

A model as of a day rests on a window of days before it, and the windows of neighbouring days
overlap. Here: which days, and keeping what was made of them. Not here: what is made of a day.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Generic, TypeVar

from kalshi_assets.keys import LadderDay

T = TypeVar("T")


class History(Generic[T]):
    """What was made of the days before a day.

    Parameters
    ----------
    days
        How many days a window has.
    read
        What is made of a day; None: there is nothing of it.
    """

    def __init__(self, days: int, read: Callable[[LadderDay], T | None]) -> None:
        self._days = days
        self._read = lru_cache(maxsize=days + 1)(read)

    def before(self, key: LadderDay) -> list[tuple[LadderDay, T]]:
        """The days before `key` of which there is something, oldest first."""
        made = ((day, self._read(day)) for day in key.earlier(self._days))
        return [(day, found) for day, found in made if found is not None]
