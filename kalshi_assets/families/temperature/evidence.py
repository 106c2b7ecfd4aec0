"""What reports prove about the day's maximum: its bounds, and the floor that may kill a bracket.

Here: which rows of `weather.observations` are temperatures, which of them are too far from the
others to count yet, and how the proof grows row by row in the order in which they became known, so
that nothing later touches an earlier row. Not here: joining to minutes (`asof`), brackets, or what
is likely.
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

# From the exact integer the station keeps; a whole °C stands for two degrees, and may be a misread.
EXACT = ("tgroup", "max_6h", "max_so_far")
REPORTED = ("whole_c", "tgroup")
FILLED = "filled"
# Half as much again as recorded: 5 F in five minutes, 15 F in an hour (KNYC, 111 days).
DOUBT_F, DOUBT_F_PER_HOUR, DOUBT_F_AT_MOST = 6.0, 18.0, 40.0
# What `weather.observations` allows: no station has ever been colder or warmer.
COLDEST_F, WARMEST_F = -80, 140
# Reports known just before or after that can support one.
WITNESSES = 3


def temperatures(observations: pl.DataFrame) -> pl.DataFrame:
    """The rows that are temperatures: no copies of earlier reports, no maxima of windows."""
    since = observations["max_since"]
    if since.null_count() == len(since) and (observations["kind"] != FILLED).all():
        return observations
    return observations.filter((pl.col("kind") != FILLED) & pl.col("max_since").is_null())


def kind_shares(observations: pl.DataFrame) -> dict[str, float]:
    """Share of every kind among the rows, the most frequent first.

    A station whose feed is mostly interpolated or copied proves little.
    """
    counts = observations["kind"].value_counts(sort=True, name="n")
    return {kind: round(n / observations.height, 4) for kind, n in counts.iter_rows()}


def of_climate_day(observations: pl.DataFrame, climate_start: datetime) -> pl.DataFrame:
    """The rows that say something about one climate day, copies of earlier reports left out.

    Of providers that report the same the first, see `providers`. A maximum counts only if its whole
    window lies in the day: the six-hour group that is sent just after midnight mostly tells of the
    day before.
    """
    observations = one_report_each(observations)
    start = microseconds_of(climate_start)
    time, since = (microseconds(observations[name]) for name in ("event_time", "max_since"))
    inside = (time >= start) & (time < start + DAY_US) & ((since == NEVER) | (since >= start))
    kept = inside & (observations["kind"] != FILLED).to_numpy()
    return observations if kept.all() else observations[np.flatnonzero(kept)]


def counted(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows that count, each known since the instant from which it does.

    One absurd value must not decide the day: an exact product proves by itself, so a single 140 F
    would kill every bracket but the last. A report counts at once if it agrees with one of the
    three known just before it, or is the first; else from when one of the three that follow agrees
    with it, and never if none does. Agree: not further apart than 6 F and 18 F per hour between
    them (or of the longer window, where one is a maximum), 40 F at most.

    So a true jump beyond that counts one report later. An absurd value still counts if it is sent
    twice, is the day's first, or lies within these bounds; but never beyond -80 and 140 F, which
    no station has reported.

    Parameters
    ----------
    rows
        Of `of_climate_day`.

    Returns
    -------
    DataFrame
        Sorted by ``known_at`` and ``event_time``; what counts at an instant depends on nothing that
        became known after it.
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
    """The least that the day's maximum can be, by evidence that may kill brackets.

    A bracket is dead once this exceeds its greatest whole degree. Evidence is

    - an exact product: a T-group, a six-hour group, a maximum so far;
    - two reports one after the other, whole °C or better: both their intervals must reach it. One
      report of whole °C alone kills nothing, and an interpolated value never does.

    Reports follow each other in the order in which they became known; a late one pairs with the
    report known just before it. Source: methods, section 5, zeros.

    Parameters
    ----------
    rows
        ``kind``, ``lo_f`` and ``max_since`` of `of_climate_day`, sorted by ``known_at`` and
        ``event_time``.

    Returns
    -------
    Array
        As of each row, degrees F; NaN before the first evidence, and never falling.
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
    """Which rows have one of some kinds."""
    return np.logical_or.reduce([(kinds == each).to_numpy() for each in wanted])
