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

# Sums may be taken in any order, and so in vectors; NaN and infinity stay what they are.
#
# Whatever is called by a compiled function and sums must be inlined. Else a process that compiles
# takes the callee as it was compiled alone, one that loads from the cache the callee as it was
# compiled again with its caller: another order of sums, and the last bits of a day depend on who
# made it. For the same reason no array's own sum().
FAST = {"reassoc", "contract", "arcp", "nsz", "afn"}

_ROOT_2PI = np.sqrt(2.0 * np.pi)
# Mass below this share of the greatest is not moved on: 8.8 standard deviations, more than a step
# reaches.
_NEGLIGIBLE = 1e-18
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
    table, ratio, begin
        Kernel times quadrature weight around the middle of a panel, and what multiplies it where
        the mean moves by rho - 1: flat, and where each step's (components, panels, nodes) begin.
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
    ratio: Array
    begin: Ints


@njit(cache=True)
def fill_tables(
    place: Array,
    weight: Array,
    nodes: Ints,
    rho: Array,
    width: Array,
    shares: Array,
    reach: Ints,
    begin: Ints,
) -> tuple[Array, Array]:
    """`Transition.table` and `ratio`; `width`: standard deviation of each step and component."""
    table, ratio = np.empty(begin[-1]), np.empty(begin[-1])
    for k in range(reach.size):
        b = begin[k]
        for c in range(shares.size):
            height = shares[c] / (width[k, c] * _ROOT_2PI)
            for p in range(-reach[k], reach[k] + 1):
                for r in range(nodes[k + 1]):
                    z = (p + place[k + 1, r]) / width[k, c]
                    table[b] = height * np.exp(-0.5 * z * z) * weight[k + 1, r]
                    ratio[b] = np.exp(z * (rho[k] - 1.0) / width[k, c])
                    b += 1
    return table, ratio


@njit(cache=True)
def row_panels(t: Transition, k: int, mean: float) -> tuple[int, int, int]:
    """Middle, first panel and end of a row, around its mean."""
    middle = int(np.floor(mean - t.lowest))
    first = min(max(middle - t.reach[k], 0), t.panels)
    return middle, first, max(min(middle + t.reach[k] + 1, t.panels), first)


@njit(cache=True)
def tables_of(t: Transition, k: int) -> tuple[Array, Array]:
    """The table and the ratio of step k, shape (components, row)."""
    components = t.precision.shape[1]
    size = (t.begin[k + 1] - t.begin[k]) // components
    return (
        t.table[t.begin[k] : t.begin[k + 1]].reshape(components, size),
        t.ratio[t.begin[k] : t.begin[k + 1]].reshape(components, size),
    )


@njit(cache=True)
def rows_of(table: Array) -> tuple[Array, Array]:
    """Memory for `fill_row`: the row, and the parts it sums; of one component they are the same."""
    parts = np.empty(table.shape)
    return (parts[0] if len(parts) == 1 else np.empty(table.shape[1])), parts


@njit(inline="always")
def fill_row(
    table: Array,
    ratio: Array,
    place: Array,
    precision: Array,
    moved: float,
    delta: float,
    follows: bool,
    parts: Array,
    row: Array,
) -> None:
    """Kernel times weights around the middle of the panel in which the mean lies.

    With d the distance of the mean from the middle of its panel and u of a node, the normal
    density factorises: exp(-(u - d)^2 / 2v) = exp(-u^2 / 2v) exp(-d^2 / 2v) exp(u d / v). The first
    factor is the table's, the last a power per panel times a factor per node of a panel. From the
    same node of the panel before, the mean has moved by rho - 1: one product for each entry.

    Parameters
    ----------
    table, ratio
        `tables_of` the step.
    place, precision
        The nodes of a panel of the next slot, and 1 / variance of the components.
    moved
        rho - 1.
    delta
        Distance of the mean from the middle of its panel, degrees F.
    follows
        Whether `parts`, shape (components, row), are still those of the panel before.
    row
        The sum of the components, shape (row,); of one component it may be `parts` itself.
    """
    components, size = table.shape
    for c in range(components):
        if follows:
            lift = np.exp(-precision[c] * moved * (delta - 0.5 * moved))
            for b in range(size):
                parts[c, b] *= lift * ratio[c, b]
        else:
            panels = size // place.size
            power = np.exp(delta * precision[c])
            lift = np.exp(-0.5 * delta * precision[c] * (delta + panels - 1))
            for p in range(panels):
                for r in range(place.size):
                    parts[c, p * place.size + r] = lift * table[c, p * place.size + r]
                lift *= power
            for r in range(place.size):
                tilt = np.exp(place[r] * delta * precision[c])
                for p in range(panels):
                    parts[c, p * place.size + r] *= tilt
    if components > 1:
        for b in range(size):
            row[b] = parts[0, b] + parts[1, b]


@njit(inline="always")
def mass_of(row: Array, begin: int, end: int) -> float:
    """The sum of a part of the row."""
    total = 0.0
    shown = row[begin:end]
    for b in range(shown.size):
        total += shown[b]
    return total


@njit(inline="always")
def scale_of(row: Array, begin: int, end: int) -> float:
    """The factor that makes the row sum to one.

    With it the grid carries a Markov chain, so that forward equals backward and nothing is lost,
    whatever the error of the quadrature.
    """
    return 1.0 / mass_of(row, begin, end)


@njit(cache=True, fastmath=FAST, inline="always")
def step_back(t: Transition, k: int, cut: Ints, after: Array, before: Array) -> None:
    """`before`, the values at slot k, from `after`, those at slot k + 1.

    Entry (a, i) is the probability that no later temperature reaches edge a, from node i; `cut`
    counts the panels below each edge. Zero beyond the highest edge. Values fall with the
    temperature, so a row between two values of one is one, and of zero is zero.
    """
    now, then, reach = t.nodes[k], t.nodes[k + 1], t.reach[k]
    table, ratio = tables_of(t, k)
    row, parts = rows_of(table)
    place, precision = t.place[k + 1, :then], t.precision[k]
    moved = t.rho[k] - 1.0
    top = cut.max()
    before[:, top * now :] = 0.0
    for r in range(now):
        filled, filled_middle = -2, 0
        for p in range(top):
            mean = t.shift[k] + t.rho[k] * (t.lowest + 0.5 + p + t.place[k, r])
            middle, first, end = row_panels(t, k, mean)
            scale = 0.0
            skip = (first - middle + reach) * then
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
                    delta = mean - t.lowest - middle - 0.5
                    follows = filled == p - 1 and filled_middle == middle - 1
                    fill_row(table, ratio, place, precision, moved, delta, follows, parts, row)
                    filled, filled_middle = p, middle
                    scale = scale_of(row, skip, skip + (end - first) * then)
                total = 0.0
                values, shown = after[a, first * then :], row[skip:]
                for b in range(count):
                    total += shown[b] * values[b]
                before[a, p * now + r] = scale * total


@njit(cache=True, fastmath=FAST)
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


@njit(cache=True, fastmath=FAST, inline="always")
def step_forward(
    t: Transition, k: int, cut: Ints, likelihood: Array, state: Array, out: Array
) -> float:
    """Move `state` from slot k to k + 1, cut it at the barriers, weigh it with a report.

    Returns the mass below the last barrier; nothing is normalised.
    """
    now, then, reach = t.nodes[k], t.nodes[k + 1], t.reach[k]
    table, ratio = tables_of(t, k)
    row, parts = rows_of(table)
    place, precision = t.place[k + 1, :then], t.precision[k]
    moved = t.rho[k] - 1.0
    barriers = state.shape[0]
    out[:] = 0.0
    least = _NEGLIGIBLE * np.max(state[barriers - 1])
    for r in range(now):
        filled, filled_middle = -2, 0
        for p in range(t.panels):
            i = p * now + r
            if state[barriers - 1, i] <= least:
                continue
            mean = t.shift[k] + t.rho[k] * (t.lowest + 0.5 + p + t.place[k, r])
            middle, first, end = row_panels(t, k, mean)
            if end == first:
                continue
            delta = mean - t.lowest - middle - 0.5
            follows = filled == p - 1 and filled_middle == middle - 1
            fill_row(table, ratio, place, precision, moved, delta, follows, parts, row)
            filled, filled_middle = p, middle
            skip = (first - middle + reach) * then
            scale = scale_of(row, skip, skip + (end - first) * then)
            for a in range(barriers):
                mass = scale * state[a, i]
                count = (min(end, cut[a]) - first) * then
                if state[a, i] > least and count > 0:
                    target, shown = out[a, first * then :], row[skip:]
                    for b in range(count):
                        target[b] += mass * shown[b]
    return weigh(likelihood, out)


@njit(cache=True, fastmath=FAST, inline="always")
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


@njit(cache=True, fastmath=FAST)
def start(cut_nodes: Ints, prior: Array, likelihood: Array, state: Array) -> float:
    """The state at slot 0; returns its mass, nothing is normalised."""
    for a in range(cut_nodes.size):
        state[a, : cut_nodes[a]] = prior[: cut_nodes[a]]
        state[a, cut_nodes[a] :] = 0.0
    return weigh(likelihood, state)


@njit(cache=True, fastmath=FAST)
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


@njit(cache=True, fastmath=FAST)
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


@njit(cache=True, fastmath=FAST)
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
