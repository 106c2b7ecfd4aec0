import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.statistics.power import city_days_needed, dates_needed, effective_cities

SIZES = st.floats(0.1, 100)


def test_oracle_two_cents_at_a_standard_deviation_of_twenty_need_four_hundred_city_days() -> None:
    assert city_days_needed(2, 20) == 400


def test_oracle_seven_cities_at_a_correlation_of_a_third_are_two_and_a_half() -> None:
    assert effective_cities(7, 0.3) == pytest.approx(2.5)
    assert dates_needed(2, 20, cities=7, mean_correlation=0.3) == 160


@given(SIZES, SIZES, st.floats(0.5, 4))
def test_the_number_of_days_is_the_least_that_reaches_the_statistic(
    edge: float, sd: float, t: float
) -> None:
    days = city_days_needed(edge, sd, t=t)
    assert edge * math.sqrt(days) / sd >= t * (1 - 1e-9)
    assert days == 1 or edge * math.sqrt(days - 1) / sd < t


def test_whole_numbers_with_a_rounding_error_are_not_rounded_up() -> None:
    assert (2 * 2.1 / 0.7) ** 2 > 36
    assert city_days_needed(0.7, 2.1) == 36


@given(st.integers(1, 30), st.floats(0, 1))
def test_oracle_effective_cities_give_the_variance_of_the_mean(
    cities: int, correlation: float
) -> None:
    matrix = np.full((cities, cities), correlation)
    np.fill_diagonal(matrix, 1.0)
    assert 1 / effective_cities(cities, correlation) == pytest.approx(matrix.mean())


def test_cities_that_hedge_each_other_count_for_more() -> None:
    assert effective_cities(2, -0.5) == 4
    assert effective_cities(1, 0.0) == 1


def test_simulated_city_days_have_the_mean_statistic() -> None:
    rng = np.random.default_rng(3)
    gains = rng.normal(2, 20, size=(2000, city_days_needed(2, 20)))
    t = gains.mean(axis=1) / gains.std(axis=1, ddof=1) * math.sqrt(gains.shape[1])
    assert t.mean() == pytest.approx(2, abs=0.07)


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_an_edge_and_a_standard_deviation_are_positive_numbers(wrong: float) -> None:
    for call in (
        lambda: city_days_needed(wrong, 20),
        lambda: city_days_needed(2, wrong),
        lambda: city_days_needed(2, 20, t=wrong),
        lambda: dates_needed(wrong, 20, cities=7, mean_correlation=0.3),
    ):
        with pytest.raises(ValueError, match="must be a number above 0"):
            call()


@pytest.mark.parametrize(
    ("cities", "correlation"), [(7, math.nan), (7, 1.1), (3, -0.5), (2, -1.0), (3, -0.9)]
)
def test_impossible_correlations_are_refused(cities: int, correlation: float) -> None:
    with pytest.raises(ValueError, match="cannot have the mean correlation"):
        effective_cities(cities, correlation)


def test_no_cities_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one city"):
        effective_cities(0, 0.3)
