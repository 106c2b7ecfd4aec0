"""The Weather Company's settlement portal: the authority named by the rules since August 2026.

Here: requests to the portal, and rows of `weather.settlements`. Not here: which row settles
(`settlement.rule`), or the climate report on which the portal is based.

The portal is public but not documented; its responses are parsed strictly, so that a change of
format is an error that quotes the record.
"""

from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from kalshi_assets.families.temperature.authorities import WEATHER_COMPANY_FROM
from kalshi_assets.families.temperature.cities import City
from kalshi_assets.families.temperature.official import (
    PublishedMaximum,
    settlements_of,
    whole_degrees,
)
from kalshi_assets.families.temperature.sources.client import Ask, WeatherClient
from kalshi_assets.tables.weather import SETTLEMENTS

PATH = "/kalshi/api/climate/primary"
NO_REPORT = "no_report"
STATUSES = ("official", "preliminary", "revised", NO_REPORT)


def fetch_weather_company(client: WeatherClient, city: City, day: date) -> pl.DataFrame:
    """The maximum of a climate day according to the portal.

    Returns
    -------
    pl.DataFrame
        `tables.SETTLEMENTS` with one row, of status official, preliminary or revised; empty if the
        portal has no maximum. Days before the rules named the portal are not requested.

    Raises
    ------
    WeatherError
        One of its subclasses.
    """
    if day < WEATHER_COMPANY_FROM:
        return SETTLEMENTS.empty()
    ask = Ask(city=city.name, day=day, path=PATH, params={"date": f"{day}"})
    answer = client.get(ask)
    with client.reading(ask):
        result = _result_of(answer.payload, city.station)
        maximum = None if result is None else _maximum(result, city, day, answer.raw_sha256)
        return settlements_of([] if maximum is None else [maximum], city, day)


def _result_of(payload: dict[str, Any], station: str) -> dict[str, Any] | None:
    results = payload.get("results")
    if not isinstance(results, list):
        raise ValueError(f"'results' is not a list of records: {results!r:.200}")
    found = [result for result in results if _icao(result) == station]
    if len(found) > 1:
        raise ValueError(f"{len(found)} results of {station}: {found!r:.300}")
    if found:
        return found[0]
    # A result of another station may lack its name; if ours is not found, it may be ours.
    if nameless := [result for result in results if _icao(result) is None]:
        raise ValueError(f"a result without station and icao: {nameless[0]!r:.300}")
    return None


def _icao(result: Any) -> Any:
    place = result.get("station") if isinstance(result, dict) else None
    return place.get("icao") if isinstance(place, dict) else None


def _maximum(
    result: dict[str, Any], city: City, day: date, raw_sha256: str
) -> PublishedMaximum | None:
    status, data = result.get("status"), result.get("data")
    if status not in STATUSES:
        raise ValueError(f"status {status!r} is not one of {', '.join(STATUSES)}: {result!r:.300}")
    if status == NO_REPORT:
        return None
    if not isinstance(data, dict):
        raise ValueError(f"{status} without data: {result!r:.300}")
    if data.get("reportDate") not in (None, f"{day}"):
        raise ValueError(f"a report of {data['reportDate']!r}, but {day} was requested")
    tmax_f = whole_degrees(data.get("maxTemp"), data)
    if tmax_f is None:
        return None
    issued_at = _issued(data)
    _, end = city.climate_day(day)
    if status == "official" and issued_at is not None and issued_at < end:
        raise ValueError(f"official before the climate day ended: {data!r:.300}")
    return PublishedMaximum(
        source="weather_company",
        status=status,
        tmax_f=tmax_f,
        issued_at=issued_at,
        known_from_issue=True,
        raw_sha256=raw_sha256,
    )


def _issued(data: dict[str, Any]) -> datetime | None:
    text = data.get("issueTime")
    if text in (None, ""):
        return None
    try:
        issued_at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise ValueError(f"issueTime is not an ISO 8601 time: {data!r:.300}") from None
    if issued_at.tzinfo is None:
        raise ValueError(f"issueTime without a time zone: {data!r:.300}")
    return issued_at.astimezone(UTC)
