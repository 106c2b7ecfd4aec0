"""The climate day in slots: 288 of five minutes, on every day of the year.

Here: which slot an instant falls into, and which civil days a climate day touches. Not here: where
the climate day begins (`City.climate_day`).
"""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from kalshi_assets.families.temperature.cities import City
from kalshi_assets.instants import microseconds_of

SLOT = timedelta(minutes=5)
SLOT_US = SLOT // timedelta(microseconds=1)
SLOTS = 288
# In slots.
FIVE_MINUTES = 1
ONE_HOUR = 12


def slot(city: City, day: date, instant: datetime) -> int:
    """Index, 0 to 287, of the five-minute slot of climate day `day` that contains `instant`.

    Counted in elapsed time from the day's start, never by the local clock, which repeats or skips
    an hour twice a year.

    Raises
    ------
    ValueError
        The instant lies outside the climate day.
    """
    start, end = city.climate_day(day)
    if not start <= instant < end:
        raise ValueError(
            f"{instant:%Y-%m-%dT%H:%MZ} is outside {city.name}'s climate day {day}, "
            f"{start:%Y-%m-%dT%H:%MZ} to {end:%Y-%m-%dT%H:%MZ}"
        )
    return (instant - start) // SLOT


def slot_of(time: pl.Expr, climate_start: datetime) -> pl.Expr:
    """`slot` over a column of UTC times: Int16, negative before the day, 288 and more after it."""
    # In integers: a literal of an aware datetime costs ten times as much in Polars.
    elapsed_us = time.to_physical() - microseconds_of(climate_start)
    return (elapsed_us // SLOT_US).cast(pl.Int16)


def slot_starts(city: City, day: date) -> list[datetime]:
    """The 288 instants, UTC, at which the slots of climate day `day` begin."""
    start, _ = city.climate_day(day)
    return [start + k * SLOT for k in range(SLOTS)]


def civil_days(city: City, day: date) -> tuple[date, ...]:
    """The days of the civil calendar that climate day `day` touches: one, in summer time two."""
    zone = ZoneInfo(city.timezone)
    start, end = city.climate_day(day)
    first = start.astimezone(zone).date()
    last = (end - timedelta(microseconds=1)).astimezone(zone).date()
    return (first,) if first == last else (first, last)
