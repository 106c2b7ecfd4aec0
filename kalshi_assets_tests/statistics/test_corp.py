import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.statistics.corp import corp


@given(st.integers(0, 2**32 - 1), st.integers(1, 80))
def test_the_parts_add_up_to_the_score_and_none_is_negative(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    p, outcome = rng.integers(11, size=n) / 10, rng.random(n) < 0.4
    found = corp(p, outcome)
    score = ((p - outcome) ** 2).mean()
    parts = found.miscalibration - found.discrimination + found.uncertainty
    assert parts == pytest.approx(score)
    assert min(found.miscalibration, found.discrimination, found.uncertainty) >= -1e-12


def test_what_is_in_order_is_left_as_it_is() -> None:
    p = np.array([0.1, 0.1, 0.4, 0.9])
    found = corp(p, np.array([False, False, True, True]))
    assert found.curve[:, 1].tolist() == [0.0, 0.0, 1.0, 1.0]
    assert found.discrimination == pytest.approx(found.uncertainty)


def test_the_curve_rises_from_the_least_probability_to_the_greatest() -> None:
    rng = np.random.default_rng(9)
    p = rng.random(500)
    curve = corp(p, rng.random(500) < p**2).curve
    assert (np.diff(curve, axis=0) >= 0).all()
    assert (curve[0, 0], curve[-1, 0]) == (p.min(), p.max())
    assert len(curve) < 60


def test_a_frequency_told_to_all_has_neither_miscalibration_nor_discrimination() -> None:
    outcome = np.arange(10) < 3
    found = corp(np.full(10, 0.3), outcome)
    assert found.miscalibration == pytest.approx(0, abs=1e-12)
    assert found.discrimination == pytest.approx(0, abs=1e-12)
    assert found.uncertainty == pytest.approx(0.21)
