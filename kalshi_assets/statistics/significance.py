"""Significance of mean score differences, alone and among many tests.

Here: the Diebold-Mariano test on daily differences, the Benjamini-Hochberg procedure for a family
of tests. Not here: the differences, their bootstrap intervals (`bootstrap`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.units import Array

LEAST_DAYS = 3
DISCOVERY_RATE = 0.10


@dataclass(frozen=True, kw_only=True)
class DieboldMariano:
    """Mean difference over its standard error, and its two-sided p-value; NaN if undefined.

    The p-value is from Student's t with n - 1 degrees of freedom.
    """

    statistic: float
    p_value: float


def diebold_mariano(differences: Array, *, lag: int | None = None) -> DieboldMariano:
    """Test whether the mean of daily score differences is zero.

    The long-run variance uses Bartlett weights up to `lag`; the statistic has the small-sample
    correction of Harvey, Leybourne and Newbold (1997, International Journal of Forecasting 13,
    281-291) at horizon h = 1. Without lags this is the t-test.

    Parameters
    ----------
    differences
        Shape (days,), in calendar order. The result is NaN for fewer than three days and if all
        differences are equal.
    lag
        Days; None: the cube root of the number of days, rounded down.
    """
    n = len(differences)
    nothing = DieboldMariano(statistic=np.nan, p_value=np.nan)
    if n < LEAST_DAYS:
        return nothing
    # The mean of equal numbers may have a rounding error, which makes the variance nonzero.
    if np.ptp(differences) <= 1e-12 * np.abs(differences).max():
        return nothing
    # Importing scipy.stats would take two seconds more.
    from scipy.special import stdtr

    mean = float(differences.mean())
    around = differences - mean
    lags = int(np.cbrt(n) + 1e-9) if lag is None else lag
    long_run = float((around**2).sum()) / n
    for k in range(1, min(lags, n - 1) + 1):
        covariance = float((around[k:] * around[:-k]).sum()) / n
        long_run += 2 * (1 - k / (lags + 1)) * covariance
    if long_run <= 0:
        return nothing
    statistic = mean / np.sqrt(long_run / n) * np.sqrt((n - 1) / n)
    return DieboldMariano(
        statistic=float(statistic), p_value=float(2 * stdtr(n - 1, -abs(statistic)))
    )


def discoveries(p_values: Array) -> NDArray[np.bool_]:
    """Which tests of a family are significant at the false discovery rate of `DISCOVERY_RATE`.

    Benjamini and Hochberg (1995, Journal of the Royal Statistical Society B 57, 289-300): the k
    smallest p-values, with the greatest k whose k-th smallest p-value is at most rate * k / tests.
    Shape (tests,); NaN: there was no test, and it is not counted.
    """
    tested = np.flatnonzero(~np.isnan(p_values))
    kept = np.zeros(len(p_values), dtype=bool)
    if tested.size:
        order = tested[np.argsort(p_values[tested], kind="stable")]
        below = p_values[order] <= DISCOVERY_RATE * np.arange(1, len(order) + 1) / len(order)
        kept[order[: below.nonzero()[0].max(initial=-1) + 1]] = True
    return kept
