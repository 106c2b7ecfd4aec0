"""The climate day in slots: 288 of five minutes, on every day of the year.

Here: the slot of a time. Not here: the start of the climate day (`City.climate_day`).
"""

from datetime import datetime, timedelta

import polars as pl

from kalshi_assets.instants import microseconds_of

SLOT = timedelta(minutes=5)
SLOT_US = SLOT // timedelta(microseconds=1)
SLOTS = 288
# In slots.
FIVE_MINUTES = 1
ONE_HOUR = 12


def slot_of(time: pl.Expr, climate_start: datetime) -> pl.Expr:
    """Slots of a column of UTC times: Int16, negative before the day, 288 and more after it.

    Counted in elapsed time from the day's start, never by local time, which repeats or skips an
    hour twice a year.
    """
    # In integers: a literal of an aware datetime costs ten times as much in Polars.
    elapsed_us = time.to_physical() - microseconds_of(climate_start)
    return (elapsed_us // SLOT_US).cast(pl.Int16)
