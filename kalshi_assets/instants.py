"""Instants and what was known at them, as arrays.

Times are microseconds since the epoch. Facts are indexed in the order in which they became known;
-1 means none. Here: the arithmetic. Not here: which facts there are, or what they mean.
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
    """Times of a column in microseconds; null becomes `NEVER`."""
    return times.to_numpy().view(np.int64)


def microseconds_of(time: datetime) -> int:
    """One time in microseconds."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def as_times(microseconds: Ints) -> pl.Series:
    """Microseconds as a column of times; `NEVER` becomes null."""
    return pl.Series(microseconds.view("datetime64[us]"), dtype=UTC_TIME)


def known_by(instants: Ints, known_at: Ints) -> Ints:
    """Index of the latest fact known at each instant; -1: none.

    Parameters
    ----------
    instants
        Microseconds, any shape.
    known_at
        When each fact became known, ascending, shape (facts,).
    """
    return np.searchsorted(known_at, instants, side="right") - 1


def values_at(facts: Ints, values: Array) -> Array:
    """Values of the given facts; NaN where there is none.

    Parameters
    ----------
    facts
        Indices from `known_by`, any shape.
    values
        Value of each fact, shape (facts,).
    """
    return np.append(values, np.nan)[facts]


def times_at(facts: Ints, times: Ints) -> Ints:
    """Times of the given facts; `NEVER` where there is none.

    Parameters
    ----------
    facts
        Indices from `known_by`, any shape.
    times
        Time of each fact, shape (facts,).
    """
    return np.append(times, NEVER)[facts]


def age_s(instants: Ints, times: Ints) -> Array:
    """Seconds from each time to its instant; NaN for `NEVER`.

    Parameters
    ----------
    instants, times
        Microseconds, of shapes that broadcast.
    """
    return np.where(times == NEVER, np.nan, (instants - times) * SECONDS_A_US)
