"""The day's weather as known at each minute.

Here: joining reports and forecasts to minutes by `known_at`, and the status if there is none. Not
here: probabilities (`hazard`), brackets, the market.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from kalshi_assets.families.temperature.evidence import (
    EXACT,
    counted,
    evidence_floor,
    is_any_of,
    of_climate_day,
)
from kalshi_assets.families.temperature.providers import one_forecast_each
from kalshi_assets.instants import (
    NEVER,
    age_s,
    as_times,
    known_by,
    microseconds,
    microseconds_of,
    times_at,
    values_at,
)
from kalshi_assets.units import Array, Ints

STALE_AFTER = timedelta(minutes=180)
FIRST_REPORT_DUE = timedelta(hours=3)
COLUMNS = (
    "minute",
    "weather_status",
    "temp_f",
    "observation_age_s",
    "exact_age_s",
    "running_max_lo_f",
    "running_max_hi_f",
    "evidence_max_f",
    "forecast_max_f",
    "known_at",
)


def weather_as_of(
    minutes: pl.DataFrame,
    observations: pl.DataFrame,
    forecasts: pl.DataFrame,
    climate_start: datetime,
) -> pl.DataFrame:
    """Reports and forecast of one climate day, as known at each minute.

    A row depends only on what was known at its minute: it is identical bit for bit if later rows
    are removed or replaced. `no_observations` therefore means none so far.

    Parameters
    ----------
    minutes
        Column ``minute``; any order, one row out per row in.
    observations, forecasts
        `tables.OBSERVATIONS` and `tables.FORECASTS` of the day.
    climate_start
        Start of the climate day, UTC; reports outside the day are ignored.

    Returns
    -------
    pl.DataFrame
        Sorted by minute, columns `COLUMNS`. ``weather_status`` is one of

        - ``before_climate_day``: the climate day has not begun;
        - ``not_yet``: no report known, within the day's first three hours;
        - ``no_observations``: no report known after that;
        - ``stale``: the latest report known is more than 180 minutes old (its values are kept, and
          the running maximum remains valid);
        - ``ok``.

        ``evidence_max_f`` is the lower bound of the maximum that may rule out brackets, at most
        ``running_max_lo_f``; see `evidence.evidence_floor`. A report far from the others does not
        count until a second one confirms it; see `evidence.counted`.

        ``exact_age_s`` is the time since the end of a maximum's window.

        ``known_at`` is the latest among the rows used, null if none was. The forecast is that of
        the latest basis known: its ``tmax``, otherwise the maximum of its ``temp``.
    """
    minute = minutes["minute"].sort()
    now = microseconds(minute)
    seen, expected = _Reports.of(observations, climate_start), _Expected.of(forecasts)
    at, basis = known_by(now, seen.known_at), known_by(now, expected.known_at)
    measured_at = times_at(at, seen.measured_at)
    known_at = np.maximum(times_at(at, seen.known_at), times_at(basis, expected.known_at))
    values = {
        "temp_f": values_at(at, seen.temp),
        "observation_age_s": age_s(now, measured_at),
        "exact_age_s": age_s(now, times_at(at, seen.exact_at)),
        "running_max_lo_f": values_at(at, seen.running_max_lo),
        "running_max_hi_f": values_at(at, seen.running_max_hi),
        "evidence_max_f": values_at(at, seen.evidence_max),
        "forecast_max_f": values_at(basis, expected.maximum),
    }
    whole = ("running_max_lo_f", "running_max_hi_f", "evidence_max_f")
    found = {name: pl.Series(name, of, nan_to_null=True) for name, of in values.items()}
    found |= {name: found[name].cast(pl.Int16) for name in whole}
    status = _statuses(now, measured_at, microseconds_of(climate_start))
    return pl.DataFrame([minute, status, *found.values(), as_times(known_at).alias("known_at")])


_STATUSES = pl.Series(
    "weather_status", ["ok", "stale", "no_observations", "not_yet", "before_climate_day"]
)
_US = timedelta(microseconds=1)


def _statuses(now: Ints, measured_at: Ints, start: int) -> pl.Series:
    nothing = measured_at == NEVER
    status = np.where(nothing, 2, now - measured_at > STALE_AFTER // _US)
    status[nothing & (now < start + FIRST_REPORT_DUE // _US)] = 3
    status[now < start] = 4
    return _STATUSES[status]


@dataclass(frozen=True, kw_only=True)
class _Reports:
    """The state after each report, in the order in which reports became known.

    A late report counts for the maximum but does not replace a more recent one.
    """

    known_at: Ints
    measured_at: Ints
    exact_at: Ints
    temp: Array
    running_max_lo: Array
    running_max_hi: Array
    evidence_max: Array

    @classmethod
    def of(cls, observations: pl.DataFrame, climate_start: datetime) -> "_Reports":
        rows = counted(of_climate_day(observations, climate_start))
        event_time = microseconds(rows["event_time"])
        is_temperature = microseconds(rows["max_since"]) == NEVER
        measured = np.where(is_temperature, event_time, NEVER)
        measured_at = np.maximum.accumulate(measured)
        exact = np.where(is_any_of(rows["kind"], EXACT), event_time, NEVER)
        is_latest = is_temperature & (measured == measured_at)
        latest = np.maximum.accumulate(np.where(is_latest, np.arange(rows.height), -1))
        return cls(
            known_at=microseconds(rows["known_at"]),
            measured_at=measured_at,
            exact_at=np.maximum.accumulate(exact),
            temp=values_at(latest, rows["temp_f"].to_numpy()),
            running_max_lo=np.maximum.accumulate(rows["lo_f"].to_numpy()),
            running_max_hi=np.maximum.accumulate(rows["hi_f"].to_numpy()),
            evidence_max=evidence_floor(rows),
        )


@dataclass(frozen=True, kw_only=True)
class _Expected:
    """The maximum forecast by the latest basis, after each row in the order of `known_at`."""

    known_at: Ints
    maximum: Array

    @classmethod
    def of(cls, forecasts: pl.DataFrame) -> "_Expected":
        rows = one_forecast_each(forecasts)
        rows = rows.sort("known_at", "event_time", "variable", "valid_time")
        basis = microseconds(rows["event_time"])
        in_force = basis == np.maximum.accumulate(basis)
        basis, value = basis[in_force], rows["value_f"].to_numpy()[in_force]
        of_day = (rows["variable"] == "tmax").to_numpy()[in_force]
        maximum = np.empty(basis.size)
        for run in np.split(np.arange(basis.size), np.flatnonzero(np.diff(basis)) + 1):
            latest = np.maximum.accumulate(np.where(of_day[run], run, -1))
            greatest = np.fmax.accumulate(np.where(of_day[run], np.nan, value[run]))
            maximum[run] = np.where(latest < 0, greatest, value[latest])
        return cls(known_at=microseconds(rows["known_at"])[in_force], maximum=maximum)
