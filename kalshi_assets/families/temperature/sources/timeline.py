"""Parses a Visual Crossing Timeline response: days, hours within days, minutes within hours.

Here: which rows of a decoded response are reports of a station or forecasts for a climate day, and
which values are dropped. Times are taken from `datetimeEpoch` alone: the response's dates and clock
times are in a zone that depends on the request. Not here: requests, `known_at`, or the interval of
temperatures behind a report.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from kalshi_assets.families.temperature.bulletins.plausible import (
    Range,
    Sample,
    confirmed_by,
    plausible_range,
)
from kalshi_assets.families.temperature.cities import City

# Other sources are climatology or observations.
FORECAST_SOURCES = frozenset({"fcst", "histfcst"})
_OBSERVED = "obs"
# Values have one decimal, so the maximum may be rounded to below the hours.
_ROUNDING_F = 0.1


class RecordError(ValueError):
    """A record lacks a required field or has it in an unexpected form; the message quotes it."""


class Report(NamedTuple):
    """A temperature at a time, with values by which copies are recognised; None: not given."""

    time: datetime
    temp_f: float
    source: str
    dew_f: float | None = None
    wind_mph: float | None = None
    wind_deg: float | None = None
    shown_at: datetime | None = None
    """Time of the later report that confirmed this one, if it needed confirmation."""


class Dropped(NamedTuple):
    """A dropped value: its variable, the report, and the reason."""

    variable: str
    report: Report
    reason: str


@dataclass(kw_only=True)
class StationReports:
    """The reports of one station within a climate day, and the rejected ones.

    Attributes
    ----------
    reports
        One per instant, in order of time.
    rejected
        Number of reports of the day that are not from this station alone.
    stations_seen
        The station lists of those.
    dropped
        The station's own implausible values of the day.
    """

    reports: list[Report] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    rejected: int = 0
    stations_seen: set[str] = field(default_factory=set)


@dataclass(frozen=True, kw_only=True)
class ForecastRows:
    """The forecasts for a climate day in a response.

    Attributes
    ----------
    tmax
        Maximum of the civil day of the same date, if any; its time is the start of the climate day.
    temps
        Temperatures at instants within the climate day, in order of time.
    dropped
        Values for the day that are not forecasts or are implausible. Values that are not forecasts
        are included only if the response contains no forecast at all.
    """

    tmax: Report | None
    temps: list[Report]
    dropped: list[Dropped] = field(default_factory=list)


def station_reports(payload: dict[str, Any], city: City, day: date) -> StationReports:
    """The settlement station's own reports within climate day `day`, without implausible ones.

    Minute rows are preferred: the row of an hour is used only if none of its minutes is a report of
    the station, and never for a time that has a minute row.

    Raises
    ------
    RecordError
        A row without `datetimeEpoch`, or with a value that is not a number.
    """
    window = city.climate_day(day)
    plausible = plausible_range(city, day)
    found = StationReports()
    absurd: dict[tuple[datetime, float], Report] = {}
    from_minutes: dict[datetime, Report] = {}
    from_hours: dict[datetime, Report] = {}

    def usable(record: dict[str, Any]) -> Report | None:
        report = _own_report(record, city.station, window, found)
        if report is not None and not plausible.holds(report.temp_f):
            absurd.setdefault((report.time, report.temp_f), report)
            return None
        return report

    for hour in _hours(payload):
        minutes = [r for minute in _records(hour, "minutes") if (r := usable(minute)) is not None]
        for report in minutes:
            from_minutes.setdefault(report.time, report)
        if not minutes and (own := usable(hour)) is not None:
            from_hours.setdefault(own.time, own)
    by_time = from_hours | from_minutes
    reports = [by_time[time] for time in sorted(by_time)]
    found.dropped = [Dropped("temp", report, "beyond_range") for report in absurd.values()]
    for report, shown in zip(reports, confirmed_by(list(map(_sample, reports))), strict=True):
        if shown is None:
            found.dropped.append(Dropped("temp", report, "jump"))
        elif reports[shown] is report:
            found.reports.append(report)
        else:
            found.reports.append(report._replace(shown_at=reports[shown].time))
    # The hours around the day are needed only to detect jumps at its start and end.
    start, end = window
    found.reports = [report for report in found.reports if start <= report.time < end]
    found.dropped = [each for each in found.dropped if start <= each.report.time < end]
    return found


def forecast_rows(payload: dict[str, Any], city: City, day: date) -> ForecastRows:
    """The forecasts for `day` in a response for the city's civil days.

    Raises
    ------
    RecordError
        A row without `datetimeEpoch`, or with a value that is not a number.
    """
    start, end = city.climate_day(day)
    zone = ZoneInfo(city.timezone)
    others: list[Dropped] = []
    tmax = None
    for record in _records(payload, "days"):
        value = _number(record, "tempmax")
        if value is None or _time(record).astimezone(zone).date() != day:
            continue
        report = Report(time=start, temp_f=value, source=str(record.get("source") or "none"))
        if record.get("source") in FORECAST_SOURCES:
            tmax = report
        else:
            others.append(Dropped("tmax", report, "no_forecast"))
    civil: dict[datetime, Report] = {}
    temps: dict[datetime, Report] = {}
    for record in _hours(payload):
        value = _number(record, "temp")
        if value is None:
            continue
        time = _time(record)
        report = Report(time=time, temp_f=value, source=str(record.get("source") or "none"))
        within = start <= time < end
        if record.get("source") not in FORECAST_SOURCES:
            others += [Dropped("temp", report, "no_forecast")] * within
            continue
        if within:
            temps.setdefault(time, report)
        if time.astimezone(zone).date() == day:
            civil.setdefault(time, report)
    if tmax is None and not temps:
        return ForecastRows(tmax=None, temps=[], dropped=_once_each(others))
    return _believable(tmax, temps, list(civil.values()), plausible_range(city, day))


def _believable(
    tmax: Report | None, temps: dict[datetime, Report], civil: list[Report], plausible: Range
) -> ForecastRows:
    """The plausible forecasts; `civil` are the hours of the civil day to which `tmax` refers."""
    dropped = []
    # Beyond its horizon the service returns zeros; a real day is not 0.0 at every hour.
    if tmax is not None and tmax.temp_f == 0 and all(hour.temp_f == 0 for hour in civil):
        dropped = [Dropped("tmax", tmax, "zero")]
        dropped += [Dropped("temp", hour, "zero") for hour in temps.values() if hour in civil]
        tmax, temps = None, {at: hour for at, hour in temps.items() if hour not in civil}
    dropped += [
        Dropped("temp", hour, "beyond_range")
        for hour in temps.values()
        if not plausible.holds(hour.temp_f)
    ]
    if tmax is not None:
        hours = [hour.temp_f for hour in civil if plausible.holds(hour.temp_f)]
        if not plausible.holds(tmax.temp_f):
            dropped.append(Dropped("tmax", tmax, "beyond_range"))
            tmax = None
        elif hours and tmax.temp_f < max(hours) - _ROUNDING_F - 1e-9:
            dropped.append(Dropped("tmax", tmax, "below_hours"))
            tmax = None
    kept = [temps[time] for time in sorted(temps) if plausible.holds(temps[time].temp_f)]
    return ForecastRows(tmax=tmax, temps=kept, dropped=dropped)


def _once_each(dropped: Iterable[Dropped]) -> list[Dropped]:
    """One value per variable and instant, the first."""
    first: dict[tuple[str, datetime], Dropped] = {}
    for each in dropped:
        first.setdefault((each.variable, each.report.time), each)
    return list(first.values())


def _sample(report: Report) -> Sample:
    return Sample(
        report.time.timestamp(), report.temp_f, (report.dew_f, report.wind_mph, report.wind_deg)
    )


def _own_report(
    record: dict[str, Any],
    station: str,
    window: tuple[datetime, datetime],
    found: StationReports,
) -> Report | None:
    temp_f = _number(record, "temp")
    time = _time(record)
    if temp_f is None or record.get("source") != _OBSERVED:
        return None
    stations = record.get("stations")
    if stations != [station]:
        if window[0] <= time < window[1]:
            found.rejected += 1
            found.stations_seen.add(_listed(stations))
        return None
    return Report(
        time=time,
        temp_f=temp_f,
        source=_OBSERVED,
        dew_f=_number(record, "dew"),
        wind_mph=_number(record, "windspeed"),
        wind_deg=_number(record, "winddir"),
    )


def _hours(payload: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for day in _records(payload, "days"):
        yield from _records(day, "hours")


def _records(parent: dict[str, Any], name: str) -> list[dict[str, Any]]:
    records = parent.get(name)
    if records is None:
        return []
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise RecordError(f"{name!r} is not a list of records: {_quoted(records)}")
    return records


def _time(record: dict[str, Any]) -> datetime:
    epoch = record.get("datetimeEpoch")
    if isinstance(epoch, bool) or not isinstance(epoch, int):
        raise RecordError(f"datetimeEpoch in whole seconds expected: {_quoted(record)}")
    return datetime.fromtimestamp(epoch, UTC)


def _number(record: dict[str, Any], name: str) -> float | None:
    value = record.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RecordError(f"{name} is not a number: {_quoted(record)}")
    return float(value)


def _listed(stations: object) -> str:
    if not stations:
        return "none"
    return "+".join(map(str, stations)) if isinstance(stations, list) else str(stations)


def _quoted(value: object) -> str:
    scalars = (
        {k: v for k, v in value.items() if k not in ("hours", "minutes")}
        if isinstance(value, dict)
        else value
    )
    return f"{scalars!r:.200}"
