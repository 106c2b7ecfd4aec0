"""The Weather Company's settlement portal: the authority that the rules name since August 2026.

Here: that client, and rows of `weather.settlements`. Not here: which row settles
(`ladder.settlement`), or the climate report that the portal rests on.

The portal is public and not documented; what is known of its answer is read strictly, so that a
change of it is an error that quotes the record.
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
from kalshi_assets.families.temperature.sources.client import WeatherClient
from kalshi_assets.families.temperature.sources.service import Answer, Ask
from kalshi_assets.tables.weather import SETTLEMENTS

PATH = "/kalshi/api/climate/primary"
NO_REPORT = "no_report"
STATUSES = ("official", "preliminary", "revised", NO_REPORT)


class WeatherCompanyClient(WeatherClient):
    """Asks the portal for a day of all stations."""

    def day(self, city: City, day: date) -> Answer:
        """All stations' reports of climate day `day`.

        Raises
        ------
        WeatherError
            One of its subclasses.
        """
        return self.get(_ask(city, day))


def fetch_weather_company(client: WeatherCompanyClient, city: City, day: date) -> pl.DataFrame:
    """What the portal says the maximum of a climate day was.

    Returns
    -------
    pl.DataFrame
        `tables.SETTLEMENTS` with one row, of status official, preliminary or revised; none where
        the portal has no maximum. Days before the rules named the portal are not asked for.

    Raises
    ------
    WeatherError
        One of its subclasses.
    """
    if day < WEATHER_COMPANY_FROM:
        return SETTLEMENTS.empty()
    answer = client.day(city, day)
    with client.reading(_ask(city, day)):
        result = _result_of(answer.payload, city.station)
        maximum = None if result is None else _maximum(result, city, day, answer.raw_sha256)
        return settlements_of([] if maximum is None else [maximum], city, day)


def _ask(city: City, day: date) -> Ask:
    return Ask(city=city.name, day=day, path=PATH, params={"date": f"{day}"})


def _result_of(payload: dict[str, Any], station: str) -> dict[str, Any] | None:
    results = payload.get("results")
    if not isinstance(results, list):
        raise ValueError(f"'results' is no list of records: {results!r:.200}")
    found = [result for result in results if _icao(result) == station]
    if len(found) > 1:
        raise ValueError(f"{len(found)} results of {station}: {found!r:.300}")
    if found:
        return found[0]
    # Another station's may lack its name; where ours is not found, it may be ours.
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
        raise ValueError(f"status {status!r} is none of {', '.join(STATUSES)}: {result!r:.300}")
    if status == NO_REPORT:
        return None
    if not isinstance(data, dict):
        raise ValueError(f"{status} without data: {result!r:.300}")
    if data.get("reportDate") not in (None, f"{day}"):
        raise ValueError(f"a report of {data['reportDate']!r} where {day} was asked")
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
    said = data.get("issueTime")
    if said in (None, ""):
        return None
    try:
        issued_at = datetime.fromisoformat(said)
    except (TypeError, ValueError):
        raise ValueError(f"issueTime is no ISO 8601 time: {data!r:.300}") from None
    if issued_at.tzinfo is None:
        raise ValueError(f"issueTime without a zone: {data!r:.300}")
    return issued_at.astimezone(UTC)
