import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.config import ENV_VARIABLE, load_toml
from kalshi_assets.families.temperature.cities import (
    CITIES,
    City,
    EventTickerError,
    UnknownCityError,
    city,
    city_day_of_event,
    city_of_series,
)

names = st.sampled_from(sorted(CITIES))
days = st.dates(date(2020, 1, 1), date(2030, 12, 31))


def test_all_cities_with_daily_highs_are_registered_once() -> None:
    assert len(CITIES) == 24
    for facts in ("series", "station", "cli"):
        assert len({getattr(c, facts) for c in CITIES.values()}) == 24
    assert all(c.series.startswith("KXHIGH") for c in CITIES.values())


def test_chicago_settles_on_midway_and_houston_on_hobby() -> None:
    assert (city("chicago").station, city("chicago").cli) == ("KMDW", "MDW")
    assert city("houston").station == "KHOU"


@given(names, days)
def test_the_climate_day_lasts_24_hours_of_standard_time_all_year(name: str, day: date) -> None:
    start, end = city(name).climate_day(day)
    assert end - start == timedelta(days=1)
    zone = ZoneInfo(city(name).timezone)
    for instant in (start, end - timedelta(microseconds=1)):
        local = instant.astimezone(zone)
        daylight = local.dst()
        assert daylight is not None
        assert (local - daylight).date() == day
    assert city(name).climate_day(day + timedelta(days=1))[0] == end


@given(names, st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_every_instant_belongs_to_one_climate_day(name: str, instant: datetime) -> None:
    start, end = city(name).climate_day(city(name).climate_date(instant))
    assert start <= instant < end


@pytest.mark.parametrize("day", [date(2026, 3, 8), date(2026, 11, 1)])
def test_new_yorks_day_starts_at_five_utc_when_the_clocks_change(day: date) -> None:
    start, end = city("new_york").climate_day(day)
    assert start == datetime(day.year, day.month, day.day, 5, tzinfo=UTC)
    assert end == start + timedelta(hours=24)


@given(names, days)
def test_event_tickers_name_series_and_day(name: str, day: date) -> None:
    ticker = city(name).event_ticker(day)
    series, _, suffix = ticker.partition("-")
    assert city_of_series(series) is city(name)
    assert datetime.strptime(suffix, "%y%b%d").replace(tzinfo=UTC).date() == day


@pytest.mark.parametrize(
    ("name", "latitude", "longitude"),
    [
        ("atlanta", 33.6, -84.4),
        ("austin", 30.2, -97.7),
        ("boston", 42.4, -71.0),
        ("chicago", 41.8, -87.8),
        ("dallas", 32.9, -97.0),
        ("denver", 39.8, -104.7),
        ("houston", 29.6, -95.3),
        ("las_vegas", 36.1, -115.2),
        ("los_angeles", 33.9, -118.4),
        ("louisville", 38.2, -85.7),
        ("miami", 25.8, -80.3),
        ("minneapolis", 44.9, -93.2),
        ("new_orleans", 30.0, -90.3),
        ("new_york", 40.8, -74.0),
        ("newark", 40.7, -74.2),
        ("oklahoma_city", 35.4, -97.6),
        ("philadelphia", 39.9, -75.2),
        ("phoenix", 33.4, -112.0),
        ("san_antonio", 29.5, -98.5),
        ("san_diego", 32.7, -117.2),
        ("san_francisco", 37.6, -122.4),
        ("seattle", 47.4, -122.3),
        ("trenton", 40.3, -74.8),
        ("washington", 38.9, -77.0),
    ],
)
def test_a_station_lies_where_its_city_does(name: str, latitude: float, longitude: float) -> None:
    assert city(name).latitude == pytest.approx(latitude, abs=0.1)
    assert city(name).longitude == pytest.approx(longitude, abs=0.1)


@pytest.mark.parametrize("name", sorted(CITIES))
def test_standard_time_and_records_fit_the_station(name: str) -> None:
    place = city(name)
    assert place.std_offset_h in {round(place.longitude / 15) + hour for hour in (-1, 0, 1)}
    for low, high in (place.winter_records_f, place.summer_records_f):
        assert 30 <= high - low <= 130
    assert place.winter_records_f < place.summer_records_f


def test_former_series_lead_to_the_same_city() -> None:
    assert city_of_series("HIGHNY") is city("new_york")
    assert city_of_series("KXRAINNYC") is None


@pytest.mark.parametrize(
    ("name", "day", "tickers"),
    [
        ("new_york", date(2024, 8, 16), ("HIGHNY-24AUG16", "KXHIGHNY-24AUG16")),
        ("new_york", date(2024, 10, 23), ("HIGHNY-24OCT23", "KXHIGHNY-24OCT23")),
        ("new_york", date(2024, 10, 24), ("KXHIGHNY-24OCT24", "HIGHNY-24OCT24")),
        ("denver", date(2024, 8, 16), ("KXHIGHDEN-24AUG16",)),
    ],
)
def test_an_event_has_the_name_of_its_time_first(
    name: str, day: date, tickers: tuple[str, ...]
) -> None:
    assert city(name).event_tickers(day) == tickers
    assert city(name).event_ticker(day) == tickers[0]


@given(names, st.dates(date(2020, 1, 1), date(2030, 12, 31)))
def test_every_name_of_an_event_leads_back_to_its_city_and_day(name: str, day: date) -> None:
    for ticker in city(name).event_tickers(day):
        assert city_day_of_event(ticker) == (city(name), day)


@pytest.mark.parametrize(
    ("ticker", "why"),
    [
        ("HIGHCHI-2-24FEB28", "not SERIES-YYMONDD"),
        ("HIGHMIA--23MAY11", "not SERIES-YYMONDD"),
        ("KXHIGHNY", "not SERIES-YYMONDD"),
        ("", "not SERIES-YYMONDD"),
        ("KXHIGHNY-25APR20-B72.5", "not SERIES-YYMONDD"),
        ("KXTEMPNYCH-25APR2014", "not SERIES-YYMONDD"),
        ("kxhighny-25apr20", "not SERIES-YYMONDD"),
        ("KXHIGHNY-25APR20\n", "not SERIES-YYMONDD"),
        ("KXHIGHNY-25APR31", "25APR31 is not a valid date"),
        ("KXHIGHNY-25AVR20", "25AVR20 is not a valid date"),
        ("KXHIGHNY-25FEB29", "25FEB29 is not a valid date"),
        ("KXLOWTNYC-25APR20", "no city of cities.toml has the series KXLOWTNYC"),
        ("KXCPI-25APR20", "no city of cities.toml has the series KXCPI"),
    ],
)
def test_a_ticker_that_names_no_city_day_says_why_not(ticker: str, why: str) -> None:
    with pytest.raises(EventTickerError, match=why) as error:
        city_day_of_event(ticker)
    assert repr(ticker) in str(error.value)


def test_an_unknown_city_lists_the_known_ones() -> None:
    with pytest.raises(UnknownCityError) as error:
        city("chigaco")
    assert "'chigaco'" in str(error.value)
    assert "chicago" in str(error.value)


def test_a_misspelt_fact_of_a_city_is_refused() -> None:
    facts = city("chicago").model_dump() | {"stdoffset": -6}
    with pytest.raises(ValueError, match="stdoffset"):
        City(**facts)


def test_a_folder_overrides_single_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trading.toml").write_text("[defaults]\nhonesty = 0.5\n")
    monkeypatch.setenv(ENV_VARIABLE, str(tmp_path))
    assert load_toml("trading.toml") == {"defaults": {"honesty": 0.5}}
    assert "chicago" in load_toml("cities.toml")


def test_a_folder_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV_VARIABLE, "/no/such/folder")
    with pytest.raises(FileNotFoundError, match=r"KALSHI_ASSETS_CONFIG names '/no/such/folder'"):
        load_toml("cities.toml")


def test_a_broken_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trading.toml").write_text("[defaults\n")
    monkeypatch.setenv(ENV_VARIABLE, str(tmp_path))
    with pytest.raises(ValueError, match=r"trading\.toml: not valid TOML"):
        load_toml("trading.toml")


def test_a_wrong_fact_in_the_registry_is_named_with_its_city(tmp_path: Path) -> None:
    (tmp_path / "cities.toml").write_text(
        '[oz]\ntitle = "Oz"\nseries = "KXHIGHOZ"\nstation = "EMERALD"\ncli = "OZZ"\n'
        'std_offset_h = -6\ntimezone = "America/Chicago"\n'
    )
    child = subprocess.run(
        [sys.executable, "-c", "import kalshi_assets.families.temperature.cities"],
        env={ENV_VARIABLE: str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode != 0
    assert "cities.toml [oz]" in child.stderr
    assert "station" in child.stderr
