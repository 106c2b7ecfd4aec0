"""Compiled rows of the exact hazard's transitions; imported only by the functions that run them.

Transition matrices are not stored: their rows are computed from a table of the step and a shift per
row, which is faster than reading them from memory. Here: a step, and its rows. Not here: the sweeps
over rows (`exact_kernels`, `hazard_kernels`).
"""

from typing import NamedTuple

import numpy as np

from kalshi_assets.kernel_cache import njit
from kalshi_assets.units import Array, Ints

# Sums may be reordered, and therefore vectorised; NaN and infinity are respected.
#
# A function with sums that is called by another compiled function must be inlined. Otherwise a
# process that compiles uses the separately compiled callee, but one that loads from the cache uses
# the callee compiled with its caller: the order of sums differs, and the last bits of a day depend
# on the process. For the same reason an array's own sum() is not used.
FAST = {"reassoc", "contract", "arcp", "nsz", "afn"}

# Indices in inner loops are unsigned: they need no check for negative indexing and no slicing of
# arrays, which costs more than a row.
Place = np.uint64
# The working memory of `fill_rows`: see `rows_of`.
Rows = tuple[Array, Ints, Array, Array]

_ROOT_2PI = np.sqrt(2.0 * np.pi)
# exp(x) as the power 2^10 of a polynomial at x / 2^10.
_SQUARINGS = 10
_PARTS = 1.0 / 2.0**_SQUARINGS
# Number of panels after which rows are recomputed, so that a row does not depend on which are
# needed.
BLOCK = 16


class Transition(NamedTuple):
    """The kernels of all steps, T[k + 1] ~ N(shift[k] + rho[k] T[k], sd[k]) or a mixture.

    Attributes
    ----------
    lowest
        Lower end of panel 0, degrees F.
    low, high
        First panel of each slot and the one after its last, shape (steps + 1,).
    nodes
        Nodes a panel, shape (steps + 1,).
    offset
        Nodes of all slots before each, shape (steps + 2,).
    place
        Nodes of a panel relative to its middle, degrees F, shape (steps + 1, most nodes).
    shift, rho
        Shape (steps,).
    precision, growth
        1 / variance of the mixture's components, and the change from panel to panel of the factor
        between a row and that of the next panel; shape (steps, components).
    variance
        Variance of the widest component, shape (steps,).
    width, narrow, reach
        Reach of a row from its mean, degrees F: in forward and in backward sweeps; and the number
        of panels on each side of its middle that contain it; shape (steps,).
    away, table, ratio
        For each node of a row: its distance from the middle of the panel that contains the mean,
        degrees F; kernel times quadrature weight around that middle; the factor if the mean moves
        by rho - 1. Flat; for each distinct step (panels, nodes) or (components, panels, nodes).
    begin
        Start of each step's row in `away`, shape (steps,).
    """

    lowest: float
    low: Ints
    high: Ints
    nodes: Ints
    offset: Ints
    place: Array
    shift: Array
    rho: Array
    precision: Array
    growth: Array
    variance: Array
    width: Array
    narrow: Array
    reach: Ints
    away: Array
    table: Array
    ratio: Array
    begin: Ints


@njit(cache=True)
def fill_tables(
    place: Array, weight: Array, rho: Array, width: Array, shares: Array, reach: Ints, nodes: Ints
) -> tuple[Array, Array, Array, Ints]:
    """`Transition.away`, `table` and `ratio` of distinct steps, and the start of each in `away`.

    Parameters
    ----------
    place, weight
        Nodes of a panel and their weights, shape (distinct steps, most nodes).
    width
        Standard deviations, shape (distinct steps, components).
    shares
        Probabilities of the components.
    reach, nodes
        Shape (distinct steps,).
    """
    begin = np.zeros(reach.size + 1, np.int64)
    begin[1:] = np.cumsum((2 * reach + 1) * nodes)
    away = np.empty(begin[-1])
    table, ratio = np.empty(begin[-1] * shares.size), np.empty(begin[-1] * shares.size)
    for law in range(reach.size):
        size = begin[law + 1] - begin[law]
        for b in range(size):
            panel, r = b // nodes[law] - reach[law], b % nodes[law]
            away[begin[law] + b] = panel + place[law, r]
            for c in range(shares.size):
                at = begin[law] * shares.size + c * size + b
                z = (panel + place[law, r]) / width[law, c]
                height = shares[c] / (width[law, c] * _ROOT_2PI)
                table[at] = height * np.exp(-0.5 * z * z) * weight[law, r]
                ratio[at] = np.exp(z * (rho[law] - 1.0) / width[law, c])
    return away, table, ratio, begin[:-1]


@njit(inline="always")
def law_of(t: Transition, k: int) -> tuple[Array, Array, Array]:
    """`away`, `table` and `ratio` of step k, of shape (row,) and (components, row)."""
    components, size = t.precision.shape[1], (2 * t.reach[k] + 1) * t.nodes[k + 1]
    first, last = components * t.begin[k], components * (t.begin[k] + size)
    return (
        t.away[t.begin[k] : t.begin[k] + size],
        t.table[first:last].reshape(components, size),
        t.ratio[first:last].reshape(components, size),
    )


@njit(cache=True)
def rows_of(t: Transition) -> Rows:
    """Memory for the rows of all nodes of a slot, of any step.

    Returns
    -------
    rows
        Shape (nodes, row).
    span
        For each row its first entry on the grid, and the first and end node of the next slot that
        it covers; shape (nodes, 3). The range is empty for a row off the grid: at 0 below it, after
        the last node above.
    scale
        Factor by which each row sums to one, shape (nodes,). The grid is then a Markov chain, so
        that forward equals backward and no mass is lost, whatever the error of the quadrature.
    parts
        The components of a row, shape (components, nodes, row); with one component the rows.
    """
    components, nodes, most = t.precision.shape[1], np.max(np.diff(t.offset)), 0
    for k in range(t.shift.size):
        most = max(most, (2 * t.reach[k] + 1) * t.nodes[k + 1])
    parts = np.empty((components, nodes, most))
    rows = parts[0] if components == 1 else np.empty((nodes, most))
    return rows, np.empty((nodes, 3), dtype=np.int64), np.empty(nodes), parts


@njit(cache=True, error_model="numpy")
def entries_of(
    place: Array, reach: int, width: float, delta: float, moved: float, panels: int
) -> tuple[int, int]:
    """First entry of a row and the one after the last, up to `width` from its mean.

    They also cover the following rows, whose means move by rho - 1 per panel.

    Parameters
    ----------
    place
        Nodes of a panel of the next slot.
    delta
        Distance of the mean from the middle of its panel, degrees F.
    moved
        rho - 1.
    """
    lower, upper = max(delta + moved * panels, -0.5) - width, delta + width
    begin, end = int(np.floor(lower + 0.5)), int(np.floor(upper + 0.5))
    before, until = 0, 0
    for r in range(place.size):
        before += 1 if begin + place[r] < lower else 0
        until += 1 if end + place[r] <= upper else 0
    return (
        max((begin + reach) * place.size + before, 0),
        min((end + reach) * place.size + until, (2 * reach + 1) * place.size),
    )


@njit(inline="always")
def exponential(x: float) -> float:
    """exp(x) to 3e-13 for |x| up to 100, and to 5e-11 up to 300; unlike a call, vectorised."""
    y = x * _PARTS
    power = 1.0 + y * (1.0 / 10.0)
    power = 1.0 + y * (1.0 / 9.0) * power
    power = 1.0 + y * (1.0 / 8.0) * power
    power = 1.0 + y * (1.0 / 7.0) * power
    power = 1.0 + y * (1.0 / 6.0) * power
    power = 1.0 + y * (1.0 / 5.0) * power
    power = 1.0 + y * (1.0 / 4.0) * power
    power = 1.0 + y * (1.0 / 3.0) * power
    power = 1.0 + y * (1.0 / 2.0) * power
    power = 1.0 + y * power
    power *= power
    power *= power
    power *= power
    power *= power
    power *= power
    power *= power
    power *= power
    power *= power
    power *= power
    return power * power


@njit(inline="always")
def fill_rows(t: Transition, k: int, panels: tuple[int, int], width: float, memory: Rows) -> None:
    """The rows of step k from all nodes of some panels, kernel times weights, into `memory`.

    With d the distance of the mean from the middle of its panel and u that of a node, the normal
    density factorises: exp(-(u - d)^2 / 2v) = exp(-u^2 / 2v) exp((u - d / 2) d / v). The first
    factor is in the table. From panel to panel the mean moves by rho, that is d by rho - 1, which
    takes one product per entry; a row is recomputed only in a new block and if the mean skips a
    panel.

    Parameters
    ----------
    panels
        First and end panel of the slot; earlier panels of the block are computed, too.
    width
        Reach of the rows from their means, degrees F.
    """
    away, table, ratio = law_of(t, k)
    rows, span, scale, parts = memory
    here, place = t.place[k], t.place[k + 1, : t.nodes[k + 1]]
    precision, growth, reach = t.precision[k], t.growth[k], t.reach[k]
    now, following, size = t.nodes[k], t.low[k + 1], t.offset[k + 2] - t.offset[k + 1]
    panels_here = t.high[k] - t.low[k]
    start, stop = panels[0] // BLOCK * BLOCK, min(panels[1], panels_here)
    rho, moved = t.rho[k], t.rho[k] - 1.0
    # The mean, in panels of the day, from the lower end of the slot's panel 0.
    shift = t.shift[k] + moved * t.lowest + rho * t.low[k]
    lift = np.empty(precision.size)
    for r in range(now):
        expected, begin, end = -1, 0, 0
        for p in range(start, stop):
            i = p * now + r
            mean = shift + rho * (p + 0.5 + here[r])
            middle = int(np.floor(mean))
            delta = mean - middle - 0.5
            fresh = p % BLOCK == 0 or middle != expected
            expected = middle + 1
            if fresh:
                to_come = min(BLOCK - p % BLOCK, panels_here - p)
                begin, end = entries_of(place, reach, width, delta, moved, to_come)
            entry, count, total = Place(begin), Place(end - begin), 0.0
            for c in range(precision.size):
                if fresh:
                    slope = delta * precision[c]
                    for b in range(count):
                        tilt = exponential((away[entry + b] - 0.5 * delta) * slope)
                        part = tilt * table[c, entry + b]
                        parts[c, i, entry + b] = part
                        total += part
                    lift[c] = np.exp(-precision[c] * moved * (delta + 0.5 * moved))
                else:
                    by = lift[c]
                    for b in range(count):
                        part = by * ratio[c, entry + b] * parts[c, i - now, entry + b]
                        parts[c, i, entry + b] = part
                        total += part
                    lift[c] *= growth[c]
            if precision.size > 1:
                for b in range(count):
                    rows[i, entry + b] = parts[0, i, entry + b] + parts[1, i, entry + b]
            to_slot = (middle - reach - following) * place.size
            first, last = max(to_slot + begin, 0), min(to_slot + end, size)
            if last - first < end - begin:
                total = 0.0
                for b in range(first - to_slot, last - to_slot):
                    total += rows[i, b]
            span[i, 0], span[i, 1], span[i, 2] = first - to_slot, first, last
            scale[i] = 1.0 / total if first < last else 0.0


@njit(inline="always")
def mass_of(row: Array, begin: int, end: int) -> float:
    """The sum of a part of a row."""
    total, first = 0.0, Place(begin)
    for b in range(Place(max(end - begin, 0))):
        total += row[first + b]
    return total


@njit(cache=True, error_model="numpy", fastmath=FAST, inline="always")
def panels_in_use(state: Array, nodes: int, least: float) -> tuple[int, int]:
    """First panel with more than the least mass, and the one after the last."""
    first, end = 0, state.size
    while first < end and state[first] <= least:
        first += 1
    while end > first and state[end - 1] <= least:
        end -= 1
    return first // nodes, -(-end // nodes)


@njit(cache=True)
def slot_of(t: Transition, k: int, flat: Array, rows: int) -> Array:
    """The (rows, nodes) of slot k in a flat array of all slots."""
    begin, end = rows * t.offset[k], rows * t.offset[k + 1]
    return flat[begin:end].reshape(rows, t.offset[k + 1] - t.offset[k])
