"""Compiled recursions of the exact hazard; imported only by the functions that run them.

The temperature lives on a grid of unit panels with Gauss-Legendre nodes, as many as the slot needs.
States have shape (barriers, nodes): the mass at every node of the paths that stayed below each
barrier; the last barrier is none. Values have shape (edges, nodes). Over a day both are flat:
`offset` tells where a slot's nodes begin, times the rows of the array.

A transition is never stored: its rows follow from a table of the step and one shift each, faster
than memory would give them back.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

_ROOT_2PI = np.sqrt(2.0 * np.pi)
# Mass below this share of the greatest is not moved on: 9.5 and 7.5 standard deviations.
_NEGLIGIBLE = 1e-20
_NEGLIGIBLE_HAZARD = 1e-13
_BEYOND_SD = 7.5
# Values as good as 0 and 1.
_NEVER = 1e-20
_SURELY = 1.0 - 1e-14


class Transition(NamedTuple):
    """The kernels of all steps, T[k + 1] ~ N(shift[k] + rho[k] T[k], sd[k]) or a mixture.

    Attributes
    ----------
    lowest, panels
        Lower end of the first panel, degrees F, and number of panels.
    nodes
        Nodes a panel, shape (steps + 1,).
    offset
        Nodes of all slots before each, shape (steps + 2,).
    place
        Nodes of a panel relative to its middle, degrees F, shape (steps + 1, most nodes).
    shift, rho
        Shape (steps,).
    precision
        1 / variance of the mixture's components, shape (steps, components).
    reach
        Panels to each side of a row's middle, shape (steps,).
    table, begin
        Kernel times quadrature weight around the middle of a panel: flat, and where each step's
        (components, panels, nodes) begin.
    """

    lowest: float
    panels: int
    nodes: Ints
    offset: Ints
    place: Array
    shift: Array
    rho: Array
    precision: Array
    reach: Ints
    table: Array
    begin: Ints


@njit(cache=True)
def fill_tables(
    place: Array, weight: Array, nodes: Ints, width: Array, shares: Array, reach: Ints, begin: Ints
) -> Array:
    """`Transition.table`; `width` is the standard deviation of each step and component."""
    table = np.empty(begin[-1])
    for k in range(reach.size):
        b = begin[k]
        for c in range(shares.size):
            height = shares[c] / (width[k, c] * _ROOT_2PI)
            for p in range(-reach[k], reach[k] + 1):
                for r in range(nodes[k + 1]):
                    z = (p + place[k + 1, r]) / width[k, c]
                    table[b] = height * np.exp(-0.5 * z * z) * weight[k + 1, r]
                    b += 1
    return table


@njit(cache=True, fastmath=True)
def row_panels(t: Transition, k: int, mean: float) -> tuple[int, int]:
    """First panel and end of a row, around its mean."""
    middle = int(np.floor(mean - t.lowest))
    first = min(max(middle - t.reach[k], 0), t.panels)
    return first, max(min(middle + t.reach[k] + 1, t.panels), first)


@njit(cache=True, fastmath=True)
def fill_row(t: Transition, k: int, mean: float, first: int, end: int, row: Array) -> float:
    """Kernel times weights from a node whose next mean is `mean`, on panels `first` to `end`.

    Returns the factor that makes the row sum to one. With it the grid carries a Markov chain, so
    that forward equals backward and nothing is lost, whatever the error of the quadrature.

    With d the distance of the mean from the middle of its panel and u of a node, the normal
    density factorises: exp(-(u - d)^2 / 2v) = exp(-u^2 / 2v) exp(-d^2 / 2v) exp(u d / v). The first
    factor is the table's, the last a power per panel times a factor per node of a panel.
    """
    q = t.nodes[k + 1]
    middle = int(np.floor(mean - t.lowest))
    delta = mean - t.lowest - middle - 0.5
    size = (2 * t.reach[k] + 1) * q
    skipped = (first - middle + t.reach[k]) * q
    tilt = np.empty(q)
    for c in range(t.precision.shape[1]):
        rate = delta * t.precision[k, c]
        for r in range((q + 1) // 2):
            tilt[r] = np.exp(t.place[k + 1, r] * rate)
            tilt[q - 1 - r] = 1.0 / tilt[r]
        lift = np.exp(-0.5 * delta * rate + (first - middle) * rate)
        power = np.exp(rate)
        begin = t.begin[k] + c * size + skipped
        table = t.table[begin : begin + (end - first) * q]
        for p in range(end - first):
            for r in range(q):
                b = p * q + r
                density = lift * tilt[r] * table[b]
                row[b] = density if c == 0 else row[b] + density
            lift *= power
    total = 0.0
    for b in range((end - first) * q):
        total += row[b]
    return 1.0 / total


@njit(cache=True, fastmath=True)
def step_back(t: Transition, k: int, cut: Ints, after: Array, before: Array) -> None:
    """`before`, the values at slot k, from `after`, those at slot k + 1.

    Entry (a, i) is the probability that no later temperature reaches edge a, from node i; `cut`
    counts the panels below each edge. Zero beyond the highest edge. Values fall with the
    temperature, so a row between two values of one is one, and of zero is zero.
    """
    now, then = t.nodes[k], t.nodes[k + 1]
    row = np.empty((2 * t.reach[k] + 1) * then)
    top = cut.max()
    before[:, top * now :] = 0.0
    for p in range(top):
        for r in range(now):
            mean = t.shift[k] + t.rho[k] * (t.lowest + 0.5 + p + t.place[k, r])
            first, end = row_panels(t, k, mean)
            scale = 0.0
            for a in range(cut.size):
                count = (min(end, cut[a]) - first) * then
                if end == first:
                    before[a, p * now + r] = 1.0 if mean < t.lowest else 0.0
                    continue
                if count <= 0 or after[a, first * then] < _NEVER:
                    before[a, p * now + r] = 0.0
                    continue
                if end <= cut[a] and after[a, end * then - 1] > _SURELY:
                    before[a, p * now + r] = 1.0
                    continue
                if scale == 0.0:
                    scale = fill_row(t, k, mean, first, end, row)
                total = 0.0
                values = after[a, first * then : first * then + count]
                for b in range(count):
                    total += row[b] * values[b]
                before[a, p * now + r] = scale * total


@njit(cache=True, fastmath=True)
def sweep_back(t: Transition, cut: Ints, stop: int, values: Array) -> None:
    """The values of every slot from the last down to `stop`; flat, `cut.size` rows a slot."""
    edges = cut.size
    last = t.shift.size
    values[edges * t.offset[last] : edges * t.offset[last + 1]] = 1.0
    for k in range(last - 1, stop - 1, -1):
        step_back(t, k, cut, slot_of(t, k + 1, values, edges), slot_of(t, k, values, edges))


@njit(cache=True)
def slot_of(t: Transition, k: int, flat: Array, rows: int) -> Array:
    """The (rows, nodes) of slot k in a flat array of all slots."""
    begin, end = rows * t.offset[k], rows * t.offset[k + 1]
    return flat[begin:end].reshape(rows, t.offset[k + 1] - t.offset[k])


@njit(cache=True, fastmath=True)
def step_forward(
    t: Transition, k: int, cut: Ints, likelihood: Array, state: Array, out: Array
) -> float:
    """Move `state` from slot k to k + 1, cut it at the barriers, weigh it with a report.

    Returns the mass below the last barrier; nothing is normalised.
    """
    now, then = t.nodes[k], t.nodes[k + 1]
    row = np.empty((2 * t.reach[k] + 1) * then)
    barriers = state.shape[0]
    out[:] = 0.0
    least = _NEGLIGIBLE * np.max(state[barriers - 1])
    for i in range(state.shape[1]):
        if state[barriers - 1, i] <= least:
            continue
        temp = t.lowest + 0.5 + i // now + t.place[k, i % now]
        mean = t.shift[k] + t.rho[k] * temp
        first, end = row_panels(t, k, mean)
        if end == first:
            continue
        scale = fill_row(t, k, mean, first, end, row)
        for a in range(barriers):
            mass = scale * state[a, i]
            count = (min(end, cut[a]) - first) * then
            if state[a, i] > least and count > 0:
                target = out[a, first * then : first * then + count]
                for b in range(count):
                    target[b] += mass * row[b]
    return weigh(likelihood, out)


@njit(cache=True, fastmath=True)
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


@njit(cache=True)
def start(cut_nodes: Ints, prior: Array, likelihood: Array, state: Array) -> float:
    """The state at slot 0; returns its mass, nothing is normalised."""
    for a in range(cut_nodes.size):
        state[a, : cut_nodes[a]] = prior[: cut_nodes[a]]
        state[a, cut_nodes[a] :] = 0.0
    return weigh(likelihood, state)


@njit(cache=True)
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


@njit(cache=True, fastmath=True)
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


@njit(cache=True, fastmath=True)
def out_of_reach(t: Transition, k: int, first: int, last: int, edge: float) -> float:
    """The temperature at slot k below which none at slots `first` to `last` reaches `edge`.

    By 7.5 of the widest standard deviations.
    """
    slope, constant, variance, lowest = 1.0, 0.0, 0.0, 1e9
    for step in range(k, last):
        slope *= t.rho[step]
        constant = t.rho[step] * constant + t.shift[step]
        variance = t.rho[step] ** 2 * variance + 1.0 / t.precision[step].min()
        if step + 1 >= first:
            missing = edge - _BEYOND_SD * np.sqrt(variance) - constant
            if slope > 1e-9:
                lowest = min(lowest, missing / slope)
            elif missing <= 0.0:
                lowest = -1e9
    return lowest


@njit(cache=True, fastmath=True)
def staying_below(
    t: Transition, k: int, density: Array, stop: int, lead: int, horizons: Ints, below: Array
) -> None:
    """P(no temperature of the steps after `lead` more reaches panel `stop`), for some horizons.

    `density` is the mass at every node of slot k; `horizons` ascend, in steps. Mass that can no
    longer reach is set aside.
    """
    mass = density.sum()
    state = density
    least = _NEGLIGIBLE_HAZARD * np.max(state)
    last = min(k + lead + horizons[-1], t.shift.size)
    aside = 0.0
    done = 0
    for step in range(k, last):
        now, then = t.nodes[step], t.nodes[step + 1]
        limit = stop if step >= k + lead else t.panels
        lowest = out_of_reach(t, step, k + lead + 1, last, t.lowest + stop)
        row = np.empty((2 * t.reach[step] + 1) * then)
        out = np.zeros(t.panels * then)
        for i in range(state.size):
            if state[i] <= least:
                continue
            temp = t.lowest + 0.5 + i // now + t.place[step, i % now]
            if temp < lowest:
                aside += state[i]
                continue
            mean = t.shift[step] + t.rho[step] * temp
            first, end = row_panels(t, step, mean)
            count = (min(end, limit) - first) * then
            if count > 0:
                share = state[i] * fill_row(t, step, mean, first, end, row)
                target = out[first * then : first * then + count]
                for b in range(count):
                    target[b] += share * row[b]
        state = out
        while done < horizons.size and step + 1 == k + lead + horizons[done]:
            below[done] = (aside + state.sum()) / mass
            done += 1
    below[done:] = (aside + state.sum()) / mass


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
