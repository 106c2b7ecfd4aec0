"""Compiled rows of the exact hazard's transitions; imported only by the functions that run them.

A transition is never stored: its rows follow from a table of the step and one shift each, faster
than memory would give them back. Here: what a step is, and one row of it. Not here: the sweeps
that add rows up (`exact_kernels`, `hazard_kernels`).
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

# Places in inner loops are unsigned: such an index is not looked at for counting from the end, and
# needs no part of an array cut out, which costs more than a row.
Place = np.uint64
Rows = tuple[Array, Array, Array, Array]

_ROOT_2PI = np.sqrt(2.0 * np.pi)


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
        1 / variance of the mixture's components, and how the lifts of `follow_row` grow from panel
        to panel; shape (steps, components).
    width, narrow, reach
        How far from its mean a row goes, degrees F: one that moves mass, and one that weighs
        values; and panels to each side of its middle that hold it; shape (steps,).
    table, ratio, begin
        Kernel times quadrature weight around the middle of a panel, and what multiplies it where
        the mean moves by rho - 1: flat, and where each step's (components, panels, nodes) begin.
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
    width: Array
    narrow: Array
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
def tables_of(t: Transition, k: int) -> tuple[Array, Array]:
    """The table and the ratio of step k, shape (components, row)."""
    components = t.precision.shape[1]
    size = (t.begin[k + 1] - t.begin[k]) // components
    return (
        t.table[t.begin[k] : t.begin[k + 1]].reshape(components, size),
        t.ratio[t.begin[k] : t.begin[k + 1]].reshape(components, size),
    )


@njit(cache=True)
def rows_of(t: Transition) -> Rows:
    """Memory for `fill_row` of any step: the row, the parts it sums, their lifts, tilts.

    Of one component the row and its part are the same.
    """
    components = t.precision.shape[1]
    most = 0
    for k in range(t.shift.size):
        most = max(most, (t.begin[k + 1] - t.begin[k]) // components)
    parts = np.empty((components, most))
    row = parts[0] if components == 1 else np.empty(most)
    return row, parts, np.empty(components), np.empty(t.place.shape[1])


@njit(cache=True, error_model="numpy")
def reach_of_row(
    place: Array, reach: int, width: float, least: float, most: float
) -> tuple[int, int]:
    """First entry of a row, and the one after the last, for means from `least` to `most`.

    Parameters
    ----------
    place
        Nodes of a panel of the next slot.
    least, most
        Distance of the mean from the middle of its panel, degrees F.
    """
    lower, upper = least - width, most + width
    begin, end = int(np.floor(lower + 0.5)), int(np.floor(upper + 0.5))
    before, until = 0, 0
    for r in range(place.size):
        before += 1 if begin + place[r] < lower else 0
        until += 1 if end + place[r] <= upper else 0
    return (
        max((begin + reach) * place.size + before, 0),
        min((end + reach) * place.size + until, (2 * reach + 1) * place.size),
    )


@njit(cache=True, error_model="numpy")
def fill_row(
    table: Array,
    place: Array,
    precision: Array,
    moved: float,
    delta: float,
    lifts: Array,
    tilts: Array,
    parts: Array,
    row: Array,
) -> None:
    """Kernel times weights around the middle of the panel in which the mean lies.

    With d the distance of the mean from the middle of its panel and u of a node, the normal
    density factorises: exp(-(u - d)^2 / 2v) = exp(-u^2 / 2v) exp(-d^2 / 2v) exp(u d / v). The first
    factor is the table's, the last a power per panel times a factor per node of a panel.

    Parameters
    ----------
    table
        `tables_of` the step.
    place, precision
        The nodes of a panel of the next slot, and 1 / variance of the components.
    moved
        rho - 1.
    delta
        Distance of the mean from the middle of its panel, degrees F.
    lifts
        What `follow_row` multiplies with next, shape (components,).
    tilts
        Memory for as many numbers as a panel has nodes.
    parts, row
        The components, shape (components, row), and their sum; of one they may be the same.
    """
    components, size = table.shape
    panels = size // place.size
    for c in range(components):
        power = np.exp(delta * precision[c])
        lift = np.exp(-0.5 * delta * precision[c] * (delta + panels - 1))
        for r in range(place.size):
            tilts[r] = np.exp(place[r] * delta * precision[c])
        for p in range(panels):
            first = Place(p * place.size)
            for r in range(Place(place.size)):
                parts[c, first + r] = lift * tilts[r] * table[c, first + r]
            lift *= power
        lifts[c] = np.exp(-precision[c] * moved * (delta + 0.5 * moved))
    if components > 1:
        for b in range(size):
            row[b] = parts[0, b] + parts[1, b]


@njit(cache=True, error_model="numpy")
def follow_row(
    ratio: Array, growth: Array, begin: int, end: int, lifts: Array, parts: Array, row: Array
) -> None:
    """`fill_row` from the same node of the panel before: the mean has moved by rho - 1.

    One product for each entry from `begin` to `end`.
    """
    components, first = ratio.shape[0], Place(begin)
    for c in range(components):
        lift = lifts[c]
        for b in range(Place(end - begin)):
            parts[c, first + b] *= lift * ratio[c, first + b]
        lifts[c] *= growth[c]
    if components > 1:
        for b in range(Place(end - begin)):
            row[first + b] = parts[0, first + b] + parts[1, first + b]


@njit(inline="always")
def mass_of(row: Array, begin: int, end: int) -> float:
    """The sum of a part of a row."""
    total, first = 0.0, Place(begin)
    for b in range(Place(max(end - begin, 0))):
        total += row[first + b]
    return total


@njit(inline="always")
def scale_of(row: Array, begin: int, end: int) -> float:
    """The factor that makes a part of a row sum to one.

    With it the grid carries a Markov chain, so that forward equals backward and nothing is lost,
    whatever the error of the quadrature.
    """
    return 1.0 / mass_of(row, begin, end)


@njit(inline="always")
def lay_down(share: float, row: Array, skip: int, out: Array, a: int, first: int, end: int) -> None:
    """Add a share of a row, from entry `skip` on, to row `a` of `out` from `first` to `end`."""
    if share > 0.0 and end > first:
        from_row, to_out = Place(skip), Place(first)
        for b in range(Place(end - first)):
            out[a, to_out + b] += share * row[from_row + b]


@njit(cache=True)
def slot_of(t: Transition, k: int, flat: Array, rows: int) -> Array:
    """The (rows, nodes) of slot k in a flat array of all slots."""
    begin, end = rows * t.offset[k], rows * t.offset[k + 1]
    return flat[begin:end].reshape(rows, t.offset[k + 1] - t.offset[k])
