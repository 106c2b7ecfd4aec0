"""Is a mean difference of scores more than noise, and is it still when one looks many times?

Here: the Diebold-Mariano test on daily differences, the Benjamini-Hochberg rule over a family of
tests. Not here: the differences, their bootstrap intervals (`bootstrap`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEAST_DAYS = 3
DISCOVERY_RATE = 0.10


@dataclass(frozen=True, kw_only=True)
class DieboldMariano:
    """A test that two forecasts are equally good.

    Attributes
    ----------
    statistic
        Mean difference over its standard error; NaN where there is no such thing.
    p_value
        Two-sided, of Student's t with n - 1 degrees of freedom.
    """

    statistic: float
    p_value: float


def diebold_mariano(differences: Array, *, lag: int | None = None) -> DieboldMariano:
    """Test whether the mean of daily score differences is zero.

    The long-run variance has Bartlett's weights up to `lag`; the statistic carries the small-sample
    factor of Harvey, Leybourne and Newbold (1997, International Journal of Forecasting 13, 281-291)
    at horizon h = 1: a day's forecast is of the day. Without lags that is the t-test.

    Parameters
    ----------
    differences
        Shape (days,), in the order of the calendar.
    lag
        Days; None: the cube root of the number of days, rounded down.

    Returns
    -------
    DieboldMariano
        NaN for fewer than three days, and where all differences are the same: a constant has no
        noise to be compared with.
    """
    n = len(differences)
    nothing = DieboldMariano(statistic=np.nan, p_value=np.nan)
    if n < LEAST_DAYS:
        return nothing
    # Of equal numbers the mean may be off by a rounding, and the variance then is not zero.
    if np.ptp(differences) <= 1e-12 * np.abs(differences).max():
        return nothing
    # scipy.stats costs two seconds more.
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


def discoveries(p_values: Array, *, rate: float = DISCOVERY_RATE) -> NDArray[np.bool_]:
    """Which tests of a family stay when at most a share `rate` of those kept may be false.

    Benjamini and Hochberg (1995, Journal of the Royal Statistical Society B 57, 289-300): the k
    smallest p-values, k the greatest number whose k-th smallest is at most rate * k / tests.

    Parameters
    ----------
    p_values
        Shape (tests,); NaN: there was no test, which counts neither way.
    rate
        Expected share of false discoveries.
    """
    tested = np.flatnonzero(~np.isnan(p_values))
    kept = np.zeros(len(p_values), dtype=bool)
    if tested.size:
        order = tested[np.argsort(p_values[tested], kind="stable")]
        below = p_values[order] <= rate * np.arange(1, len(order) + 1) / len(order)
        kept[order[: below.nonzero()[0].max(initial=-1) + 1]] = True
    return kept
