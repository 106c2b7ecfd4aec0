"""Windows of earlier days: the city's own, oldest first, each read once."""

from datetime import UTC, datetime

from kalshi_assets.families.temperature.cities import with_starts
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.history import History
from kalshi_assets_tests.lake.handmade import KEY


def test_a_window_has_the_days_before_that_there_is_something_of() -> None:
    there = {day: day.date.day for day in KEY.earlier(4)[::2]}
    found = History(3, there.get).before(KEY)
    assert found == [(day, day.date.day) for day in KEY.earlier(3) if day in there]


def test_the_starts_of_climate_days_are_standard_midnights() -> None:
    (start, _), *_ = with_starts(History(2, lambda day: 1).before(KEY))
    assert start == datetime(2025, 4, 23, 5, tzinfo=UTC)


def test_neighbouring_windows_read_each_day_once() -> None:
    read: list[LadderDay] = []
    history = History(3, lambda day: read.append(day) or len(read))
    for key in KEY.earlier(5):
        history.before(key)
    assert len(read) == len(set(read))
