"""Which of two neighbouring brackets moves first, and by how many minutes.

Arrays have shape (brackets, minutes), neighbours in ladder order; NaN is unknown. Causal, bit for
bit.
"""

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.features.kinematics import lagged

Array = NDArray[np.float64]

LAGS = (1, 2, 3, 4, 5)
WINDOW_MINUTES = 120
# Fewer pairs and 2/sqrt(n) is above .36, which few hours ever reach.
LEAST_PAIRS = 30
# Changes are whole thousandths of a logit, a twentieth of the least change at even odds, so that
# sums of products are exact and equal correlations tie exactly.
MILLILOGITS = 1000.0


def lead_lag(log_odds: Array) -> Array:
    """Minutes by which a bracket moves before (+) or after (-) one of its neighbours.

    Cross-correlation of one-minute changes at lags of 1 to 5 minutes, both ways and with both
    neighbours, over the last 120 minutes; the lag of the greatest absolute correlation, if that
    exceeds 2/sqrt(n). Of equal ones the shortest lag, then leading before following, then the
    colder neighbour. Source: methods, section 7.

    Parameters
    ----------
    log_odds
        Logit of the mid.

    Returns
    -------
    Array
        -5 to 5; 0 where no correlation exceeds the bound, NaN where every n is below 30.
    """
    change = np.round((log_odds - lagged(log_odds, 1)) * MILLILOGITS)
    strength = np.zeros(log_odds.shape)
    lead = np.full(log_odds.shape, np.nan)
    for lag in LAGS:
        earlier = lagged(change, lag)
        # Leading: its earlier change with the other's present one; following: the reverse.
        first = np.concatenate([earlier[:-1], earlier[1:]])
        then = np.concatenate([change[1:], change[:-1]])
        colder_leads, warmer_leads = np.split(_correlation(first, then), 2)
        for minutes, with_colder, with_warmer in (
            (lag, warmer_leads, colder_leads),
            (-lag, colder_leads, warmer_leads),
        ):
            _keep_stronger(strength[1:], lead[1:], with_colder, minutes)
            _keep_stronger(strength[:-1], lead[:-1], with_warmer, minutes)
    return lead


def _keep_stronger(strength: Array, lead: Array, found: Array, minutes: int) -> None:
    """Write `minutes` into `lead` where `found` is stronger than what stands there."""
    stronger = found > strength
    np.copyto(strength, found, where=stronger)
    np.copyto(lead, minutes, where=stronger)
    np.copyto(lead, 0.0, where=np.isnan(lead) & ~np.isnan(found))


def _correlation(x: Array, y: Array) -> Array:
    """|rho| over the window where it exceeds 2/sqrt(n), else 0; NaN where n is too small."""
    known = ~np.isnan(x + y)
    x, y = np.where(known, x, 0.0), np.where(known, y, 0.0)
    n, sx, sy, sxy, sxx, syy = (_window_sum(each) for each in (known, x, y, x * y, x * x, y * y))
    squares = (n * sxx - sx * sx) * (n * syy - sy * sy)
    squared = np.zeros(x.shape)
    np.divide((n * sxy - sx * sy) ** 2, squares, out=squared, where=squares > 0)
    strength = np.where(squared * n > 4, np.sqrt(squared), 0.0)
    return np.where(n < LEAST_PAIRS, np.nan, strength)


def _window_sum(x: NDArray[np.generic]) -> Array:
    total = np.cumsum(x, axis=1, dtype=np.float64)
    total[:, WINDOW_MINUTES:] -= total[:, :-WINDOW_MINUTES]
    return total
