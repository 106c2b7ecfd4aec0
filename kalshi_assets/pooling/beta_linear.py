"""The beta-transformed linear pool of cumulative probabilities (Ranjan and Gneiting 2010).

F_j = I_{a,b}(w P_m,j + (1 - w) P_w,j) with P_j = P(V <= u_j) and I the regularised incomplete beta
function. A linear pool of calibrated forecasts is underconfident; a = b > 1 sharpens it, a = b = 1
leaves it. One (w, a, b) for all thresholds keeps F_j in order, so that nothing needs to be made
monotone before differences are taken.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.pooling.conditional_logit import MIN_DAYS, RIDGE
from kalshi_assets.pooling.inputs import PoolInputs, Training

Array = NDArray[np.float64]

PRIOR_SHARE = 0.65
LEAST_PROBABILITY = 1e-6
_LIMITS = ((0.0, 1.0), (-2.0, 2.0), (-2.0, 2.0))


@dataclass(frozen=True, kw_only=True)
class FittedBetaLinear:
    """Share of the market in the linear pool, and the parameters of the beta transform."""

    market_share: float
    a: float
    b: float

    def pool(self, inputs: PoolInputs) -> Array:
        """The pooled PMF of every row, shape (rows, brackets)."""
        below = self.transformed(_below(inputs.market), _below(inputs.weather))
        return np.maximum(np.diff(below, axis=-1), 0.0)

    def transformed(self, market: Array, weather: Array) -> Array:
        """F of cumulative probabilities of any shape."""
        from scipy.special import betainc

        mixed = self.market_share * market + (1 - self.market_share) * weather
        return betainc(self.a, self.b, np.clip(mixed, 0.0, 1.0))


PRIOR = FittedBetaLinear(market_share=PRIOR_SHARE, a=1.0, b=1.0)


@dataclass(frozen=True, kw_only=True)
class BetaLinear:
    """Fitted by the log score of the bracket that paid."""

    def fit(self, training: Training) -> FittedBetaLinear:
        """Share, a and b of greatest log score, days counting equally; linear below thirty days.

        log a and log b are drawn to 0 as the coefficients of the conditional logit are to theirs.
        """
        from scipy.optimize import minimize

        if training.n_days < MIN_DAYS:
            return PRIOR
        rows, winner = np.arange(len(training.winner)), training.winner
        market, weather = _below(training.inputs.market), _below(training.inputs.weather)
        weight = training.weight / training.n_days
        edges = np.stack([winner, winner + 1])

        def loss(at: Array) -> float:
            fitted = _of(at)
            below, above = fitted.transformed(market[rows, edges], weather[rows, edges])
            log_score = np.log(np.maximum(above - below, LEAST_PROBABILITY))
            return float(-(weight * log_score).sum() + RIDGE * (at[1:] ** 2).sum())

        found = minimize(loss, [PRIOR_SHARE, 0.0, 0.0], method="L-BFGS-B", bounds=_LIMITS)
        return _of(found.x)


def _of(at: Array) -> FittedBetaLinear:
    share, log_a, log_b = (float(value) for value in at)
    return FittedBetaLinear(market_share=share, a=float(np.exp(log_a)), b=float(np.exp(log_b)))


def _below(p: Array) -> Array:
    """P(bracket < j) for j = 0 .. brackets, from exactly 0 to exactly 1."""
    below = np.zeros((*p.shape[:-1], p.shape[-1] + 1))
    np.cumsum(p, axis=-1, out=below[..., 1:])
    below[..., -1] = 1.0
    return below
