import numpy as np
import pytest

from kalshi_assets.learning.classifiers.drift import stability_index

RNG = np.random.default_rng(3)


def test_the_same_values_in_any_order_have_not_drifted() -> None:
    values = RNG.normal(size=(500, 2))
    assert stability_index(values, RNG.permutation(values)) == pytest.approx([0, 0], abs=1e-12)


def test_fresh_values_of_the_same_kind_drift_by_sampling_noise_only() -> None:
    before, now = RNG.normal(size=(5000, 3)), RNG.normal(size=(1000, 3))
    assert (stability_index(before, now) < 0.03).all()


def test_a_shift_of_one_standard_deviation_is_seen() -> None:
    """The closed form for normals with equal spread is the squared shift: 1; bins lose a little."""
    before, now = RNG.normal(size=(20_000, 1)), RNG.normal(loc=1, size=(20_000, 1))
    assert stability_index(before, now) == pytest.approx([1], abs=0.15)


def test_a_feature_that_went_missing_has_drifted() -> None:
    before, now = RNG.normal(size=(500, 1)), np.full((100, 1), np.nan)
    assert stability_index(before, now)[0] > 3


def test_a_feature_that_was_never_known_and_still_is_not_has_not() -> None:
    unknown = np.full((500, 1), np.nan)
    assert stability_index(unknown, unknown[:200]) == pytest.approx([0], abs=0.01)


@pytest.mark.parametrize(("rate", "later"), [(0.05, 0.5), (0.95, 0.5)])
def test_a_flag_that_flips_more_or_less_often_is_seen(rate: float, later: float) -> None:
    before = (RNG.random((5000, 1)) < rate).astype(float)
    now = (RNG.random((1000, 1)) < later).astype(float)
    expected = (later - rate) * np.log(later / rate) + (rate - later) * np.log(
        (1 - later) / (1 - rate)
    )
    assert stability_index(before, now) == pytest.approx([expected], rel=0.15)
