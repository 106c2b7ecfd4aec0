"""The logistic-normal pool: a Kalman filter over log-probabilities, fed by market and weather.

The state is a random walk; its variance grows by q (1 + 5 h) per five minutes, h the probability of
a new high within the hour. Market and weather are noisy readings of it. All noises are isotropic,
so that every covariance is a multiple of the identity: the filter is the same in any orthonormal
basis of log-ratios (ilr), and runs on log p itself, softmax taking care of the constant.

Neighbouring quotes are not independent readings. Their variance is divided by 1 - ac, ac the lag-1
autocorrelation of the market's innovations, and by the time since the last reading in units of
half an hour, so that a filter that is fed every minute knows no more than one fed every half-hour.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.pooling.conditional_logit import MIN_DAYS, RIDGE
from kalshi_assets.pooling.inputs import TRAINING_EVERY_MIN, PoolInputs, Training
from kalshi_assets.pooling.simplex import MARKET_FLOOR, WEATHER_FLOOR, floored, softmax

Array = NDArray[np.float64]

# methods.md 5: variance of the walk per five minutes.
DRIFT = 0.01
# In the ratio that makes the prior of the conditional logit the limit of a fast walk.
PRIOR_MARKET, PRIOR_WEATHER = 0.35 * 0.2, 0.65 * 0.2
GREATEST_AUTOCORRELATION = 0.9


@dataclass(frozen=True, kw_only=True)
class FittedLogisticNormal:
    """Variances of the readings and of the walk.

    Attributes
    ----------
    market, weather
        Of a reading every half-hour, in calm conditions.
    autocorrelation
        Of the market's innovations, lag 1, between 0 and 0.9.
    drift
        Of the walk in five minutes without hazard.
    """

    market: float
    weather: float
    autocorrelation: float = 0.0
    drift: float = DRIFT

    def pool(self, inputs: PoolInputs) -> Array:
        """The pooled PMF of every row, shape (rows, brackets), from that row and those before."""
        return softmax(self.run(inputs)[0])

    def run(self, inputs: PoolInputs) -> tuple[Array, Array]:
        """The state after every row's readings, and the market's innovation at it."""
        new = np.diff(inputs.start, prepend=-1) != 0
        gap = np.diff(inputs.minute, prepend=0).astype(float)
        gap[new] = TRAINING_EVERY_MIN
        hazard = 1 - inputs.weather_conditions[:, 1]
        wide = 1 - inputs.market_conditions[:, 3]
        rarer = TRAINING_EVERY_MIN / gap
        weather = np.where(inputs.known[:, None], inputs.weather, 1.0)
        return _filtered(
            np.log(floored(inputs.market, MARKET_FLOOR)),
            np.log(floored(weather, WEATHER_FLOOR)),
            self.drift * (1 + 5 * hazard) * gap / 5,
            self.market / (1 - self.autocorrelation) * (1 + wide) * rarer,
            np.where(inputs.known, self.weather * (1 + hazard) * rarer, np.inf),
            new,
        )


PRIOR = FittedLogisticNormal(market=PRIOR_MARKET, weather=PRIOR_WEATHER)


@dataclass(frozen=True, kw_only=True)
class LogisticNormal:
    """Variances of the readings fitted by the log score of the bracket that paid."""

    def fit(self, training: Training) -> FittedLogisticNormal:
        """The variances of greatest log score, days counting equally; the prior below thirty days.

        Their logarithms are drawn to the prior's as the conditional logit's coefficients are.
        """
        from scipy.optimize import minimize

        if training.n_days < MIN_DAYS:
            return PRIOR
        rows = np.arange(len(training.winner))
        weight = training.weight / training.n_days
        repeats = _autocorrelation(PRIOR.run(training.inputs)[1])

        def of(at: Array) -> FittedLogisticNormal:
            market, weather = np.exp(at) * [PRIOR_MARKET, PRIOR_WEATHER]
            return FittedLogisticNormal(
                market=float(market), weather=float(weather), autocorrelation=repeats
            )

        def loss(at: Array) -> float:
            p = of(at).pool(training.inputs)[rows, training.winner]
            return float(-(weight * np.log(p)).sum() + RIDGE * (at**2).sum())

        return of(minimize(loss, np.zeros(2), method="L-BFGS-B", bounds=((-5, 5),) * 2).x)


def _filtered(
    market: Array,
    weather: Array,
    drift: Array,
    market_variance: Array,
    weather_variance: Array,
    new: NDArray[np.bool_],
) -> tuple[Array, Array]:
    """States and the market's innovations, shape (rows, brackets), of all events at once.

    Variances have shape (rows,), the weather's inf where there is no reading; `new` are the rows
    that know nothing of the row before.
    """
    state, innovation, variance = market.copy(), np.zeros(market.shape), market_variance.copy()
    first = np.flatnonzero(new)
    length = np.diff(first, append=len(new))
    for step in range(length.max(initial=0)):
        rows = first[length > step] + step
        if step:
            before = variance[rows - 1] + drift[rows]
            gain = before / (before + market_variance[rows])
            innovation[rows] = market[rows] - state[rows - 1]
            state[rows] = state[rows - 1] + gain[:, None] * innovation[rows]
            variance[rows] = gain * market_variance[rows]
        after = 1 / (1 / variance[rows] + 1 / weather_variance[rows])
        gain = after / weather_variance[rows]
        state[rows] += gain[:, None] * (weather[rows] - state[rows])
        variance[rows] = after
    return state, innovation


def _autocorrelation(innovations: Array) -> float:
    """Lag 1, of the innovations' departures from their mean over brackets."""
    centred = innovations - innovations.mean(axis=1, keepdims=True)
    square = (centred**2).sum()
    if square == 0:
        return 0.0
    return float(np.clip((centred[1:] * centred[:-1]).sum() / square, 0, GREATEST_AUTOCORRELATION))
