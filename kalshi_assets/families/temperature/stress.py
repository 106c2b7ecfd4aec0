"""Days on which a trader of temperatures is tested: fixed rules, told afterwards.

Nothing here decides anything: the rules use the outcome. Source: methods, section 10. Its rule of a
value on a bracket's edge is left out: of brackets two degrees wide every value is on one.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from kalshi_assets.families.temperature.cities import city
from kalshi_assets.instants import microseconds, microseconds_of
from kalshi_assets.keys import LadderDay
from kalshi_assets.settlement.rule import settled_by
from kalshi_assets.units import MINUTE_US

STRESSES = (
    "maximum at night",
    "forecast missed",
    "front",
    "feed gap",
    "publishers differ",
    "clock change",
)

MORNING_H, EVENING_H = 6.0, 18.0
MISS_F = 5
FALL_F = 10.0
GAP_US = HOUR_US = 60 * MINUTE_US


def stress(
    key: LadderDay,
    events: pl.DataFrame,
    settlements: pl.DataFrame | None,
    observations: pl.DataFrame,
    forecasts: pl.DataFrame,
) -> tuple[str, ...]:
    """Which of `STRESSES` a city-day was; none: an ordinary one.

    Parameters
    ----------
    key
        The city-day.
    events, settlements, observations, forecasts
        Its tables; without settlements what rests on the value is not told.
    """
    place = city(key.ladder)
    start, end = place.climate_day(key.date)
    reports = observations.filter(
        pl.col("max_since").is_null()
        & (pl.col("kind") != "filled")
        & pl.col("event_time").is_between(start, end)
    ).sort("event_time")
    at = microseconds(reports["event_time"])
    temp = reports["temp_f"].to_numpy()
    value = None
    if settlements is not None and (settled := settled_by(settlements, events)) is not None:
        value = settled.value
    found = {
        "maximum at night": _at_night(at, temp, microseconds_of(start)),
        "forecast missed": _missed(forecasts, start, value),
        "front": _fell(at, temp),
        "feed gap": _gap(at, microseconds_of(start), microseconds_of(end)),
        "publishers differ": settlements is not None and _differ(settlements),
        "clock change": _clock_changes(ZoneInfo(place.timezone), start, end),
    }
    return tuple(name for name in STRESSES if found[name])


def _at_night(at: np.ndarray, temp: np.ndarray, start_us: int) -> bool:
    """Whether the highest report was before six or after eighteen, local standard time."""
    if not len(temp):
        return False
    hour = (at[int(np.argmax(temp))] - start_us) / HOUR_US
    return bool(hour < MORNING_H or hour >= EVENING_H)


def _missed(forecasts: pl.DataFrame, start: datetime, value: int | None) -> bool:
    """Whether the last forecast before the day was five degrees or more off."""
    known = forecasts.filter((pl.col("variable") == "tmax") & (pl.col("known_at") <= start))
    if value is None or known.is_empty():
        return False
    last = known.sort("known_at", "event_time")["value_f"][-1]
    return abs(value - float(last)) >= MISS_F


def _fell(at: np.ndarray, temp: np.ndarray) -> bool:
    """Whether a report was ten degrees below one of the hour before."""
    first = np.searchsorted(at, at - HOUR_US)
    return any(temp[i : n + 1].max() - temp[n] >= FALL_F for n, i in enumerate(first))


def _gap(at: np.ndarray, start_us: int, end_us: int) -> bool:
    """Whether nothing was reported for more than an hour."""
    return bool((np.diff(np.concatenate([[start_us], at, [end_us]])) > GAP_US).any())


def _differ(settlements: pl.DataFrame) -> bool:
    """Whether statements of the value differ, preliminary ones included."""
    return settlements["value"].drop_nulls().n_unique() > 1


def _clock_changes(zone: ZoneInfo, start: datetime, end: datetime) -> bool:
    before, after = start.astimezone(zone), (end - timedelta(seconds=1)).astimezone(zone)
    return before.utcoffset() != after.utcoffset()
