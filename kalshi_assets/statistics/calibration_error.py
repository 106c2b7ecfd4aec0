"""How far frequencies stray from probabilities, and how far chance alone would take them.

Here: the expected calibration error of PMFs over ladders, plug-in and debiased, with a bootstrap
over dates and with the band that perfect forecasts would have. Not here: diagrams (`reliability`),
the decomposition of a score (`corp`).

The plug-in error is the mean over bins of |frequency - mean probability|, weighted by what is in
them. It is never zero: perfect forecasts of 20 six-bracket ladders have .07 on average, of 1,000
ladders .01. So it is printed beside the null band: the error when each city-day's bracket is drawn
from its own PMFs (consistency resampling, Bröcker and Smith 2007). A day's instants share one draw
u, and each pays the bracket in which its own cumulative distribution passes u: marginally right at
every instant, and as dependent as one outcome makes them. Drawn independently, 24 hours of a day
would pass for 24 days. Dates are not resampled as well: outcomes drawn once and then counted twice
would widen the band by the root of two.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.statistics.bootstrap import LEVEL, SINGLE_DAYS, Bootstrap, summed, tails
from kalshi_assets.statistics.ladder_forecasts import LadderForecasts

Array = NDArray[np.float64]

BINS = 10
NULL_RESAMPLES = 300
"""Of the null band: its 95 % quantile is then known to about a twentieth."""


@dataclass(frozen=True, kw_only=True)
class CalibrationError:
    """The error, its interval, and what perfect forecasts would show.

    Attributes
    ----------
    plug_in, lo, hi
        Mean absolute difference, and its interval by resampling dates. The interval lies higher
        than the value where days are few: resampling adds noise, and noise adds error.
    null_mean, null_hi
        Mean and 95 % quantile of the plug-in error of perfect forecasts.
    debiased
        sign * root of |mean squared difference less what chance adds|; about 0 if perfect.
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

    Equal probabilities share a bin, so there are fewer bins where many are 0.

    Parameters
    ----------
    forecasts
        At least one.
    bootstrap
        Over dates; its seed is that of the null band, too.
    null_resamples
        Of the null band.
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
    """Root mean squared difference less its variance, the dates being the sample.

    With one pair a date the variance is y(1 - y)/(n - 1), the textbook's; with many, whatever their
    dependence within a date makes it (the sandwich for clusters).
    """
    n = counts.sum(axis=0)
    gap = excess.sum(axis=0) / n
    there = (counts > 0).sum(axis=0)
    squares = ((excess - counts * gap) ** 2).sum(axis=0)
    # A bin of one date tells nothing of its variance: its difference is taken for chance.
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
    # In a shorter ladder the last bracket must not be passed by a rounding.
    inner[~forecasts.known[:, 1:]] = np.inf
    bin_of = np.zeros(forecasts.p.shape, dtype=np.int64)
    bin_of[forecasts.known] = of_bin
    # Brackets first, so that a sum over them runs along memory: a third of the time.
    tops, flat = np.ascontiguousarray(inner.T), bin_of.ravel()
    first = np.arange(len(forecasts.day)) * forecasts.p.shape[1]
    happened = np.zeros((resamples, bins))
    for r in range(resamples):
        u = rng.random(forecasts.days)[forecasts.day]
        paid = (tops < u).sum(axis=0)
        happened[r] = np.bincount(flat[first + paid], minlength=bins)
    return _plug_in(happened - expected, counts)
