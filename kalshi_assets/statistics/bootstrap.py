"""Means over days with intervals from resampling whole days: the only bootstrap.

The unit is a day, since its hours share one outcome. With several cities the unit is the date with
all its cities, since they share the weather. Here: the resampling. Not here: what is averaged.
Adjacent days share their weather too, so intervals from single days are somewhat too narrow; blocks
of three days widen them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.units import Array

Whole = NDArray[np.int64]

RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True)
class Resampled:
    """Means over the days that have a cell, percentile intervals, and numbers of such days.

    All have shape (cells,), with NaN if no day has the cell.
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
        Number of days, in calendar order.
    resamples
        Number of resamples.
    rng
        Random generator.
    block
        Days drawn together: moving blocks that wrap around at the end, the last one truncated
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
    """How days are resampled; the same seed and number of days give the same resamples.

    `block` is the number of days drawn together (`day_weights`); 3 allows for persistent weather.
    """

    seed: int = 0
    resamples: int = RESAMPLES
    block: int = 1

    def weights(self, days: int, rng: np.random.Generator | None = None) -> Array:
        """`day_weights` of this bootstrap.

        Parameters
        ----------
        days
            Number of days.
        rng
            An existing generator; None: a new one from the seed.
        """
        rng = rng or np.random.default_rng(self.seed)
        return day_weights(days, self.resamples, rng, block=self.block)

    def ratios(self, totals: Array, counts: Array, *, level: float = LEVEL) -> Resampled:
        """Sum of `totals` over sum of `counts`, with the interval of the resampled ratios.

        Parameters
        ----------
        totals, counts
            Shape (days, cells); a count of 0 means that the day does not have the cell.
        level
            Level of the interval.
        """
        weights = self.weights(len(totals))
        # Unlike @, einsum gives the same bits on any number of cores.
        total = np.einsum("rd,dc->rc", weights, totals)
        count = np.einsum("rd,dc->rc", weights, counts)
        with np.errstate(invalid="ignore"):
            means = total / count
            mean = totals.sum(axis=0) / counts.sum(axis=0)
        n_days = (counts > 0).sum(axis=0)
        some = n_days > 0
        lo, hi = np.full(len(mean), np.nan), np.full(len(mean), np.nan)
        if some.any():
            # A resample may contain no day that has the cell.
            lo[some], hi[some] = np.nanquantile(means[:, some], tails(level), axis=0)
        return Resampled(mean=mean, lo=lo, hi=hi, n_days=n_days)


SINGLE_DAYS = Bootstrap()


def tails(level: float) -> tuple[float, float]:
    """The quantiles that enclose the central share `level`."""
    return (1 - level) / 2, (1 + level) / 2


def summed(row: Whole, column: Whole, shape: tuple[int, int], values: Array | None = None) -> Array:
    """A table of sums by row and column.

    Parameters
    ----------
    row, column
        Indices, shape (n,).
    shape
        Shape of the table.
    values
        Shape (n,); None: counts.
    """
    cell = row * shape[1] + column
    return np.bincount(cell, values, shape[0] * shape[1]).reshape(shape).astype(np.float64)
