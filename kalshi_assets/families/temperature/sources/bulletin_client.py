"""The National Weather Service's text products: the Daily Climate Reports of a climate day.

The service stores only the last few days. Here: requests, and conversion of bulletins to rows of
`weather.settlements` and to exact maxima so far for `weather.observations`. Not here: parsing the
text (`climate_bulletin`).
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
from kalshi_assets.families.temperature.sources.client import Ask, WeatherClient
from kalshi_assets.families.temperature.sources.errors import WeatherError
from kalshi_assets.tables.weather import OBSERVATIONS

_log = logging.getLogger(__name__)

SOURCE = "climate_bulletin"
# Bulletins of a climate day are issued from its morning on; corrections up to a few days later.
CORRECTIONS = timedelta(days=4)


@dataclass(frozen=True, kw_only=True)
class Issue:
    """A bulletin and the SHA-256 of the response that contained it."""

    bulletin: Bulletin
    raw_sha256: str


class BulletinClient(WeatherClient):
    """A client with the headers that the service requires."""

    # The service refuses requests without a user agent.
    headers: ClassVar[Mapping[str, str] | None] = {
        "User-Agent": "kalshi-assets",
        "Accept": "application/ld+json",
    }


def fetch_bulletins(client: BulletinClient, city: City, day: date) -> list[Issue]:
    """The bulletins of climate day `day` that the service stores, in order of issue.

    A bulletin that cannot be fetched or parsed is logged and omitted. Of bulletins with the same
    time of issue the last correction is used.

    Raises
    ------
    WeatherError
        One of its subclasses: the list cannot be read, or none of the bulletins can.
    """
    start, end = city.climate_day(day)
    path = f"/products/types/CLI/locations/{city.cli}"
    ask = Ask(city=city.name, day=day, path=path, params={})
    with client.reading(ask):
        names = _names(client.get(ask).payload, start, end + CORRECTIONS)
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
    ask = Ask(city=city.name, day=day, path=f"/products/{name}", params={})
    answer = client.get(ask)
    with client.reading(ask):
        part = part_of(_text(answer.payload), city.cli, (*city.rules_names, city.title))
        return Issue(bulletin=parse_bulletin(part), raw_sha256=answer.raw_sha256)


def bulletin_settlements(issues: Iterable[Issue], city: City, day: date) -> pl.DataFrame:
    """`tables.SETTLEMENTS`: at most one row each of status official, preliminary and revised.

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
    """`tables.OBSERVATIONS`: the maximum so far of every issue before the final one.

    The row covers the window from the start of the climate day to the time stated in the bulletin,
    and is known from its time of issue.

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


def _names(payload: dict[str, Any], first: datetime, last: datetime) -> list[str]:
    listed = payload.get("@graph")
    if not isinstance(listed, list):
        raise ValueError(f"'@graph' is not a list of products: {listed!r:.200}")
    names = []
    for record in listed:
        try:
            name, issued = record["id"], datetime.fromisoformat(record["issuanceTime"])
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"id and issuanceTime expected: {record!r:.300}") from None
        if issued.tzinfo is None:
            raise ValueError(f"issuanceTime without a time zone: {record!r:.300}")
        if first <= issued <= last:
            names.append(str(name))
    return names


def _text(payload: dict[str, Any]) -> str:
    text = payload.get("productText")
    if not isinstance(text, str):
        raise ValueError(f"no productText: {payload!r:.300}")
    return text
