import hashlib
import json
import logging
from datetime import UTC, date, datetime, timedelta

import httpx
import polars as pl
import pytest

from kalshi_assets.families.temperature.cities import CITIES
from kalshi_assets.families.temperature.sources.errors import (
    ConcurrencyExceededError,
    DailyCostExceededError,
    KeyRefusedError,
    MalformedAnswerError,
    RequestRefusedError,
    ServiceUnavailableError,
    TruncatedAnswerError,
    WeatherError,
    WrongStationError,
)
from kalshi_assets.families.temperature.sources.plan import Budget
from kalshi_assets.families.temperature.sources.visual_crossing import (
    fetch_forecasts,
    fetch_observations,
)
from kalshi_assets.tables import FORECASTS, OBSERVATIONS
from kalshi_assets_tests.families.temperature.sources.vc import (
    JSON,
    KEY,
    NOW,
    Service,
    hour,
    plain,
    row,
    timeline,
    two_days_of_minutes,
)
from kalshi_assets_tests.shared import SAMPLES, needs_samples

CHICAGO = CITIES["chicago"]
NEW_YORK = CITIES["new_york"]
MAY_5 = date(2025, 5, 5)
START = datetime(2025, 5, 5, 6, tzinfo=UTC)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def whole_c_f(time: datetime) -> float:
    return round(32 + 1.8 * (10 + time.hour % 12), 1)


def test_minutes_of_two_days_are_cut_to_the_climate_day() -> None:
    service = Service(two_days_of_minutes(CHICAGO, MAY_5, whole_c_f))
    frame = fetch_observations(service.client(), CHICAGO, MAY_5)
    assert frame.equals(OBSERVATIONS.conform(frame))
    times = frame["event_time"]
    assert frame.height == 288
    assert (times.min(), times.max()) == (START, START + timedelta(hours=23, minutes=55))
    assert (frame["known_at"] - times).unique().to_list() == [timedelta(minutes=10)]
    assert frame["station"].unique().to_list() == ["KMDW"]
    assert frame["kind"].unique().to_list() == ["whole_c"]


@pytest.mark.parametrize("day", [date(2026, 3, 8), date(2026, 11, 1), date(2026, 7, 4)])
def test_days_on_which_clocks_change_have_their_288_reports(day: date) -> None:
    service = Service(two_days_of_minutes(NEW_YORK, day, whole_c_f))
    frame = fetch_observations(service.client(), NEW_YORK, day)
    start = datetime(day.year, day.month, day.day, 5, tzinfo=UTC)
    expected = [start + timedelta(minutes=5 * k) for k in range(288)]
    assert frame["event_time"].to_list() == expected


def test_the_request_is_locked_to_the_station_and_asks_two_days_by_five_minutes() -> None:
    service = Service(timeline([]))
    fetch_observations(service.client(), CHICAGO, MAY_5)
    (url,) = service.asked
    path = "/VisualCrossingWebServices/rest/services/timeline/stn:KMDW/2025-05-05/2025-05-06"
    assert url.path == path
    assert url.params["include"] == "obs,minutes"
    assert url.params["options"] == "useobs,minuteinterval_5,nonulls"
    assert (url.params["maxStations"], url.params["maxDistance"]) == ("1", "0")
    assert (url.params["unitGroup"], url.params["timezone"]) == ("us", "Z")
    assert {"datetimeEpoch", "temp", "stations", "source"} <= set(url.params["elements"].split(","))
    assert url.params["key"] == KEY


def test_an_hour_without_minutes_stands_for_itself_and_minutes_win() -> None:
    minutes = [row(at(1), 60.8, "KMDW"), row(at(1) + timedelta(minutes=5), 62.6, "KMDW")]
    hours = [hour(at(0), 59.0, "KMDW"), hour(at(1), 58.8, "KMDW", minutes)]
    frame = fetch_observations(Service(timeline(hours)).client(), CHICAGO, MAY_5)
    assert frame.select("event_time", "temp_f").rows() == [
        (at(0), 59.0),
        (at(1), 60.8),
        (at(1) + timedelta(minutes=5), 62.6),
    ]


def test_an_hour_whose_minutes_are_unusable_stands_for_itself() -> None:
    minutes = [row(at(1) + timedelta(minutes=5), None, "KMDW")]
    hours = [hour(at(1), 58.8, "KMDW", minutes)]
    frame = fetch_observations(Service(timeline(hours)).client(), CHICAGO, MAY_5)
    assert frame.select("event_time", "temp_f").rows() == [(at(1), 58.8)]


def test_a_minute_row_listed_under_another_hour_still_wins_over_the_hour() -> None:
    strayed = [row(at(2), 66.2, "KMDW")]
    hours = [hour(at(1), 58.8, "KMDW", strayed), hour(at(2), 70.0, "KMDW")]
    frame = fetch_observations(Service(timeline(hours)).client(), CHICAGO, MAY_5)
    assert frame.select("event_time", "temp_f").rows() == [(at(2), 66.2)]


def test_an_instant_that_comes_twice_is_one_report() -> None:
    hours = [hour(at(1), 58.8, "KMDW"), hour(at(1), 58.8, "KMDW")]
    assert fetch_observations(Service(timeline(hours)).client(), CHICAGO, MAY_5).height == 1


@pytest.mark.parametrize("source", ["fcst", "comb", "histfcst", "stats", None])
def test_rows_that_are_not_observed_are_never_observations(source: str | None) -> None:
    hours = [hour(at(1), 58.8, "KMDW", source=source)]
    frame = fetch_observations(Service(timeline(hours)).client(), CHICAGO, MAY_5)
    assert frame.equals(OBSERVATIONS.empty())


def test_rows_of_several_or_other_stations_are_turned_away_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hours = [
        hour(at(1), 58.8, "KMDW"),
        hour(at(2), 59.0, "KMDW", stations=["KMDW", "KORD"]),
        hour(at(3), 59.0, "KORD"),
        hour(at(4), 59.0, "KMDW", stations=None),
    ]
    frame = fetch_observations(Service(timeline(hours)).client(), CHICAGO, MAY_5)
    assert frame["event_time"].to_list() == [at(1)]
    assert "chicago 2025-05-05: 3 reports are not of KMDW alone" in caplog.text
    assert "KMDW+KORD, KORD, none; 1 kept" in caplog.text


def test_an_answer_of_other_stations_only_is_an_error_that_names_them() -> None:
    hours = [hour(at(2), 59.0, "KMDW", stations=["KORD", "KMDW"]), hour(at(3), 59.0, "KLOT")]
    with pytest.raises(WrongStationError, match=r"2 reports .* KMDW alone but of KLOT, KORD\+KMDW"):
        fetch_observations(Service(timeline(hours)).client(), CHICAGO, MAY_5)


def test_other_stations_outside_the_climate_day_are_no_matter() -> None:
    hours = [hour(at(-1), 59.0, "KORD"), hour(at(24), 59.0, "KORD")]
    assert fetch_observations(Service(timeline(hours)).client(), CHICAGO, MAY_5).is_empty()


def test_rows_carry_the_hash_of_the_bytes_they_rest_on() -> None:
    body = json.dumps(two_days_of_minutes(CHICAGO, MAY_5, whole_c_f)).encode()
    service = Service(httpx.Response(200, headers=JSON, content=body))
    frame = fetch_observations(service.client(), CHICAGO, MAY_5)
    assert frame["raw_sha256"].unique().to_list() == [hashlib.sha256(body).hexdigest()]


def test_a_used_up_plan_is_not_asked_again_before_the_next_utc_day() -> None:
    now = [NOW]
    service = Service(plain(429, "Maximum daily cost exceeded"), timeline([]))
    client = service.client(lambda: now[0])
    with pytest.raises(DailyCostExceededError, match=r"chicago 2025-05-05: GET https://weather"):
        fetch_observations(client, CHICAGO, MAY_5)
    with pytest.raises(DailyCostExceededError, match=r"not asked before 2026-11-21T00:00Z"):
        fetch_observations(client, CHICAGO, MAY_5)
    assert len(service.asked) == 1
    assert service.slept == []
    now[0] = datetime(2026, 11, 21, tzinfo=UTC)
    assert fetch_observations(client, CHICAGO, MAY_5).is_empty()


def test_clients_that_share_a_budget_stop_together() -> None:
    budget = Budget()
    spent = Service(timeline([]), plain(429, "Maximum daily cost exceeded"))
    client = spent.client(budget=budget)
    fetch_observations(client, CHICAGO, MAY_5)
    with pytest.raises(DailyCostExceededError):
        fetch_observations(client, CHICAGO, MAY_5)
    other = Service(timeline([]))
    with pytest.raises(DailyCostExceededError, match="the plan is used up"):
        fetch_observations(other.client(budget=budget), NEW_YORK, MAY_5)
    assert other.asked == []


def test_without_a_key_none_is_sent_and_the_refusal_names_the_setting() -> None:
    service = Service(plain(401, "No session or key found"))
    with pytest.raises(KeyRefusedError, match="set VISUAL_CROSSING_KEY to a valid key"):
        fetch_observations(service.client(key=""), CHICAGO, MAY_5)
    assert "key" not in service.asked[0].params


def test_a_used_up_plan_said_with_status_400_is_the_same_error() -> None:
    service = Service(plain(400, "Maximum daily cost exceeded"))
    with pytest.raises(DailyCostExceededError):
        fetch_observations(service.client(), CHICAGO, MAY_5)


def test_too_much_at_once_is_backed_off_for_half_a_minute_and_more() -> None:
    busy = plain(429, "Maximum concurrent jobs has been exceeded")
    service = Service(busy, busy, timeline([]))
    assert fetch_observations(service.client(), CHICAGO, MAY_5).is_empty()
    assert service.slept == [30.0, 60.0]


def test_too_much_at_once_ends_with_an_error_after_few_waits() -> None:
    service = Service(plain(429, "Maximum concurrency exceeded"))
    with pytest.raises(ConcurrencyExceededError, match="Maximum concurrency exceeded"):
        fetch_observations(service.client(), CHICAGO, MAY_5)
    assert service.slept == [30.0, 60.0, 120.0]
    assert len(service.asked) == 4


def test_a_refused_key_names_the_setting_to_fix() -> None:
    service = Service(plain(401, "No session or key found"))
    with pytest.raises(KeyRefusedError, match=r"No session or key found; set VISUAL_CROSSING_KEY"):
        fetch_observations(service.client(), CHICAGO, MAY_5)
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    "failure",
    [
        plain(500, "Internal error"),
        httpx.Response(503, headers=JSON, content=b"{}"),
        httpx.ReadTimeout("timed out"),
        httpx.RemoteProtocolError("peer closed connection"),
    ],
)
def test_a_failing_service_is_asked_three_times(failure: httpx.Response | Exception) -> None:
    recovers = Service(failure, failure, timeline([]))
    assert fetch_observations(recovers.client(), CHICAGO, MAY_5).is_empty()
    stays = Service(failure)
    with pytest.raises(ServiceUnavailableError, match=r"chicago 2025-05-05: GET .*stn:KMDW"):
        fetch_observations(stays.client(), CHICAGO, MAY_5)
    assert len(stays.asked) == 3


def test_truncated_json_is_asked_again_and_then_an_error() -> None:
    cut = httpx.Response(200, headers=JSON, content=b'{"days": [{"datetimeEpo')
    assert fetch_observations(Service(cut, timeline([])).client(), CHICAGO, MAY_5).is_empty()
    service = Service(cut)
    with pytest.raises(TruncatedAnswerError, match="not whole JSON after 23 bytes"):
        fetch_observations(service.client(), CHICAGO, MAY_5)
    assert len(service.asked) == 3


def test_plain_text_with_status_200_is_quoted_not_parsed() -> None:
    with pytest.raises(MalformedAnswerError, match="Request did not match an endpoint"):
        fetch_observations(
            Service(plain(200, "Request did not match an endpoint.")).client(), CHICAGO, MAY_5
        )


def test_a_bad_request_is_not_repeated() -> None:
    service = Service(plain(400, "Bad API Request: Invalid location"))
    with pytest.raises(RequestRefusedError, match="status 400: Bad API Request"):
        fetch_observations(service.client(), CHICAGO, MAY_5)
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        (timeline([hour(at(1), "warm", "KMDW")]), "temp is not a number"),
        ({"days": [{"hours": [{"temp": 58.8}]}]}, "datetimeEpoch in whole seconds expected"),
        ({"days": "none"}, "'days' is not a list of records"),
    ],
)
def test_a_record_of_another_shape_is_an_error_that_quotes_it(payload, complaint: str) -> None:
    with pytest.raises(MalformedAnswerError, match=complaint):
        fetch_observations(Service(payload).client(), CHICAGO, MAY_5)


def test_a_list_where_an_object_belongs_is_refused() -> None:
    answer = httpx.Response(200, headers=JSON, content=b"[]")
    with pytest.raises(MalformedAnswerError, match="a JSON object expected, got list"):
        fetch_observations(Service(answer).client(), CHICAGO, MAY_5)


@pytest.mark.parametrize(
    "failure",
    [
        plain(401, f"Unknown key {KEY}"),
        plain(500, "https://weather.test/?key=s3cret%2Fkey%2B1"),
        plain(400, "x" * 190 + KEY),
        httpx.ConnectError(f"no route to https://weather.test/?key={KEY}"),
        httpx.Response(200, headers=JSON, content=b"{"),
    ],
)
def test_the_key_is_in_no_error_and_no_log(failure, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    service = Service(failure)
    with pytest.raises(WeatherError) as caught:
        fetch_observations(service.client(), CHICAGO, MAY_5)
    assert service.asked[0].params["key"] == KEY
    error: BaseException | None = caught.value
    request = getattr(error.__cause__, "_request", None) if error else None
    said = [caplog.text, str(caught.value), repr(caught.value), str(request and request.url)]
    assert not [text for text in said if "s3cret" in text]


def forecast_answer(day: date, zone_offset_h: int, **other: object) -> dict[str, object]:
    """Two civil days of `day`'s zone, a tempmax each, and an hour row each hour."""
    source = other.get("source", "histfcst")
    days = []
    for n in range(2):
        local = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=n)
        midnight = local - timedelta(hours=zone_offset_h)
        hours = [
            row(midnight + timedelta(hours=k), 50.0 + k, "KMDW", source=source, stations=None)
            for k in range(24)
        ]
        epoch = int(midnight.timestamp())
        days.append({"datetimeEpoch": epoch, "tempmax": 74.3 + n, "source": source, "hours": hours})
    return {"queryCost": 48, "days": days}


def test_forecasts_of_two_runs_are_kept_with_their_times_of_knowledge() -> None:
    service = Service(forecast_answer(MAY_5, -5))
    frame = fetch_forecasts(service.client(), CHICAGO, MAY_5)
    assert frame.equals(FORECASTS.conform(frame))
    runs = [datetime(2025, 5, 4, tzinfo=UTC), datetime(2025, 5, 5, tzinfo=UTC)]
    assert frame["event_time"].unique().sort().to_list() == runs
    assert (frame["known_at"] - frame["event_time"]).unique().to_list() == [timedelta(hours=6)]
    tmax = frame.filter(variable="tmax")
    assert tmax.select("valid_time", "value_f").unique().rows() == [(START, 74.3)]
    temps = frame.filter(variable="temp", event_time=runs[0])
    assert temps["valid_time"].to_list() == [at(k) for k in range(24)]


def test_forecast_requests_name_the_run_and_ask_in_civil_days() -> None:
    service = Service(forecast_answer(MAY_5, -5))
    fetch_forecasts(service.client(), CHICAGO, MAY_5)
    assert [url.params["forecastBasisDate"] for url in service.asked] == [
        "2025-05-04",
        "2025-05-05",
    ]
    assert all("timezone" not in url.params for url in service.asked)


@pytest.mark.parametrize("source", ["obs", "comb", "stats", None])
def test_what_holds_observations_of_the_day_is_no_forecast(source: str | None) -> None:
    service = Service(forecast_answer(MAY_5, -5, source=source))
    assert fetch_forecasts(service.client(), CHICAGO, MAY_5).equals(FORECASTS.empty())


def test_a_run_that_has_not_happened_is_not_asked_for() -> None:
    service = Service(forecast_answer(MAY_5, -5, source="fcst"))
    now = datetime(2025, 5, 4, 12, tzinfo=UTC)
    frame = fetch_forecasts(service.client(lambda: now), CHICAGO, MAY_5)
    assert [url.params["forecastBasisDate"] for url in service.asked] == ["2025-05-04"]
    assert frame["event_time"].n_unique() == 1


def test_an_answer_without_rows_is_an_empty_frame() -> None:
    assert fetch_forecasts(Service({"days": []}).client(), CHICAGO, MAY_5).equals(FORECASTS.empty())
    assert fetch_observations(Service({}).client(), CHICAGO, MAY_5).equals(OBSERVATIONS.empty())


@needs_samples
@pytest.mark.parametrize(
    ("sample", "name"),
    [("timeline_days_il.json", "chicago"), ("timeline_days_ny.json", "new_york")],
)
def test_recorded_daily_answers_hold_no_observation_and_no_forecast(sample: str, name: str) -> None:
    body = (SAMPLES / "visual_crossing" / sample).read_bytes()
    service = Service(httpx.Response(200, headers=JSON, content=body))
    client = service.client()
    for day in (date(2026, 1, 10), date(2026, 1, 11), date(2026, 1, 12)):
        assert fetch_observations(client, CITIES[name], day).is_empty()
        assert fetch_forecasts(client, CITIES[name], day).is_empty()
    assert isinstance(json.loads(body)["days"][0]["tempmax"], float)


def test_the_frame_of_mixed_reports_shows_each_kind() -> None:
    minutes = [
        row(at(1), 73.4, "KMDW"),
        row(at(1.25), 73.0, "KMDW"),
        row(at(1.5), 73.2, "KMDW"),
    ]
    service = Service(timeline([hour(at(1), 73.4, "KMDW", minutes)]))
    frame = fetch_observations(service.client(), CHICAGO, MAY_5)
    assert frame.select("kind", "lo_f", "hi_f").rows() == [
        ("whole_c", 73, 74),
        ("tgroup", 73, 73),
        ("interp", 72, 74),
    ]
    assert frame.schema["lo_f"] == pl.Int16
