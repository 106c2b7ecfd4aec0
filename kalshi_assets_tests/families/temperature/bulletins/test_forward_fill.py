from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.families.temperature.bulletins.forward_fill import FIRST_COPY, is_copy
from kalshi_assets.families.temperature.cities import CITIES
from kalshi_assets.families.temperature.evidence import temperatures
from kalshi_assets.families.temperature.sources.visual_crossing import fetch_observations
from kalshi_assets.pipeline.market import shares
from kalshi_assets.tables import OBSERVATIONS
from kalshi_assets_tests.families.temperature.sources.vc import Service, hour, row, timeline

NEW_YORK = CITIES["new_york"]
DAY = date(2026, 7, 9)
START, _ = NEW_YORK.climate_day(DAY)
Row = tuple[float, float | None, float | None, float | None]
A_REPORT: Row = (75.2, 60.1, 5.0, 240.0)


def copies(rows: list[Row], minutes: list[float] | None = None) -> list[bool]:
    times = [START + timedelta(minutes=m) for m in minutes or [5.0 * k for k in range(len(rows))]]
    frame = pl.DataFrame(
        {"event_time": times}, schema={"event_time": pl.Datetime("us", "UTC")}
    ).with_columns(
        pl.Series(name, [values[k] for values in rows], dtype=pl.Float64)
        for k, name in enumerate(("temp_f", "dew_f", "wind_mph", "wind_deg"))
    )
    return frame.select(is_copy()).to_series().to_list()


def test_the_third_equal_row_and_all_after_it_are_copies() -> None:
    assert copies([A_REPORT] * 2) == [False, False]
    assert copies([A_REPORT] * 5) == [False, False, True, True, True]


def test_a_difference_in_anything_begins_anew() -> None:
    for k, other in enumerate((76.1, 59.0, 6.0, 250.0)):
        changed: Any = (*A_REPORT[:k], other, *A_REPORT[k + 1 :])
        assert copies([A_REPORT, A_REPORT, changed, A_REPORT, A_REPORT]) == [False] * 5
        assert copies([A_REPORT] * 3 + [changed] * 3) == [False, False, True] * 2


def test_a_calm_without_direction_can_be_a_copy() -> None:
    assert copies([(75.2, 60.1, 0.0, None)] * 3) == [False, False, True]
    assert copies([(75.2, 60.1, 0.0, None), (75.2, 60.1, 0.0, 0.0)] * 3) == [False] * 6


def test_without_dew_point_or_wind_nothing_is_a_copy() -> None:
    assert copies([(75.2, None, 5.0, 240.0)] * 6) == [False] * 6
    assert copies([(75.2, 60.1, None, None)] * 6) == [False] * 6


def test_equal_hours_are_reports_and_no_copies() -> None:
    assert copies([A_REPORT] * 5, [0, 60, 120, 180, 240]) == [False] * 5
    assert copies([A_REPORT] * 6, [0, 5, 10, 21, 26, 31]) == [False, False, True] * 2


FEED = st.lists(
    st.tuples(
        st.sampled_from([75.2, 76.1]),
        st.sampled_from([60.1, None]),
        st.sampled_from([0.0, 5.0]),
        st.sampled_from([240.0, None]),
    ),
    min_size=1,
    max_size=30,
)


@given(rows=FEED, cut=st.integers(1, 30))
def test_a_later_row_decides_about_no_earlier_one(rows: list[Row], cut: int) -> None:
    assert copies(rows[:cut]) == copies(rows)[:cut]


@given(rows=FEED)
def test_a_copy_equals_the_two_rows_before_it(rows: list[Row]) -> None:
    for k, copied in enumerate(copies(rows)):
        before = rows[max(0, k - FIRST_COPY + 1) : k]
        known = None not in rows[k][:3]
        equal = len(before) == FIRST_COPY - 1 and set(before) == {rows[k]}
        assert copied == (equal and known)


def observed(temps: list[float], wind: float | None = 5.0) -> pl.DataFrame:
    other = {} if wind is None else {"windspeed": wind, "winddir": 240.0}
    start = datetime(2026, 7, 9, 16, tzinfo=UTC)
    minutes = [
        row(start + timedelta(minutes=5 * k), temp, "KNYC", **other) for k, temp in enumerate(temps)
    ]
    payload = timeline([hour(start, temps[0], "KNYC", minutes, **other)])
    return fetch_observations(Service(payload).client(), NEW_YORK, DAY)


def test_copies_of_a_report_are_kept_marked_and_no_temperatures() -> None:
    frame = observed([75.2, 75.2, 75.2, 75.2, 77.0])
    assert frame.equals(OBSERVATIONS.conform(frame))
    assert frame["kind"].to_list() == ["whole_c", "whole_c", "filled", "filled", "whole_c"]
    assert frame["lo_f"].to_list() == [75, 75, 75, 75, 77]
    assert temperatures(frame).height == 3
    assert shares(frame["kind"]) == {"whole_c": 0.6, "filled": 0.4}


def test_a_feed_without_wind_is_taken_as_it_is() -> None:
    assert set(observed([75.2] * 6, wind=None)["kind"]) == {"whole_c"}


def test_no_reports_have_no_shares() -> None:
    assert shares(OBSERVATIONS.empty()["kind"]) == {}
