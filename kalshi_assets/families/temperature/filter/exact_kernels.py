"""Compiled recursions of the exact hazard; imported only by the functions that run them.

The grid of temperatures consists of unit panels with Gauss-Legendre nodes, as many as the slot
needs. States have shape (barriers, nodes): the mass at every node of the paths that stayed below
each barrier; the last row has no barrier. Values have shape (edges, nodes). Over a day both are
flat arrays: `offset` times the number of rows is the start of a slot. Edges are given as `cut`, the
number of panels of the grid below each. Not here: the rows of a step (`row_kernels`).
"""

import numpy as np

from kalshi_assets.families.temperature.filter.row_kernels import (
    FAST,
    Place,
    Rows,
    Transition,
    fill_rows,
    panels_in_use,
    rows_of,
    slot_of,
)
from kalshi_assets.kernel_cache import njit
from kalshi_assets.units import Array, Ints

# Mass below this share of the greatest is ignored: 8.8 standard deviations, more than the reach of
# a step.
_NEGLIGIBLE = 1e-18
# Values taken as 0 and 1.
_NEVER = 1e-20
_SURELY = 1.0 - 1e-14
# Mass taken as zero: the inverse of a smaller one is infinite.
_NO_MASS = 1e-300


@njit(cache=True)
def unsure_edges(
    now: int, top: int, passed: Ints, span: Ints, after: Array, before: Array, unsure: Ints
) -> None:
    """The edges at each node whose value is neither 0 nor 1; sets `before` for the others.

    Values decrease with the temperature and increase with the edge, so a row between two values of
    1 is 1, and between two of 0 is 0; from panel to panel more edges have the value 0 and fewer 1.

    Parameters
    ----------
    now, top
        Nodes of a panel, and panels below the highest edge.
    passed
        Panels of the slot below each edge.
    span
        As of `rows_of`.
    unsure
        The result, first and end, shape (nodes, 2).
    """
    edges = passed.size
    for r in range(now):
        a, sure = 0, 0
        for p in range(top):
            i = p * now + r
            first, last = span[i, 1], span[i, 2]
            while a < edges and (passed[a] <= p or (first < last and after[a, first] < _NEVER)):
                a += 1
            sure = max(sure, a)
            if first < last:
                while sure < edges and after[sure, last - 1] <= _SURELY:
                    sure += 1
            elif last > 0:
                sure = edges
            before[:a, i], before[sure:, i] = 0.0, 1.0
            unsure[i, 0], unsure[i, 1] = a, sure


@njit(cache=True, error_model="numpy", fastmath=FAST, inline="always")
def weigh_values(nodes: int, unsure: Ints, after: Array, before: Array, memory: Rows) -> None:
    """`before` at every node for the unsure edges: values weighted with the node's row."""
    rows, span, scale, _ = memory
    for i in range(nodes):
        from_row, to = Place(span[i, 0]), Place(span[i, 1])
        count = Place(max(span[i, 2] - span[i, 1], 0))
        a = unsure[i, 0]
        # Four edges at a time, so that the row is read only once for them.
        while a + 4 <= unsure[i, 1]:
            w, x, y, z = 0.0, 0.0, 0.0, 0.0
            for b in range(count):
                part = rows[i, from_row + b]
                w += part * after[a, to + b]
                x += part * after[a + 1, to + b]
                y += part * after[a + 2, to + b]
                z += part * after[a + 3, to + b]
            before[a, i], before[a + 1, i] = scale[i] * w, scale[i] * x
            before[a + 2, i], before[a + 3, i] = scale[i] * y, scale[i] * z
            a += 4
        while a < unsure[i, 1]:
            w = 0.0
            for b in range(count):
                w += rows[i, from_row + b] * after[a, to + b]
            before[a, i] = scale[i] * w
            a += 1


@njit(cache=True, error_model="numpy", fastmath=FAST, inline="always")
def step_back(
    t: Transition, k: int, cut: Ints, after: Array, before: Array, unsure: Ints, memory: Rows
) -> None:
    """`before`, the values at slot k, from `after`, those at slot k + 1.

    Entry (a, i) is the probability that neither node i nor a later temperature reaches edge a.
    """
    low, now = t.low[k], t.nodes[k]
    top = max(min(cut.max(), t.high[k]) - low, 0)
    before[:, top * now :] = 0.0
    fill_rows(t, k, (0, top), t.narrow[k], memory)
    unsure_edges(now, top, cut - low, memory[1], after, before, unsure)
    weigh_values(top * now, unsure, after, before, memory)


@njit(cache=True, error_model="numpy", fastmath=FAST)
def sweep_back(t: Transition, cut: Ints, first: int, stop: int, values: Array) -> None:
    """The values of every slot from `first` down to `stop`; flat, `cut.size` rows a slot.

    The values of the slot after `first` must exist, unless it is the last slot.
    """
    edges, memory = cut.size, rows_of(t)
    unsure = np.empty((memory[2].size, 2), dtype=np.int64)
    if first == t.shift.size:
        final = slot_of(t, first, values, edges)
        for a in range(edges):
            below = max(cut[a] - t.low[first], 0) * t.nodes[first]
            final[a, :below], final[a, below:] = 1.0, 0.0
        first -= 1
    for k in range(first, stop - 1, -1):
        after, before = slot_of(t, k + 1, values, edges), slot_of(t, k, values, edges)
        step_back(t, k, cut, after, before, unsure, memory)


@njit(cache=True, error_model="numpy", fastmath=FAST, inline="always")
def step_forward(
    t: Transition, k: int, cut: Ints, likelihood: Array, state: Array, out: Array, memory: Rows
) -> float:
    """Move `state` from slot k to k + 1, cut it at the barriers, apply a report's likelihood.

    Returns the mass of the last row; nothing is normalised.
    """
    now, then, low_then = t.nodes[k], t.nodes[k + 1], t.low[k + 1]
    barriers = out.shape[0]
    out[:] = 0.0
    least = _NEGLIGIBLE * np.max(state[barriers - 1])
    begin, finish = panels_in_use(state[barriers - 1], now, least)
    fill_rows(t, k, (begin, finish), t.width[k], memory)
    rows, span, scale, _ = memory
    for i in range(begin * now, finish * now):
        first, from_row, to = span[i, 1], Place(span[i, 0]), Place(span[i, 1])
        for a in range(barriers):
            share = scale[i] * state[a, i]
            count = min(span[i, 2], (cut[a] - low_then) * then) - first
            if state[a, i] > least and count > 0:
                for b in range(Place(count)):
                    out[a, to + b] += share * rows[i, from_row + b]
    return weigh(likelihood, out)


@njit(cache=True, error_model="numpy", fastmath=FAST, inline="always")
def weigh(likelihood: Array, state: Array) -> float:
    """Multiply every row by the likelihood; returns the mass of the last row."""
    barriers, nodes = state.shape
    total = 0.0
    for a in range(barriers):
        total = 0.0
        for i in range(nodes):
            state[a, i] *= likelihood[i]
            total += state[a, i]
    return total


@njit(cache=True)
def normalise(state: Array, total: float) -> float:
    """Divide by `total`; returns its logarithm, -inf if no path is left."""
    if not total > _NO_MASS:
        state[:] = 0.0
        return -np.inf
    state *= 1.0 / total
    return np.log(total)


@njit(cache=True, error_model="numpy", fastmath=FAST)
def start(cut_nodes: Ints, prior: Array, likelihood: Array, state: Array) -> float:
    """Compute the state at slot 0; returns its mass, nothing is normalised."""
    for a in range(cut_nodes.size):
        state[a, : cut_nodes[a]] = prior[: cut_nodes[a]]
        state[a, cut_nodes[a] :] = 0.0
    return weigh(likelihood, state)


@njit(cache=True, error_model="numpy", fastmath=FAST)
def sweep_forward(
    t: Transition,
    cut: Ints,
    likelihood: Array,
    first: int,
    last: int,
    states: Array,
    log_mass: Array,
) -> None:
    """Compute the states of slots `first` to `last`, inclusive, from that of the previous slot."""
    memory = rows_of(t)
    for k in range(first, last + 1):
        state = slot_of(t, k - 1, states, cut.size)
        out = slot_of(t, k, states, cut.size)
        weights = likelihood[t.offset[k] : t.offset[k + 1]]
        log_mass[k] = normalise(out, step_forward(t, k - 1, cut, weights, state, out, memory))


@njit(cache=True, error_model="numpy", fastmath=FAST)
def read_cdfs(
    t: Transition, first: int, states: Array, values: Array, total: Array, running: Array
) -> None:
    """P(maximum below each edge), of the whole day and so far, at as many slots from `first`."""
    slots, edges = total.shape
    for s in range(slots):
        state = slot_of(t, first + s, states, edges + 1)
        value = slot_of(t, first + s, values, edges)
        for a in range(edges):
            whole, so_far = 0.0, 0.0
            for i in range(state.shape[1]):
                whole += state[a, i] * value[a, i]
                so_far += state[a, i]
            total[s, a] = whole
            running[s, a] = so_far


@njit(cache=True, error_model="numpy", fastmath=FAST)
def read_rows(t: Transition, slots: Ints, states: Array, values: Array, total: Array) -> None:
    """P(maximum of the day below each edge) at some slots, in any order; (slots, edges)."""
    edges = total.shape[1]
    for s in range(slots.size):
        state = slot_of(t, slots[s], states, edges + 1)
        value = slot_of(t, slots[s], values, edges)
        for a in range(edges):
            whole = 0.0
            for i in range(state.shape[1]):
                whole += state[a, i] * value[a, i]
            total[s, a] = whole


@njit(cache=True)
def mix(prior: Array, log_likelihood: Array, values: Array, weights: Array, mixed: Array) -> None:
    """Mix over nodes: `weights` proportional to prior and likelihood, and the mixed values.

    Shapes: `log_likelihood` and `weights` (nodes, slots), `values` (nodes, slots, columns).
    """
    nodes, slots, columns = values.shape
    for s in range(slots):
        most = np.max(log_likelihood[:, s])
        total = 0.0
        for j in range(nodes):
            weights[j, s] = prior[j] * np.exp(log_likelihood[j, s] - most)
            total += weights[j, s]
        for j in range(nodes):
            weights[j, s] /= total
        for a in range(columns):
            mixed[s, a] = 0.0
            for j in range(nodes):
                mixed[s, a] += weights[j, s] * values[j, s, a]
