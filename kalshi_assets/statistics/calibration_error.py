"""The calibration error of PMFs over ladders, and its distribution for perfect forecasts.

Here: the expected calibration error, plug-in and debiased, with a bootstrap over dates and the null
band of perfect forecasts. Not here: diagrams (`reliability`), the decomposition of a score
(`corp`).

The plug-in error is the mean over bins of |frequency - mean probability|, weighted by the number of
forecasts. It is never zero: perfect forecasts of 20 six-bracket ladders have .07 on average, of
1,000 ladders .01. It is therefore shown with the null band: the error when each city-day's winner
is drawn from its own PMFs (consistency resampling, Bröcker and Smith 2007). The instants of a day
share one draw u, and the winner at each is the bracket in which its cumulative distribution passes
u: correct marginally at every instant, and as dependent as one outcome makes them. With independent
draws, 24 hours of a day would count as 24 days. Dates are not resampled as well, which would count
drawn outcomes repeatedly and widen the band by the square root of two.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.statistics.bootstrap import LEVEL, SINGLE_DAYS, Bootstrap, summed, tails
from kalshi_assets.statistics.ladder_forecasts import LadderForecasts
from kalshi_assets.units import Array

BINS = 10
NULL_RESAMPLES = 300
"""For the null band; determines its 95 % quantile to about a twentieth."""


@dataclass(frozen=True, kw_only=True)
class CalibrationError:
    """The calibration error, its interval, and the null band.

    Attributes
    ----------
    plug_in, lo, hi
        Mean absolute difference, and its interval from resampling dates. With few days the
        interval lies above the value, because the noise of resampling adds error.
    null_mean, null_hi
        Mean and 95 % quantile of the plug-in error of perfect forecasts.
    debiased
        Signed square root of the mean squared difference less its expectation by chance; about 0
        for perfect forecasts.
    """

    plug_in: float
    lo: float
    hi: float
    null_mean: float
    null_hi: float
    debiased: float


def calibration_error(
    forecasts: LadderForecasts,
    bootstrap: Bootstrap = SINGLE_DAYS,
    *,
    null_resamples: int = NULL_RESAMPLES,
) -> CalibrationError:
    """Expected calibration error over all pairs of instant and bracket, in ten equal-mass bins.

    Equal probabilities share a bin, so there are fewer bins if many are 0. The seed of `bootstrap`
    is also used for the null band.
    """
    rng = np.random.default_rng(bootstrap.seed)
    p, date = forecasts.probability, forecasts.date_of_pair
    edges = np.unique(np.quantile(p, np.arange(1, BINS) / BINS))
    filled, of_bin = np.unique(np.searchsorted(edges, p, side="right"), return_inverse=True)
    bins = len(filled)
    shape = forecasts.dates, bins
    counts = summed(date, of_bin, shape)
    excess = summed(date, of_bin, shape, forecasts.outcome.astype(np.float64) - p)
    weights = bootstrap.weights(forecasts.dates, rng)
    found = _plug_in(
        np.einsum("rd,db->rb", weights, excess), np.einsum("rd,db->rb", weights, counts)
    )
    lo, hi = np.quantile(found, tails(LEVEL))
    null = _null_errors(forecasts, of_bin, bins, null_resamples, rng)
    return CalibrationError(
        plug_in=float(_plug_in(excess.sum(axis=0), counts.sum(axis=0))),
        lo=float(lo),
        hi=float(hi),
        null_mean=float(null.mean()),
        null_hi=float(np.quantile(null, 0.95)),
        debiased=_debiased(excess, counts),
    )


def _plug_in(excess: Array, counts: Array) -> Array:
    """Sum over bins of |excess| over sum of counts; shape (..., bins) to (...)."""
    return np.abs(excess).sum(axis=-1) / counts.sum(axis=-1)


def _debiased(excess: Array, counts: Array) -> float:
    """Root mean squared difference less its variance over dates.

    With one pair per date the variance is the textbook's y(1 - y)/(n - 1); with several pairs, that
    of clusters (sandwich estimator), whatever their dependence within a date.
    """
    n = counts.sum(axis=0)
    gap = excess.sum(axis=0) / n
    there = (counts > 0).sum(axis=0)
    squares = ((excess - counts * gap) ** 2).sum(axis=0)
    # The variance of a bin with one date is unknown: its difference is attributed to chance.
    variance = np.where(there > 1, squares / n**2 * there / np.maximum(there - 1, 1), gap**2)
    total = float((n * (gap**2 - variance)).sum() / n.sum())
    return float(np.sign(total) * np.sqrt(abs(total)))


def _null_errors(
    forecasts: LadderForecasts,
    of_bin: NDArray[np.int64],
    bins: int,
    resamples: int,
    rng: np.random.Generator,
) -> Array:
    """Plug-in errors of perfect forecasts, shape (resamples,)."""
    counts = np.bincount(of_bin, minlength=bins).astype(np.float64)
    expected = np.bincount(of_bin, forecasts.probability, minlength=bins)
    inner = np.cumsum(np.nan_to_num(forecasts.p), axis=1)[:, :-1]
    # In a shorter ladder, rounding must not lead past the last bracket.
    inner[~forecasts.known[:, 1:]] = np.inf
    bin_of = np.zeros(forecasts.p.shape, dtype=np.int64)
    bin_of[forecasts.known] = of_bin
    # With brackets as the first axis, the sum over them takes a third of the time.
    tops, flat = np.ascontiguousarray(inner.T), bin_of.ravel()
    first = np.arange(len(forecasts.day)) * forecasts.p.shape[1]
    happened = np.zeros((resamples, bins))
    for r in range(resamples):
        u = rng.random(forecasts.days)[forecasts.day]
        paid = (tops < u).sum(axis=0)
        happened[r] = np.bincount(flat[first + paid], minlength=bins)
    return _plug_in(happened - expected, counts)
