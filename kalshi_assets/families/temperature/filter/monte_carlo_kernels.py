"""Compiled paths of the residual model; imported only by the functions that run them."""

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.families.temperature.filter.row_kernels import FAST
from kalshi_assets.kernel_cache import njit
from kalshi_assets.units import Array, Ints

Singles = NDArray[np.float32]

# Paths moved together, so that their innovations of a day fit into the second-level cache.
TOGETHER = 256


@njit(inline="always")
def begin_at(quantiles: Array, cumulative: Array, temps: Array, value: Ints, temp: Singles) -> None:
    """Index and temperature of the value from which each path starts."""
    v = np.searchsorted(cumulative, quantiles[0])
    for p in range(quantiles.size):
        while v < temps.size - 1 and cumulative[v] < quantiles[p]:
            v += 1
        value[p], temp[p] = v, temps[v]


@njit(cache=True, fastmath=FAST)
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
    lead: int,
    horizons: Ints,
    quantiles: Array,
    sums: Array,
    hits: Array,
) -> None:
    """Add the results of the paths of one block, from each of `slots` to the end of the day.

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
    lead, horizons
        Steps before the hazards begin, and after that, ascending.
    quantiles
        Ascending, shape (paths,): the quantile of the start that each path begins from.
    sums, hits
        Added to: paths that stay below each edge, (slots, edges), and that reach `new_high` within
        each of `horizons`, (slots, horizons).
    """
    steps, paths = innovations.shape
    temp = np.empty(TOGETHER, np.float32)
    most = np.empty(TOGETHER, np.float32)
    soon = np.empty(TOGETHER, np.float32)
    value = np.empty(TOGETHER, np.int64)
    for begin in range(0, paths, TOGETHER):
        count = min(TOGETHER, paths - begin)
        for s in range(slots.size):
            begin_at(quantiles[begin : begin + count], cumulative[s], temps[s], value, temp)
            most[:], soon[:] = -1e9, -1e9
            done = 0
            for k in range(slots[s], steps):
                z = innovations[k, begin : begin + count]
                for p in range(count):
                    temp[p] = shift[k] + rho[k] * temp[p] + sd[k] * z[p]
                    most[p] = max(most[p], temp[p])
                step = k + 1 - slots[s] - lead
                if 0 < step <= horizons[-1]:
                    for p in range(count):
                        soon[p] = max(soon[p], temp[p])
                while done < horizons.size and step == horizons[done]:
                    hits[s, done] += np.sum(soon[:count] >= new_high[s])
                    done += 1
            for h in range(done, horizons.size):
                hits[s, h] += np.sum(soon[:count] >= new_high[s])
            for a in range(edges.size):
                for p in range(count):
                    if most[p] < edges[a]:
                        sums[s, a] += below[s, a, value[p]]
