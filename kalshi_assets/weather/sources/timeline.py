"""Reading a Visual Crossing Timeline answer: days, hours within days, minutes within hours.

Here: which rows of a decoded answer are reports of a station or forecasts, cut to a climate day.
Rows are placed by `datetimeEpoch` alone: the answer's dates and clock times follow a zone that
depends on the request. Not here: requests, times of knowledge, or what a report can stand for.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from kalshi_assets.cities import City

# Anything else is climatology, or carries observations of the day that is forecast.
FORECAST_SOURCES = frozenset({"fcst", "histfcst"})
_OBSERVED = "obs"


class RecordError(ValueError):
    """A record lacks what cannot be missing, or has it in another form; the message quotes it."""


class Report(NamedTuple):
    """One temperature at one instant, and what else shows whether it is a copy; None: not said."""

    time: datetime
    temp_f: float
    source: str
    dew_f: float | None = None
    wind_mph: float | None = None
    wind_deg: float | None = None


@dataclass(kw_only=True)
class StationReports:
    """The reports of one station within a climate day, and what was turned away.

    Attributes
    ----------
    reports
        One per instant, in order of time.
    rejected
        Reports of the day that are not this station's alone.
    stations_seen
        The station lists of those.
    """

    reports: list[Report] = field(default_factory=list)
    rejected: int = 0
    stations_seen: set[str] = field(default_factory=set)


@dataclass(frozen=True, kw_only=True)
class ForecastRows:
    """What an answer forecasts for a climate day.

    Attributes
    ----------
    tmax
        Maximum of the civil day of the same date, if any; its time is the climate day's start.
    temps
        Temperatures at instants within the climate day, in order of time.
    """

    tmax: Report | None
    temps: list[Report]


def station_reports(payload: dict[str, Any], city: City, day: date) -> StationReports:
    """The settlement station's own reports within climate day `day`.

    An hour's minutes stand for it; the hour's own row is read only where none of its minutes is a
    report of the station, and never for an instant that a minute row has.

    Raises
    ------
    RecordError
        A row without `datetimeEpoch`, or with a value that is no number.
    """
    window = city.climate_day(day)
    found = StationReports()
    from_minutes: dict[datetime, Report] = {}
    from_hours: dict[datetime, Report] = {}
    for hour in _hours(payload):
        usable = [
            report
            for minute in _records(hour, "minutes")
            if (report := _own_report(minute, city.station, window, found)) is not None
        ]
        for report in usable:
            from_minutes.setdefault(report.time, report)
        if not usable and (own := _own_report(hour, city.station, window, found)) is not None:
            from_hours.setdefault(own.time, own)
    by_time = from_hours | from_minutes
    found.reports = [by_time[time] for time in sorted(by_time)]
    return found


def forecast_rows(payload: dict[str, Any], city: City, day: date) -> ForecastRows:
    """The forecasts that an answer asked for in the city's civil days holds for `day`.

    Raises
    ------
    RecordError
        A row without `datetimeEpoch`, or with a value that is no number.
    """
    start, end = city.climate_day(day)
    zone = ZoneInfo(city.timezone)
    tmax = None
    for record in _records(payload, "days"):
        value = _number(record, "tempmax")
        if value is None or record.get("source") not in FORECAST_SOURCES:
            continue
        if _time(record).astimezone(zone).date() == day:
            tmax = Report(time=start, temp_f=value, source=record["source"])
    temps: dict[datetime, Report] = {}
    for record in _hours(payload):
        value = _number(record, "temp")
        if value is None or record.get("source") not in FORECAST_SOURCES:
            continue
        time = _time(record)
        if start <= time < end:
            temps.setdefault(time, Report(time=time, temp_f=value, source=record["source"]))
    return ForecastRows(tmax=tmax, temps=[temps[time] for time in sorted(temps)])


def _own_report(
    record: dict[str, Any],
    station: str,
    window: tuple[datetime, datetime],
    found: StationReports,
) -> Report | None:
    temp_f = _number(record, "temp")
    time = _time(record)
    if temp_f is None or record.get("source") != _OBSERVED or not window[0] <= time < window[1]:
        return None
    stations = record.get("stations")
    if stations != [station]:
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
        raise RecordError(f"{name!r} is no list of records: {_quoted(records)}")
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
        raise RecordError(f"{name} is no number: {_quoted(record)}")
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
