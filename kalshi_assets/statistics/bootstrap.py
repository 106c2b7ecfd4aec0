"""Means over days with intervals by resampling whole days: the only bootstrap.

A day is the unit: its hours share one outcome. Where several cities are judged together the unit is
the date, with all its cities: they share the weather. Here: the resampling. Not here: what is
averaged. Neighbouring days share their weather too, which makes intervals from single days somewhat
too narrow; blocks of three days widen them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

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
    n_days: Whole


def day_weights(days: int, resamples: int, rng: np.random.Generator, *, block: int = 1) -> Array:
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


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """How days are resampled.

    Attributes
    ----------
    seed
        The same seed and number of days, the same resampled days.
    resamples
        How many.
    block
        Days drawn together, see `day_weights`; 3 allows for weather that persists.
    """

    seed: int = 0
    resamples: int = RESAMPLES
    block: int = 1

    def weights(self, days: int, rng: np.random.Generator | None = None) -> Array:
        """`day_weights` from the seed, or from a generator that draws on."""
        rng = rng or np.random.default_rng(self.seed)
        return day_weights(days, self.resamples, rng, block=self.block)

    def ratios(self, totals: Array, counts: Array, *, level: float = LEVEL) -> Resampled:
        """Sum of `totals` over sum of `counts`, with the interval of the resampled ratios.

        Parameters
        ----------
        totals, counts
            Shape (days, cells); a count of 0: the day does not have the cell.
        level
            Of the intervals.
        """
        weights = self.weights(len(totals))
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


SINGLE_DAYS = Bootstrap()


def tails(level: float) -> tuple[float, float]:
    """The quantiles between which the middle share `level` lies."""
    return (1 - level) / 2, (1 + level) / 2


def summed(row: Whole, column: Whole, shape: tuple[int, int], values: Array | None = None) -> Array:
    """A table of sums, or of counts.

    Parameters
    ----------
    row, column
        Where each value belongs, shape (n,).
    shape
        Of the table.
    values
        Shape (n,); None: they are counted.
    """
    cell = row * shape[1] + column
    return np.bincount(cell, values, shape[0] * shape[1]).reshape(shape).astype(np.float64)
