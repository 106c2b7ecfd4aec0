"""Compiled paths of the residual model; imported only by the functions that run them."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]

# Paths moved together: their innovations of a whole day stay in the second-level cache.
TOGETHER = 256


@njit(cache=True, fastmath=True)
def accumulate(
    innovations: Singles,
    shift: Singles,
    rho: Singles,
    sd: Singles,
    slots: Ints,
    temps: Array,
    cumulative: Array,
    below: Array,
    edges: Array,
    new_high: Array,
    horizons: Ints,
    quantiles: Array,
    sums: Array,
    hits: Array,
) -> None:
    """Add what the paths of one block do, from each of `slots` to the end of the day.

    Parameters
    ----------
    innovations
        Shape (steps, paths), unit variance; the same ones serve every slot.
    shift, rho, sd
        T[k + 1] = shift[k] + rho[k] T[k] + sd[k] z, shape (steps,).
    temps, cumulative
        Start at each slot: values and distribution function, shape (slots, values).
    below
        P(maximum so far below an edge | value), shape (slots, edges, values).
    new_high
        Edge of the hazards at each slot, shape (slots,).
    quantiles
        Ascending, shape (paths,): the quantile of the start that each path begins from.
    sums, hits
        Added to: paths that stay below each edge, (slots, edges), and that reach `new_high` within
        each of `horizons`, (slots, horizons).
    """
    steps, paths = innovations.shape
    temp = np.empty(TOGETHER, np.float32)
    most = np.empty(TOGETHER, np.float32)
    value = np.empty(TOGETHER, np.int64)
    for begin in range(0, paths, TOGETHER):
        count = min(TOGETHER, paths - begin)
        for s in range(slots.size):
            v = np.searchsorted(cumulative[s], quantiles[begin])
            for p in range(count):
                while v < temps.shape[1] - 1 and cumulative[s, v] < quantiles[begin + p]:
                    v += 1
                value[p] = v
                temp[p] = temps[s, v]
                most[p] = -1e9
            done = 0
            for k in range(slots[s], steps):
                z = innovations[k, begin : begin + count]
                for p in range(count):
                    temp[p] = shift[k] + rho[k] * temp[p] + sd[k] * z[p]
                    most[p] = max(most[p], temp[p])
                while done < horizons.size and k + 1 - slots[s] == horizons[done]:
                    hits[s, done] += np.sum(most[:count] >= new_high[s])
                    done += 1
            for h in range(done, horizons.size):
                hits[s, h] += np.sum(most[:count] >= new_high[s])
            for a in range(edges.size):
                for p in range(count):
                    if most[p] < edges[a]:
                        sums[s, a] += below[s, a, value[p]]
