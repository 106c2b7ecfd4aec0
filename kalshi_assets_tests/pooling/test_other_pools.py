from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kalshi_assets.pooling.beta_linear import BetaLinear, FittedBetaLinear
from kalshi_assets.pooling.conditional_logit import ConditionalLogit
from kalshi_assets.pooling.dirichlet import Dirichlet, FittedDirichlet
from kalshi_assets.pooling.logistic_normal import FittedLogisticNormal, LogisticNormal
from kalshi_assets.pooling.protocol import FittedPool, Pool
from kalshi_assets.pooling.simplex import MARKET_FLOOR, floored, log_pool
from kalshi_assets_tests.pooling.worlds import (
    excess_log_loss,
    inputs_of,
    pmfs,
    settled_days,
)

Array = NDArray[np.float64]

POOLS: tuple[Pool, ...] = (ConditionalLogit(), Dirichlet(), LogisticNormal(), BetaLinear())
FITTED: tuple[FittedPool, ...] = (
    FittedDirichlet(market_share=0.7),
    FittedLogisticNormal(market=0.1, weather=0.2),
    FittedBetaLinear(market_share=0.7, a=1.4, b=1.2),
)
each_pool = pytest.mark.parametrize("pool", POOLS, ids=lambda pool: type(pool).__name__)
each_fitted = pytest.mark.parametrize("fitted", FITTED, ids=lambda pool: type(pool).__name__)


@each_fitted
@settings(deadline=None, max_examples=50)
@given(market=pmfs, weather=pmfs)
def test_every_pool_gives_pmfs(fitted: FittedPool, market: Array, weather: Array) -> None:
    p = fitted.pool(inputs_of(np.stack([market, weather]), np.stack([weather, market])))
    assert p.sum(axis=1) == pytest.approx(1, abs=1e-12)
    assert (p >= 0).all()


@pytest.mark.parametrize("fitted", FITTED[:2], ids=lambda pool: type(pool).__name__)
@settings(deadline=None, max_examples=50)
@given(market=pmfs, weather=pmfs, order=st.permutations(range(6)))
def test_the_order_of_brackets_does_not_matter_where_it_is_not_used(
    fitted: FittedPool, market: Array, weather: Array, order: list[int]
) -> None:
    whole = fitted.pool(inputs_of(market, weather))
    turned = fitted.pool(inputs_of(market[order], weather[order]))
    assert turned[0] == pytest.approx(whole[0][order], abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(market=pmfs, weather=pmfs, a=st.floats(0.5, 3), b=st.floats(0.5, 3))
def test_a_ladder_turned_upside_down_swaps_a_and_b(
    market: Array, weather: Array, a: float, b: float
) -> None:
    fitted = FittedBetaLinear(market_share=0.6, a=a, b=b)
    swapped = replace(fitted, a=b, b=a)
    up = fitted.pool(inputs_of(market, weather))[0]
    down = swapped.pool(inputs_of(market[::-1], weather[::-1]))[0]
    assert down[::-1] == pytest.approx(up, abs=1e-9)


@settings(deadline=None, max_examples=50)
@given(market=pmfs, weather=pmfs)
def test_without_a_transform_the_beta_pool_is_linear(market: Array, weather: Array) -> None:
    linear = FittedDirichlet(market_share=0.6).pool(inputs_of(market, weather))
    beta = FittedBetaLinear(market_share=0.6, a=1, b=1).pool(inputs_of(market, weather))
    assert beta == pytest.approx(linear, abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(first=pmfs, market=pmfs, weather=pmfs)
def test_a_walk_that_forgets_at_once_makes_the_filter_the_log_pool(
    first: Array, market: Array, weather: Array
) -> None:
    fitted = FittedLogisticNormal(market=0.3, weather=0.1, drift=1e12)
    inputs = inputs_of(np.stack([first, market]), np.stack([first, weather]))
    # Both variances are one and a half times as great at conditions of one half.
    precise = 1 / np.array([0.3, 0.1])
    w_m, w_w = precise / precise.sum()
    assert fitted.pool(inputs)[1] == pytest.approx(log_pool(market, weather, w_m, w_w), abs=1e-7)


def test_the_filter_is_the_kalman_filter_over_log_ratios() -> None:
    rng = np.random.default_rng(0)
    market, weather = rng.dirichlet(np.ones(4), size=9), rng.dirichlet(np.ones(4), size=9)
    fitted = FittedLogisticNormal(market=0.2, weather=0.4, autocorrelation=0.3)
    p = fitted.pool(inputs_of(market, weather, every_min=10))
    contrast = np.linalg.qr(np.column_stack([np.ones(4), np.eye(4)[:, :3]]))[0][:, 1:]
    one = np.eye(3)
    noise_m, noise_w = 0.2 / 0.7 * 1.5 * 3 * one, 0.4 * 1.5 * 3 * one
    for t in range(9):
        y_m, y_w = (
            contrast.T @ np.log(floored(each[t], MARKET_FLOOR)) for each in (market, weather)
        )
        if t == 0:
            # The first instant stands for half an hour.
            y, covariance = y_m, noise_m / 3
            seen = [(y_w, noise_w / 3)]
        else:
            covariance = covariance + 0.01 * (1 + 5 * 0.5) * 10 / 5 * one
            seen = [(y_m, noise_m), (y_w, noise_w)]
        for reading, noise in seen:
            gain = covariance @ np.linalg.inv(covariance + noise)
            y = y + gain @ (reading - y)
            covariance = (one - gain) @ covariance
        expected = np.exp(contrast @ y)
        assert p[t] == pytest.approx(expected / expected.sum(), abs=1e-9)


def test_a_filter_without_weather_follows_the_market() -> None:
    market = np.array([[0.2, 0.3, 0.5]] * 3)
    p = FittedLogisticNormal(market=0.1, weather=0.1).pool(
        inputs_of(market, np.full((3, 3), np.nan))
    )
    assert p == pytest.approx(floored(market, MARKET_FLOOR))


@each_pool
def test_with_few_days_every_pool_has_its_prior(pool: Pool) -> None:
    few = settled_days(29, (1.0, 1.0), seed=0)
    nothing = few.where(few.day < 0)
    assert (pool.fit(few).pool(few.inputs) == pool.fit(nothing).pool(few.inputs)).all()


@each_pool
def test_every_pool_finds_a_weather_that_knows_more(pool: Pool) -> None:
    fitted = pool.fit(settled_days(60, (1.5, 1.5), seed=1))
    fresh = settled_days(1500, (1.5, 1.5), seed=2)
    assert (excess_log_loss(fresh, fitted.pool(fresh.inputs)) < -0.1).all()


def test_the_share_of_a_linear_pool_is_the_most_likely_one() -> None:
    training = settled_days(80, (0.8, 0.8), seed=3)
    found = Dirichlet().fit(training).market_share
    rows = np.arange(len(training.winner))

    def score(share: float) -> float:
        p = FittedDirichlet(market_share=share).pool(training.inputs)
        return float((training.weight * np.log(p[rows, training.winner])).sum())

    assert 0 < found < 1
    assert score(found) >= max(score(found - 1e-3), score(found + 1e-3))


@pytest.mark.parametrize(("every_min", "tolerance"), [(1, 0.02), (10, 0.02)])
def test_a_filter_fed_more_often_knows_no_more(every_min: int, tolerance: float) -> None:
    rows = 120 // every_min + 1
    market, weather = np.array([0.2, 0.5, 0.3]), np.array([0.6, 0.2, 0.2])
    fitted = FittedLogisticNormal(market=0.1, weather=0.2)

    def last(every: int, n: int) -> Array:
        same = inputs_of(np.tile(market, (n, 1)), np.tile(weather, (n, 1)), every_min=every)
        return fitted.pool(same)[-1]

    assert last(every_min, rows) == pytest.approx(last(30, 5), abs=tolerance)


def test_the_filter_knows_nothing_of_the_day_before() -> None:
    training = settled_days(4, (0.8,) * 5, seed=4)
    fitted = FittedLogisticNormal(market=0.1, weather=0.2)
    together = fitted.pool(training.inputs)
    for day in training.days:
        alone = training.where(training.day == day)
        assert (fitted.pool(alone.inputs) == together[training.day == day]).all()
