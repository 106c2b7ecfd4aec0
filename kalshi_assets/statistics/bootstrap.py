"""Means over days with intervals by resampling whole days.

A day is the unit: its hours share one outcome. Where several cities are judged together the unit is
the date, with all its cities: they share the weather. Here: the resampling. Not here: what is
averaged. Neighbouring days share their weather too, which makes intervals from single days somewhat
too narrow; blocks of three days widen them.
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


def day_weights(
    days: int, resamples: int, rng: np.random.Generator, *, block: int = 1
) -> NDArray[np.float64]:
    """How often each day is drawn, shape (resamples, days); rows sum to the number of days.

    Parameters
    ----------
    days
        How many there are, in the order of the calendar.
    resamples
        How many times they are drawn.
    rng
        Where chance comes from.
    block
        Days drawn together: moving blocks that wrap around at the end, the last one cut to fit
        (circular block bootstrap; Politis and Romano 1992).
    """
    starts = rng.integers(days, size=(resamples, -(-days // block)))
    runs = (starts[:, :, None] + np.arange(block)) % days
    drawn = runs.reshape(resamples, -1)[:, :days]
    cell = np.arange(resamples)[:, None] * days + drawn
    counts = np.bincount(cell.ravel(), minlength=resamples * days)
    return counts.reshape(resamples, days).astype(np.float64)


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
    weights = day_weights(len(values), resamples, np.random.default_rng(seed))
    counts = known.astype(np.float64)
    return resampled_ratios(np.where(known, values, 0.0), counts, weights, level=level)


def resampled_ratios(
    totals: Array, counts: Array, weights: Array, *, level: float = LEVEL
) -> Resampled:
    """Sum of `totals` over sum of `counts`, with the interval of the resampled ratios.

    Parameters
    ----------
    totals, counts
        Shape (days, cells); a count of 0: the day does not have the cell.
    weights
        As of `day_weights`, shape (resamples, days).
    level
        Of the intervals.
    """
    # einsum and not @: the same bits on any number of cores.
    total = np.einsum("rd,dc->rc", weights, totals)
    count = np.einsum("rd,dc->rc", weights, counts)
    with np.errstate(invalid="ignore"):
        means = total / count
        mean = totals.sum(axis=0) / counts.sum(axis=0)
    n_days = (counts > 0).sum(axis=0)
    some = n_days > 0
    lo, hi = np.full(len(mean), np.nan), np.full(len(mean), np.nan)
    if some.any():
        # A resample may miss every day that has the cell.
        lo[some], hi[some] = np.nanquantile(means[:, some], tails(level), axis=0)
    return Resampled(mean=mean, lo=lo, hi=hi, n_days=n_days)


def tails(level: float) -> tuple[float, float]:
    """The quantiles between which the middle share `level` lies."""
    return (1 - level) / 2, (1 + level) / 2
