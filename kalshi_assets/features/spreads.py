"""Spreads as trades show them, where nobody recorded the quotes.

Not here: the quoted spread, which is in the panel where there are quotes.
"""

import numpy as np

from kalshi_assets.features.kinematics import trailing_sum
from kalshi_assets.units import CC_A_CENT, Array

WINDOW_MINUTES = 60


def spread_proxy_cents(high: Array, low: Array) -> Array:
    """The spread of the last hour as its trades show it, in cents.

    The mean of high less low over the minutes in which they differ came nearest to a true spread of
    two cents in simulated sparse markets with a tick of one cent. Source: methods, section 7.

    Parameters
    ----------
    high, low
        Trades of every minute, whole cc, shape (brackets, minutes); NaN in minutes without one.

    Returns
    -------
    Array
        Not negative; NaN where the estimate has no minute to rest on. Causal, bit for bit.
    """
    # Whole numbers, so that sums over a window are exact in any order.
    span = high - low
    moved = span > 0
    with np.errstate(invalid="ignore"):
        mean = trailing_sum(np.where(moved, span, 0.0), WINDOW_MINUTES) / trailing_sum(
            moved.astype(np.float64), WINDOW_MINUTES
        )
    return np.round(mean / CC_A_CENT, 6)
