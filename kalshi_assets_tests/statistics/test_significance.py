import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import false_discovery_control, ttest_1samp

from kalshi_assets.statistics.significance import diebold_mariano, discoveries


@pytest.mark.parametrize("constant", [0.0, 0.1, -3.0])
def test_oracle_a_constant_difference_has_no_diebold_mariano_statistic(constant: float) -> None:
    found = diebold_mariano(np.full(30, constant))
    assert np.isnan([found.statistic, found.p_value]).all()


@given(arrays(np.float64, st.integers(3, 60), elements=st.floats(-3, 3, width=32)))
def test_oracle_without_lags_diebold_mariano_is_the_t_test(differences: np.ndarray) -> None:
    found = diebold_mariano(differences, lag=0)
    if np.ptp(differences) <= 1e-12 * np.abs(differences).max():
        assert np.isnan(found.statistic)
        return
    known = ttest_1samp(differences, 0.0)
    assert found.statistic == pytest.approx(known.statistic, rel=1e-6, abs=1e-9)
    assert found.p_value == pytest.approx(known.pvalue, rel=1e-6, abs=1e-9)


def test_independent_days_are_rejected_about_as_often_as_the_level_says() -> None:
    rng = np.random.default_rng(1)
    p = np.array([diebold_mariano(rng.normal(size=60)).p_value for _ in range(1500)])
    assert 0.03 <= (p < 0.05).mean() <= 0.09  # lags cost a little size in small samples


def test_days_that_persist_are_taken_for_fewer() -> None:
    rng = np.random.default_rng(2)
    persisting = np.convolve(rng.normal(size=400), np.ones(3) / 3, mode="valid") + 0.1
    alone, lagged = diebold_mariano(persisting, lag=0), diebold_mariano(persisting)
    assert abs(lagged.statistic) < 0.8 * abs(alone.statistic)


def test_two_days_are_no_test() -> None:
    assert np.isnan(diebold_mariano(np.array([0.1, 0.2])).p_value)


@given(arrays(np.float64, st.integers(1, 40), elements=st.floats(1e-6, 1)))
def test_discoveries_are_those_of_benjamini_and_hochberg(p_values: np.ndarray) -> None:
    adjusted = false_discovery_control(p_values)
    clear = np.abs(adjusted - 0.10) > 1e-12
    assert (discoveries(p_values) == (adjusted <= 0.10))[clear].all()


def test_tests_that_were_none_do_not_count_against_the_others() -> None:
    p = np.array([np.nan, 0.04, np.nan, 0.9])
    assert discoveries(p).tolist() == [False, True, False, False]
    assert not discoveries(np.full(3, np.nan)).any()
    assert discoveries(np.array([])).shape == (0,)
