"""The analogue at the evaluation times of a day, from what was known at each.

Here: the library of earlier days, and the state at each time. Not here: the model on arrays
(`analogue`).
"""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import polars as pl

from kalshi_assets.families.temperature.climate_day import ONE_HOUR, SLOT_US, SLOTS
from kalshi_assets.families.temperature.evidence import counted, of_climate_day, temperatures
from kalshi_assets.families.temperature.hazard.analogue import (
    DEFAULTS,
    Library,
    State,
    outlook,
)
from kalshi_assets.families.temperature.station_days import counted_reports
from kalshi_assets.instants import microseconds, microseconds_of
from kalshi_assets.units import Array

# Bits for microseconds of several weeks, so that a slot and a time form one number.
_SLOT_BITS = 42

SCHEMA: dict[str, pl.DataType] = {
    "minute": pl.Datetime("us", "UTC"),
    "p_analogue": pl.List(pl.Float64),
    "analogue_5m": pl.Float64(),
    "analogue_60m": pl.Float64(),
    "effective_days": pl.Float64(),
}


def library_of(
    earlier_days: Sequence[tuple[datetime, pl.DataFrame]],
    known_by: datetime,
) -> Library:
    """The library from `weather.observations` of earlier days; rows known later are excluded."""
    return Library.of(_grids(earlier_days, known_by))


def analogue_outlook(
    known: pl.DataFrame,
    observations: pl.DataFrame,
    library: Library,
    upper: Array,
    start: datetime,
) -> pl.DataFrame:
    """The analogue's results at the times at which enough earlier days have the slot.

    Parameters
    ----------
    known
        `weather_as_of` at the evaluation times with a known report, and `slot`, that of the latest
        report.
    observations
        `weather.observations` of the climate day.
    upper
        Highest whole degree of every bracket except the last.
    start
        Start of the climate day, UTC.

    Returns
    -------
    DataFrame
        Columns of `SCHEMA`; times without enough days are omitted.
    """
    days = library.days_at(known["slot"].to_numpy().astype(np.int64))
    known = known.filter(pl.Series(days >= DEFAULTS.min_days))
    if known.is_empty():
        return pl.DataFrame(schema=SCHEMA)
    temp = known["temp_f"].to_numpy()
    result = outlook(
        State(
            slot=known["slot"].to_numpy().astype(np.int64),
            temp_f=temp,
            slope_f=temp - _hour_ago(known, observations, start),
            max_lo_f=known["running_max_lo_f"].to_numpy().astype(np.float64),
            max_hi_f=known["running_max_hi_f"].to_numpy().astype(np.float64),
        ),
        library,
        upper,
    )
    return known.select(
        "minute",
        p_analogue=pl.Series(result.pmf).cast(pl.List(pl.Float64)),
        analogue_5m=result.hazard_5m,
        analogue_60m=result.hazard_60m,
        effective_days=result.effective_days,
    )


def _grids(days: Sequence[tuple[datetime, pl.DataFrame]], known_by: datetime) -> Array:
    """Temperature of the last report per day and slot, shape (days, 288); NaN: no report."""
    grids = np.full((len(days), SLOTS), np.nan)
    if not days:
        return grids
    rows = counted_reports(days, known_by)
    grids[rows["day"].to_numpy(), rows["slot"].to_numpy()] = rows["temp_f"].to_numpy()
    return grids


def _hour_ago(known: pl.DataFrame, observations: pl.DataFrame, start: datetime) -> Array:
    """Temperature an hour before the latest report, as known then; NaN: no report, shape (times,).

    Reports of that slot that became known later are not used.
    """
    reports = temperatures(counted(of_climate_day(observations, start)))
    begin = microseconds_of(start)
    known_at, event_time = (microseconds(reports[n]) - begin for n in ("known_at", "event_time"))
    # In order of slot, then of the time known; of two in a slot the later measurement is used.
    place = event_time // SLOT_US << _SLOT_BITS
    order = np.argsort(place + known_at, kind="stable")
    reached = (place + event_time)[order]
    order = order[reached == np.maximum.accumulate(reached)]
    since, temp = (place + known_at)[order], reports["temp_f"].to_numpy()
    wanted = known["slot"].to_numpy().astype(np.int64) - ONE_HOUR << _SLOT_BITS
    now = microseconds(known["minute"]) - begin
    found = np.searchsorted(since, wanted + now, side="right") - 1
    there = (found >= 0) & (since[found] >= wanted) if len(since) else np.zeros(len(found), bool)
    return np.where(there, temp[order[found]] if len(since) else np.nan, np.nan)
