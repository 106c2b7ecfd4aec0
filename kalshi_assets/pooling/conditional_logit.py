"""The conditional logit: a log-linear pool whose two exponents depend on the conditions.

p ~ p_market^w_m p_model^w_x with w_m = theta . (1, flow, volatility, tightness) and
w_x = phi . (1, the model's conditions), no coefficient below zero. The log score is concave in
(theta, phi), so that the fit is one Newton iteration to the only optimum.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.pooling.inputs import PoolInputs, Training
from kalshi_assets.pooling.model import MARKET_CONDITIONS, PooledModel
from kalshi_assets.pooling.simplex import MARKET_FLOOR, MODEL_FLOOR, floored, log_pool
from kalshi_assets.units import Array

_WIDTH = len(MARKET_CONDITIONS)
# methods.md 5: until there are thirty days to learn from the prior is in force.
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
    """Coefficients in the order of `PooledModel.coefficients`.

    Attributes
    ----------
    coefficients
        Shape (coefficients,), none below zero.
    standard_errors
        The same shape, days being the sample; NaN: not fitted, or held at zero.
    is_prior
        Whether there were too few days to fit.
    """

    coefficients: Array
    standard_errors: Array
    is_prior: bool = False

    @classmethod
    def prior(cls, model: PooledModel) -> "FittedLogit":
        """What is in force without days to learn from."""
        unknown = np.full(len(model.prior), np.nan)
        return cls(coefficients=model.prior, standard_errors=unknown, is_prior=True)

    def exponents(self, inputs: PoolInputs) -> tuple[Array, Array]:
        """w_m and w_x of every row, each of shape (rows,)."""
        market = (inputs.market_conditions * self.coefficients[:_WIDTH]).sum(axis=1)
        model = (inputs.model_conditions * self.coefficients[_WIDTH:]).sum(axis=1)
        return market, model

    def pool(self, inputs: PoolInputs) -> Array:
        """The pooled PMF of every row, shape (rows, brackets); the model has to be known."""
        return log_pool(inputs.market, inputs.model, *self.exponents(inputs))


def conditional_logit(training: Training) -> FittedLogit:
    """The coefficients of greatest penalised log score; the prior below thirty days.

    Minimises, over coefficients that are not negative, the mean over days of the day's mean
    of -ln p(winner), plus `RIDGE` times the squared distance from the prior. Projected Newton
    (Bertsekas 1982) with halved steps.
    """
    if training.n_days < MIN_DAYS:
        return FittedLogit.prior(training.model)
    problem = _Problem.of(training)
    at = problem.prior
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

    prior: Array
    market: Array
    model: Array
    market_conditions: Array
    model_conditions: Array
    excluded: Array
    winner: NDArray[np.int64]
    weight: Array

    @classmethod
    def of(cls, training: Training) -> "_Problem":
        inputs = training.inputs
        return cls(
            prior=training.model.prior,
            market=np.ascontiguousarray(np.log(floored(inputs.market, MARKET_FLOOR)).T),
            model=np.ascontiguousarray(np.log(floored(inputs.model, MODEL_FLOOR)).T),
            market_conditions=inputs.market_conditions,
            model_conditions=inputs.model_conditions,
            excluded=np.where(training.impossible.T, _NEVER, 0.0),
            winner=training.winner,
            weight=training.weight / training.n_days,
        )

    def expand(self, at: Array) -> tuple[float, Array, Array]:
        """Loss, gradient and Hessian."""
        market_weight = np.einsum("rk,k->r", self.market_conditions, at[:_WIDTH])
        model_weight = np.einsum("rk,k->r", self.model_conditions, at[_WIDTH:])
        score = market_weight * self.market + model_weight * self.model + self.excluded
        score -= score.max(axis=0)
        p = np.exp(score)
        total = p.sum(axis=0)
        p /= total
        rows = np.arange(len(self.winner))
        loss = (self.weight * (np.log(total) - score[self.winner, rows])).sum()
        by_market, by_model = p * self.market, p * self.model
        m, w = by_market.sum(axis=0), by_model.sum(axis=0)
        mm = (by_market * self.market).sum(axis=0) - m * m
        mw = (by_market * self.model).sum(axis=0) - m * w
        ww = (by_model * self.model).sum(axis=0) - w * w
        slope = np.concatenate(
            [
                self._slope(self.market_conditions, m - self.market[self.winner, rows]),
                self._slope(self.model_conditions, w - self.model[self.winner, rows]),
            ]
        )
        across = self._curvature(self.market_conditions, self.model_conditions, mw)
        curvature = np.block(
            [
                [self._curvature(self.market_conditions, self.market_conditions, mm), across],
                [across.T, self._curvature(self.model_conditions, self.model_conditions, ww)],
            ]
        )
        off = at - self.prior
        return (
            float(loss + RIDGE * (off**2).sum()),
            slope + 2 * RIDGE * off,
            curvature + 2 * RIDGE * np.eye(len(at)),
        )

    def _slope(self, conditions: Array, residual: Array) -> Array:
        return np.einsum("rk,r->k", conditions, self.weight * residual)

    def _curvature(self, left: Array, right: Array, variance: Array) -> Array:
        return np.einsum("rk,rl->kl", left * (self.weight * variance)[:, None], right)
