import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kalshi_assets.ladder.pooling import PRIOR, PoolWeights, log_pool, without_dead

Array = NDArray[np.float64]

UNFLOORED = {"market_floor": 0.0, "weather_floor": 0.0}
pmfs = st.lists(st.floats(1e-4, 1.0), min_size=6, max_size=6).map(lambda x: np.array(x) / np.sum(x))


@given(pmfs, pmfs)
def test_the_pool_is_a_pmf(market: Array, weather: Array) -> None:
    pooled = log_pool(market, weather)
    assert abs(pooled.sum() - 1) < 1e-12
    assert (pooled > 0).all()


@given(pmfs, pmfs)
def test_all_weight_on_the_market_is_the_market(market: Array, weather: Array) -> None:
    weights = PoolWeights(market=1.0, weather=0.0, **UNFLOORED)
    assert log_pool(market, weather, weights) == pytest.approx(market, abs=1e-12)


@given(pmfs)
def test_equal_opinions_of_equal_weight_stay_as_they_are(p: Array) -> None:
    weights = PoolWeights(market=0.5, weather=0.5, **UNFLOORED)
    assert log_pool(p, p, weights) == pytest.approx(p, abs=1e-12)


@given(pmfs, pmfs, st.permutations(range(6)))
def test_the_order_of_brackets_does_not_matter(
    market: Array, weather: Array, order: list[int]
) -> None:
    assert log_pool(market[order], weather[order]) == pytest.approx(
        log_pool(market, weather)[order], abs=1e-12
    )


@given(pmfs, pmfs)
def test_minutes_are_pooled_each_for_itself(market: Array, weather: Array) -> None:
    stacked = log_pool(np.stack([market, weather]), np.stack([weather, market]))
    assert (stacked[0] == log_pool(market, weather)).all()
    assert (stacked[1] == log_pool(weather, market)).all()


def test_weights_above_one_sharpen() -> None:
    p = np.array([0.2, 0.5, 0.3])
    sharp = log_pool(p, p, PoolWeights(market=1.0, weather=1.0, **UNFLOORED))
    assert sharp == pytest.approx(p**2 / (p**2).sum())


def test_a_zero_of_one_side_is_floored_and_does_not_kill_the_bracket() -> None:
    market, weather = np.array([0.0, 0.5, 0.5]), np.array([0.9, 0.05, 0.05])
    pooled = log_pool(market, weather)
    floored = (1 - 3 * PRIOR.market_floor) * market + PRIOR.market_floor
    assert 0 < pooled[0] < 1
    assert floored.sum() == pytest.approx(1)
    assert np.log(pooled[0] / pooled[1]) == pytest.approx(
        PRIOR.market * np.log(floored[0] / floored[1])
        + PRIOR.weather * np.log((0.9 + 0.0005 * (1 - 2.7)) / (0.05 + 0.0005 * (1 - 0.15)))
    )


def test_the_prior_weights_are_those_of_the_conditional_logit() -> None:
    assert (PRIOR.market, PRIOR.weather) == (0.65, 0.35)


def test_negative_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        PoolWeights(market=-0.1)


@given(pmfs, st.lists(st.booleans(), min_size=6, max_size=6).filter(lambda d: not all(d)))
def test_dead_brackets_are_exactly_zero_and_the_living_share_the_rest(
    p: Array, dead: list[bool]
) -> None:
    mask = np.array(dead)
    alive = without_dead(p, mask)
    assert (alive[mask] == 0).all()
    assert abs(alive.sum() - 1) < 1e-12
    assert alive[~mask] == pytest.approx(p[~mask] / p[~mask].sum())


@given(pmfs)
def test_without_dead_brackets_not_a_bit_changes(p: Array) -> None:
    assert (without_dead(p, np.zeros(6, dtype=bool)) == p).all()


def test_where_only_the_dead_had_probability_the_living_are_equal() -> None:
    alive = without_dead(np.array([1.0, 0.0, 0.0]), np.array([True, False, False]))
    assert alive.tolist() == [0.0, 0.5, 0.5]


def test_a_ladder_with_every_bracket_dead_contradicts_itself() -> None:
    with pytest.raises(ValueError, match="evidence contradicts the ladder"):
        without_dead(np.full((2, 3), 1 / 3), np.array([[True] * 3, [False] * 3]))
