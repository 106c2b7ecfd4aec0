"""The conditional logit: a log-linear pool whose two exponents depend on the conditions.

p ~ p_m^w_m p_w^w_w with w_m = theta . (1, flow, volatility, tightness) and
w_w = phi . (1, no new high, quiet, freshness), no coefficient below zero. The log score is concave
in (theta, phi), so that the fit is one Newton iteration to the only optimum.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.pooling.inputs import (
    MARKET_CONDITIONS,
    WEATHER_CONDITIONS,
    PoolInputs,
    Training,
)
from kalshi_assets.pooling.simplex import MARKET_FLOOR, WEATHER_FLOOR, floored, log_pool

Array = NDArray[np.float64]

COEFFICIENTS = tuple(
    f"{source}_{condition}"
    for source, conditions in (("market", MARKET_CONDITIONS), ("weather", WEATHER_CONDITIONS))
    for condition in conditions
)
_WIDTH = len(MARKET_CONDITIONS)
# methods.md 5: in force until there are thirty days to learn from.
PRIOR = np.array([0.65, 0.0, 0.0, 0.0, 0.35, 0.0, 0.0, 0.0])
MIN_DAYS = 30
# Of squared distance from the prior, per day: 5 per 100.
RIDGE = 0.05
_STEPS = 50
# Newton squares its error: after a step so small the next would move the tenth digit.
_SMALL_STEP = 1e-5
_HALVINGS = 30
# A score that no other reaches: its exponential is 0.
_NEVER = -1e6


@dataclass(frozen=True, kw_only=True)
class FittedLogit:
    """Coefficients in the order of `COEFFICIENTS`.

    Attributes
    ----------
    coefficients
        Shape (8,), none below zero.
    standard_errors
        Shape (8,), days being the sample; NaN: not fitted, or held at zero.
    """

    coefficients: Array
    standard_errors: Array

    def exponents(self, inputs: PoolInputs) -> tuple[Array, Array]:
        """w_m and w_w of every row, each of shape (rows,)."""
        market = (inputs.market_conditions * self.coefficients[:_WIDTH]).sum(axis=1)
        weather = (inputs.weather_conditions * self.coefficients[_WIDTH:]).sum(axis=1)
        return market, weather

    def pool(self, inputs: PoolInputs) -> Array:
        """The pooled PMF of every row, shape (rows, brackets); the weather has to be known."""
        return log_pool(inputs.market, inputs.weather, *self.exponents(inputs))


UNFITTED = FittedLogit(coefficients=PRIOR, standard_errors=np.full(len(PRIOR), np.nan))


def conditional_logit(training: Training) -> FittedLogit:
    """The coefficients of greatest penalised log score; the prior below thirty days.

    Minimises, over coefficients that are not negative, the mean over days of the day's mean
    of -ln p(winner), plus `RIDGE` times the squared distance from the prior. Projected Newton
    (Bertsekas 1982) with halved steps.
    """
    if training.n_days < MIN_DAYS:
        return UNFITTED
    problem = _Problem.of(training)
    at = PRIOR
    value, slope, curvature = problem.expand(at)
    for _ in range(_STEPS):
        free = (at > 0) | (slope < 0)
        step = np.zeros_like(at)
        step[free] = np.linalg.solve(curvature[np.ix_(free, free)], slope[free])
        if (np.abs(step) < _SMALL_STEP).all():
            at = np.maximum(at - step, 0.0)
            break
        at, value, slope, curvature = _descended(problem, at, step, value, slope)
    free = at > 0
    errors = np.full(len(at), np.nan)
    inverse = np.linalg.inv(curvature[np.ix_(free, free)])
    errors[free] = np.sqrt(np.diag(inverse) / training.n_days)
    return FittedLogit(coefficients=at, standard_errors=errors)


def _descended(
    problem: "_Problem", at: Array, step: Array, value: float, slope: Array
) -> tuple[Array, float, Array, Array]:
    """The longest of step, step/2, step/4 ... that lowers the loss enough."""
    for halving in range(_HALVINGS):
        new = np.maximum(at - step * 0.5**halving, 0.0)
        expanded = problem.expand(new)
        if expanded[0] <= value - 1e-4 * (slope * (at - new)).sum():
            break
    return new, *expanded


@dataclass(frozen=True, kw_only=True)
class _Problem:
    """The penalised loss; brackets before rows, so that sums over brackets run over whole rows."""

    market: Array
    weather: Array
    market_conditions: Array
    weather_conditions: Array
    excluded: Array
    winner: NDArray[np.int64]
    weight: Array

    @classmethod
    def of(cls, training: Training) -> "_Problem":
        inputs = training.inputs
        return cls(
            market=np.ascontiguousarray(np.log(floored(inputs.market, MARKET_FLOOR)).T),
            weather=np.ascontiguousarray(np.log(floored(inputs.weather, WEATHER_FLOOR)).T),
            market_conditions=inputs.market_conditions,
            weather_conditions=inputs.weather_conditions,
            excluded=np.where(training.dead.T, _NEVER, 0.0),
            winner=training.winner,
            weight=training.weight / training.n_days,
        )

    def expand(self, at: Array) -> tuple[float, Array, Array]:
        """Loss, gradient and Hessian."""
        market_weight = np.einsum("rk,k->r", self.market_conditions, at[:_WIDTH])
        weather_weight = np.einsum("rk,k->r", self.weather_conditions, at[_WIDTH:])
        score = market_weight * self.market + weather_weight * self.weather + self.excluded
        score -= score.max(axis=0)
        p = np.exp(score)
        total = p.sum(axis=0)
        p /= total
        rows = np.arange(len(self.winner))
        loss = (self.weight * (np.log(total) - score[self.winner, rows])).sum()
        by_market, by_weather = p * self.market, p * self.weather
        m, w = by_market.sum(axis=0), by_weather.sum(axis=0)
        mm = (by_market * self.market).sum(axis=0) - m * m
        mw = (by_market * self.weather).sum(axis=0) - m * w
        ww = (by_weather * self.weather).sum(axis=0) - w * w
        slope = np.concatenate(
            [
                self._slope(self.market_conditions, m - self.market[self.winner, rows]),
                self._slope(self.weather_conditions, w - self.weather[self.winner, rows]),
            ]
        )
        across = self._curvature(self.market_conditions, self.weather_conditions, mw)
        curvature = np.block(
            [
                [self._curvature(self.market_conditions, self.market_conditions, mm), across],
                [across.T, self._curvature(self.weather_conditions, self.weather_conditions, ww)],
            ]
        )
        off = at - PRIOR
        return (
            float(loss + RIDGE * (off**2).sum()),
            slope + 2 * RIDGE * off,
            curvature + 2 * RIDGE * np.eye(len(at)),
        )

    def _slope(self, conditions: Array, residual: Array) -> Array:
        return np.einsum("rk,r->k", conditions, self.weight * residual)

    def _curvature(self, left: Array, right: Array, variance: Array) -> Array:
        return np.einsum("rk,rl->kl", left * (self.weight * variance)[:, None], right)
