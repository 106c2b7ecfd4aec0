from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.defs.partitions import CITY_DAYS, FIRST_DAY, dagster_key, key_of
from kalshi_assets.families.temperature.cities import (
    CITIES,
    UnknownCityError,
    city_day,
    city_days,
    event_ticker,
)
from kalshi_assets.keys import LadderDay, days_between

keys = st.builds(city_day, st.sampled_from(sorted(CITIES)), st.dates(FIRST_DAY, date(2026, 6, 30)))


@given(keys)
def test_a_key_survives_the_way_through_dagster_and_back(key: LadderDay) -> None:
    assert key_of(str(dagster_key(key))) == key
    assert key_of(dagster_key(key)) == key
    assert CITY_DAYS.has_partition_key(dagster_key(key))


@given(keys, st.integers(1, 60))
def test_earlier_days_are_the_same_citys_and_end_the_day_before(key: LadderDay, days: int) -> None:
    earlier = key.earlier(days)
    assert len(earlier) == days
    assert {day.ladder for day in earlier} == {key.ladder}
    dates = [day.date for day in earlier]
    assert dates == sorted(dates)
    assert dates[-1] == key.date - timedelta(days=1)
    assert dates[0] == key.date - timedelta(days=days)


def test_keys_are_ordered_by_city_and_date() -> None:
    wanted = city_days(["chicago", "new_york"], date(2025, 5, 1), date(2025, 5, 2))
    assert sorted(set(wanted)) == wanted
    assert [str(key) for key in wanted] == [
        "chicago 2025-05-01",
        "chicago 2025-05-02",
        "new_york 2025-05-01",
        "new_york 2025-05-02",
    ]


def test_today_and_tomorrow_have_partitions_and_the_day_after_has_none() -> None:
    before = datetime.now(UTC).date()
    last = CITY_DAYS.get_partitions_def_for_dimension("date").get_last_partition_key()
    after = datetime.now(UTC).date()
    assert last in {f"{today + timedelta(days=1)}" for today in (before, after)}


def test_there_is_a_partition_for_every_city_of_the_registry() -> None:
    assert set(CITY_DAYS.get_partitions_def_for_dimension("city").get_partition_keys()) == set(
        CITIES
    )


def test_the_dimensions_are_named_city_and_date() -> None:
    assert [dimension.name for dimension in CITY_DAYS.partitions_defs] == ["city", "date"]


def test_the_number_of_partitions_stays_below_what_dagster_bears() -> None:
    assert len(CITIES) * (date(2027, 1, 1) - FIRST_DAY).days < 100_000


def test_an_unknown_city_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownCityError, match=r"atlantis.*known: .*new_york"):
        city_day("atlantis", date(2025, 5, 1))


def test_the_event_of_a_key_is_the_exchanges() -> None:
    assert event_ticker(city_day("chicago", date(2025, 5, 5))) == "KXHIGHCHI-25MAY05"


def test_days_between_are_inclusive_and_in_order() -> None:
    days = list(days_between(date(2025, 2, 27), date(2025, 3, 1)))
    assert days == [date(2025, 2, 27), date(2025, 2, 28), date(2025, 3, 1)]
    with pytest.raises(ValueError, match="2025-02-27 lies before the start 2025-02-28"):
        list(days_between(date(2025, 2, 28), date(2025, 2, 27)))
