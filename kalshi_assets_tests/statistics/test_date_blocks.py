import numpy as np
import pytest

from kalshi_assets.statistics.bootstrap import Bootstrap, day_weights


def test_blocks_draw_neighbours_together_and_as_many_days_as_there_are() -> None:
    days = 600
    weights = day_weights(days, 400, np.random.default_rng(0), block=3)
    assert (weights.sum(axis=1) == days).all()
    assert (day_weights(7, 50, np.random.default_rng(0), block=3).sum(axis=1) == 7).all()
    centred = weights - 1
    covariance = np.einsum("rd,re->de", centred, centred) / len(centred)
    apart = [np.mean([covariance[d, (d + k) % days] for d in range(days)]) for k in range(5)]
    # A run of three has its neighbour in two of three cases, the next but one in one of three.
    assert apart[1] / apart[0] == pytest.approx(2 / 3, abs=0.05)
    assert apart[2] / apart[0] == pytest.approx(1 / 3, abs=0.05)
    assert abs(apart[4]) < 0.1


def test_blocks_widen_the_interval_of_days_that_persist() -> None:
    rng = np.random.default_rng(1)
    persisting = np.convolve(rng.normal(size=202), np.ones(3) / 3, mode="valid")[:, None]
    widths = []
    for block in (1, 3):
        bootstrap = Bootstrap(seed=2, resamples=1000, block=block)
        found = bootstrap.ratios(persisting, np.ones((200, 1)))
        widths.append(found.hi[0] - found.lo[0])
    assert widths[1] > 1.2 * widths[0]


def test_a_date_with_two_cities_weighs_twice() -> None:
    bootstrap = Bootstrap(seed=3, resamples=100)
    found = bootstrap.ratios(np.array([[2.0], [4.0]]), np.array([[2.0], [1.0]]))
    assert found.mean[0] == pytest.approx(2.0)
    assert (found.lo[0], found.hi[0], found.n_days[0]) == (1.0, 4.0, 2)
