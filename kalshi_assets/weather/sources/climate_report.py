"""Archived daily climate reports of the National Weather Service: the official maximum.

Iowa's archive serves the parsed bulletins of a station and year as JSON. Here: that client, and one
row of `weather.settlements`. Not here: the exchange's own settlement (`exchange`), which wins where
the two differ.
"""

from datetime import date, datetime
from typing import Any

import polars as pl

from kalshi_assets.cities import City
from kalshi_assets.tables.weather import SETTLEMENTS
from kalshi_assets.weather.official import PublishedMaximum, settlements_of, whole_degrees
from kalshi_assets.weather.sources.client import WeatherClient
from kalshi_assets.weather.sources.service import Answer, Ask

PATH = "/json/cli.py"
_ISSUED_DIGITS = 12


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
