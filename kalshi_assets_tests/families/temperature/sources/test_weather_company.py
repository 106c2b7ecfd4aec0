import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import polars as pl
import pytest

from kalshi_assets.families.temperature.cities import CITIES
from kalshi_assets.families.temperature.sources.client import WeatherClient
from kalshi_assets.families.temperature.sources.errors import (
    MalformedAnswerError,
    ServiceUnavailableError,
)
from kalshi_assets.families.temperature.sources.weather_company import (
    fetch_weather_company,
)
from kalshi_assets.tables import SETTLEMENTS
from kalshi_assets_tests.families.temperature.sources.vc import JSON, Service, plain

CHICAGO = CITIES["chicago"]
SEPT_15 = date(2026, 9, 15)
DAY_ENDS = datetime(2026, 9, 16, 6, tzinfo=UTC)
ISSUED = DAY_ENDS + timedelta(minutes=34)


def result(status: str, high: object = 87, station: str = "KMDW", **data: Any) -> dict[str, Any]:
    said = {
        "reportDate": "2026-09-15",
        "maxTemp": high,
        "minTemp": 66,
        "precipitation": 0,
        "snowfall": None,
        "isOfficial": status == "official",
        "issueTime": "2026-09-16T06:34:00Z",
        "location": "Chicago-Midway",
    }
    return {
        "status": status,
        "station": {"cliId": "CLIMDW", "icao": station, "id": 1, "city": "Chicago"},
        "data": None if status == "no_report" else said | data,
    }


def answer(*results: object) -> httpx.Response:
    body = {"officialReports": 1, "preliminaryReports": 0, "noReports": 0, "source": "primary"}
    content = json.dumps(body | {"results": results}).encode()
    return httpx.Response(200, headers=JSON, content=content)


def fetched(service: Service, day: date = SEPT_15) -> pl.DataFrame:
    transport = httpx.MockTransport(service)
    with WeatherClient(
        "https://portal.test", transport=transport, sleep=service.slept.append
    ) as client:
        return fetch_weather_company(client, CHICAGO, day)


def test_an_official_maximum_is_one_row_known_from_its_issue() -> None:
    service = Service(answer(result("official", 90, station="KNYC"), result("official")))
    frame = fetched(service)
    assert frame.equals(SETTLEMENTS.conform(frame))
    assert frame.drop("raw_sha256").rows(named=True) == [
        {
            "source": "weather_company",
            "status": "official",
            "value": 87,
            "winning_market": None,
            "won": None,
            "payoffs_cc": None,
            "event_time": DAY_ENDS,
            "issued_at": ISSUED,
            "known_at": ISSUED,
            "known_at_from": "issue_time",
            "problem": None,
        }
    ]
    (url,) = service.asked
    assert f"{url}" == "https://portal.test/kalshi/api/climate/primary?date=2026-09-15"


@pytest.mark.parametrize("status", ["preliminary", "revised"])
def test_what_is_not_official_is_kept_under_its_own_status(status: str) -> None:
    frame = fetched(Service(answer(result(status, issueTime="2026-09-15T21:34:00-05:00"))))
    assert frame.select("status", "value").rows() == [(status, 87)]
    assert frame["known_at"].to_list() == [datetime(2026, 9, 16, 2, 34, tzinfo=UTC)]


def test_a_maximum_without_an_issue_time_is_known_nine_hours_after_the_day() -> None:
    frame = fetched(Service(answer(result("official", issueTime=None))))
    assert frame["issued_at"].to_list() == [None]
    assert frame["known_at"].to_list() == [DAY_ENDS + timedelta(hours=9)]
    assert frame["known_at_from"].to_list() == ["assumed"]


@pytest.mark.parametrize(
    "results",
    [
        [result("no_report")],
        [result("official", None)],
        [result("official", station="KORD")],
        [],
    ],
)
def test_no_report_of_the_station_is_no_row(results: list[object]) -> None:
    assert fetched(Service(answer(*results))).equals(SETTLEMENTS.empty())


def test_days_before_the_rules_named_the_portal_are_not_asked_for() -> None:
    service = Service(answer(result("official")))
    assert fetched(service, date(2026, 8, 13)).is_empty()
    assert service.asked == []


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        (answer(result("final")), "status 'final' is not one of official, preliminary, revised"),
        (answer(result("official", "warm")), "maximum in whole degrees expected, not 'warm'"),
        (answer(result("official", 87.5)), "maximum in whole degrees expected, not 87.5"),
        (answer(result("official", 300)), "weather.settlements"),
        (answer(result("official"), result("preliminary")), "2 results of KMDW"),
        (answer(result("official", reportDate="2026-09-14")), "a report of '2026-09-14'"),
        (answer(result("official") | {"data": None}), "official without data"),
        (answer({"status": "official"}), "a result without station and icao"),
        (answer(result("official", issueTime="soon")), "issueTime is not an ISO 8601 time"),
        (answer(result("official", issueTime=1789540440)), "issueTime is not an ISO 8601 time"),
        (
            answer(result("official", issueTime="2026-09-16T06:34:00")),
            "issueTime without a time zone",
        ),
        (
            answer(result("official", issueTime="2026-09-16T05:59:00Z")),
            "official before the climate day ended",
        ),
        (httpx.Response(200, headers=JSON, content=b"{}"), "'results' is not a list of records"),
    ],
)
def test_an_answer_of_another_shape_is_an_error_that_names_the_place(
    payload: httpx.Response, complaint: str
) -> None:
    with pytest.raises(MalformedAnswerError, match=complaint) as caught:
        fetched(Service(payload))
    place = "chicago 2026-09-15: GET https://portal.test/kalshi/api/climate/primary: "
    assert place in str(caught.value)


def test_a_failing_portal_is_asked_three_times() -> None:
    service = Service(plain(503, "Service unavailable"))
    with pytest.raises(ServiceUnavailableError, match="status 503: Service unavailable"):
        fetched(service)
    assert len(service.asked) == 3
