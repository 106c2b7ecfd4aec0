"""Recordings in the wire formats of Visual Crossing's Timeline and the settlement portal.

Here: days with nested hours and minutes from observations, forecasts as known at a basis time, a
station's entry in the portal. Not here: parameters, keys and costs (`weather_routes`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

import polars as pl

from kalshi_assets.families.temperature.cities import City

MODELS = ("nws", "NBM", "ecmwf", "gfs", "HRRR")
"""Models in order of preference: the first one with a forecast is served."""

DAILY_MAXIMUM = "daily maximum"
AFTERNOON = "temperature at 15:00 local"
AFTERNOON_HOUR = 15

Unit = Callable[[float], float]

UNITS: dict[str, Unit] = {
    "us": lambda celsius: 1.8 * celsius + 32,
    "metric": lambda celsius: celsius,
    "uk": lambda celsius: celsius,
    "base": lambda celsius: celsius + 273.15,
}


@dataclass(frozen=True, kw_only=True)
class Form:
    """Requested format of the rows.

    Attributes
    ----------
    zone
        Time zone of days and times.
    unit
        Conversion from degrees Celsius.
    hours, minute_step
        Whether hours are nested in days; minutes between rows nested in hours (None: no rows, 5:
        all reports).
    keep
        Whether an element is requested, by name.
    """

    zone: tzinfo
    unit: Unit
    hours: bool
    minute_step: int | None
    keep: Callable[[str], bool]


def observed_day(station: str, day: date, reports: list[tuple[int, float]], form: Form) -> dict:
    """A day of observations.

    `reports` are Unix seconds and degrees Celsius, ascending; those outside the day are ignored.
    """
    start, end = day_bounds(day, form.zone)
    by_hour: dict[int, list[tuple[int, float]]] = {}
    for at, celsius in reports:
        if start <= at < end:
            by_hour.setdefault((at - start) // 3600, []).append((at, celsius))
    rows = [
        row
        for hour in sorted(by_hour)
        if (row := _hour(station, start + hour * 3600, by_hour[hour], form)) is not None
    ]
    row = _row(start, form, full_date=True)
    if temperatures := [c for group in by_hour.values() for _, c in group]:
        row |= {
            "tempmax": _shown(max(temperatures), form),
            "tempmin": _shown(min(temperatures), form),
            "stations": [station],
            "source": "obs",
        }
    return _kept(row, form) | ({"hours": rows} if form.hours else {})


def forecast_day(
    forecasts: pl.DataFrame, day: date, before: datetime, zone: tzinfo, form: Form
) -> dict:
    """A day as forecast before `before`; without values if there is no forecast.

    `forecasts` are those of one station; `zone` is its civil time zone, for the afternoon hour.
    """
    held = forecasts.filter((pl.col("target_date") == day) & (pl.col("issued_utc") < before))
    start, _ = day_bounds(day, form.zone)
    row = _row(start, form, full_date=True)
    hours = []
    maximum = _preferred(held, DAILY_MAXIMUM)
    if maximum is not None:
        row |= {"tempmax": _shown((maximum - 32) / 1.8, form), "source": "histfcst"}
    afternoon = _preferred(held, AFTERNOON)
    if afternoon is not None:
        local = datetime.combine(day, time(AFTERNOON_HOUR), tzinfo=zone)
        hour = _row(int(local.timestamp()), form)
        hour |= {"temp": _shown((afternoon - 32) / 1.8, form), "source": "histfcst"}
        hours.append(_kept(hour, form))
    return _kept(row, form) | ({"hours": hours} if form.hours else {})


def portal_result(city: City, day: date, tmax_f: int | None) -> dict[str, Any]:
    """A station's entry in the settlement portal; `tmax_f` None: no report yet."""
    station = {
        "cliId": f"CLI{city.cli}",
        "icao": city.station,
        "city": city.title,
        "timezone": city.timezone,
    }
    if tmax_f is None:
        return {"status": "no_report", "station": station, "data": None}
    data = {"reportDate": f"{day}", "maxTemp": tmax_f, "isOfficial": True, "issueTime": None}
    return {"status": "official", "station": station, "data": data}


def day_bounds(day: date, zone: tzinfo) -> tuple[int, int]:
    """Unix seconds of the day's start and end in `zone`; 23 or 25 hours when clocks change."""
    start = datetime.combine(day, time(), tzinfo=zone)
    end = datetime.combine(day + timedelta(days=1), time(), tzinfo=zone)
    return int(start.timestamp()), int(end.timestamp())


def _hour(
    station: str, start: int, reports: list[tuple[int, float]], form: Form
) -> dict[str, Any] | None:
    row = _row(start, form)
    on_the_hour = [celsius for at, celsius in reports if at == start]
    if on_the_hour:
        row["temp"] = _shown(on_the_hour[0], form)
    elif form.minute_step is None:
        return None
    observed = {"stations": [station], "source": "obs"}
    kept = _kept(row | observed, form)
    if form.minute_step is not None:
        kept["minutes"] = [
            _kept(_row(at, form) | {"temp": _shown(celsius, form)} | observed, form)
            for at, celsius in reports
            if form.minute_step <= 5 or at % (form.minute_step * 60) == 0
        ]
    return kept


def _row(at: int, form: Form, *, full_date: bool = False) -> dict[str, Any]:
    local = datetime.fromtimestamp(at, UTC).astimezone(form.zone)
    shown = local.strftime("%Y-%m-%d" if full_date else "%H:%M:%S")
    return {"datetime": shown, "datetimeEpoch": at}


def _kept(row: dict[str, Any], form: Form) -> dict[str, Any]:
    return {name: value for name, value in row.items() if form.keep(name)}


def _shown(celsius: float, form: Form) -> float:
    return round(form.unit(celsius), 1)


def _preferred(held: pl.DataFrame, variable: str) -> float | None:
    """The latest value of the most preferred model; unlisted models come last."""
    rank = pl.col("model").replace_strict(
        {model: place for place, model in enumerate(MODELS)},
        default=len(MODELS),
        return_dtype=pl.Int64,
    )
    best = (
        held.filter(pl.col("variable") == variable)
        .with_columns(rank.alias("rank"))
        .sort("rank", "issued_utc", "model", descending=[False, True, False])
        .head(1)
    )
    return best["value_f"].item() if best.height else None
