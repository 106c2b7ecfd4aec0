import numpy as np
import pytest

from kalshi_assets.statistics.bootstrap import Bootstrap, Resampled, day_weights

FEW = Bootstrap(seed=1, resamples=200)


def means(values: np.ndarray, bootstrap: Bootstrap = FEW) -> Resampled:
    """Means over the days that are not NaN."""
    known = ~np.isnan(values)
    return bootstrap.ratios(np.where(known, values, 0.0), known.astype(float))


def test_the_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(11)
    worlds = rng.exponential(size=(60, 400))  # 400 worlds of 60 days each, skewed as log loss is
    covered = 0
    for world in worlds.T:
        found = means(world[:, None], Bootstrap(seed=5, resamples=400))
        covered += found.lo[0] <= 1.0 <= found.hi[0]
    assert 0.89 <= covered / 400 <= 0.97


def test_hours_of_one_day_do_not_count_as_days() -> None:
    rng = np.random.default_rng(12)
    of_day = rng.normal(size=40)
    apart = means(of_day[:, None])
    hours = np.repeat(of_day[:, None], 24, axis=1)
    together = means(hours.mean(axis=1)[:, None])
    assert together.hi - together.lo == pytest.approx(apart.hi - apart.lo)


def test_the_mean_is_over_the_days_that_have_the_cell() -> None:
    values = np.array([[1.0, np.nan, np.nan], [3.0, 5.0, np.nan]])
    found = means(values)
    assert found.mean[:2] == pytest.approx([2.0, 5.0])
    assert np.isnan([found.mean[2], found.lo[2], found.hi[2]]).all()
    assert found.n_days.tolist() == [2, 1, 0]
    assert (found.lo[1], found.hi[1]) == (5.0, 5.0)


def test_every_resample_draws_as_many_days_as_there_are() -> None:
    weights = day_weights(7, 100, np.random.default_rng(0))
    assert (weights.sum(axis=1) == 7).all()
    assert weights.mean() == pytest.approx(1.0)
