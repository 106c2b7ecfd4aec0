"""The vocabulary of partitions: one city and one climate day.

Here: the key and Dagster's partition definitions over it, named once. Not here: how partitions
are stored (`lake`) or scheduled (`defs`).
"""

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import dagster as dg

from kalshi_assets.cities import CITIES, city

# Backfill policies, two-dimensional mappings and partitioned checks are beta or preview in
# Dagster 1.13; the platform is built on them and its tests watch them.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)

FIRST_DAY = date(2024, 1, 1)

CITY = "city"
DATE = "date"

EVERY_CITY = "every_city"
"""Stands for the city where a study of several is kept; the graph has no such partition."""


@dataclass(frozen=True, order=True)
class CityDay:
    """A partition: one city, one climate day."""

    city: str
    date: date

    def __post_init__(self) -> None:
        if self.city != EVERY_CITY:
            city(self.city)

    def __str__(self) -> str:
        return f"{self.city} {self.date}"

    @property
    def event_ticker(self) -> str:
        """The exchange's event of this city and day, by the name of its time."""
        return city(self.city).event_ticker(self.date)

    @property
    def dagster_key(self) -> dg.MultiPartitionKey:
        """The same partition as Dagster names it."""
        return dg.MultiPartitionKey({CITY: self.city, DATE: self.date.isoformat()})

    @property
    def dagster_tags(self) -> dict[str, str]:
        """The tags by which Dagster knows that a run is of this partition."""
        return dict(CITY_DAYS.get_tags_for_partition_key(self.dagster_key))

    @classmethod
    def of(cls, key: str) -> "CityDay":
        """From one of Dagster's partition keys."""
        dimensions = CITY_DAYS.get_partition_key_from_str(key).keys_by_dimension
        return cls(dimensions[CITY], date.fromisoformat(dimensions[DATE]))

    def earlier(self, days: int) -> list["CityDay"]:
        """The `days` city-days before this one, oldest first."""
        return [CityDay(self.city, self.date - timedelta(days=n)) for n in range(days, 0, -1)]


# End offset 2: today's and tomorrow's events trade at once and have partitions.
CITY_DAYS = dg.MultiPartitionsDefinition(
    {
        CITY: dg.StaticPartitionsDefinition(list(CITIES)),
        DATE: dg.DailyPartitionsDefinition(start_date=FIRST_DAY.isoformat(), end_offset=2),
    }
)


def days_between(start: date, end: date) -> Iterator[date]:
    """Every day from `start` to `end`, both included."""
    if end < start:
        raise ValueError(f"the end {end} lies before the start {start}")
    for offset in range((end - start).days + 1):
        yield start + timedelta(days=offset)


def city_days(cities: Iterable[str], start: date, end: date) -> list[CityDay]:
    """Every partition of `cities` from `start` to `end`, both included."""
    return [CityDay(name, day) for name in cities for day in days_between(start, end)]
