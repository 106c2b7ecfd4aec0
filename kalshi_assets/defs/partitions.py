"""Dagster's partitions, and conversion between its keys and city-days."""

import warnings
from datetime import date

import dagster as dg

from kalshi_assets.families.temperature.cities import CITIES, city_day
from kalshi_assets.keys import LadderDay

# Backfill policies, two-dimensional mappings and partitioned checks are beta or preview in
# Dagster 1.13; the platform's tests cover them.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)

FIRST_DAY = date(2024, 1, 1)

CITY = "city"
DATE = "date"

# End offset 2: today's and tomorrow's events trade at the same time, so both have partitions.
CITY_DAYS = dg.MultiPartitionsDefinition(
    {
        CITY: dg.StaticPartitionsDefinition(list(CITIES)),
        DATE: dg.DailyPartitionsDefinition(start_date=FIRST_DAY.isoformat(), end_offset=2),
    }
)


def dagster_key(key: LadderDay) -> dg.MultiPartitionKey:
    """Dagster's key of a partition."""
    return dg.MultiPartitionKey({CITY: key.ladder, DATE: key.date.isoformat()})


def key_of(name: str) -> LadderDay:
    """The partition of one of Dagster's keys.

    Raises
    ------
    UnknownCityError
        The registry does not have its city.
    """
    dimensions = CITY_DAYS.get_partition_key_from_str(name).keys_by_dimension
    return city_day(dimensions[CITY], date.fromisoformat(dimensions[DATE]))
