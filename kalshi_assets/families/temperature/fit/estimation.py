"""Estimates of the residual's parameters from earlier days, with standard errors.

The residual is the difference of the middles of report intervals from a baseline; rounding adds
white noise of known variance, so no estimate here uses neighbouring slots. Standard errors are
jackknifed over days. Source of the formulas: methods, sections 3.2 and 3.5.

Here: estimators on arrays. Not here: shrinkage (`weighing`), the case of too few days (`fitting`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from kalshi_assets.families.temperature.climate_day import SLOTS
from kalshi_assets.units import Array

BLOCKS = 8
BLOCK_SLOTS = SLOTS // BLOCKS
HOUR = 12
# 15 minutes to 4 hours.
LAGS = np.arange(3, 49, 3)
LEAST_RHO, GREATEST_RHO = 0.90, 0.9995
LEAST_SD = 0.12
MISSED_DEGREES = 4
# Broadie, Glasserman and Kou's barrier shift in standard deviations of a five-minute step: the
# difference between observing every five minutes and every minute.
SHIFT_OF_FIVE_MINUTES = 0.5826 * (1 - 5**-0.5)


@dataclass(frozen=True)
class Estimated:
    """A value, or one per block, its standard error, and the number of days that inform it."""

    value: Array
    standard_error: Array
    days: int


def jackknifed(statistic: Callable[..., Array], *per_day: Array) -> Estimated:
    """A statistic of sums over days, with its delete-one-day standard error.

    Parameters
    ----------
    statistic
        From sums of shape (..., n) to values of shape (...,) or (..., m).
    per_day
        The contributions of the days to the sums, shape (days, n).
    """
    days = len(per_day[0])
    sums = [part.sum(axis=0) for part in per_day]
    value = np.asarray(statistic(*(total[None] for total in sums)))[0]
    if days < 2:
        return Estimated(value, np.full_like(value, np.nan), days)
    without = np.asarray(statistic(*(t - p for t, p in zip(sums, per_day, strict=True))))
    spread = _known_mean((without - _known_mean(without)) ** 2)
    return Estimated(value, np.sqrt((days - 1) * spread), days)


def _known_mean(values: Array) -> Array:
    """Mean over the first axis, ignoring NaN; NaN without a warning if there are no values."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def lag_sums(residual: Array) -> tuple[Array, Array]:
    """Per day and lag of `LAGS`: sum of the products of pairs, and their number; (days, lags)."""
    known = ~np.isnan(residual)
    filled = np.where(known, residual, 0.0)
    there = known.astype(np.float64)
    products, counts = (np.empty((len(residual), len(LAGS))) for _ in range(2))
    for n, lag in enumerate(LAGS):
        products[:, n] = np.einsum("ds,ds->d", filled[:, :-lag], filled[:, lag:])
        counts[:, n] = np.einsum("ds,ds->d", there[:, :-lag], there[:, lag:])
    return products, counts


def log_autocovariance(products: Array, counts: Array) -> tuple[Array, Array]:
    """Intercept and slope of the log autocovariance against the lag in slots, each of shape (...,).

    For an autoregression of order one the intercept is the log variance and the slope log rho;
    rounding noise does not contribute, since no lag is zero. Lags with few pairs or little
    correlation are excluded.
    """
    first = np.argmax(counts > 0, axis=-1)[..., None]
    covariance = products / np.maximum(counts, 1.0)
    greatest = np.take_along_axis(covariance, first, axis=-1)
    weight = np.where(covariance > 0.05 * greatest, counts, 0.0)
    log = np.log(np.maximum(covariance, 1e-9))
    total = weight.sum(axis=-1, keepdims=True)
    total = np.where(total > 0, total, 1.0)
    lag = LAGS - (weight * LAGS).sum(axis=-1, keepdims=True) / total
    slope = (weight * lag * log).sum(axis=-1) / np.maximum((weight * lag**2).sum(axis=-1), 1e-9)
    centre = (weight * (log - slope[..., None] * LAGS)).sum(axis=-1) / total[..., 0]
    return centre, slope


def autocorrelation(residual: Array) -> Estimated:
    """rho of one step, by regression of the log autocovariance; shape ().

    At its bounds the standard error is NaN.
    """

    def rho(products: Array, counts: Array) -> Array:
        return np.clip(np.exp(log_autocovariance(products, counts)[1]), LEAST_RHO, GREATEST_RHO)

    found = jackknifed(rho, *lag_sums(residual))
    inside = (found.value > LEAST_RHO) & (found.value < GREATEST_RHO)
    return replace(found, standard_error=np.where(inside, found.standard_error, np.nan))


def innovation_sd(residual: Array, rho: float, rounding_variance: float) -> Estimated:
    """Innovation sd of one step per three-hour block of standard time, degrees F; shape (8,).

    From hourly innovations: their variance less that of the rounding at both ends, divided among
    the twelve steps. Pairs in different blocks do not count. NaN: no pair.
    """
    of_hour = rho**HOUR
    before, after = residual[:, :-HOUR], residual[:, HOUR:]
    added = after - of_hour * before
    end = np.arange(HOUR, SLOTS)
    within = end // BLOCK_SLOTS == (end - HOUR) // BLOCK_SLOTS
    there = ~np.isnan(added) & within
    starts = np.maximum(np.arange(BLOCKS) * BLOCK_SLOTS - HOUR, 0)
    squares, counts = (
        np.add.reduceat(part, starts, axis=1)
        for part in (np.where(there, added, 0.0) ** 2, there.astype(np.float64))
    )

    def sd(squares: Array, counts: Array) -> Array:
        with np.errstate(invalid="ignore", divide="ignore"):
            variance = squares / counts - rounding_variance * (1 + of_hour**2)
        step = variance * (1 - rho**2) / (1 - rho ** (2 * HOUR))
        return np.sqrt(np.maximum(step, LEAST_SD**2))

    return jackknifed(sd, squares, counts)


def start_spread(residual: Array, rounding_variance: float) -> Estimated:
    """Standard deviation of the residual in the day's first hour, degrees F; shape ()."""
    first = residual[:, :HOUR]
    there = ~np.isnan(first)

    def sd(squares: Array, counts: Array) -> Array:
        variance = squares[..., 0] / np.maximum(counts[..., 0], 1.0) - rounding_variance
        return np.sqrt(np.maximum(variance, LEAST_SD**2))

    squares = np.where(there, first, 0.0) ** 2
    return jackknifed(sd, squares.sum(axis=1)[:, None], there.sum(axis=1)[:, None].astype(float))


def block_means(residual: Array, weights: Array) -> Estimated:
    """Weighted mean residual per three-hour block; degrees F, shape (8,); NaN: no report."""
    blocks = residual.reshape(len(residual), BLOCKS, BLOCK_SLOTS)
    there = ~np.isnan(blocks)
    of_day = np.where(there, blocks, 0.0).sum(axis=2) / np.maximum(there.sum(axis=2), 1)
    weight = weights[:, None] * there.any(axis=2)

    def mean(sums: Array, totals: Array) -> Array:
        return sums / np.where(totals > 0, totals, np.nan)

    return jackknifed(mean, of_day * weight, weight)


def missed_degrees(official: Array, lo: Array, hi: Array, prior: Array) -> Estimated:
    """P(official maximum lies d whole degrees above the highest report), d = 0 to 3; shape (4,).

    The highest report may stand for any degree from `lo` to `hi`; which one it was is inferred
    together with the probabilities (expectation maximisation with a Dirichlet prior). Days on which
    the official value is below `lo`, or more than three above, do not count.

    Parameters
    ----------
    official, lo, hi
        Shape (days,), whole degrees F; NaN: not known.
    prior
        Pseudo-days per d, shape (4,).
    """
    low, high = official - hi, official - lo
    counted = (high >= 0) & (high < MISSED_DEGREES)
    d = np.arange(MISSED_DEGREES)
    possible = (d >= low[counted, None]) & (d <= high[counted, None])
    share = prior / prior.sum()
    for _ in range(50):
        joint = possible * share
        found = (joint / joint.sum(axis=1, keepdims=True)).sum(axis=0)
        share = (prior + found) / (prior + found).sum()
    # Fisher information of each share; less than the number of days if the highest is uncertain.
    joint = possible * share
    told = joint / joint.sum(axis=1, keepdims=True) - share
    variance = share * (1 - share)
    information = (told**2).sum(axis=0) / variance**2 + prior.sum() / variance
    return Estimated(share, 1 / np.sqrt(information), int(counted.sum()))


def barrier_shift(missed: float, missed_error: float, sd: float) -> tuple[float, float]:
    """kappa of the missed peak, and its standard error, in [0, 1.5].

    A peak between two reports is missed by kappa 0.5826 sd (1 - 1/sqrt 5) on average. This is also
    the probability of missing a whole degree, since the peak is uniform between two degrees.

    Parameters
    ----------
    missed
        Probability that the official maximum exceeds the highest report.
    sd
        Innovation sd of one step around the usual time of the peak, degrees F.
    """
    unit = SHIFT_OF_FIVE_MINUTES * sd
    return float(np.clip(missed / unit, 0.0, 1.5)), missed_error / unit
