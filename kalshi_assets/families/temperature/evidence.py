"""What reports prove about the day's maximum: the lower bound that may rule out a bracket.

Here: which rows of `weather.observations` are temperatures, which of them count only once another
report confirms them, and the lower bound after each row, in the order in which rows became known;
later rows never change earlier values. Not here: joining to minutes (`asof`), brackets,
probabilities.
"""

from collections.abc import Iterable
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.families.temperature.providers import one_report_each
from kalshi_assets.instants import (
    HOURS_A_US,
    NEVER,
    as_times,
    microseconds,
    microseconds_of,
)
from kalshi_assets.units import DAY_US, Array

# Derived from the station's whole °F; a whole °C stands for two degrees and may be misread.
EXACT = ("tgroup", "max_6h", "max_so_far")
REPORTED = ("whole_c", "tgroup")
FILLED = "filled"
# About 1.5 times the recorded maxima: 5 F in five minutes, 15 F in an hour (KNYC, 111 days).
DOUBT_F, DOUBT_F_PER_HOUR, DOUBT_F_AT_MOST = 6.0, 18.0, 40.0
# The limits of `weather.observations`: no station has ever been colder or warmer.
COLDEST_F, WARMEST_F = -80, 140
# Number of reports before and after that can confirm one.
WITNESSES = 3


def temperatures(observations: pl.DataFrame) -> pl.DataFrame:
    """The rows that are temperatures, without copies of earlier reports and maxima of windows."""
    since = observations["max_since"]
    if since.null_count() == len(since) and (observations["kind"] != FILLED).all():
        return observations
    return observations.filter((pl.col("kind") != FILLED) & pl.col("max_since").is_null())


def of_climate_day(observations: pl.DataFrame, climate_start: datetime) -> pl.DataFrame:
    """The rows about one climate day, without copies of earlier reports.

    Of equal reports from several providers one is kept, see `providers`. A maximum counts only if
    its whole window is in the day: the six-hour group sent just after midnight is mostly about the
    previous day.
    """
    observations = one_report_each(observations)
    start = microseconds_of(climate_start)
    time, since = (microseconds(observations[name]) for name in ("event_time", "max_since"))
    inside = (time >= start) & (time < start + DAY_US) & ((since == NEVER) | (since >= start))
    kept = inside & (observations["kind"] != FILLED).to_numpy()
    return observations if kept.all() else observations[np.flatnonzero(kept)]


def counted(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of `of_climate_day` that count, with ``known_at`` the time from which they count.

    A single wrong value must not decide the day: an exact product counts as proof, so one value of
    140 F would rule out every bracket except the last. A report counts immediately if it is the
    first or agrees with one of the three reports known just before it; otherwise from the time at
    which one of the next three agrees with it, and never if none does. Two reports agree if they
    differ by no more than 6 F plus 18 F per hour between them (or of the longer window, if one is a
    maximum), at most 40 F.

    A real jump larger than that therefore counts one report later. A wrong value still counts if it
    is sent twice, is the day's first, or is within these bounds; but never below -80 or above 140
    F.

    Returns
    -------
    DataFrame
        Sorted by ``known_at`` and ``event_time``; what counts at a time does not depend on later
        reports.
    """
    possible = (rows["lo_f"].to_numpy() <= WARMEST_F) & (rows["hi_f"].to_numpy() >= COLDEST_F)
    if not possible.all():
        rows = rows[np.flatnonzero(possible)]
    if (np.diff(microseconds(rows["known_at"])) <= 0).any():
        rows = rows.sort("known_at", "event_time", "kind")
    agreeing = [_agrees_with_row_before(rows, lag) for lag in range(1, WITNESSES + 1)]
    at_once = np.logical_or.reduce(agreeing)
    at_once[:1] = True
    if at_once.all():
        return rows
    known_at = microseconds(rows["known_at"])
    counts_from = np.where(at_once, known_at, NEVER)
    for lag, agrees in enumerate(agreeing, 1):
        supported = np.flatnonzero(agrees[lag:] & (counts_from[:-lag] == NEVER))
        counts_from[supported] = known_at[supported + lag]
    return (
        rows.with_columns(known_at=as_times(counts_from))
        .drop_nulls("known_at")
        .sort("known_at", "event_time", "kind")
    )


def _agrees_with_row_before(rows: pl.DataFrame, lag: int) -> NDArray[np.bool_]:
    middle = (rows["lo_f"].to_numpy().astype(np.float64) + rows["hi_f"].to_numpy()) / 2
    time, since = microseconds(rows["event_time"]), microseconds(rows["max_since"])
    window = np.where(since == NEVER, 0, time - since)
    apart = np.maximum(np.abs(time[lag:] - time[:-lag]), np.maximum(window[lag:], window[:-lag]))
    limit = np.minimum(DOUBT_F + DOUBT_F_PER_HOUR * (apart * HOURS_A_US), DOUBT_F_AT_MOST)
    agrees = np.zeros(rows.height, dtype=bool)
    agrees[lag:] = np.abs(middle[lag:] - middle[:-lag]) <= limit
    return agrees


def evidence_floor(rows: pl.DataFrame) -> Array:
    """The lower bound of the day's maximum by evidence that may rule out brackets.

    A bracket is dead once the bound exceeds its highest whole degree. Evidence is

    - an exact product: a T-group, a six-hour group, a maximum so far;
    - two consecutive reports, whole °C or better, for the lower of their lower ends. A single
      report of whole °C and interpolated values rule out nothing.

    Consecutive means in the order in which they became known; a late report is paired with the
    report known just before it. Source: methods, section 5, zeros.

    Parameters
    ----------
    rows
        ``kind``, ``lo_f`` and ``max_since`` of `of_climate_day`, sorted by ``known_at`` and
        ``event_time``.

    Returns
    -------
    Array
        The bound after each row, degrees F; non-decreasing, NaN before the first evidence.
    """
    low, kind = rows["lo_f"].to_numpy().astype(np.float64), rows["kind"]
    proved = np.where(is_any_of(kind, EXACT), low, -np.inf)
    is_reported = is_any_of(kind, REPORTED) & (microseconds(rows["max_since"]) == NEVER)
    reported = np.flatnonzero(is_reported)
    pairs = np.minimum(low[reported[1:]], low[reported[:-1]])
    proved[reported[1:]] = np.maximum(proved[reported[1:]], pairs)
    floor = np.maximum.accumulate(proved)
    return np.where(np.isneginf(floor), np.nan, floor)


def is_any_of(kinds: pl.Series, wanted: Iterable[str]) -> NDArray[np.bool_]:
    """Which rows have one of the wanted kinds."""
    return np.logical_or.reduce([(kinds == each).to_numpy() for each in wanted])
