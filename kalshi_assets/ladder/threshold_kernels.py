"""Compiled fits of falling curves; imported only by the functions that run them."""

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.kernel_cache import njit
from kalshi_assets.ladder.kernels import centre_of
from kalshi_assets.units import Array


@njit(cache=True)
def falling_fit(centre: Array, weight: Array, lower: Array, upper: Array, out: Array) -> None:
    """The falling curve nearest to the centres in weighted squares, clipped; one instant.

    Pool adjacent violators: a run of legs whose centres rise takes their weighted mean.

    Parameters
    ----------
    centre, weight
        Shape (legs,), by rising threshold. A leg whose centre is NaN takes no part.
    lower, upper
        Falling envelopes, shape (legs,).
    out
        Filled with the curve; NaN where the centre is.
    """
    n = centre.size
    level, mass, many = np.empty(n), np.empty(n), np.empty(n, dtype=np.int64)
    runs = 0
    for i in range(n):
        if np.isnan(centre[i]):
            continue
        level[runs], mass[runs], many[runs] = centre[i], weight[i], 1
        runs += 1
        while runs > 1 and level[runs - 2] < level[runs - 1]:
            runs -= 1
            both = mass[runs - 1] + mass[runs]
            level[runs - 1] += (level[runs] - level[runs - 1]) * (mass[runs] / both)
            mass[runs - 1] = both
            many[runs - 1] += many[runs]
    run, placed = 0, 0
    for i in range(n):
        if np.isnan(centre[i]):
            out[i] = np.nan
            continue
        if placed == many[run]:
            run, placed = run + 1, 0
        out[i] = min(max(level[run], lower[i]), upper[i])
        placed += 1


@njit(cache=True)
def falling_fits(
    centre: Array,
    weight: Array,
    lower: Array,
    upper: Array,
    usable: NDArray[np.bool_],
    out: Array,
) -> None:
    """`falling_fit` of every usable instant; shapes (instants, legs), usable (instants,)."""
    for t in range(centre.shape[0]):
        if usable[t]:
            falling_fit(centre[t], weight[t], lower[t], upper[t], out[t])
        else:
            out[t] = np.nan


@njit(cache=True)
def market_fits(
    bid: Array,
    ask: Array,
    last: Array,
    last_age_min: Array,
    limits: Array,
    weight: Array,
    lower: Array,
    upper: Array,
    quoted: NDArray[np.bool_],
    arbitrage: NDArray[np.bool_],
    centre: Array,
    out: Array,
) -> NDArray[np.bool_]:
    """Curves of every instant, each from its books and what the curves before it last said.

    Parameters
    ----------
    bid, ask
        Shape (instants, legs), dollars; 0 and 1 where there is none.
    last, last_age_min
        Last trade (NaN: none yet) and its age in minutes.
    limits
        `MarketPmfParams.limits`.
    weight, lower, upper
        As in `falling_fit`, shape (instants, legs).
    quoted, arbitrage
        Whether any leg has a quote, and whether envelopes cross; shape (instants,).
    centre, out
        Filled with the centres and the curves.

    Returns
    -------
    NDArray
        Whether a book is too thin to have a centre of its own, shape (instants, legs).
    """
    instants, n = bid.shape
    thin = np.ones((instants, n), dtype=np.bool_)
    previous = np.full(n, np.nan)
    for t in range(instants):
        centre[t] = np.nan
        out[t] = np.nan
        if not quoted[t]:
            continue
        for i in range(n):
            centre[t, i], thin[t, i] = centre_of(
                bid[t, i], ask[t, i], last[t, i], last_age_min[t, i], previous[i], limits
            )
        if arbitrage[t]:
            continue
        falling_fit(centre[t], weight[t], lower[t], upper[t], out[t])
        # A leg that had a curve has a centre ever after: nothing known is lost here.
        previous = out[t]
    return thin
