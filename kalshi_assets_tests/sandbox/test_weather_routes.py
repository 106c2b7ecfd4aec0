import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from kalshi_assets.sandbox.app import create_app
from kalshi_assets.sandbox.archive import Archive
from kalshi_assets.sandbox.server import Sandbox, running
from kalshi_assets.sandbox.weather_routes import WeatherPlan

TIMELINE = "/VisualCrossingWebServices/rest/services/timeline"
FIVE_MINUTES = {"include": "obs,minutes", "options": "useobs,minuteinterval_5,nonulls"}


@pytest.fixture
def weather(tiny: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=tiny.url, params={"key": tiny.weather_key}) as client:
        yield client


CENTRAL_PARK = "40.7790,-73.9693"


def _days(
    client: httpx.Client, dates: str = "2025-04-20", where: str = "stn:KNYC", **params: str
) -> list[dict]:
    answer = client.get(f"{TIMELINE}/{where}/{dates}", params=params)
    answer.raise_for_status()
    return answer.json()["days"]


def test_minutes_nest_in_hours_and_hours_in_civil_days(weather: httpx.Client) -> None:
    (day,) = _days(weather, **FIVE_MINUTES)

    assert day["datetime"] == "2025-04-20"
    assert day["datetimeEpoch"] == datetime(2025, 4, 20, 4, tzinfo=UTC).timestamp()
    first = day["hours"][0]
    assert first["datetime"] == "00:00:00"
    assert first["temp"] == 50.0
    assert first["minutes"][3] == {
        "datetime": "00:15:00",
        "datetimeEpoch": day["datetimeEpoch"] + 900,
        "temp": 50.2,
        "stations": ["KNYC"],
        "source": "obs",
    }
    assert [len(h["minutes"]) for h in day["hours"]] == [12] * 23


def test_an_hour_without_a_report_is_absent(weather: httpx.Client) -> None:
    (day,) = _days(weather, **FIVE_MINUTES)
    assert [h["datetime"][:2] for h in day["hours"]][:4] == ["00", "01", "03", "04"]


def test_without_minutes_only_reports_on_the_hour_are_shown(weather: httpx.Client) -> None:
    (day,) = _days(weather)
    assert len(day["hours"]) == 23
    assert all("temp" in h and "minutes" not in h for h in day["hours"])


def test_the_default_interval_is_a_quarter_of_an_hour(weather: httpx.Client) -> None:
    (day,) = _days(weather, include="minutes")
    assert [len(h["minutes"]) for h in day["hours"]] == [4] * 23


def test_a_report_without_tenths_has_the_whole_degree(weather: httpx.Client) -> None:
    (day,) = _days(weather, **FIVE_MINUTES)
    assert day["hours"][0]["minutes"][1]["temp"] == 50.0


def test_in_utc_the_days_are_those_of_utc(weather: httpx.Client) -> None:
    days = _days(weather, "2025-04-20/2025-04-21", timezone="Z", **FIVE_MINUTES)
    assert days[0]["datetimeEpoch"] == datetime(2025, 4, 20, tzinfo=UTC).timestamp()
    assert [len(d["hours"]) for d in days] == [19, 4]
    assert days[0]["hours"][0]["datetime"] == "04:00:00"


def test_a_day_without_reports_has_no_hours(weather: httpx.Client) -> None:
    (day,) = _days(weather, "2024-01-01")
    assert day["hours"] == []
    assert "tempmax" not in day


def test_elements_choose_what_is_written(weather: httpx.Client) -> None:
    chosen = {"elements": "datetimeEpoch,temp"}
    (day,) = _days(weather, **FIVE_MINUTES, **chosen)
    assert day.keys() == {"datetimeEpoch", "hours"}
    assert day["hours"][0].keys() == {"datetimeEpoch", "temp", "minutes"}
    (less,) = _days(weather, elements="remove:stations")
    assert less["hours"][0].keys() == {"datetime", "datetimeEpoch", "temp", "source"}


def test_units_are_those_asked_for(weather: httpx.Client) -> None:
    (day,) = _days(weather, unitGroup="metric", include="days")
    assert (day["tempmin"], "hours" in day) == (10.0, False)


def test_the_cost_counts_hours_and_minutes(weather: httpx.Client) -> None:
    answer = weather.get(f"{TIMELINE}/stn:KNYC/2025-04-20", params=FIVE_MINUTES).json()
    assert answer["queryCost"] == 24 + 23 * 12
    assert (answer["timezone"], answer["tzoffset"]) == ("America/New_York", -4.0)
    assert list(answer["stations"]) == ["KNYC"]


def test_forecasts_are_those_known_at_the_basis(weather: httpx.Client) -> None:
    (day,) = _days(weather, where=CENTRAL_PARK, forecastBasisDate="2025-04-20")

    assert (day["tempmax"], day["source"]) == (72.5, "histfcst")
    assert day["hours"] == [
        {
            "datetime": "15:00:00",
            "datetimeEpoch": datetime(2025, 4, 20, 19, tzinfo=UTC).timestamp(),
            "temp": 69.1,
            "source": "histfcst",
        }
    ]
    (earlier,) = _days(weather, where=CENTRAL_PARK, forecastBasisDay="1")
    assert (earlier["tempmax"], earlier["hours"]) == (71.0, [])


def test_for_a_station_by_its_name_the_basis_is_ignored(weather: httpx.Client) -> None:
    (observed,) = _days(weather)
    (asked,) = _days(weather, forecastBasisDate="2025-04-20")
    assert asked == observed
    assert {hour["source"] for hour in asked["hours"]} == {"obs"}


def test_coordinates_of_no_recorded_station_are_refused(tiny: Sandbox) -> None:
    answer = httpx.get(f"{tiny.url}{TIMELINE}/51.5,-0.1/2025-04-20?key=k")
    assert (answer.status_code, "No station is recorded at" in answer.text) == (400, True)


def test_the_afternoon_of_a_forecast_stays_local_in_utc(weather: httpx.Client) -> None:
    (day,) = _days(weather, where=CENTRAL_PARK, forecastBasisDate="2025-04-20", timezone="Z")
    assert day["hours"][0]["datetime"] == "19:00:00"


def test_no_forecast_held_gives_days_without_rows(weather: httpx.Client) -> None:
    (day,) = _days(weather, where=CENTRAL_PARK, forecastBasisDate="2025-04-01")
    assert day == {"datetime": "2025-04-20", "datetimeEpoch": day["datetimeEpoch"], "hours": []}


@pytest.mark.parametrize(
    "path",
    [
        "KNYC/2025-04-20",
        "stn:KXXX/2025-04-20",
        "stn:KNYC/20-04-2025",
        "stn:KNYC/2025-04-31",
        "stn:KNYC/2025-04-20/2025-04-19",
        "stn:KNYC/2025-04-20?unitGroup=kelvin",
        "stn:KNYC/2025-04-20?include=rumours",
        "stn:KNYC/2025-04-20?timezone=EST",
        "stn:KNYC/2025-04-20?forecastBasisDate=soon",
        "stn:KNYC/2025-04-20?forecastBasisDay=soon",
    ],
)
def test_bad_requests_are_refused_in_plain_text(tiny: Sandbox, path: str) -> None:
    joint = "&" if "?" in path else "?"
    answer = httpx.get(f"{tiny.url}{TIMELINE}/{path}{joint}key=k")
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.startswith("Bad API Request:")


def test_without_a_key_nothing_is_told(tiny: Sandbox) -> None:
    answer = httpx.get(f"{tiny.url}{TIMELINE}/stn:KNYC/2025-04-20")
    assert (answer.status_code, answer.text) == (401, "No session or key found")


def test_a_plan_limits_keys_records_and_minutes(tiny_root: Path) -> None:
    plan = WeatherPlan(key="mine", subhourly=False, daily_records=50)
    with running(tiny_root, weather_plan=plan) as sandbox:
        url = f"{sandbox.url}{TIMELINE}/stn:KNYC/2025-04-20"
        foreign = httpx.get(url, params={"key": "other"})
        answers = [httpx.get(url, params=FIVE_MINUTES | {"key": "mine"}) for _ in range(3)]

    assert foreign.status_code == 401
    assert [a.status_code for a in answers] == [200, 200, 429]
    assert answers[2].text == "Maximum daily cost exceeded"
    assert "minutes" not in answers[0].json()["days"][0]["hours"][0]


async def _get(app: httpx.ASGITransport, url: str) -> int:
    async with httpx.AsyncClient(transport=app, base_url="http://sandbox") as client:
        return (await client.get(url)).status_code


def test_the_budget_starts_anew_each_day(tiny_root: Path) -> None:
    now = [datetime(2025, 6, 1, 23, 59, tzinfo=UTC).timestamp()]
    app = create_app(
        Archive(tiny_root),
        keys={},
        weather_plan=WeatherPlan(daily_records=24),
        wall_clock=lambda: now[0],
    )
    transport = httpx.ASGITransport(app)
    url = f"{TIMELINE}/stn:KNYC/2025-04-20?key=k"
    assert [asyncio.run(_get(transport, url)) for _ in range(2)] == [200, 429]
    now[0] += 60
    assert asyncio.run(_get(transport, url)) == 200


def test_climate_reports_are_those_of_the_year(weather: httpx.Client) -> None:
    answer = weather.get("/json/cli.py", params={"station": "KMDW", "year": "2025"})
    assert answer.json() == {"results": [{"station": "KMDW", "valid": "2025-05-05", "high": 56}]}
    unknown = weather.get("/json/cli.py", params={"station": "KXXX", "year": "2025"})
    assert unknown.json() == {"results": []}
    assert weather.get("/json/cli.py", params={"station": "KMDW"}).status_code == 422
