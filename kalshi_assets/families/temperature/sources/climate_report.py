"""Archived Daily Climate Reports of the National Weather Service: the official maximum.

Iowa's archive serves the parsed bulletins of a station and year as JSON. Here: requests to the
archive, and one row of `weather.settlements`. Not here: the exchange's settlement (`exchange`),
which takes precedence if the two differ.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
from pydantic_core import from_json

from kalshi_assets.families.temperature.cities import City
from kalshi_assets.families.temperature.official import (
    PublishedMaximum,
    settlements_of,
    whole_degrees,
)
from kalshi_assets.families.temperature.sources.client import Ask, WeatherClient
from kalshi_assets.tables.weather import SETTLEMENTS

PATH = "/json/cli.py"
_ISSUED_DIGITS = 12
CORRECTED_FOR = timedelta(days=31)


def fetch_climate_report(client: WeatherClient, city: City, day: date) -> pl.DataFrame:
    """The official maximum of a climate day.

    A bulletin issued before the end of the climate day is preliminary and is omitted. The maximum
    is taken as known nine hours after the day's end, or at the issue of the bulletin if later.

    Returns
    -------
    pl.DataFrame
        `tables.SETTLEMENTS` with one row; empty if the archive has no final maximum.

    Raises
    ------
    WeatherError
        One of its subclasses.
    """
    params = {"station": city.station, "year": f"{day.year}"}
    ask = Ask(city=city.name, day=day, path=PATH, params=params)
    answer = client.get(ask)
    with client.reading(ask):
        final = _final_maximum(answer.payload, city, day)
        if final is None:
            return SETTLEMENTS.empty()
        tmax_f, issued = final
        maximum = PublishedMaximum(
            source="climate_report",
            status="official",
            tmax_f=tmax_f,
            issued_at=issued,
            known_from_issue=False,
            raw_sha256=answer.raw_sha256,
        )
        return settlements_of([maximum], city, day)


def tells_final(body: bytes, city: City, day: date, fetched_at: datetime, now: datetime) -> bool:
    """Whether a year's reports, fetched earlier, can still be used for a climate day.

    They must contain its final maximum. Reports are corrected for a month, so reports fetched less
    than a month after the end of their year are used on the same UTC day only.
    """
    try:
        payload = from_json(body)
        if not isinstance(payload, dict) or _final_maximum(payload, city, day) is None:
            return False
    except ValueError:
        return False
    closed = datetime(day.year + 1, 1, 1, tzinfo=UTC) + CORRECTED_FOR
    return fetched_at >= closed or fetched_at.astimezone(UTC).date() == now.astimezone(UTC).date()


def _final_maximum(
    payload: dict[str, Any], city: City, day: date
) -> tuple[int, datetime | None] | None:
    """The final maximum of a climate day and its time of issue, if stated; None: there is none."""
    report = _report_of(payload, city.station, day)
    tmax_f = None if report is None else whole_degrees(report.get("high"), report)
    issued = None if report is None else _issued(report)
    _, end = city.climate_day(day)
    if tmax_f is None or (issued is not None and issued < end):
        return None
    return tmax_f, issued


def _report_of(payload: dict[str, Any], station: str, day: date) -> dict[str, Any] | None:
    results = payload.get("results")
    if not isinstance(results, list) or not all(isinstance(row, dict) for row in results):
        raise ValueError(f"'results' is not a list of records: {results!r:.200}")
    of_day = [row for row in results if row.get("valid") == f"{day}"]
    if not of_day:
        return None
    if others := sorted({str(row.get("station")) for row in of_day} - {station}):
        raise ValueError(f"reports of {', '.join(others)}, but {station} was requested")
    if any(row.get("high") != of_day[0].get("high") for row in of_day):
        raise ValueError(f"{len(of_day)} reports of {day} with different maxima: {of_day!r:.300}")
    return of_day[-1]


def _issued(report: dict[str, Any]) -> datetime | None:
    product = report.get("product")
    if not isinstance(product, str) or not product[:_ISSUED_DIGITS].isdigit():
        return None
    try:
        return datetime.fromisoformat(f"{product[:8]}T{product[8:_ISSUED_DIGITS]}+00:00")
    except ValueError:
        raise ValueError(f"product {product!r} does not begin with an issue time") from None
