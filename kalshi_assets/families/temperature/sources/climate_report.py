"""Archived daily climate reports of the National Weather Service: the official maximum.

Iowa's archive serves the parsed bulletins of a station and year as JSON. Here: that client, and one
row of `weather.settlements`. Not here: the exchange's own settlement (`exchange`), which wins where
the two differ.
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
from kalshi_assets.families.temperature.sources.client import WeatherClient
from kalshi_assets.families.temperature.sources.service import Answer, Ask
from kalshi_assets.tables.weather import SETTLEMENTS

PATH = "/json/cli.py"
_ISSUED_DIGITS = 12
CORRECTED_FOR = timedelta(days=31)


class ClimateReportClient(WeatherClient):
    """Asks the archive for a station's year of climate reports."""

    def year(self, city: City, day: date) -> Answer:
        """All reports of the city's station in the year of `day`.

        Raises
        ------
        WeatherError
            One of its subclasses.
        """
        return self.get(_ask(city, day))


def fetch_climate_report(client: ClimateReportClient, city: City, day: date) -> pl.DataFrame:
    """The official maximum of a climate day.

    A bulletin issued before the climate day ended is preliminary and is left out. The day is taken
    as known nine hours after its end, or at the bulletin's issue where that came later.

    Returns
    -------
    pl.DataFrame
        `tables.SETTLEMENTS` with one row, or none where the archive has no final maximum.

    Raises
    ------
    WeatherError
        One of its subclasses.
    """
    answer = client.year(city, day)
    with client.reading(_ask(city, day)):
        report = _report_of(answer.payload, city.station, day)
        tmax_f = None if report is None else whole_degrees(report.get("high"), report)
        issued = None if report is None else _issued(report)
        _, end = city.climate_day(day)
        if tmax_f is None or (issued is not None and issued < end):
            return SETTLEMENTS.empty()
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
    """Whether a year's reports, fetched earlier, still answer for a climate day.

    They do if they hold its final maximum. Reports are corrected for a month; so those of a year
    that had not ended a month before they were fetched are good for the same UTC day only.
    """
    try:
        payload = from_json(body)
        report = _report_of(payload, city.station, day) if isinstance(payload, dict) else None
        if report is None or whole_degrees(report.get("high"), report) is None:
            return False
        issued = _issued(report)
    except ValueError:
        return False
    _, end = city.climate_day(day)
    if issued is not None and issued < end:
        return False
    closed = datetime(day.year + 1, 1, 1, tzinfo=UTC) + CORRECTED_FOR
    return fetched_at >= closed or fetched_at.astimezone(UTC).date() == now.astimezone(UTC).date()


def _ask(city: City, day: date) -> Ask:
    params = {"station": city.station, "year": f"{day.year}"}
    return Ask(city=city.name, day=day, path=PATH, params=params)


def _report_of(payload: dict[str, Any], station: str, day: date) -> dict[str, Any] | None:
    results = payload.get("results")
    if not isinstance(results, list) or not all(isinstance(row, dict) for row in results):
        raise ValueError(f"'results' is no list of records: {results!r:.200}")
    of_day = [row for row in results if row.get("valid") == f"{day}"]
    if not of_day:
        return None
    if others := sorted({str(row.get("station")) for row in of_day} - {station}):
        raise ValueError(f"reports of {', '.join(others)} where {station} was asked")
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
