"""The range of a station and season holds what was ever recorded, and no fault of a feed."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.families.temperature.bulletins.plausible import (
    HIGHEST_F,
    LOWEST_F,
    SLACK_F,
    Sample,
    climatological_range,
    confirmed_by,
    plausible_range,
)
from kalshi_assets.families.temperature.cities import CITIES
from kalshi_assets.tables import FORECASTS, OBSERVATIONS
from kalshi_assets_tests.shared import ARCHIVE, needs_archive

names = st.sampled_from(sorted(CITIES))
days = st.dates(date(2020, 1, 1), date(2030, 12, 31))


@given(names, days)
def test_the_range_lies_between_the_records_of_winter_and_summer(name: str, day: date) -> None:
    city = CITIES[name]
    low, high = climatological_range(city, day)
    assert city.winter_records_f[0] <= low <= city.summer_records_f[0]
    assert city.winter_records_f[1] <= high <= city.summer_records_f[1]
    widened = plausible_range(city, day)
    assert widened == (max(low - SLACK_F, LOWEST_F), min(high + SLACK_F, HIGHEST_F))


@pytest.mark.parametrize("absurd", [178.0, -99.0, -77.9, float("nan"), float("inf")])
@given(name=names, day=days)
def test_no_season_of_any_city_holds_a_feeds_fault(absurd: float, name: str, day: date) -> None:
    assert not plausible_range(CITIES[name], day).holds(absurd)


@pytest.mark.parametrize(
    ("name", "day", "value", "held"),
    [
        ("new_york", date(2025, 7, 15), 0.0, False),
        ("new_york", date(2025, 7, 15), 104.0, True),
        ("new_york", date(2025, 1, 15), 0.0, True),
        ("new_york", date(2025, 1, 15), 110.0, False),
        ("minneapolis", date(2025, 1, 20), -41.0, True),
        ("miami", date(2025, 7, 15), 30.0, False),
        ("phoenix", date(2025, 7, 20), 122.0, True),
    ],
)
def test_the_season_decides(name: str, day: date, value: float, held: bool) -> None:
    assert plausible_range(CITIES[name], day).holds(value) == held


def test_no_table_refuses_what_the_range_holds() -> None:
    for table, column in ((OBSERVATIONS, "temp_f"), (FORECASTS, "value_f")):
        limits = {
            name: value
            for check in table.columns[column].checks
            for name, value in check.statistics.items()
        }
        assert limits == {"min_value": LOWEST_F, "max_value": HIGHEST_F}


@needs_archive
def test_the_recorded_maxima_lie_within_it() -> None:
    stations = {city.station: city for city in CITIES.values()}
    recorded = pl.read_parquet(ARCHIVE / "settlements.parquet").filter(
        pl.col("station").is_in(list(stations))
    )
    outside = [
        (station, day, tmax_f)
        for station, day, tmax_f in recorded.select("station", "date", "tmax_f").iter_rows()
        if not plausible_range(stations[station], day).holds(tmax_f)
    ]
    assert recorded.height > 30_000
    assert outside == []


def shown(*temps: float, step_s: float = 300.0) -> list[int | None]:
    return confirmed_by([Sample(k * step_s, temp) for k, temp in enumerate(temps)])


@pytest.mark.parametrize(
    ("temps", "wanted"),
    [
        ((70, 71, 72), [0, 1, 2]),
        ((70, 120, 70), [0, None, 2]),
        ((70, 20, 70), [0, None, 2]),
        ((70, 119.9, 70), [0, 1, 2]),
        ((70, 20, 20, 21), [0, 2, 2, 3]),
        ((70, 130, 10, 70), [0, None, None, 3]),
        ((70, 130, 10, 11, 10), [0, None, 3, 3, 4]),
        ((70, 120), [0, None]),
        ((70, 125, 97), [0, None, 2]),
    ],
)
def test_a_jump_is_believed_when_the_next_report_stays_with_it(
    temps: tuple[float, ...], wanted: list[int | None]
) -> None:
    assert shown(*temps) == wanted


def test_reports_hours_apart_are_no_neighbours() -> None:
    assert shown(70, 20, 70, step_s=7200) == [0, 1, 2]


@given(st.lists(st.floats(-200, 200), max_size=40))
def test_nothing_later_decides_about_what_was_shown_before(temps: list[float]) -> None:
    whole = shown(*temps)
    for cut in range(len(temps)):
        seen = [at if at is not None and at < cut else None for at in whole[:cut]]
        assert shown(*temps[:cut]) == seen
