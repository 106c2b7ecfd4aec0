"""Which of two neighbouring brackets moves first, and by how many minutes.

Arrays have shape (brackets, minutes), neighbours in ladder order; NaN is unknown. Causal, bit for
bit.
"""

import numpy as np

from kalshi_assets.features.kinematics import lagged
from kalshi_assets.units import Array

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
    from kalshi_assets.features.kernels import strongest_lag

    change = np.round((log_odds - lagged(log_odds, 1)) * MILLILOGITS)
    return strongest_lag(change, np.array(LAGS), WINDOW_MINUTES, LEAST_PAIRS)
