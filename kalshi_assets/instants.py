"""Instants and what was known at them, as arrays.

Times are microseconds since the epoch. Facts are numbered in the order in which they became known;
-1 is none. Here: the arithmetic. Not here: which facts there are, or what they mean.
"""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from kalshi_assets.units import Array, Ints

UTC_TIME = pl.Datetime("us", "UTC")
SECONDS_A_US, HOURS_A_US = 1e-6, 1 / 3.6e9
NEVER = int(np.iinfo(np.int64).min)
"""No time, and before all times; numpy's own NaT."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(times: pl.Series) -> Ints:
    """A column of times; null is `NEVER`."""
    return times.to_numpy().view(np.int64)


def microseconds_of(time: datetime) -> int:
    """One time."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def as_times(microseconds: Ints) -> pl.Series:
    """A column of times; `NEVER` is null."""
    return pl.Series(microseconds.view("datetime64[us]"), dtype=UTC_TIME)


def known_by(instants: Ints, known_at: Ints) -> Ints:
    """Number of the latest fact known at each instant; `known_at` is sorted."""
    return np.searchsorted(known_at, instants, side="right") - 1


def values_at(facts: Ints, values: Array) -> Array:
    """Values of the facts of these numbers; NaN where there is none."""
    return np.append(values, np.nan)[facts]


def times_at(facts: Ints, times: Ints) -> Ints:
    """Times of the facts of these numbers; `NEVER` where there is none."""
    return np.append(times, NEVER)[facts]


def age_s(instants: Ints, times: Ints) -> Array:
    """Seconds from each time to its instant; NaN for `NEVER`."""
    return np.where(times == NEVER, np.nan, (instants - times) * SECONDS_A_US)
