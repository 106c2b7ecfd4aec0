"""Compiled recursions over minutes; imported only by the functions that run them."""

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.kernel_cache import njit
from kalshi_assets.units import CC_A_DOLLAR, Array

_BISECTIONS = 200
_NEWTON_STEPS = 12
# Relative; some last digits of a double.
_NEAR = 2e-15


@njit(cache=True)
def _projected(centre: Array, bid: Array, ask: Array, out: Array) -> int:
    """Box-constrained multiplicative projection of one ladder; returns the arbitrage flag."""
    n = centre.size
    bids = 0.0
    asks = 0.0
    for i in range(n):
        bids += bid[i]
        asks += ask[i]
    # Compared as whole cc: .33 + .56 + .11 is above 1 by its last bit, and no arbitrage.
    if np.rint(bids * CC_A_DOLLAR) > CC_A_DOLLAR:
        for i in range(n):
            out[i] = bid[i] / bids
        return 1
    if np.rint(asks * CC_A_DOLLAR) < CC_A_DOLLAR:
        for i in range(n):
            out[i] = ask[i] / asks
        return -1
    factor = _least_factor(centre, bid, ask)
    total = 0.0
    for i in range(n):
        out[i] = min(max(factor * centre[i], bid[i]), ask[i])
        total += out[i]
    for i in range(n):  # the last bit of the bisection
        out[i] /= total
    return 0


@njit(cache=True)
def _least_factor(centre: Array, bid: Array, ask: Array) -> float:
    """The least factor whose clipped sum is one, to the last bit."""
    low, high = 0.0, 1.0
    while _clipped_sum(centre, bid, ask, high) < 1.0 and high < 1e18:
        high *= 4.0
    near = _newton(centre, bid, ask, high)
    for edge in (near * (1.0 - _NEAR), near * (1.0 + _NEAR)):
        if low < edge < high:
            if _clipped_sum(centre, bid, ask, edge) < 1.0:
                low = edge
            else:
                high = edge
    # The sum never falls as the factor grows: bisection ends at the same two neighbouring numbers
    # from wherever it starts.
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if _clipped_sum(centre, bid, ask, middle) < 1.0:
            low = middle
        else:
            high = middle
    return high


@njit(cache=True)
def _newton(centre: Array, bid: Array, ask: Array, factor: float) -> float:
    """About the factor whose clipped sum is one, if Newton's steps from `factor` lead there."""
    for _ in range(_NEWTON_STEPS):
        fixed, free = 0.0, 0.0
        for i in range(centre.size):
            price = factor * centre[i]
            if price < bid[i]:
                fixed += bid[i]
            elif price > ask[i]:
                fixed += ask[i]
            else:
                free += centre[i]
        if free <= 0.0:
            break
        before, factor = factor, (1.0 - fixed) / free
        if factor == before:
            break
    return factor


@njit(cache=True)
def _clipped_sum(centre: Array, bid: Array, ask: Array, factor: float) -> float:
    total = 0.0
    for i in range(centre.size):
        total += min(max(factor * centre[i], bid[i]), ask[i])
    return total


@njit(cache=True)
def centre_of(
    b: float, a: float, last: float, last_age_min: float, previous: float, limits: Array
) -> tuple[float, bool]:
    """The price at the centre of a book, and whether the book is too thin to say one.

    Parameters
    ----------
    b, a
        Bid and ask, dollars; 0 and 1 where there is none.
    last, last_age_min
        Last trade (NaN: none yet) and its age in minutes.
    previous
        What a thin book is centred at, within bid and ask; NaN: not known, and so the centre.
    limits
        `MarketPmfParams.limits`.
    """
    tight, wide, memory, tail = limits[0], limits[1], limits[2], limits[3]
    spread = a - b
    if b <= 0.0 and a <= tail:
        return 0.5 * a, False
    if a >= 1.0 and b >= 1.0 - tail:
        return 0.5 * (1.0 + b), False
    if b > 0.0 and a < 1.0 and spread <= tight:
        return 0.5 * (a + b), False
    if b > 0.0 and a < 1.0 and spread <= wide:
        m = 0.5 * (a + b)
        if not np.isnan(last):
            w = np.exp(-last_age_min / memory)
            m = w * min(max(last, b), a) + (1.0 - w) * m
        return m, False
    if np.isnan(previous):
        return previous, True
    return min(max(previous, b), a), True


@njit(cache=True)
def market_implied(
    bid: Array,
    ask: Array,
    last: Array,
    last_age_min: Array,
    limits: Array,
    out: Array,
    centre: Array,
) -> tuple[NDArray[np.bool_], NDArray[np.int8]]:
    """Market-implied PMFs of every minute, each from its book and the PMF before it.

    Parameters
    ----------
    bid, ask
        Shape (minutes, brackets), dollars; 0 and 1 where there is none.
    last, last_age_min
        Last trade (NaN: none yet) and its age in minutes.
    limits
        `MarketPmfParams.limits`.
    out, centre
        Filled with the PMF and with the price that was projected.
    """
    minutes, n = bid.shape
    thin = np.zeros((minutes, n), dtype=np.bool_)
    arbitrage = np.zeros(minutes, dtype=np.int8)
    previous = np.full(n, 1.0 / n)
    for t in range(minutes):
        for i in range(n):
            m, thin[t, i] = centre_of(
                bid[t, i], ask[t, i], last[t, i], last_age_min[t, i], previous[i], limits
            )
            centre[t, i] = max(m, 1e-6)
        arbitrage[t] = _projected(centre[t], bid[t], ask[t], out[t])
        previous = out[t]
    return thin, arbitrage
