"""The market as anchor: a pool moves away from it only as far as it has proved harmless.

The path p ~ p_m^(1-s) p_pool^s leads from the market's PMF (share 0) to the pool's (share 1); the
log score is concave along it. Every block of hours gets the greatest share for which out-of-sample
days rule out harm above `MARGIN`; shares grow as days accumulate.

The rule was simulated with a calibrated market and a model that is confident without information
(the whole prior pool loses 0.138 nats a day), that repeats the market with noise (0.019), or that
has little or some information (the fitted pool gains 0.02 or 0.12), with 60 to 150 replications.

| days | without: share | harm: mean, 95 % | repeats: harm | little: share | some: share |
|---|---|---|---|---|---|
| 15 | 0.02 | 0.001, 0.002 | 0.002, 0.014 | 0.13 | 0.43 |
| 30 | 0.05 | 0.004, 0.018 | 0.004, 0.015 | 0.19 | 0.62 |
| 60 | 0.04 | 0.003, 0.003 | 0.002, 0.007 | 0.27 | 0.91 |
| 150 | 0.06 | 0.001, 0.008 | 0.003, 0.014 | 0.81 | 1.00 |

By the mean alone (no bound) a model without information is adopted in 37 to 49 % of cases, with
harm of up to 0.20 at that quantile; a bound of 0 keeps the share of one with little information at
0.06 after 60 days and 0.47 after 150. Thirty days are the worst: the pool is fitted for the first
time, after it was judged by its prior.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.pooling.inputs import Training
from kalshi_assets.pooling.simplex import MARKET_FLOOR, floor_of, floored
from kalshi_assets.units import Array

# Hours since the day's start, split finely where a model of temperatures learns the maximum.
BLOCK_EDGES = (0, 9, 12, 15, 18, 24)
BLOCKS = len(BLOCK_EDGES) - 1
SHARES = np.linspace(0, 1, 9)
MIN_DAYS = 10
MARGIN = 0.01
LEVEL = 0.95
RESAMPLES = 2000
_SEED = 20250401
_UNITS = 2.0**30


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """Shares by block of hours, and their evidence; each of shape (blocks,).

    Attributes
    ----------
    share
        Share of the pool, 0 to 1.
    n_days
        Number of days that have the block.
    difference, bound
        Mean over days of log loss less the market's at that share, and its upper bound, nats.
    whole_difference
        The mean at share 1. All three are NaN without enough days.
    """

    share: Array
    n_days: NDArray[np.int64]
    difference: Array
    bound: Array
    whole_difference: Array


def block_of(hour: Array) -> NDArray[np.int64]:
    """Position of the block of hours; earlier and later hours belong to the first and the last."""
    return np.clip(np.searchsorted(BLOCK_EDGES, hour, side="right") - 1, 0, BLOCKS - 1)


def anchored(training: Training, pooled: Array) -> Anchor:
    """The greatest shares that earlier days allow.

    A share is allowed where, over the days, log loss was not greater than the market's on average
    and the upper `LEVEL` bound of its excess, by resampling days, is at most `MARGIN`. With fewer
    than `MIN_DAYS` days nothing is proved, and shares are 0.

    Parameters
    ----------
    training
        Settled days.
    pooled
        The pool's PMF of every row, from `out_of_sample`: not fitted to the row's own day.
    """
    excess = _excess_by_day(training, pooled)
    has = ~np.isnan(excess[:, :, 0])
    n_days = has.sum(axis=0)
    if training.n_days < MIN_DAYS:
        unknown = np.full(BLOCKS, np.nan)
        return Anchor(
            share=np.zeros(BLOCKS),
            n_days=n_days,
            difference=unknown,
            bound=unknown,
            whole_difference=unknown,
        )
    mean, bound = _resampled(excess, has)
    allowed = (mean <= 0) & (bound <= MARGIN)
    # No gaps: beyond a share that is not allowed, no share is allowed.
    chosen = np.logical_and.accumulate(allowed, axis=1).sum(axis=1) - 1
    chosen = np.where(n_days >= MIN_DAYS, np.maximum(chosen, 0), 0)
    proved = np.where(n_days >= MIN_DAYS, 1.0, np.nan)
    blocks = np.arange(BLOCKS)
    return Anchor(
        share=SHARES[chosen],
        n_days=n_days,
        difference=mean[blocks, chosen] * proved,
        bound=bound[blocks, chosen] * proved,
        whole_difference=mean[:, -1] * proved,
    )


def _excess_by_day(training: Training, pooled: Array) -> Array:
    """Log loss less the market's, shape (days, blocks, shares); NaN: the day lacks the block."""
    rows, winner = np.arange(len(pooled)), training.winner
    market = training.inputs.market
    from_market = np.log(floored(market, MARKET_FLOOR))
    step = np.log(floored(pooled, MARKET_FLOOR)) - from_market
    excess = np.zeros((len(SHARES), len(rows)))
    least = floor_of(MARKET_FLOOR, market.shape[1])
    reference = np.log(np.maximum(market[rows, winner], least))
    for i, share in enumerate(SHARES[1:], start=1):
        score = from_market + share * step
        excess[i] = reference - score[rows, winner] + np.log(np.exp(score).sum(axis=1))
    days, day = np.unique(training.day, return_inverse=True)
    cell = day * BLOCKS + block_of(training.inputs.hour)
    size = len(days) * BLOCKS
    count = np.bincount(cell, minlength=size)
    total = np.stack([np.bincount(cell, weights=each, minlength=size) for each in excess], axis=1)
    with np.errstate(invalid="ignore"):
        return (total / count[:, None]).reshape(len(days), BLOCKS, len(SHARES))


def _resampled(excess: Array, has: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Means over days and their upper bounds, each of shape (blocks, shares)."""
    n = len(excess)
    filled = np.where(has[:, :, None], excess, 0.0).reshape(n, -1)
    # In units of 2^-30 nats every sum is exact, so that @ gives the same bits on any number of
    # cores; it takes a tenth of the time of einsum.
    filled = np.round(filled * _UNITS) / _UNITS
    weights = _times_drawn(n)
    total = (weights @ filled).reshape(RESAMPLES, BLOCKS, len(SHARES))
    count = np.maximum(weights @ has.astype(float), 1.0)
    mean = filled.sum(axis=0).reshape(BLOCKS, -1) / np.maximum(has.sum(axis=0), 1)[:, None]
    return mean, np.quantile(total / count[:, :, None], LEVEL, axis=0)


@lru_cache(maxsize=2)
def _times_drawn(n: int) -> Array:
    """How often each of `n` days is in each resample, shape (resamples, days).

    Cached, because neighbouring days of a long history have equally many earlier days.
    """
    drawn = np.random.default_rng(_SEED).integers(n, size=(RESAMPLES, n))
    drawn += np.arange(RESAMPLES)[:, None] * n
    times = np.bincount(drawn.ravel(), minlength=RESAMPLES * n)
    return times.reshape(RESAMPLES, n).astype(np.float64)
