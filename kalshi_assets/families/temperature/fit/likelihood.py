"""rho and the innovation sds by the likelihood of the filter, from the regression's start.

The log probability of every report given those before it, around the profile with one normal
start, as the filter has it at the node without a shape. One step of Newton's method on atanh rho
and the log sds: as much as all steps, if the start is good (Le Cam). An sd is read off the reports
of its own block, so that all eight take two evaluations.

The regression sees what an hour adds, the likelihood above all what five minutes add. Of a station
that obeys the law both tell the same, the likelihood more precisely (error of the sds less by 30 to
45 %; 45 simulated days). Real days are rougher at one scale than at the other, most of all around
sunrise, and the hazard needs both scales; so where the two differ by more than their noise, the
truth is taken to lie between.

Measured on 85 days of KNYC, April to July 2025, each with parameters of the 45 days before, against
the regression alone: log probability per report of the next day higher by .0044 (95 % of day
bootstraps .0014 to .0075), higher on 73 % of days; by the likelihood alone .0048 (.0003 to .0093).
Log loss of brackets does not tell them apart: .749 against .752 over all hours of the study, a
hundredth better from 14:00 on, as much worse around 11:00.

Here: the likelihood of days and the step. Not here: the recursion (`likelihood_kernels`), the start
(`estimation`), how the outcome is weighed against priors (`fitting`).
"""

from functools import cache

import numpy as np

from kalshi_assets.families.temperature.climate_day import SLOTS
from kalshi_assets.families.temperature.filter.emission import EXACT_ERROR, WHOLE_C_ERROR
from kalshi_assets.families.temperature.filter.residual_model import ResidualModel
from kalshi_assets.families.temperature.fit.estimation import BLOCK_SLOTS, BLOCKS, Estimated
from kalshi_assets.families.temperature.station_days import StationDays
from kalshi_assets.units import Array

# Differences, and the longest step, in atanh rho and log sd.
RHO_DIFFERENCE, SD_DIFFERENCE = 0.1, 0.08
LONGEST_RHO_STEP, LONGEST_SD_STEP = 0.5, 0.4
# Of the squared scores of days: the least curvature that is believed.
LEAST_CURVATURE = 0.25
# Of the regression's variance: the least by which the likelihood's is taken to be smaller.
LEAST_GAIN = 0.0625
# A report that may stand for more degrees is of unknown origin and tells too little.
WIDEST = 2
# Nodes of a panel times the narrowest sd: 1e-4 of a day's log likelihood.
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
        Shape (days, 288), nats. The day's first report is trusted to be right.
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
        Of the shapes of `rho` and `sd`. Where no report tells of a value, the regression's.
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
    """Newton's step and its standard error, which the spread of the days' scores tells.

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
    """The likelihood's value, moved halfway to the regression's less what noise explains.

    If the law holds, the variance of their difference is the difference of their variances
    (Hausman); what the squared difference exceeds it by is misfit, and half of it the doubt.
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
