from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.families.temperature.cities import CITIES
from kalshi_assets.families.temperature.climate_day import (
    SLOT,
    SLOTS,
    civil_days,
    slot,
    slot_of,
    slot_starts,
)

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
def test_days_on_which_clocks_change_begin_at_five_utc_and_last_288_slots(day: date) -> None:
    start, end = NEW_YORK.climate_day(day)
    assert start == datetime(day.year, day.month, day.day, 5, tzinfo=UTC)
    assert end == start + timedelta(hours=24)
    starts = slot_starts(NEW_YORK, day)
    assert len(set(starts)) == SLOTS
    assert [slot(NEW_YORK, day, instant) for instant in starts] == list(range(SLOTS))


def test_the_local_hour_after_midnight_in_summer_belongs_to_the_day_before() -> None:
    half_past_midnight = datetime(2025, 7, 4, 0, 30, tzinfo=ZoneInfo("America/New_York"))
    assert NEW_YORK.climate_date(half_past_midnight) == date(2025, 7, 3)
    assert slot(NEW_YORK, date(2025, 7, 3), half_past_midnight) == 282


@pytest.mark.parametrize(
    ("name", "day", "expected"),
    [
        ("new_york", date(2026, 1, 15), (date(2026, 1, 15),)),
        ("new_york", date(2026, 7, 15), (date(2026, 7, 15), date(2026, 7, 16))),
        ("new_york", date(2026, 3, 8), (date(2026, 3, 8), date(2026, 3, 9))),
        ("new_york", date(2026, 11, 1), (date(2026, 11, 1),)),
        ("phoenix", date(2026, 7, 15), (date(2026, 7, 15),)),
    ],
)
def test_a_climate_day_touches_two_civil_days_in_summer_time_only(
    name: str, day: date, expected: tuple[date, ...]
) -> None:
    assert civil_days(CITIES[name], day) == expected


@given(city=CITY, day=DAY, second=st.integers(0, 86_399))
def test_an_instant_has_one_climate_day_and_one_slot(city, day, second) -> None:
    start, _ = city.climate_day(day)
    instant = start + timedelta(seconds=second)
    assert city.climate_date(instant) == day
    k = slot(city, day, instant)
    assert start + k * SLOT <= instant < start + (k + 1) * SLOT
    assert instant.astimezone(ZoneInfo(city.timezone)).date() in civil_days(city, day)


@given(city=CITY, day=DAY, seconds=st.lists(st.integers(-90_000, 180_000), min_size=1))
def test_the_slot_of_a_column_agrees_with_the_slot_of_an_instant(city, day, seconds) -> None:
    start, end = city.climate_day(day)
    times = [start + timedelta(seconds=s) for s in seconds]
    frame = pl.DataFrame({"t": times}, schema={"t": pl.Datetime("us", "UTC")})
    for time, k in zip(times, frame.select(slot_of(pl.col("t"), start)).to_series(), strict=True):
        if start <= time < end:
            assert k == slot(city, day, time)
        else:
            assert not 0 <= k < SLOTS


def test_an_instant_outside_the_day_is_refused_with_the_window() -> None:
    outside = datetime(2026, 3, 8, 4, 59, tzinfo=UTC)
    with pytest.raises(ValueError, match=r"2026-03-08T04:59Z is outside new_york's climate day"):
        slot(NEW_YORK, date(2026, 3, 8), outside)
