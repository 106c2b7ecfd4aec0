"""The National Weather Service's text products: the Daily Climate Reports of a climate day.

The service keeps the last days only. Here: that client, and what the bulletins give: rows of
`weather.settlements`, and exact maxima so far for `weather.observations`. Not here: the text
(`climate_bulletin`).
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

import polars as pl

from kalshi_assets.families.temperature.bulletins.climate_bulletin import (
    Bulletin,
    corrected,
    parse_bulletin,
    part_of,
    statuses,
)
from kalshi_assets.families.temperature.cities import City
from kalshi_assets.families.temperature.official import PublishedMaximum, settlements_of
from kalshi_assets.families.temperature.sources.client import WeatherClient
from kalshi_assets.families.temperature.sources.errors import WeatherError
from kalshi_assets.families.temperature.sources.service import Answer, Ask
from kalshi_assets.tables.weather import OBSERVATIONS

_log = logging.getLogger(__name__)

SOURCE = "climate_bulletin"
# A climate day's bulletins come from its morning to a few days after it, for corrections.
CORRECTIONS = timedelta(days=4)


@dataclass(frozen=True, kw_only=True)
class Issue:
    """A bulletin and the content hash of the answer that it came in."""

    bulletin: Bulletin
    raw_sha256: str


class BulletinClient(WeatherClient):
    """Asks for the list of a station's bulletins, and for their texts."""

    # The service refuses requests that do not say who asks.
    headers: ClassVar[Mapping[str, str] | None] = {
        "User-Agent": "kalshi-assets",
        "Accept": "application/ld+json",
    }

    def listed(self, city: City, day: date) -> Answer:
        """The bulletins of the city's station that the service keeps.

        Raises
        ------
        WeatherError
            One of its subclasses.
        """
        return self.get(_list(city, day))

    def product(self, city: City, day: date, name: str) -> Answer:
        """One bulletin.

        Raises
        ------
        WeatherError
            One of its subclasses.
        """
        return self.get(_product(city, day, name))


def fetch_bulletins(client: BulletinClient, city: City, day: date) -> list[Issue]:
    """The bulletins of climate day `day` that the service keeps, in order of issue.

    One that cannot be got or read does not keep the others back: it is named in the log. Of one
    issue time the last correction stands.

    Raises
    ------
    WeatherError
        One of its subclasses: where the list cannot be read, or none of its bulletins.
    """
    start, end = city.climate_day(day)
    with client.reading(_list(city, day)):
        names = _names(client.listed(city, day).payload, start, end + CORRECTIONS)
    read: list[Issue] = []
    faults: list[WeatherError] = []
    for name in names:
        try:
            read.append(_issue(client, city, day, name))
        except WeatherError as error:
            faults.append(error)
            _log.warning("%s: left out", error)
    if faults and not read:
        raise faults[0]
    of_day = {issue.bulletin: issue for issue in read if issue.bulletin.date == day}
    return [of_day[bulletin] for bulletin in corrected(of_day)]


def _issue(client: BulletinClient, city: City, day: date, name: str) -> Issue:
    answer = client.product(city, day, name)
    with client.reading(_product(city, day, name)):
        part = part_of(_text(answer.payload), city.cli, (*city.rules_names, city.title))
        return Issue(bulletin=parse_bulletin(part), raw_sha256=answer.raw_sha256)


def bulletin_settlements(issues: Iterable[Issue], city: City, day: date) -> pl.DataFrame:
    """`tables.SETTLEMENTS`: at most a row each for official, preliminary and revised.

    Raises
    ------
    ContractViolationError
        A maximum out of range.
    """
    by_issue = {issue.bulletin: issue.raw_sha256 for issue in issues}
    maxima = [
        PublishedMaximum(
            source=SOURCE,
            status=status,
            tmax_f=bulletin.maximum.value_f,
            issued_at=bulletin.issued_at,
            known_from_issue=True,
            raw_sha256=by_issue[bulletin],
        )
        for status, bulletin in statuses(by_issue).items()
        if bulletin.maximum.value_f is not None
    ]
    return settlements_of(maxima, city, day)


def bulletin_evidence(issues: Sequence[Issue], city: City, day: date) -> pl.DataFrame:
    """`tables.OBSERVATIONS`: the maximum so far, of every issue before the final one.

    The row speaks for the window from the climate day's start to the time that the issue names,
    and is known from its issue.

    Raises
    ------
    ContractViolationError
        A maximum out of range.
    """
    start, _ = city.climate_day(day)
    rows: dict[datetime, dict[str, object]] = {}
    for issue in sorted(issues, key=lambda one: one.bulletin.issued_at):
        bulletin = issue.bulletin
        highest = bulletin.maximum.value_f
        if bulletin.final or highest is None:
            continue
        row = {
            "event_time": bulletin.valid_at,
            "known_at": bulletin.issued_at,
            "max_since": start,
            "station": city.station,
            "temp_f": float(highest),
            "kind": "max_so_far",
            "lo_f": highest,
            "hi_f": highest,
            "source": SOURCE,
            "raw_sha256": issue.raw_sha256,
        }
        rows.setdefault(bulletin.valid_at, row)
    return OBSERVATIONS.conform(pl.DataFrame(list(rows.values()), schema=OBSERVATIONS.dtypes))


def _list(city: City, day: date) -> Ask:
    path = f"/products/types/CLI/locations/{city.cli}"
    return Ask(city=city.name, day=day, path=path, params={})


def _product(city: City, day: date, name: str) -> Ask:
    return Ask(city=city.name, day=day, path=f"/products/{name}", params={})


def _names(payload: dict[str, Any], first: datetime, last: datetime) -> list[str]:
    listed = payload.get("@graph")
    if not isinstance(listed, list):
        raise ValueError(f"'@graph' is no list of products: {listed!r:.200}")
    names = []
    for record in listed:
        try:
            name, issued = record["id"], datetime.fromisoformat(record["issuanceTime"])
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"id and issuanceTime expected: {record!r:.300}") from None
        if issued.tzinfo is None:
            raise ValueError(f"issuanceTime without a zone: {record!r:.300}")
        if first <= issued <= last:
            names.append(str(name))
    return names


def _text(payload: dict[str, Any]) -> str:
    text = payload.get("productText")
    if not isinstance(text, str):
        raise ValueError(f"no productText: {payload!r:.300}")
    return text
