import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import polars as pl
import pytest

from kalshi_assets.families.temperature.cities import CITIES
from kalshi_assets.families.temperature.sources.client import WeatherClient
from kalshi_assets.families.temperature.sources.climate_report import (
    fetch_climate_report,
)
from kalshi_assets.families.temperature.sources.errors import (
    ConcurrencyExceededError,
    MalformedAnswerError,
    ServiceUnavailableError,
)
from kalshi_assets.tables import SETTLEMENTS
from kalshi_assets_tests.families.temperature.sources.vc import JSON, Service, plain

CHICAGO = CITIES["chicago"]
MAY_5 = date(2025, 5, 5)
DAY_ENDS = datetime(2025, 5, 6, 6, tzinfo=UTC)


def report(high: object, day: date = MAY_5, **other: Any) -> dict[str, Any]:
    return {"station": "KMDW", "valid": f"{day}", "high": high, "low": 50} | other


def answer(*reports: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, headers=JSON, content=json.dumps({"results": reports}).encode())


def fetched(service: Service) -> pl.DataFrame:
    transport = httpx.MockTransport(service)
    with WeatherClient(
        "https://archive.test", transport=transport, sleep=service.slept.append
    ) as client:
        return fetch_climate_report(client, CHICAGO, MAY_5)


def test_the_official_maximum_is_one_row_known_nine_hours_after_the_day() -> None:
    service = Service(answer(report(58, MAY_5 - timedelta(days=1)), report(63)))
    frame = fetched(service)
    assert frame.equals(SETTLEMENTS.conform(frame))
    assert frame.drop("raw_sha256").rows(named=True) == [
        {
            "source": "climate_report",
            "status": "official",
            "value": 63,
            "winning_market": None,
            "won": None,
            "payoffs_cc": None,
            "event_time": DAY_ENDS,
            "issued_at": None,
            "known_at": DAY_ENDS + timedelta(hours=9),
            "known_at_from": "assumed",
            "problem": None,
        }
    ]
    (url,) = service.asked
    assert f"{url}" == "https://archive.test/json/cli.py?station=KMDW&year=2025"


@pytest.mark.parametrize("high", [None, "M", ""])
def test_a_missing_maximum_is_no_row(high: object) -> None:
    assert fetched(Service(answer(report(high)))).equals(SETTLEMENTS.empty())


def test_a_day_that_is_not_there_is_no_row() -> None:
    assert fetched(Service(answer(report(63, MAY_5 + timedelta(days=1))))).is_empty()
    assert fetched(Service(answer())).is_empty()


def test_a_bulletin_of_the_afternoon_is_not_the_settlement() -> None:
    preliminary = report(61, product="202505052134-KLOT-CDUS43-CLIMDW")
    assert fetched(Service(answer(preliminary))).is_empty()
    final = report(63, product="202505060633-KLOT-CDUS43-CLIMDW")
    assert fetched(Service(answer(final)))["value"].to_list() == [63]


def test_a_late_correction_is_known_from_its_issue() -> None:
    corrected = report(64, product="202505081510-KLOT-CDUS43-CLIMDW")
    frame = fetched(Service(answer(corrected)))
    assert frame["known_at"].to_list() == [datetime(2025, 5, 8, 15, 10, tzinfo=UTC)]
    assert frame["known_at_from"].to_list() == ["issue_time"]


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        (answer(report("warm")), "maximum in whole degrees expected"),
        (answer(report(63.5)), "maximum in whole degrees expected"),
        (answer(report(300)), "weather.settlements"),
        (answer(report(63), report(64)), "2 reports of 2025-05-05 with different maxima"),
        (answer(report(63, station="KORD")), "reports of KORD, but KMDW was requested"),
        (answer(report(63, product="202513060633-KLOT-CDUS43-CLIMDW")), "202513060633"),
        (httpx.Response(200, headers=JSON, content=b"{}"), "'results' is not a list of records"),
    ],
)
def test_a_report_of_another_shape_is_an_error_that_names_the_place(
    payload: httpx.Response, complaint: str
) -> None:
    with pytest.raises(MalformedAnswerError, match=complaint) as caught:
        fetched(Service(payload))
    assert "chicago 2025-05-05: GET https://archive.test/json/cli.py: " in str(caught.value)


def test_a_failing_archive_is_asked_three_times() -> None:
    service = Service(plain(502, "Bad gateway"))
    with pytest.raises(ServiceUnavailableError, match="status 502: Bad gateway"):
        fetched(service)
    assert len(service.asked) == 3


def test_a_busy_archive_is_given_time() -> None:
    service = Service(plain(429, "slow down"), answer(report(63)))
    assert fetched(service).height == 1
    assert service.slept == [30.0]
    with pytest.raises(ConcurrencyExceededError):
        fetched(Service(plain(429, "slow down")))
