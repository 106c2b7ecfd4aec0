"""Weighing estimates against their priors.

An estimate is weighed against its prior by two variances: its own, from leaving out days, and that
of stations around the prior. Methods 3.2 weighs by days (kappa = 30), which at sixty days pulls rho
and the sds by many standard errors; weighed by variances, the standard errors have correct
coverage.

Here: shrinkage. Not here: the estimators (`estimation`, `likelihood`), which days and inputs are
used (`fitting`), the packaged priors (`priors`).
"""

import numpy as np

from kalshi_assets.families.temperature.fit.estimation import (
    GREATEST_RHO,
    LEAST_RHO,
    LEAST_SD,
    Estimated,
)
from kalshi_assets.families.temperature.fit.parameters import Parameter, Parent
from kalshi_assets.families.temperature.fit.priors import Priors
from kalshi_assets.units import Array


def alone(value: Array, standard_error: float | Array = np.nan) -> Parameter:
    """A parameter that is its prior, because no earlier day informs it."""
    error = np.broadcast_to(np.asarray(standard_error, np.float64), value.shape)
    return Parameter(value=value, standard_error=error, n_days=0, parent="default")


def _weighed(own: Array, error: Array, prior: Array, spread: float | Array) -> tuple[Array, Array]:
    """Posterior mean and sd of a normal value, from its estimate and a normal prior."""
    known = np.isfinite(own) & np.isfinite(error)
    share = np.where(known, spread**2 / (spread**2 + np.where(known, error, 1.0) ** 2), 0.0)
    value = share * np.where(known, own, 0.0) + (1 - share) * prior
    return value, np.sqrt(1 - share) * spread


def weighed_rho(own: Estimated, priors: Priors) -> Parameter:
    """rho, weighed against its prior on the scale of atanh, where errors are about normal."""
    slope = 1 - own.value**2
    z, error = _weighed(
        np.arctanh(own.value), own.standard_error / slope, np.arctanh(priors.rho), priors.rho_spread
    )
    rho = np.atleast_1d(np.clip(np.tanh(z), LEAST_RHO, GREATEST_RHO))
    return Parameter(
        value=rho, standard_error=error * (1 - rho**2), n_days=own.days, parent="global"
    )


def weighed_sd(own: Estimated, prior: Array, spread: float, parent: Parent) -> Parameter:
    """An sd, weighed on a log scale; `spread` is the relative spread of stations."""
    value = np.atleast_1d(own.value)
    relative = np.atleast_1d(own.standard_error) / value
    log, error = _weighed(np.log(value), relative, np.log(prior), spread)
    sd = np.maximum(np.exp(log), LEAST_SD)
    return Parameter(value=sd, standard_error=error * sd, n_days=own.days, parent=parent)


def shrunk_bias(own: Estimated, weights: Array, priors: Priors) -> Parameter:
    """Mean residual by block, shrunk towards zero."""
    effective = weights.sum() ** 2 / (weights**2).sum()
    share = effective / (effective + priors.bias_days)
    known = np.isfinite(own.value)
    return Parameter(
        value=share * np.where(known, own.value, 0.0),
        # Shrinkage reduces the noise and adds the uncertainty about what it removes.
        standard_error=np.where(known, np.sqrt(share) * own.standard_error, np.nan),
        n_days=own.days,
        parent="global",
    )


def forecast_error(errors: Array, priors: Priors) -> dict[str, Parameter]:
    """Mean and spread of official less forecast maxima, shrunk; the priors with too few days."""
    known = errors[np.isfinite(errors)]
    n = len(known)
    if n < priors.min_days:
        return {
            "forecast_bias": alone(np.zeros(1)),
            "bias_sd": alone(np.array([priors.bias_sd]), priors.level_spread * priors.bias_sd),
        }
    spread = max(float(known.std(ddof=1)), LEAST_SD)
    share = n / (n + priors.bias_days)
    own = Estimated(np.array([spread]), np.array([spread / np.sqrt(2 * (n - 1))]), n)
    return {
        "forecast_bias": Parameter(
            value=np.array([share * known.mean()]),
            standard_error=np.array([np.sqrt(share / n) * spread]),
            n_days=n,
            parent="global",
        ),
        "bias_sd": weighed_sd(own, np.array([priors.bias_sd]), priors.level_spread, "global"),
    }
