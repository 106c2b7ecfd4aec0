"""rho and the innovation sds by the filter's likelihood, starting from the regression.

The likelihood is the log probability of every report given the reports before it, around the
profile with a normal start, as in the filter's node without a shape. One step of Newton's method is
taken on atanh rho and the log sds, which is as efficient as full maximisation if the start is good
(Le Cam). Each sd is estimated from the reports of its own block, so that all eight take two
evaluations.

The regression uses hourly changes, the likelihood mainly five-minute changes. For a station that
follows the model both agree, and the likelihood is more precise (the error of the sds is 30 to 45 %
smaller; 45 simulated days). Real days are rougher at one scale than at the other, mostly around
sunrise, and the hazard needs both scales; so if the two differ by more than noise, a value between
them is used.

Measured on 85 days of KNYC, April to July 2025, each with parameters of the 45 days before, against
the regression alone: log probability per report of the next day higher by .0044 (95 % of day
bootstraps .0014 to .0075), higher on 73 % of days; by the likelihood alone .0048 (.0003 to .0093).
The log loss of brackets is nearly the same: .749 against .752 over all hours of the study, better
by a hundredth from 14:00 on, worse by as much around 11:00.

Here: the likelihood of days and the step. Not here: the recursion (`likelihood_kernels`), the start
(`estimation`), weighing the result against priors (`weighing`).
"""

from functools import cache

import numpy as np

from kalshi_assets.families.temperature.climate_day import SLOTS
from kalshi_assets.families.temperature.filter.emission import EXACT_ERROR, WHOLE_C_ERROR
from kalshi_assets.families.temperature.filter.residual_model import ResidualModel
from kalshi_assets.families.temperature.fit.estimation import BLOCK_SLOTS, BLOCKS, Estimated
from kalshi_assets.families.temperature.station_days import StationDays
from kalshi_assets.units import Array

# Steps of the finite differences, and the longest Newton step, in atanh rho and log sd.
RHO_DIFFERENCE, SD_DIFFERENCE = 0.1, 0.08
LONGEST_RHO_STEP, LONGEST_SD_STEP = 0.5, 0.4
# Minimum curvature, as a share of the sum of squared scores of days.
LEAST_CURVATURE = 0.25
# Minimum by which the likelihood's variance is taken to be smaller, as a share of the regression's.
LEAST_GAIN = 0.0625
# Wider reports are of unknown origin and carry too little information.
WIDEST = 2
# Nodes of a panel times the narrowest sd; for an accuracy of 1e-4 in a day's log likelihood.
NODES = 1.2


def log_likelihoods(
    days: StationDays,
    baseline: Array,
    *,
    rho: float,
    sd: Array,
    start_sd: float,
    tail_share: float = 0.0,
) -> Array:
    """Log probability of each report, given those before it of its day; NaN: none, or too wide.

    Parameters
    ----------
    baseline
        Degrees F, shape (288,) or (days, 288).
    rho
        Of one step.
    sd
        Innovation sd of one step per block, degrees F, shape (8,).
    start_sd
        Of the residual at the day's start, degrees F.
    tail_share
        As of `ResidualModel`.

    Returns
    -------
    Array
        Shape (days, 288), nats. The first report of a day is assumed to be correct.
    """
    from kalshi_assets.families.temperature.filter.likelihood_kernels import (
        kernels_of,
        log_likelihoods,
    )

    by_slot = np.repeat(np.asarray(sd, np.float64), BLOCK_SLOTS)
    model = ResidualModel(
        rho=np.full(SLOTS, rho), sd=by_slot, start_sd=start_sd, tail_share=tail_share
    )
    scales, shares = model.components()
    # An even number, so that the nodes come in pairs.
    nodes = 2 * max(2, int(np.ceil(NODES / (2 * by_slot.min() * scales.min()))))
    place, weight = _nodes(nodes)
    width = np.where(days.width_f <= WIDEST, days.width_f, np.nan)
    return log_likelihoods(
        days.mid_f - (width - 1) / 2,
        width,
        np.where(width == 1, EXACT_ERROR, WHOLE_C_ERROR),
        np.ascontiguousarray(np.broadcast_to(baseline, days.mid_f.shape)),
        start_sd,
        kernels_of(place / 2, weight / 2, rho, by_slot, scales, shares),
    )


@cache
def _nodes(count: int) -> tuple[Array, Array]:
    return np.polynomial.legendre.leggauss(count)


def refined(
    days: StationDays,
    baseline: Array,
    *,
    rho: Estimated,
    sd: Estimated,
    start: tuple[float, Array],
    start_sd: float,
    tail_share: float = 0.0,
) -> tuple[Estimated, Estimated]:
    """Estimates of rho and of the sds by regression and likelihood.

    Parameters
    ----------
    rho, sd
        By regression: shape () and (8,).
    start
        rho and sds from which the step is taken.

    Returns
    -------
    tuple[Estimated, Estimated]
        With the shapes of `rho` and `sd`. Without informative reports, the regression's values.
    """
    first, second = np.arctanh(start[0]), np.log(start[1])

    def by_block(z: float, log_sd: Array) -> Array:
        found = log_likelihoods(
            days,
            baseline,
            rho=float(np.tanh(z)),
            sd=np.exp(log_sd),
            start_sd=start_sd,
            tail_share=tail_share,
        )
        return np.nansum(found.reshape(len(days), BLOCKS, BLOCK_SLOTS), axis=2)

    here = by_block(first, second)
    h, g = RHO_DIFFERENCE, SD_DIFFERENCE
    z, z_error = _step(
        here.sum(axis=1, keepdims=True),
        by_block(first - h, second).sum(axis=1, keepdims=True),
        by_block(first + h, second).sum(axis=1, keepdims=True),
        h,
        LONGEST_RHO_STEP,
    )
    log_sd, sd_error = _step(
        here, by_block(first, second - g), by_block(first, second + g), g, LONGEST_SD_STEP
    )
    slope = 1 - rho.value**2
    z, z_error = _between(
        np.arctanh(rho.value), rho.standard_error / slope, first + z[0], z_error[0]
    )
    log_sd, sd_error = _between(
        np.log(sd.value), sd.standard_error / sd.value, second + log_sd, sd_error
    )
    return (
        Estimated(np.tanh(z), z_error * (1 - np.tanh(z) ** 2), rho.days),
        Estimated(np.exp(log_sd), sd_error * np.exp(log_sd), sd.days),
    )


def _step(
    here: Array, below: Array, above: Array, difference: float, longest: float
) -> tuple[Array, Array]:
    """Newton's step, and its standard error from the spread of the days' scores.

    Parameters
    ----------
    here, below, above
        Log likelihoods of days, shape (days, values): at the start, and less and plus `difference`.
    """
    score = (above - below) / (2 * difference)
    squares = (score**2).sum(axis=0)
    bend = -(above - 2 * here + below).sum(axis=0) / difference**2
    curvature = np.maximum(bend, LEAST_CURVATURE * squares)
    told = curvature > 0
    curvature = np.where(told, curvature, 1.0)
    step = np.clip(score.sum(axis=0) / curvature, -longest, longest)
    return np.where(told, step, np.nan), np.where(told, np.sqrt(squares) / curvature, np.nan)


def _between(
    regression: Array, regression_error: Array, likelihood: Array, likelihood_error: Array
) -> tuple[Array, Array]:
    """The likelihood's value, moved towards the regression's by half of the unexplained difference.

    If the model holds, the variance of their difference is the difference of their variances
    (Hausman). A larger squared difference is misfit, which adds to the standard error.
    """
    away = regression - likelihood
    noise = np.maximum(regression_error**2 - likelihood_error**2, LEAST_GAIN * regression_error**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = 0.5 * np.nan_to_num(np.maximum(1 - noise / away**2, 0.0), posinf=0.0)
    share = np.where(regression_error > 0, share, 0.0)
    moved = share * np.nan_to_num(away)
    error = np.sqrt(likelihood_error**2 + moved**2)
    told = np.isfinite(likelihood) & np.isfinite(likelihood_error)
    return np.where(told, likelihood + moved, regression), np.where(told, error, regression_error)
