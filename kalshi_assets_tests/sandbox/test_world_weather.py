from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_assets.families.temperature.cities import CITIES, City
from kalshi_assets.sandbox import world_station, world_weather
from kalshi_assets.sandbox.world_weather import DAY, Stress, day_weather, temperature

NEW_YORK = CITIES["new_york"]
SEED = 7
YEAR = [date(2026, 1, 1) + timedelta(days=k) for k in range(365)]


def first_day(stress: Stress, city: City = NEW_YORK) -> date:
    return next(d for d in YEAR if day_weather(SEED, city, d).stress is stress)


def test_every_city_of_the_registry_has_a_climate() -> None:
    for city in CITIES.values():
        assert 40 < world_weather.climate(city).mean_f < 80


def test_a_station_without_a_climate_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no climate for station KORD"):
        world_weather.climate(NEW_YORK.model_copy(update={"station": "KORD"}))


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="seed -1 is negative"):
        world_weather.generator(-1, NEW_YORK, YEAR[0], "weather")


@pytest.mark.parametrize("name", ["new_york", "denver", "phoenix"])
def test_temperature_does_not_jump_at_midnight(name: str) -> None:
    city = CITIES[name]
    joined = np.concatenate([temperature(SEED, city, d) for d in YEAR[60:90]])
    steps = np.abs(np.diff(joined))
    at_midnight = steps[DAY - 1 :: DAY]
    assert at_midnight.max() < 0.8
    assert steps.max() < 2.0


def test_noise_has_the_same_spread_at_midnight_as_at_other_night_hours() -> None:
    days = [world_weather.noise(SEED, NEW_YORK, d) for d in YEAR]
    midnight, three = np.array([d[0] for d in days]), np.array([d[180] for d in days])
    assert midnight.std() == pytest.approx(three.std(), rel=0.2)


def test_summers_are_warmer_than_winters_and_afternoons_than_nights() -> None:
    july = np.array([temperature(SEED, NEW_YORK, date(2026, 7, k)) for k in range(1, 29)])
    january = np.array([temperature(SEED, NEW_YORK, date(2026, 1, k)) for k in range(1, 29)])
    assert july.mean() - january.mean() > 25
    assert july.mean(axis=0).argmax() / 60 == pytest.approx(15, abs=1.5)


def test_cold_fronts_fall_ten_degrees_within_an_hour() -> None:
    minutes = temperature(SEED, NEW_YORK, first_day(Stress.COLD_FRONT))
    assert (minutes[:-60] - minutes[60:]).max() >= 10


def test_some_days_have_their_maximum_in_the_first_hour_or_in_the_evening() -> None:
    midnight = world_station.whole_fahrenheit(SEED, NEW_YORK, first_day(Stress.MIDNIGHT_MAXIMUM))
    evening = world_station.whole_fahrenheit(SEED, NEW_YORK, first_day(Stress.EVENING_MAXIMUM))
    assert midnight.argmax() < 60
    assert evening.argmax() >= 18 * 60


def test_a_forecast_bust_is_wrong_by_five_degrees_and_others_are_not() -> None:
    errors = {
        d: world_station.forecast(SEED, NEW_YORK, d).value_f
        - world_station.official_maximum(SEED, NEW_YORK, d)
        for d in YEAR
    }
    busts = {d for d in YEAR if day_weather(SEED, NEW_YORK, d).stress is Stress.FORECAST_BUST}
    assert all((abs(error) >= 5) == (d in busts) for d, error in errors.items())
    assert np.std([e for d, e in errors.items() if d not in busts]) == pytest.approx(2.3, abs=0.3)


def test_every_kind_of_stress_comes_up_within_a_year_and_most_days_have_none() -> None:
    kinds = [day_weather(SEED, NEW_YORK, d).stress for d in YEAR]
    assert set(kinds) == set(Stress)
    assert kinds.count(Stress.NONE) > 250


@settings(max_examples=50, deadline=None)
@given(st.integers(-60, 140))
def test_tenths_of_celsius_lead_back_to_the_whole_fahrenheit(whole_f: int) -> None:
    c10 = int(world_station.tenths_of_celsius(np.array([whole_f]))[0])
    assert (9 * c10 + 1600 + 25) // 50 == whole_f


def test_the_body_of_the_report_rounds_half_up_below_zero_too() -> None:
    assert world_station.whole_celsius(np.array([-25, -26, 25, 24])).tolist() == [-2, -3, 3, 2]


@pytest.mark.parametrize("day", [date(2026, 3, 8), date(2026, 11, 1)])
def test_the_climate_day_over_a_clock_change_is_cut_in_standard_time(day: date) -> None:
    reports = world_station.observations(SEED, NEW_YORK, day, tenths=True)["valid_utc"]
    start = datetime(day.year, day.month, day.day, 5, tzinfo=UTC)
    times = reports.to_list()
    assert start <= times[0]
    assert times[-1] < start + timedelta(days=1)
    assert len(times) > 288 - 60
    eve = world_station.observations(SEED, NEW_YORK, day - timedelta(days=1), tenths=True)
    assert eve["valid_utc"].to_list()[-1] < start


def test_a_feed_gap_day_misses_reports_for_more_than_an_hour() -> None:
    day = first_day(Stress.FEED_GAP)
    times = world_station.observations(SEED, NEW_YORK, day, tenths=True)["valid_utc"]
    assert times.diff().max() > timedelta(hours=1)


def test_a_station_without_tenths_gives_them_once_an_hour() -> None:
    day = YEAR[40]
    frame = world_station.observations(SEED, NEW_YORK, day, tenths=False)
    differs = frame.filter(frame["temp_c"] != frame["temp_c_whole"])
    assert differs.height > 0
    assert set(differs["valid_utc"].dt.minute()) == {55}
