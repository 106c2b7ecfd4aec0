import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.pooling.simplex import (
    MARKET_FLOOR,
    MODEL_FLOOR,
    floor_of,
    floored,
    log_pool,
    without_impossible,
)
from kalshi_assets.units import Array
from kalshi_assets_tests.pooling.worlds import pmfs


@given(pmfs, pmfs, st.floats(0, 2), st.floats(0, 2))
def test_the_log_pool_is_a_pmf(market: Array, weather: Array, w_m: float, w_w: float) -> None:
    pooled = log_pool(market, weather, w_m, w_w)
    assert abs(pooled.sum() - 1) < 1e-12
    assert (pooled > 0).all()


@given(pmfs, pmfs)
def test_oracle_14_all_weight_on_the_market_is_the_market(market: Array, weather: Array) -> None:
    assert log_pool(market, weather, 1, 0) == pytest.approx(floored(market, MARKET_FLOOR))


@given(pmfs)
def test_oracle_14_equal_opinions_of_half_weight_stay_as_they_are(p: Array) -> None:
    assert MARKET_FLOOR == MODEL_FLOOR
    assert log_pool(p, p, 0.5, 0.5) == pytest.approx(floored(p, MARKET_FLOOR))


@given(pmfs, pmfs, st.permutations(range(6)))
def test_oracle_14_the_order_of_brackets_does_not_matter(
    market: Array, weather: Array, order: list[int]
) -> None:
    assert log_pool(market[order], weather[order], 0.7, 0.4) == pytest.approx(
        log_pool(market, weather, 0.7, 0.4)[order], abs=1e-12
    )


@given(pmfs, pmfs)
def test_rows_are_pooled_each_for_itself(market: Array, weather: Array) -> None:
    stacked = log_pool(
        np.stack([market, weather]), np.stack([weather, market]), np.array([0.6, 0.9]), 0.4
    )
    assert stacked[0] == pytest.approx(log_pool(market, weather, 0.6, 0.4), abs=1e-15)
    assert stacked[1] == pytest.approx(log_pool(weather, market, 0.9, 0.4), abs=1e-15)


def test_weights_above_one_in_sum_sharpen() -> None:
    p = np.array([0.2, 0.5, 0.3])
    q = floored(p, MARKET_FLOOR)
    assert log_pool(p, p, 1.0, 1.0) == pytest.approx(q**2 / (q**2).sum())


def test_a_zero_of_one_side_is_floored_and_does_not_kill_the_bracket() -> None:
    market, weather = np.array([0.0, 0.5, 0.5]), np.array([0.9, 0.05, 0.05])
    pooled = log_pool(market, weather, 0.65, 0.35)
    p_m, p_w = floored(market, MARKET_FLOOR), floored(weather, MODEL_FLOOR)
    assert p_m.sum() == pytest.approx(1)
    assert np.log(pooled[0] / pooled[1]) == pytest.approx(
        0.65 * np.log(p_m[0] / p_m[1]) + 0.35 * np.log(p_w[0] / p_w[1])
    )


@given(pmfs, st.lists(st.booleans(), min_size=6, max_size=6).filter(lambda d: not all(d)))
def test_dead_brackets_are_exactly_zero_and_the_living_share_the_rest(
    p: Array, dead: list[bool]
) -> None:
    mask = np.array(dead)
    alive = without_impossible(p, mask)
    assert (alive[mask] == 0).all()
    assert abs(alive.sum() - 1) < 1e-12
    assert alive[~mask] == pytest.approx(p[~mask] / p[~mask].sum())


@given(pmfs)
def test_without_dead_brackets_not_a_bit_changes(p: Array) -> None:
    assert (without_impossible(p, np.zeros(6, dtype=bool)) == p).all()


def test_where_only_the_dead_had_probability_the_living_are_equal() -> None:
    alive = without_impossible(np.array([1.0, 0.0, 0.0]), np.array([True, False, False]))
    assert alive.tolist() == [0.0, 0.5, 0.5]


def test_a_ladder_with_every_bracket_dead_contradicts_itself() -> None:
    with pytest.raises(ValueError, match="evidence contradicts the ladder"):
        without_impossible(np.full((2, 3), 1 / 3), np.array([[True] * 3, [False] * 3]))


@pytest.mark.parametrize(("brackets", "in_all"), [(2, 0.001), (6, 0.003), (7, 0.003), (41, 0.003)])
def test_the_floor_of_all_brackets_together_stays_that_of_six(brackets: int, in_all: float) -> None:
    assert brackets * floor_of(0.0005, brackets) == pytest.approx(in_all)
    p = floored(np.eye(brackets), 0.0005)
    assert p.sum(axis=1) == pytest.approx(np.ones(brackets))
    assert p.min() == pytest.approx(floor_of(0.0005, brackets))
