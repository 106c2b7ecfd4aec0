import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss, roc_auc_score

from kalshi_assets.statistics.bootstrap import day_weights
from kalshi_assets.statistics.discrimination import areas_under_curve
from kalshi_assets.statistics.scores import cross_entropy


@given(st.integers(0, 2**32 - 1), st.integers(2, 60))
def test_the_area_is_that_of_scikit_learn_with_ties_and_all(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    p, outcome = rng.integers(8, size=n) / 8, rng.random(n) < 0.4
    outcome[:2] = True, False
    areas = areas_under_curve(p, outcome, rng.integers(5, size=n), np.ones((1, 5)))
    assert areas[0] == pytest.approx(roc_auc_score(outcome, p))


def test_a_resample_of_dates_has_the_area_of_the_rows_drawn() -> None:
    rng = np.random.default_rng(3)
    p, outcome, date = rng.random(300), rng.random(300) < 0.3, rng.integers(12, size=300)
    weights = day_weights(12, 20, rng)
    areas = areas_under_curve(p, outcome, date, weights)
    for weight, area in zip(weights, areas, strict=True):
        rows = np.repeat(np.arange(300), weight[date].astype(int))
        assert area == pytest.approx(roc_auc_score(outcome[rows], p[rows]))


def test_there_is_no_area_where_nothing_happened() -> None:
    p, nothing, date = np.array([0.1, 0.2]), np.zeros(2, dtype=bool), np.zeros(2, dtype=int)
    assert np.isnan(areas_under_curve(p, nothing, date, np.ones((1, 1)))).all()


def test_the_cross_entropy_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(4)
    p, outcome = rng.random(200), rng.random(200) < 0.3
    assert cross_entropy(p, outcome).mean() == pytest.approx(log_loss(outcome, p))


def test_a_certain_miss_costs_the_floor_and_not_infinity() -> None:
    missed = cross_entropy(np.array([0.0, 1.0, 1.0]), np.array([True, False, True]))
    assert missed.tolist() == pytest.approx([-np.log(1e-6)] * 2 + [0.0])
