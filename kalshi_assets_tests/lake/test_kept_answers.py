"""An answer that serves many city-days is asked for once while it is good enough."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from kalshi_assets.families.temperature.cities import CITIES, city_day
from kalshi_assets.families.temperature.sources.client import WeatherClient
from kalshi_assets.families.temperature.sources.climate_report import (
    fetch_climate_report,
    tells_final,
)
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.kept_answers import KeptAnswers
from kalshi_assets.lake.raw import RawArchive

CHICAGO = CITIES["chicago"]
MAY_5 = date(2025, 5, 5)


class Archive:
    """Iowa's archive: reports of the year by day, as of now; counts what it is asked."""

    def __init__(self, reports: dict[date, object], **other: Any) -> None:
        self.reports = reports
        self.other = other
        self.asked = 0
        self.status = 200

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        results = [
            {"station": "KMDW", "valid": f"{day}", "high": high} | self.other
            for day, high in self.reports.items()
        ]
        headers = {"content-type": "application/json"}
        body = json.dumps({"results": results}).encode()
        return httpx.Response(self.status, headers=headers, content=body)


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., list[int]]:
    """Fetch a day's official maximum through what was kept, at a time; its raw answer is kept."""

    def asked(archive: Archive, day: date, now: datetime) -> list[int]:
        kept = KeptAnswers(Files(tmp_path), "iowa").over(
            httpx.MockTransport(archive),
            lambda body, at: tells_final(body, CHICAGO, day, at, now),
            clock=lambda: now,
        )
        key = city_day("chicago", day)
        raw = RawArchive(Files(tmp_path))
        with (
            raw.recording("climate_reports", key, "settlement", kept) as transport,
            WeatherClient("https://archive.test", transport=transport) as client,
        ):
            rows = fetch_climate_report(client, CHICAGO, day)
        with WeatherClient(
            "https://archive.test",
            transport=raw.replaying("climate_reports", key, "settlement"),
        ) as again:
            assert fetch_climate_report(again, CHICAGO, day).equals(rows)
        return rows["value"].to_list()

    return asked


LATER = datetime(2026, 11, 28, 12, tzinfo=UTC)


def test_a_past_years_report_is_fetched_once_not_once_a_city_day(ask: Callable) -> None:
    days = {MAY_5 + timedelta(days=n): 60 + n for n in range(20)}
    archive = Archive(dict(days))
    for n, day in enumerate(days):
        assert ask(archive, day, LATER + timedelta(days=n)) == [days[day]]
    assert archive.asked == 1


def test_a_day_that_is_missing_is_asked_for_again(ask: Callable) -> None:
    archive = Archive({MAY_5: 60})
    assert ask(archive, MAY_5, LATER) == [60]
    assert ask(archive, MAY_5 + timedelta(days=1), LATER) == []
    archive.reports[MAY_5 + timedelta(days=1)] = 61
    assert ask(archive, MAY_5 + timedelta(days=1), LATER) == [61]
    assert ask(archive, MAY_5, LATER) == [60]
    assert archive.asked == 3


def test_the_running_years_report_is_fetched_once_a_utc_day(ask: Callable) -> None:
    archive = Archive({MAY_5: 60, MAY_5 + timedelta(days=1): 61})
    now = datetime(2025, 5, 8, 1, tzinfo=UTC)
    assert ask(archive, MAY_5, now) == [60]
    archive.reports[MAY_5] = 62
    assert ask(archive, MAY_5, now + timedelta(hours=22)) == [60]
    assert ask(archive, MAY_5 + timedelta(days=1), now + timedelta(hours=22)) == [61]
    assert archive.asked == 1
    assert ask(archive, MAY_5, now + timedelta(hours=23)) == [62]
    assert archive.asked == 2


@pytest.mark.parametrize(
    ("high", "other"),
    [(None, {}), ("M", {}), (60, {"product": "202505052134-KLOT-CDUS43-CLIMDW"}), ("warm", {})],
)
def test_what_is_no_final_maximum_does_not_serve_the_day(high: object, other: dict) -> None:
    body = Archive({MAY_5: high}, **other)(httpx.Request("GET", "https://archive.test")).content
    assert not tells_final(body, CHICAGO, MAY_5, LATER, LATER)


def test_another_answer_than_a_good_one_is_passed_on_and_not_kept(
    ask: Callable, tmp_path: Path
) -> None:
    archive = Archive({MAY_5: 60})
    archive.status = 404
    kept = KeptAnswers(Files(tmp_path), "iowa").over(httpx.MockTransport(archive), lambda *_: True)
    asked = httpx.Request("GET", "https://archive.test/json/cli.py?station=KMDW&year=2025")
    assert kept.handle_request(asked).status_code == 404
    archive.status = 200
    assert kept.handle_request(asked).status_code == 200
    assert kept.handle_request(asked).status_code == 200
    assert archive.asked == 2


@pytest.mark.parametrize("torn", [b"", b"\x1f\x8b\x08", b"no gzip at all"])
def test_a_file_torn_by_a_power_cut_is_fetched_again(
    ask: Callable[..., list[int]], tmp_path: Path, torn: bytes
) -> None:
    archive = Archive({MAY_5: 63})
    later = datetime(2026, 6, 1, tzinfo=UTC)
    assert ask(archive, MAY_5, later) == [63]
    (kept,) = (tmp_path / "kept_answers" / "iowa").glob("*.json.gz")
    kept.write_bytes(torn)
    assert ask(archive, MAY_5, later) == [63]
    assert archive.asked == 2
