"""Oracle 16 of methods.md, by scoringrules where it is installed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.statistics.scores import brier_score, ranked_probability_score


@given(st.floats(0, 1), st.integers(0, 1))
def test_oracle_16_the_rps_of_two_classes_is_half_the_brier_score(p: float, winner: int) -> None:
    pmf = np.array([p, 1 - p])
    rps = ranked_probability_score(pmf, winner)
    assert rps == pytest.approx(brier_score(pmf, winner) / 2, abs=1e-12)


@given(st.integers(2, 8), st.data())
def test_oracle_16_the_crps_of_a_point_mass_is_its_distance(
    brackets: int, data: st.DataObject
) -> None:
    given_, winner = (data.draw(st.integers(0, brackets - 1)) for _ in range(2))
    crps = ranked_probability_score(np.eye(brackets)[given_], winner) * (brackets - 1)
    assert crps == pytest.approx(abs(given_ - winner))


@pytest.mark.slow  # numba compiles for seconds when scoringrules is imported
@pytest.mark.filterwarnings("ignore")
def test_oracle_16_scores_are_those_of_scoringrules() -> None:
    sr = pytest.importorskip("scoringrules")
    rng = np.random.default_rng(10)
    p = rng.dirichlet(np.ones(6), size=50)
    for winner in range(6):
        cumulative = sr.rps_score(np.full(50, winner + 1), p)
        assert ranked_probability_score(p, winner) == pytest.approx(cumulative / 5)
    degrees = np.repeat([[71.0]], 20, axis=1)
    assert sr.crps_ensemble(np.array([74.0]), degrees)[0] == pytest.approx(3.0)
