"""Compiled recursions of the exact hazard; imported only by the functions that run them.

The temperature lives on a grid of unit panels with Gauss-Legendre nodes, as many as the slot needs.
States have shape (barriers, nodes): the mass at every node of the paths that stayed below each
barrier; the last barrier is none. Values have shape (edges, nodes). Over a day both are flat:
`offset` tells where a slot's nodes begin, times the rows of the array. Edges are told as `cut`, the
number of panels of the grid below each.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kalshi_assets.weather.filter.row_kernels import (
    FAST,
    Place,
    Rows,
    Transition,
    fill_row,
    follow_row,
    lay_down,
    reach_of_row,
    rows_of,
    scale_of,
    slot_of,
    tables_of,
)

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

# Mass below this share of the greatest is not moved on: 8.8 standard deviations, more than a step
# reaches.
_NEGLIGIBLE = 1e-18
# Values as good as 0 and 1.
_NEVER = 1e-20
_SURELY = 1.0 - 1e-14


@njit(inline="always")
def spread_out(value: float, a: int, upto: int, i: int, before: Array) -> None:
    """`before` at node `i`, for edges from `a` to `upto`: the same."""
    for each in range(a, upto):
        before[each, i] = value


@njit(inline="always")
def weigh_values(
    row: Array,
    skip: int,
    after: Array,
    first: int,
    last: int,
    a: int,
    upto: int,
    i: int,
    before: Array,
) -> None:
    """`before` at node `i`, for edges from `a` to `upto`: values weighed with a row.

    The row from entry `skip` on weighs the nodes from `first` to `last`. Four edges at a time share
    what it costs to read it.
    """
    scale = scale_of(row, skip, skip + last - first)
    from_row, to, count = Place(skip), Place(first), Place(last - first)
    while a + 4 <= upto:
        w, x, y, z = 0.0, 0.0, 0.0, 0.0
        for b in range(count):
            part = row[from_row + b]
            w += part * after[a, to + b]
            x += part * after[a + 1, to + b]
            y += part * after[a + 2, to + b]
            z += part * after[a + 3, to + b]
        before[a, i], before[a + 1, i] = scale * w, scale * x
        before[a + 2, i], before[a + 3, i] = scale * y, scale * z
        a += 4
    while a < upto:
        w = 0.0
        for b in range(count):
            w += row[from_row + b] * after[a, to + b]
        before[a, i] = scale * w
        a += 1


@njit(cache=True, error_model="numpy", fastmath=FAST, inline="always")
def step_back(t: Transition, k: int, cut: Ints, after: Array, before: Array, rows: Rows) -> None:
    """`before`, the values at slot k, from `after`, those at slot k + 1.

    Entry (a, i) is the probability that neither node i nor a later temperature reaches edge a.
    Values fall with the temperature and rise with the edge, so a row between two values of one is
    one, and of zero is zero.
    """
    now, then, reach, width = t.nodes[k], t.nodes[k + 1], t.reach[k], t.narrow[k]
    table, ratio = tables_of(t, k)
    row, parts, lifts, tilts = rows
    here, place, precision = t.place[k], t.place[k + 1, :then], t.precision[k]
    shift, rho, moved = t.shift[k] - t.lowest, t.rho[k], t.rho[k] - 1.0
    growth = t.growth[k]
    edges, size = after.shape
    lowest, low, low_then = t.lowest + 0.5, t.low[k], t.low[k + 1]
    top = max(min(cut.max(), t.high[k]), low)
    before[:, (top - low) * now :] = 0.0
    for r in range(now):
        fresh, expected, begin, end = True, -1, 0, 0
        lowest_edge = 0
        for p in range(low, top):
            i = (p - low) * now + r
            mean = shift + rho * (lowest + p + here[r])
            middle = int(np.floor(mean))
            delta = mean - middle - 0.5
            if p == low or middle != expected:
                least = max(delta + moved * (top - p), -0.5)
                begin, end = reach_of_row(place, reach, width, least, delta)
                fresh = True
            expected = middle + 1
            to_slot = (middle - reach - low_then) * then
            first, last = max(to_slot + begin, 0), min(to_slot + end, size)
            while lowest_edge < edges and cut[lowest_edge] <= p:
                lowest_edge += 1
            a, upto = lowest_edge, edges
            if first >= last:
                spread_out(0.0, 0, a, i, before)
                spread_out(1.0 if to_slot < 0 else 0.0, a, upto, i, before)
                fresh = True
                continue
            while a < upto and after[a, first] < _NEVER:
                a += 1
            while upto > a and after[upto - 1, last - 1] > _SURELY:
                upto -= 1
            spread_out(0.0, 0, a, i, before)
            spread_out(1.0, upto, edges, i, before)
            if a == upto:
                fresh = True
                continue
            if fresh:
                fill_row(table, place, precision, moved, delta, lifts, tilts, parts, row)
                fresh = False
            else:
                follow_row(ratio, growth, begin, end, lifts, parts, row)
            weigh_values(row, first - to_slot, after, first, last, a, upto, i, before)


@njit(cache=True, error_model="numpy", fastmath=FAST)
def sweep_back(t: Transition, cut: Ints, first: int, stop: int, values: Array) -> None:
    """The values of every slot from `first` down to `stop`; flat, `cut.size` rows a slot.

    Those of the slot after `first` must be there; the last has none.
    """
    edges, rows = cut.size, rows_of(t)
    if first == t.shift.size:
        final = slot_of(t, first, values, edges)
        for a in range(edges):
            below = max(cut[a] - t.low[first], 0) * t.nodes[first]
            final[a, :below], final[a, below:] = 1.0, 0.0
        first -= 1
    for k in range(first, stop - 1, -1):
        after, before = slot_of(t, k + 1, values, edges), slot_of(t, k, values, edges)
        step_back(t, k, cut, after, before, rows)


@njit(cache=True, error_model="numpy", fastmath=FAST, inline="always")
def step_forward(
    t: Transition, k: int, cut: Ints, likelihood: Array, state: Array, out: Array
) -> float:
    """Move `state` from slot k to k + 1, cut it at the barriers, weigh it with a report.

    Returns the mass below the last barrier; nothing is normalised.
    """
    now, then, reach, width = t.nodes[k], t.nodes[k + 1], t.reach[k], t.width[k]
    table, ratio = tables_of(t, k)
    here, place, precision = t.place[k], t.place[k + 1, :then], t.precision[k]
    shift, rho, moved = t.shift[k] - t.lowest, t.rho[k], t.rho[k] - 1.0
    growth = t.growth[k]
    row, parts, lifts, tilts = rows_of(t)
    barriers, size = out.shape
    out[:] = 0.0
    least = _NEGLIGIBLE * np.max(state[barriers - 1])
    lowest, low, low_then, high = t.lowest + 0.5, t.low[k], t.low[k + 1], t.high[k]
    for r in range(now):
        fresh, expected, begin, end = True, -1, 0, 0
        for p in range(low, high):
            i = (p - low) * now + r
            mean = shift + rho * (lowest + p + here[r])
            middle = int(np.floor(mean))
            delta = mean - middle - 0.5
            if p == low or middle != expected:
                to_come = max(delta + moved * (high - p), -0.5)
                begin, end = reach_of_row(place, reach, width, to_come, delta)
                fresh = True
            expected = middle + 1
            to_slot = (middle - reach - low_then) * then
            first, last = max(to_slot + begin, 0), min(to_slot + end, size)
            if state[barriers - 1, i] <= least or first >= last:
                fresh = True
                continue
            if fresh:
                fill_row(table, place, precision, moved, delta, lifts, tilts, parts, row)
                fresh = False
            else:
                follow_row(ratio, growth, begin, end, lifts, parts, row)
            skip = first - to_slot
            scale = scale_of(row, skip, last - to_slot)
            for a in range(barriers):
                if state[a, i] > least:
                    end_of_edge = min(last, (cut[a] - low_then) * then)
                    lay_down(scale * state[a, i], row, skip, out, a, first, end_of_edge)
    return weigh(likelihood, out)


@njit(cache=True, error_model="numpy", fastmath=FAST, inline="always")
def weigh(likelihood: Array, state: Array) -> float:
    """Multiply every row with the likelihood; the mass of the last."""
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
    """Divide by `total`; returns its logarithm, -inf where no path is left."""
    if total <= 0.0:
        state[:] = 0.0
        return -np.inf
    state *= 1.0 / total
    return np.log(total)


@njit(cache=True, error_model="numpy", fastmath=FAST)
def start(cut_nodes: Ints, prior: Array, likelihood: Array, state: Array) -> float:
    """The state at slot 0; returns its mass, nothing is normalised."""
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
    """The states of slots `first` to `last`, both inclusive, from that of the slot before."""
    for k in range(first, last + 1):
        state = slot_of(t, k - 1, states, cut.size)
        out = slot_of(t, k, states, cut.size)
        weights = likelihood[t.offset[k] : t.offset[k + 1]]
        log_mass[k] = normalise(out, step_forward(t, k - 1, cut, weights, state, out))


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
