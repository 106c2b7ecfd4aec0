"""The name of a partition: one ladder on one day. Imports nothing but the standard library.

Here: the value, and days in a row. Not here: which ladders there are (`families`), how Dagster
names the same partition (`defs.partitions`), or where it is stored (`lake`).
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Family:
    """Ladders over numbers of one kind.

    Attributes
    ----------
    name
        Such as ``temperature``.
    dimension
        What a ladder is called in paths, SQL and Dagster's partitions, such as ``city``.
    words
        What columns of generic tables are called in SQL besides: (column, the family's name).
    """

    name: str
    dimension: str
    words: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, order=True)
class LadderDay:
    """A partition.

    Attributes
    ----------
    family
        Which family the ladder is of.
    ladder
        The ladder's name within its family, such as ``chicago``.
    date
        The day by the family's calendar.
    """

    family: Family
    ladder: str
    date: dt.date

    def __str__(self) -> str:
        return f"{self.ladder} {self.date}"

    def on(self, day: dt.date) -> "LadderDay":
        """The same ladder on another day."""
        return LadderDay(self.family, self.ladder, day)

    def earlier(self, days: int) -> list["LadderDay"]:
        """The same ladder on each of the `days` days before, oldest first."""
        return [self.on(self.date - dt.timedelta(days=n)) for n in range(days, 0, -1)]


def days_between(start: dt.date, end: dt.date) -> Iterator[dt.date]:
    """Every day from `start` to `end`, both included.

    Raises
    ------
    ValueError
        The end lies before the start.
    """
    if end < start:
        raise ValueError(f"the end {end} lies before the start {start}")
    for offset in range((end - start).days + 1):
        yield start + dt.timedelta(days=offset)
