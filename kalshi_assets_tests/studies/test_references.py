from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.families.temperature.cities import city
from kalshi_assets.studies.artificial_ladders import centre, synthetic_events
from kalshi_assets.studies.references import climatology, maxima_around, persistence

UPPER = [60, 62, 64, 66, 68]
ladders = st.integers(30, 90).map(lambda low: [low + 2 * k for k in range(5)])


def maxima(first: date, last: date, value: int = 70) -> pl.DataFrame:
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return pl.DataFrame({"date": days, "tmax_f": [value] * len(days)})


def test_climatology_reads_earlier_years_around_the_date_and_no_others() -> None:
    known = maxima(date(2022, 1, 1), date(2024, 12, 31))
    later = maxima(date(2025, 1, 1), date(2025, 12, 31), value=99)
    found = maxima_around(pl.concat([known, later]), date(2025, 6, 20))
    assert found.tolist() == [70.0] * 3 * 31


def test_climatology_in_january_reaches_into_the_december_before() -> None:
    known = maxima(date(2023, 1, 1), date(2024, 12, 31))
    assert len(maxima_around(known, date(2025, 1, 1))) == (15 + 16) + 16


def test_climatology_of_a_leap_day_is_that_of_the_day_before() -> None:
    known = maxima(date(2023, 1, 1), date(2023, 12, 31))
    assert len(maxima_around(known, date(2024, 2, 29))) == 31


def test_climatology_spreads_each_maximum_over_half_a_degree_at_least() -> None:
    pmf = climatology(np.full(40, 61.5), UPPER)
    assert pmf is not None
    # Two standard deviations of a half on both sides of 61.5 make the bracket 61-62.
    assert pmf[1] == pytest.approx(0.9545, abs=1e-4)
    assert pmf.sum() == pytest.approx(1)


def test_climatology_gives_each_bracket_about_its_share() -> None:
    rng = np.random.default_rng(1)
    pmf = climatology(np.round(rng.normal(64.5, 4, size=2000)), UPPER)
    assert pmf is not None
    assert pmf == pytest.approx([0.159, 0.150, 0.191, 0.191, 0.150, 0.159], abs=0.03)


def test_climatology_of_few_days_is_none() -> None:
    assert climatology(np.full(29, 60.0), UPPER) is None


def test_persistence_is_the_shares_of_earlier_rises_but_for_the_shrinking() -> None:
    pmf = persistence(61, np.repeat([0, 2, 4], 1000), UPPER)
    assert pmf is not None
    # 61 stays, 63 and 65: brackets 61-62, 63-64 and 65-66.
    assert pmf == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3, 0, 0], abs=2e-3)


def test_persistence_of_few_days_is_none() -> None:
    assert persistence(61, np.zeros(9, dtype=np.int64), UPPER) is None


@given(ladders, st.integers(20, 110), st.lists(st.integers(-2, 40), min_size=10, max_size=40))
def test_persistence_is_a_pmf_that_gives_nothing_to_what_is_passed(
    upper: list[int], so_far: int, rises: list[int]
) -> None:
    pmf = persistence(so_far, np.array(rises), upper)
    assert pmf is not None
    assert pmf.sum() == pytest.approx(1)
    assert (pmf >= 0).all()
    assert not pmf[:-1][np.array(upper) < so_far].any()


@given(st.floats(-20, 110))
def test_a_synthetic_ladder_is_six_brackets_around_its_centre(centre_f: float) -> None:
    events = synthetic_events(city("new_york"), date(2025, 6, 20), centre_f)
    inner = events.sort("bracket")[1:5]
    assert events.height == 6
    assert (inner["hi"] - inner["lo"] == 1).all()
    assert (inner["lo"][1:] - inner["hi"][:-1] == 1).all()
    assert events["hi"][0] == inner["lo"][0] - 1
    assert events["lo"][5] == inner["hi"][3] + 1
    assert abs((inner["lo"][0] + inner["hi"][3]) / 2 - centre_f) <= 0.5 + 1e-9


def test_half_of_yesterdays_departure_moves_the_centre() -> None:
    normal, before = np.array([69.0, 71.0]), np.array([68.0])
    assert centre(normal, before, 74.0) == pytest.approx(73.0)
    assert centre(normal, before, None) == pytest.approx(70.0)


def test_a_ladder_without_earlier_years_is_refused() -> None:
    with pytest.raises(ValueError, match="official maxima of earlier years"):
        centre(np.zeros(0), np.zeros(0), 74.0)
