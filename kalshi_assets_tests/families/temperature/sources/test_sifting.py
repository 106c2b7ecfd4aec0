"""What is no temperature or no forecast is left out, counted, and moves nothing else."""

import logging
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from kalshi_assets.families.temperature.cities import CITIES
from kalshi_assets.families.temperature.sources.visual_crossing import (
    Sifted,
    left_out_counts,
    sifted_forecasts,
    sifted_observations,
)
from kalshi_assets.tables import DROPPED_FORECASTS, DROPPED_OBSERVATIONS, FORECASTS, OBSERVATIONS
from kalshi_assets_tests.families.temperature.sources.vc import (
    Service,
    hour,
    row,
    timeline,
    two_days_of_minutes,
)

CHICAGO = CITIES["chicago"]
JULY_15 = date(2024, 7, 15)
START = datetime(2024, 7, 15, 6, tzinfo=UTC)
FIVE = timedelta(minutes=5)
NOON = START + timedelta(hours=12)


def usual(time: datetime) -> float:
    return round(32 + 1.8 * (20 + time.hour % 12), 1)


def observed(temp: Callable[[datetime], float | None]) -> Sifted:
    service = Service(two_days_of_minutes(CHICAGO, JULY_15, temp))
    return sifted_observations(service.client(), CHICAGO, JULY_15)


def spoilt(values: dict[datetime, float]) -> Sifted:
    return observed(lambda time: values.get(time, usual(time)))


@pytest.mark.parametrize("absurd", [178.0, -99.0, -77.9, 1e9])
def test_an_absurd_temperature_is_left_out_and_the_day_is_made(absurd: float) -> None:
    found = spoilt({NOON: absurd})
    whole = observed(usual).rows
    others = whole.filter(whole["event_time"] != NOON)
    assert found.rows.drop("raw_sha256").equals(others.drop("raw_sha256"))
    assert found.rows.equals(OBSERVATIONS.conform(found.rows))
    assert found.dropped.equals(DROPPED_OBSERVATIONS.conform(found.dropped))
    assert found.dropped.select("event_time", "value_f", "reason").rows() == [
        (NOON, absurd, "beyond_range")
    ]


@pytest.mark.parametrize("by", [50.0, -50.0])
def test_a_jump_of_50_f_that_comes_back_is_left_out(by: float) -> None:
    found = spoilt({NOON: usual(NOON - FIVE) + by, NOON + FIVE: usual(NOON - FIVE)})
    assert NOON not in found.rows["event_time"].to_list()
    assert found.rows.height == 287
    assert left_out_counts(found.dropped) == {"jump": 1}


def test_a_jump_of_less_than_50_f_stays() -> None:
    found = spoilt({NOON: usual(NOON - FIVE) + 49.0})
    assert (found.rows.height, found.dropped.height) == (288, 0)


def test_a_front_that_does_not_come_back_stays_and_is_known_when_the_next_report_shows_it() -> None:
    found = observed(lambda time: 75.2 if time < NOON else 23.0 if time == NOON else 23.2)
    assert (found.rows.height, found.dropped.height) == (288, 0)
    known = dict(found.rows.select("event_time", "known_at").iter_rows())
    assert known[NOON - FIVE] == NOON + FIVE
    assert known[NOON] == known[NOON + FIVE] == NOON + 3 * FIVE
    assert known[NOON + 2 * FIVE] == NOON + 4 * FIVE


def test_copies_of_an_absurd_report_do_not_confirm_it() -> None:
    def minute(k: int) -> dict[str, Any]:
        spike = 3 <= k < 9
        return row(NOON + k * FIVE, 131.0 if spike else 71.6, "KMDW", windspeed=4.0, winddir=90.0)

    service = Service(timeline([hour(NOON, 71.6, "KMDW", [minute(k) for k in range(12)])]))
    found = sifted_observations(service.client(), CHICAGO, JULY_15)
    assert found.rows["temp_f"].unique().to_list() == [71.6]
    assert left_out_counts(found.dropped) == {"jump": 6}


@pytest.mark.parametrize("at", [START, START + timedelta(hours=24) - FIVE])
def test_the_days_first_and_last_reports_are_judged_by_those_around_the_day(at: datetime) -> None:
    found = spoilt({at: usual(at) + 55})
    assert (found.rows.height, left_out_counts(found.dropped)) == (287, {"jump": 1})


def test_an_absurd_minute_leaves_the_hours_own_report() -> None:
    hours = [hour(NOON, 75.2, "KMDW", [row(NOON, 178.0, "KMDW")])]
    found = sifted_observations(Service(timeline(hours)).client(), CHICAGO, JULY_15)
    assert found.rows.select("event_time", "temp_f").rows() == [(NOON, 75.2)]
    assert left_out_counts(found.dropped) == {"beyond_range": 1}


def test_what_is_left_out_is_said_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    spoilt({NOON: 178.0, NOON + timedelta(hours=1): -99.0})
    assert "chicago 2024-07-15: left out, see weather.dropped_observations: 2 beyond" in caplog.text


def answer(
    tmax: float | None, hours: Callable[[int], float | None], source: str = "fcst"
) -> dict[str, Any]:
    """The civil day in Chicago, as forecast."""
    midnight = START - timedelta(hours=1)
    rows = [
        row(midnight + timedelta(hours=k), hours(k), "KMDW", source=source)
        for k in range(24)
        if hours(k) is not None
    ]
    day = {"datetimeEpoch": int(midnight.timestamp()), "source": source, "hours": rows}
    return {"queryCost": 48, "days": [day | {"tempmax": tmax}]}


def forecast(payload: dict[str, Any]) -> Sifted:
    return sifted_forecasts(Service(payload).client(), CHICAGO, JULY_15)


def test_past_forecasts_are_asked_for_the_stations_coordinates() -> None:
    service = Service(answer(91.3, lambda k: 70.0 + k / 2))
    found = sifted_forecasts(service.client(), CHICAGO, JULY_15)
    assert [url.path.rpartition("/timeline/")[2] for url in service.asked] == [
        "41.7841,-87.7551/2024-07-15/2024-07-16"
    ] * 2
    assert found.rows.filter(variable="tmax")["value_f"].to_list() == [91.3, 91.3]
    assert found.dropped.is_empty()


def test_an_answer_of_observations_only_is_said_so_and_never_silent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    found = forecast(answer(91.1, lambda k: 70.0 + k / 2, source="obs"))
    assert found.rows.equals(FORECASTS.empty())
    assert found.dropped.equals(DROPPED_FORECASTS.conform(found.dropped))
    assert left_out_counts(found.dropped) == {"no_forecast": 2 * 24}
    assert (
        found.dropped.filter(variable="tmax").select("value_f", "source").rows()
        == [(91.1, "obs")] * 2
    )
    assert "chicago 2024-07-15: left out, see weather.dropped_forecasts: 48 no_fo" in caplog.text


def test_observations_beside_forecasts_are_left_aside_without_a_warning() -> None:
    payload = answer(91.3, lambda k: 70.0 + k / 2)
    payload["days"][0]["hours"][3]["source"] = "obs"
    found = forecast(payload)
    assert found.rows.filter(variable="temp").height == 2 * 22
    assert found.dropped.is_empty()


WARM: Callable[[int], float | None] = lambda k: 70.0 + k / 2  # noqa: E731


@pytest.mark.parametrize(
    ("tmax", "hours", "reason"),
    [
        (0.0, lambda k: None, "zero"),
        (0.0, lambda k: 0.0, "zero"),
        (0.0, WARM, "beyond_range"),
        (70.0, WARM, "below_hours"),
        (81.2, WARM, "below_hours"),
        (178.0, WARM, "beyond_range"),
        (-99.0, WARM, "beyond_range"),
        (15.0, lambda k: None, "beyond_range"),
    ],
)
def test_a_maximum_that_is_no_temperature_of_the_day_is_missing(
    tmax: float, hours: Callable[[int], float | None], reason: str
) -> None:
    found = forecast(answer(tmax, hours))
    assert found.rows.filter(variable="tmax").is_empty()
    assert found.dropped.filter(variable="tmax")["reason"].to_list() == [reason] * 2
    assert found.rows.filter(variable="temp").height == (2 * 23 if hours is WARM else 0)


def test_a_winter_maximum_of_zero_above_its_hours_is_a_forecast() -> None:
    minneapolis = CITIES["minneapolis"]
    day = date(2024, 1, 15)
    midnight = datetime(2024, 1, 15, 6, tzinfo=UTC)
    hours = [
        row(midnight + timedelta(hours=k), -20.0 + k, "KMSP", source="fcst") for k in range(20)
    ]
    of_day = {"datetimeEpoch": int(midnight.timestamp()), "source": "fcst", "hours": hours}
    service = Service({"queryCost": 48, "days": [of_day | {"tempmax": 0.0}]})
    found = sifted_forecasts(service.client(), minneapolis, day)
    assert found.rows.filter(variable="tmax")["value_f"].to_list() == [0.0, 0.0]
    assert found.dropped.is_empty()


def test_a_maximum_rounded_just_below_its_hours_stays() -> None:
    found = forecast(answer(81.4, WARM))
    assert found.rows.filter(variable="tmax").height == 2


def test_an_hour_out_of_range_is_missing_and_its_neighbours_stay() -> None:
    found = forecast(answer(91.3, lambda k: 178.0 if k == 12 else 70.0 + k / 2))
    assert found.rows.filter(variable="temp").height == 2 * 22
    assert found.rows.filter(variable="tmax").height == 2
    assert left_out_counts(found.dropped) == {"beyond_range": 2}
