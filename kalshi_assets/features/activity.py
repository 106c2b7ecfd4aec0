"""What is usual at an hour of the day, and how unusual a minute is.

Here: a day's quantiles by hour, and the rank of a minute among those of earlier days. Not here:
which days are earlier, which the caller knows.
"""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.instants import (
    NEVER,
    as_times,
    microseconds,
    microseconds_of,
)
from kalshi_assets.ladder.grid import Grid, gridded
from kalshi_assets.tables.panel import ACTIVITY
from kalshi_assets.units import MINUTE_US, Array, Ints

MEASURES = ("flow", "spread", "volatility", "volume")
KNOTS = 17
DAYS = 30
LEAST_DAYS = 5

_HOUR = 60


def activity(panel: pl.DataFrame, day_start: datetime) -> pl.DataFrame:
    """What was usual on a day, by hour since its start, over all its brackets.

    Parameters
    ----------
    panel
        `panel.minute_panel` of one event, whole.
    day_start
        Start of the climate day, UTC.

    Returns
    -------
    DataFrame
        `panel.activity`: of each measure and hour 17 values that were observed, at equally spaced
        ranks, so that each stands for one 17th of the hour.
    """
    rows, grid = gridded(panel)
    minute = minutes_since(grid, day_start)
    first = minute[0] // _HOUR
    values = _of_hours(_measured(rows, grid), minute - first * _HOUR)
    known = np.count_nonzero(~np.isnan(values), axis=2)
    ranks = ((np.arange(KNOTS) + 0.5) / KNOTS * known[:, :, None]).astype(np.intp)
    knots = np.take_along_axis(np.sort(values, axis=2), ranks, axis=2)
    measure, hour = np.nonzero(known)
    rows_found = measure.size * KNOTS
    return ACTIVITY.arranged(
        pl.DataFrame(
            {
                "measure": pl.Series(MEASURES)[measure.repeat(KNOTS)],
                "hour": (hour + first).astype(np.int8).repeat(KNOTS),
                "knot": np.tile(np.arange(KNOTS, dtype=np.int8), measure.size),
                "value": knots[measure, hour].ravel(),
                "event_time": as_times(np.full(rows_found, grid.minutes[-1])),
                "known_at": as_times(np.full(rows_found, microseconds(rows["known_at"]).max())),
            }
        )
    )


def minutes_since(grid: Grid, day_start: datetime) -> Ints:
    """Minutes from the start of the climate day to every minute of the grid."""
    return (grid.minutes - microseconds_of(day_start)) // MINUTE_US


def _measured(panel: pl.DataFrame, grid: Grid) -> Array:
    """Values of the measures, shape (measures, brackets, minutes), NaN unknown."""
    flow, volatility, volume, quoted, traded = (
        grid.matrix(panel[name])
        for name in (
            "flow_15m",
            "realised_volatility_30m",
            "volume_15m",
            "spread_cents",
            "spread_proxy_cents",
        )
    )
    return np.stack([flow, np.where(np.isnan(quoted), traded, quoted), volatility, volume])


def _of_hours(values: Array, minute: Ints) -> Array:
    """(measures, brackets, minutes) as (measures, hours, the hour's rows), NaN where there is none.

    `minute` counts from the start of the first hour.
    """
    measures, brackets, _ = values.shape
    hours = minute[-1] // _HOUR + 1
    padded = np.full((measures, brackets, hours * _HOUR), np.nan)
    padded[:, :, minute] = values
    by_hour = padded.reshape(measures, brackets, hours, _HOUR).swapaxes(1, 2)
    return by_hour.reshape(measures, hours, brackets * _HOUR)


def percentiles(
    panel: pl.DataFrame, day_start: datetime, earlier: Sequence[pl.DataFrame]
) -> pl.DataFrame:
    """Where every minute stands among the same hour of earlier days.

    Parameters
    ----------
    panel
        `panel.minute_panel` of one event.
    day_start
        Start of its climate day, UTC.
    earlier
        `panel.activity` of other days of the city, any order. A day counts from the first hour
        that begins after it was over, and at most the latest 30 do.

    Returns
    -------
    DataFrame
        In the table's order: `flow_percentile`, `volume_percentile`, `volatility_percentile`,
        `spread_percentile`, in [0, 1], ties in the middle, null where the value is unknown or
        fewer than 5 days have the hour; `activity_days`, and `activity_known_at` of the latest.
    """
    from kalshi_assets.features.kernels import mid_ranks

    rows, grid = gridded(panel)
    hour = minutes_since(grid, day_start) // _HOUR
    hours = np.arange(hour[0], hour[-1] + 1)
    days = sorted(earlier, key=lambda day: day["event_time"][0])
    over, known_at = (
        np.array([microseconds(day[name])[0] for day in days], dtype=np.int64)
        for name in ("event_time", "known_at")
    )
    counts = _that_count(over, microseconds_of(day_start) + hours * _HOUR * MINUTE_US)
    knots = np.where(counts[:, :, None], _knots_of(days, hours), np.nan)
    has = np.count_nonzero(~np.isnan(knots[..., 0]), axis=2)
    ranks = mid_ranks(
        _measured(rows, grid),
        hour - hour[0],
        np.sort(knots.reshape(*has.shape, -1), axis=2),
        np.where(has >= LEAST_DAYS, has * KNOTS, 0),
    )
    latest = np.where(counts, known_at, NEVER).max(axis=1, initial=NEVER)
    of_rows = grid.of_minutes(hour - hour[0])
    return pl.DataFrame(
        [
            pl.Series("activity_days", has[0].astype(np.int16)[of_rows]),
            as_times(latest)[of_rows].alias("activity_known_at"),
            *(
                pl.Series(f"{name}_percentile", rank.ravel(), nan_to_null=True)
                for name, rank in zip(MEASURES, ranks, strict=True)
            ),
        ]
    )


def _that_count(over: Ints, hours: Ints) -> NDArray[np.bool_]:
    """Which days count at which hours, shape (hours, days): the latest 30 that were over."""
    past = np.searchsorted(over, hours, side="right")[:, None]
    day = np.arange(len(over))
    return (past - DAYS <= day) & (day < past)


def _knots_of(days: Sequence[pl.DataFrame], hours: Ints) -> Array:
    """The days' knots, shape (measures, hours, days, knots), NaN where a day lacks an hour."""
    knots = np.full((len(MEASURES), len(hours), len(days), KNOTS), np.nan)
    if not days:
        return knots
    hour, knot, value = (
        np.concatenate([day[name].to_numpy() for day in days]) for name in ("hour", "knot", "value")
    )
    if (knot.reshape(-1, KNOTS) != np.arange(KNOTS)).any():
        raise ValueError(f"an hour of an earlier day has not its {KNOTS} knots in order")
    firsts = np.arange(0, knot.size, KNOTS)
    names = pl.concat([day["measure"] for day in days])[firsts]
    measure = names.cast(pl.Enum(MEASURES)).to_physical().to_numpy()
    code = hour[firsts] - hours[0]
    number = np.repeat(np.arange(len(days)), [day.height // KNOTS for day in days])
    there = (code >= 0) & (code < len(hours))
    knots[measure[there], code[there], number[there]] = value.reshape(-1, KNOTS)[there]
    return knots
