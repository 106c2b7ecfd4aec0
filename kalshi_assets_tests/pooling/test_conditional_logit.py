from dataclasses import replace

import numpy as np
import pytest

from kalshi_assets.families.temperature.pool import WEATHER
from kalshi_assets.pooling.conditional_logit import (
    MIN_DAYS,
    _Problem,
    conditional_logit,
)
from kalshi_assets.pooling.inputs import Training
from kalshi_assets.pooling.simplex import without_impossible
from kalshi_assets.units import Array
from kalshi_assets_tests.pooling.worlds import settled_days

PRIOR = WEATHER.prior


def _by_scipy(training: Training) -> Array:
    from scipy.optimize import minimize

    problem = _Problem.of(training)
    found = minimize(
        lambda at: problem.expand(at)[:2],
        PRIOR,
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * len(PRIOR),
        options={"ftol": 1e-14, "gtol": 1e-9},
    )
    return found.x


def test_below_thirty_days_the_prior_is_in_force() -> None:
    few = settled_days(MIN_DAYS - 1, (1.0,) * 5, seed=0)
    assert conditional_logit(few).is_prior
    assert conditional_logit(few.where(few.day < 0)).is_prior
    prior = dict(zip(WEATHER.coefficients, PRIOR, strict=True))
    assert {name: value for name, value in prior.items() if value} == {
        "market_constant": 0.65,
        "weather_constant": 0.35,
    }


@pytest.mark.parametrize("seed", range(4))
def test_the_fit_is_the_one_that_a_quasi_newton_method_finds(seed: int) -> None:
    training = settled_days(40, (0.0, 0.5, 1.0, 1.5, 1.0), seed)
    fitted = conditional_logit(training)
    assert (fitted.coefficients >= 0).all()
    assert fitted.coefficients == pytest.approx(_by_scipy(training), abs=2e-5)


def test_gradient_and_hessian_are_those_of_the_loss() -> None:
    problem = _Problem.of(settled_days(12, (0.0, 0.5, 1.0), seed=1))
    rng = np.random.default_rng(0)
    at, step = rng.random(8), 1e-5
    _, slope, curvature = problem.expand(at)
    for k in range(8):
        up, down = at.copy(), at.copy()
        up[k] += step
        down[k] -= step
        above, below = problem.expand(up), problem.expand(down)
        assert slope[k] == pytest.approx((above[0] - below[0]) / (2 * step), abs=1e-8)
        assert curvature[k] == pytest.approx((above[1] - below[1]) / (2 * step), abs=1e-7)


def test_a_reading_that_the_market_lacks_gets_its_full_weight_on_many_days() -> None:
    training = settled_days(3000, (1.2, 1.2), seed=2)
    fitted = conditional_logit(training)
    market, weather = fitted.exponents(training.inputs)
    # The truth is (1, 1); the ridge towards (0.65, 0.35) draws a little.
    assert market.mean() == pytest.approx(1, abs=0.12)
    assert weather.mean() == pytest.approx(1, abs=0.12)


def test_a_condition_that_tells_when_the_weather_knows_is_found() -> None:
    training = settled_days(600, (1.5, 0.0), seed=3)
    knows = np.tile([1.0, 0.0], 600)
    training.inputs.model_conditions[:, 1] = knows
    fitted = conditional_logit(training)
    weather = fitted.exponents(training.inputs)[1]
    assert weather[knows == 0].mean() < 0.12 < 0.5 < weather[knows == 1].mean()


def test_a_useless_weather_gets_no_weight_and_no_standard_error_at_the_bound() -> None:
    fitted = conditional_logit(settled_days(400, (0.0,) * 5, seed=4))
    held = fitted.coefficients == 0
    assert fitted.coefficients[4:].max() < 0.05
    assert held.any()
    assert np.isnan(fitted.standard_errors[held]).all()
    assert (fitted.standard_errors[~held] > 0).all()


def test_days_count_equally_however_many_instants_they_have() -> None:
    training = settled_days(40, (1.0, 1.0), seed=5)
    again = np.sort(np.concatenate([np.arange(80), np.flatnonzero(training.day < 20)]))
    assert conditional_logit(training.where(again)).coefficients == pytest.approx(
        conditional_logit(training).coefficients, abs=1e-9
    )


def test_what_the_evidence_rules_out_earns_the_weather_no_weight() -> None:
    training = settled_days(200, (0.0, 0.0), seed=6)
    dead = np.zeros_like(training.impossible)
    rows = np.arange(len(dead))
    dead[rows, (training.winner + 2) % 6] = True
    # The weather knows which brackets are dead, and nothing else.
    knowing = replace(training.inputs, model=without_impossible(training.inputs.model, dead))
    blind = conditional_logit(replace(training, inputs=knowing))
    seeing = conditional_logit(replace(training, inputs=knowing, impossible=dead))
    assert blind.exponents(knowing)[1].mean() > 0.1
    assert seeing.exponents(knowing)[1].mean() < 0.07
