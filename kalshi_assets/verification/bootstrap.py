"""Means over days with intervals by resampling whole days.

A day is the unit: its hours share one outcome. Here: the resampling. Not here: what is averaged.
Neighbouring days share their weather, which makes the intervals somewhat too narrow.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True)
class Resampled:
    """Means and their intervals, each of shape (cells,).

    Attributes
    ----------
    mean, lo, hi
        Mean over the days that have the cell, and the quantiles of its resampled values (percentile
        interval); NaN where no day has it.
    n_days
        How many have it.
    """

    mean: Array
    lo: Array
    hi: Array
    n_days: NDArray[np.int64]


def day_weights(days: int, resamples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """How often each day is drawn, shape (resamples, days); rows sum to the number of days."""
    drawn = rng.integers(days, size=(resamples, days))
    counts = np.zeros((resamples, days))
    np.add.at(counts, (np.arange(resamples)[:, None], drawn), 1.0)
    return counts


def resampled_means(
    values: Array, *, seed: int, resamples: int = RESAMPLES, level: float = LEVEL
) -> Resampled:
    """Mean of each column over days, with the interval of a bootstrap over whole days.

    Parameters
    ----------
    values
        Shape (days, cells); NaN: the day does not have the cell.
    seed
        The same seed and number of days, the same resampled days.
    resamples
        How many.
    level
        Of the intervals.
    """
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)
    n_days = known.sum(axis=0)
    weights = day_weights(len(values), resamples, np.random.default_rng(seed))
    # einsum and not @: the same bits on any number of cores.
    total = np.einsum("rd,dc->rc", weights, filled)
    count = np.einsum("rd,dc->rc", weights, known.astype(np.float64))
    with np.errstate(invalid="ignore"):
        means = total / count
        mean = filled.sum(axis=0) / n_days
    some = n_days > 0
    lo, hi = np.full(len(mean), np.nan), np.full(len(mean), np.nan)
    tails = ((1 - level) / 2, (1 + level) / 2)
    if some.any():
        # A resample may miss every day that has the cell.
        lo[some], hi[some] = np.nanquantile(means[:, some], tails, axis=0)
    return Resampled(mean=mean, lo=lo, hi=hi, n_days=n_days)
