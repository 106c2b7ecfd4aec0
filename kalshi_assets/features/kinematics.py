"""Motion and coupling of prices on a dense grid.

Arrays have shape (brackets, minutes), neighbours in ladder order, one column a minute; NaN is
unknown. Every function is causal: column t depends on columns up to t only, and bit for bit so.
"""

import numpy as np

from kalshi_assets.units import Array

HALF_CENT = 0.005


def lagged(x: Array, minutes: int) -> Array:
    """`x` as it was `minutes` ago; NaN where the grid does not reach back."""
    out = np.full_like(x, np.nan)
    if minutes < x.shape[1]:
        out[:, minutes:] = x[:, : x.shape[1] - minutes]
    return out


def velocity(x: Array, minutes: int) -> Array:
    """Mean change per minute over `minutes`: (x(t) - x(t-n)) / n."""
    return (x - lagged(x, minutes)) / minutes


def acceleration(x: Array, minutes: int) -> Array:
    """Change of the velocity over `minutes`: v_n(t) - v_n(t-n), per minute."""
    v = velocity(x, minutes)
    return v - lagged(v, minutes)


def logit(p: Array) -> Array:
    """log(p / (1-p)), p clipped half a cent from 0 and 1."""
    q = np.clip(p, HALF_CENT, 1 - HALF_CENT)
    return np.log(q / (1 - q))


def trailing_sum(x: Array, minutes: int) -> Array:
    """Sum over the last `minutes` columns, this one included; NaN counts as nothing."""
    total = np.cumsum(np.where(np.isnan(x), 0.0, x), axis=1)
    out = total.copy()
    out[:, minutes:] -= total[:, :-minutes]
    return out


def trailing_extremes(x: Array, minutes: int) -> tuple[Array, Array]:
    """Least and greatest over the last `minutes` columns; NaN only where all are unknown."""
    low, high = x.copy(), x.copy()
    for lag in range(1, min(minutes, x.shape[1])):
        np.fmin(low[:, lag:], x[:, :-lag], out=low[:, lag:])
        np.fmax(high[:, lag:], x[:, :-lag], out=high[:, lag:])
    return low, high


def close_location(x: Array, minutes: int) -> Array:
    """CLV of the last `minutes`: ((C-L) - (H-C)) / (H-L), 0 where H = L, in [-1, 1]."""
    low, high = trailing_extremes(x, minutes)
    span = high - low
    with np.errstate(divide="ignore", invalid="ignore"):
        location = np.where(span > 0, (2 * x - low - high) / span, 0.0)
    return np.where(np.isnan(x), np.nan, np.clip(location, -1.0, 1.0))


def realised_volatility(x: Array, minutes: int) -> Array:
    """Root of the sum of squared one-minute logit changes over the last `minutes`."""
    # In whole units of 1e-12 their sums are exact, so that a window without motion gives 0.
    squares = np.round(velocity(logit(x), 1) ** 2 * 1e12)
    return np.sqrt(trailing_sum(squares, minutes) / 1e12)


def relative_acceleration(x: Array, minutes: int = 5, scale_minutes: int = 60) -> Array:
    """Relative Acceleration Score (RAS) of every bracket against its neighbours.

    The bracket's acceleration less its neighbours' mean (one neighbour at the ends), over the
    mean absolute value of that difference in the last `scale_minutes`. NaN where a neighbour's
    acceleration is unknown or nothing moved.
    """
    a = acceleration(x, minutes)
    excess = np.full_like(a, np.nan)
    if len(a) > 1:
        excess[0] = a[0] - a[1]
        excess[-1] = a[-1] - a[-2]
        excess[1:-1] = a[1:-1] - (a[:-2] + a[2:]) / 2
    known = trailing_sum((~np.isnan(excess)).astype(float), scale_minutes)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = trailing_sum(np.abs(excess), scale_minutes) / known
        # Below a hundredth of a cent a minute the scale is rounding of the sums, not motion.
        return np.where(np.round(scale, 12) > 1e-4, excess / scale, np.nan)
