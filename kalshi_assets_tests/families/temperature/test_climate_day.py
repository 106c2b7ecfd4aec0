from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.families.temperature.cities import CITIES, City
from kalshi_assets.families.temperature.climate_day import SLOT, SLOTS, slot_of

NEW_YORK = CITIES["new_york"]
TEN_YEARS = [date(2017, 1, 1) + timedelta(days=n) for n in range(3652)]
CITY = st.sampled_from(sorted(CITIES.values(), key=lambda c: c.name))
DAY = st.sampled_from(TEN_YEARS)


@pytest.mark.parametrize("name", CITIES)
def test_every_climate_day_of_ten_years_is_standard_midnight_to_midnight(name: str) -> None:
    city = CITIES[name]
    zone = ZoneInfo(city.timezone)
    for day in TEN_YEARS:
        start, end = city.climate_day(day)
        local = start.astimezone(zone)
        offset, saving = local.utcoffset(), local.dst()
        assert offset is not None
        assert saving is not None
        standard = start + (offset - saving)
        assert (standard.date(), standard.hour, standard.minute) == (day, 0, 0)
        assert end - start == SLOTS * SLOT
        assert end == city.climate_day(day + timedelta(days=1))[0]


@pytest.mark.parametrize("day", [date(2026, 3, 8), date(2026, 11, 1)])
def test_days_on_which_clocks_change_begin_at_five_utc_and_last_a_day(day: date) -> None:
    start, end = NEW_YORK.climate_day(day)
    assert start == datetime(day.year, day.month, day.day, 5, tzinfo=UTC)
    assert end == start + timedelta(hours=24)


def slots(city: City, day: date, times: Sequence[datetime]) -> list[int]:
    frame = pl.DataFrame({"t": times}, schema={"t": pl.Datetime("us", "UTC")})
    start, _ = city.climate_day(day)
    return frame.select(slot_of(pl.col("t"), start)).to_series().to_list()


def test_the_local_hour_after_midnight_in_summer_belongs_to_the_day_before() -> None:
    half_past_midnight = datetime(2025, 7, 4, 0, 30, tzinfo=ZoneInfo("America/New_York"))
    assert NEW_YORK.climate_date(half_past_midnight) == date(2025, 7, 3)
    assert slots(NEW_YORK, date(2025, 7, 3), [half_past_midnight.astimezone(UTC)]) == [282]


@given(city=CITY, day=DAY, seconds=st.lists(st.integers(-90_000, 180_000), min_size=1))
def test_an_instant_has_one_climate_day_and_one_slot(city, day, seconds) -> None:
    start, end = city.climate_day(day)
    times = [start + timedelta(seconds=s) for s in seconds]
    for time, k in zip(times, slots(city, day, times), strict=True):
        assert start + k * SLOT <= time < start + (k + 1) * SLOT
        assert (0 <= k < SLOTS) == (start <= time < end) == (city.climate_date(time) == day)
