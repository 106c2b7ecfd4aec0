"""The Dirichlet pool: the mean of a Dirichlet with A_m p_m + A_w p_w as its parameters.

Its mean is a linear pool, whose share is A_m / (A_m + A_w). A day shows one outcome, and one draw
from a Dirichlet-multinomial has the probability of the mean whatever the total: the likelihood
tells the ratio of A_m and A_w and nothing of their sum, so that there are no credible bands to
give.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.pooling.conditional_logit import MIN_DAYS
from kalshi_assets.pooling.inputs import PoolInputs, Training

Array = NDArray[np.float64]

PRIOR_SHARE = 0.65
_BISECTIONS = 40


@dataclass(frozen=True, kw_only=True)
class FittedDirichlet:
    """Attribute `market_share`: A_m / (A_m + A_w)."""

    market_share: float

    def pool(self, inputs: PoolInputs) -> Array:
        """The pooled PMF of every row, shape (rows, brackets)."""
        return self.market_share * inputs.market + (1 - self.market_share) * inputs.weather


@dataclass(frozen=True, kw_only=True)
class Dirichlet:
    """Fitted by maximum likelihood, which is concave in the share."""

    def fit(self, training: Training) -> FittedDirichlet:
        """The share of greatest log score, days counting equally; the prior below thirty days."""
        if training.n_days < MIN_DAYS:
            return FittedDirichlet(market_share=PRIOR_SHARE)
        rows = np.arange(len(training.winner))
        market = training.inputs.market[rows, training.winner]
        weather = training.inputs.weather[rows, training.winner]
        weight, gain = training.weight, market - weather
        low, high = 0.0, 1.0
        for _ in range(_BISECTIONS):
            share = 0.5 * (low + high)
            mixed = np.maximum(weather + share * gain, 1e-300)
            rising = (weight * gain / mixed).sum() > 0
            low, high = (share, high) if rising else (low, share)
        return FittedDirichlet(market_share=0.5 * (low + high))
