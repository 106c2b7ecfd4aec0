"""The settlement portal of a sandbox: only what its archive holds, only once it is over."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import polars as pl
import pytest

from kalshi_assets.families.temperature.cities import CITIES
from kalshi_assets.families.temperature.sources.client import WeatherClient
from kalshi_assets.families.temperature.sources.weather_company import (
    fetch_weather_company,
)
from kalshi_assets.sandbox.server import running
from kalshi_assets_tests.sandbox.conftest import ENDLESS
from kalshi_assets_tests.sandbox.tiny import write_archive

NEW_YORK = CITIES["new_york"]
AUGUST_15 = date(2026, 8, 15)
_, DAY_ENDS = NEW_YORK.climate_day(AUGUST_15)


class Clock:
    now = DAY_ENDS

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[str]:
    root: Path = write_archive(tmp_path_factory.mktemp("portal"))
    path = root / "settlements.parquet"
    held = pl.read_parquet(path)
    days = [date(2026, 8, 13), AUGUST_15]
    maxima = pl.DataFrame(
        {"station": ["KNYC"] * 2, "date": days, "tmax_f": [90, 91], "source": ["x"] * 2}
    )
    pl.concat([held, maxima.select(held.columns).cast(dict(held.schema))]).write_parquet(path)
    with running(root, now=clock, anonymous_bucket=ENDLESS) as sandbox:
        yield sandbox.url


def fetched(url: str, city: str = "new_york", day: date = AUGUST_15) -> pl.DataFrame:
    with WeatherClient(url) as client:
        return fetch_weather_company(client, CITIES[city], day)


def test_the_client_reads_the_official_maximum_once_the_day_is_over(
    portal: str, clock: Clock
) -> None:
    clock.now = DAY_ENDS - timedelta(minutes=1)
    assert fetched(portal).is_empty()
    clock.now = DAY_ENDS
    frame = fetched(portal)
    assert frame.select("status", "value", "known_at_from").rows() == [("official", 91, "assumed")]


def test_a_station_that_the_archive_lacks_has_no_report(portal: str, clock: Clock) -> None:
    clock.now = DAY_ENDS + timedelta(days=1)
    assert fetched(portal, "chicago").is_empty()
    answer = httpx.get(f"{portal}/kalshi/api/climate/primary", params={"date": f"{AUGUST_15}"})
    body = answer.json()
    assert (body["officialReports"], body["noReports"]) == (1, len(CITIES) - 1)


def test_the_portal_knows_nothing_of_days_before_its_time(portal: str, clock: Clock) -> None:
    clock.now = datetime(2026, 11, 20, tzinfo=UTC)
    answer = httpx.get(f"{portal}/kalshi/api/climate/primary", params={"date": "2026-08-13"})
    assert answer.json()["results"] == []


def test_a_request_without_a_day_is_refused(portal: str) -> None:
    assert httpx.get(f"{portal}/kalshi/api/climate/primary").status_code == 400
    wrong = httpx.get(f"{portal}/kalshi/api/climate/primary", params={"date": "yesterday"})
    assert wrong.status_code == 400
