"""Compiled joint Kelly sizes: orders on legs of one ladder, beside what is held already.

Here: the optimum. Not here: which orders there are, or how much of the optimum is taken
(`desk_kernels`).
"""

from typing import NamedTuple

import numpy as np

from kalshi_assets.kernel_cache import lean
from kalshi_assets.units import Array, Ints

# A sweep sets one size after the other to its best; a leap moves all that are at no bound at once.
# The objective is concave, so sweeps converge, but slowly where orders hedge each other; leaps
# converge fast once it is known which sizes are at a bound. They end when none moves any more.
_SWEEPS = 60
_STEPS = 40
_HALVINGS = 30
_NEAR = 1e-6  # contracts
_FLAT = 1e-14  # of a curvature: rounding


class Memory(NamedTuple):
    """Working memory of `joint_kelly`."""

    total: Array
    moved: Array
    inside: Ints
    step: Array
    bend: Array


def new_memory(orders: int, atoms: int) -> Memory:
    """Working memory of `joint_kelly`.

    Parameters
    ----------
    orders
        Greatest number of orders that are sized at once.
    atoms
        Number of atoms.
    """
    return Memory(
        total=np.empty(atoms),
        moved=np.empty(atoms),
        inside=np.empty(orders, np.int64),
        step=np.empty(orders),
        bend=np.empty((orders, orders)),
    )


@lean
def joint_kelly(
    p: Array, wealth: Array, gain: Array, most: Array, memory: Memory, sizes: Array
) -> None:
    """The sizes n >= 0 that maximise sum_j p_j log(wealth_j + sum_i n_i gain_ij).

    Source: Kelly (1956); methods.md 8.

    Parameters
    ----------
    p
        Probability of each atom, shape (atoms,).
    wealth
        Wealth on each atom without the orders, above 0, shape (atoms,).
    gain
        Gain of a contract of each order on each atom, shape (orders, atoms).
    most
        Greatest sizes, shape (orders,).
    memory
        From `new_memory`.
    sizes
        Receives the sizes, in contracts, shape (orders,) or longer.
    """
    orders, atoms = gain.shape
    total = memory.total
    if _at_bounds(p, wealth, gain, most, total, sizes):
        return
    for j in range(atoms):
        total[j] = wealth[j]
    for i in range(orders):
        sizes[i] = 0.0
    for _ in range(_SWEEPS):
        moved = 0.0
        for i in range(orders):
            size = _best(p, total, gain[i], sizes[i], most[i])
            change = size - sizes[i]
            if change != 0.0:
                for j in range(atoms):
                    total[j] += change * gain[i, j]
                sizes[i] = size
            moved = max(moved, abs(change))
        if orders == 1:
            return
        moved = max(moved, _leap(p, gain, most, memory, sizes))
        if moved < _NEAR:
            return


@lean
def _at_bounds(
    p: Array, wealth: Array, gain: Array, most: Array, total: Array, sizes: Array
) -> bool:
    """Whether the optimum is sizes of 0 or the greatest, by what each adds on its own; sets them.

    It is for almost all orders, which are small beside the wealth. Where every derivative points
    out of its bounds, sizes are optimal, since the expected log wealth is concave.
    """
    orders, atoms = gain.shape
    for j in range(atoms):
        total[j] = wealth[j]
    for i in range(orders):
        sizes[i] = most[i] if _slope(p, wealth, gain[i], 0.0)[0] > 0.0 else 0.0
    for i in range(orders):
        if sizes[i] > 0.0:
            for j in range(atoms):
                total[j] += sizes[i] * gain[i, j]
    for j in range(atoms):
        if p[j] > 0.0 and not total[j] > 0.0:
            return False
    for i in range(orders):
        slope = _slope(p, total, gain[i], 0.0)[0]
        if slope < 0.0 < sizes[i] or (slope > 0.0 and sizes[i] < most[i]):
            return False
    return True


@lean
def _leap(p: Array, gain: Array, most: Array, memory: Memory, sizes: Array) -> float:
    """Newton's step of all sizes between their bounds, as far as they are; the greatest change."""
    total, moved, inside, step = memory.total, memory.moved, memory.inside, memory.step
    many = _direction(p, gain, most, memory, sizes)
    if many < 2:
        return 0.0
    part, at_bound = 1.0, -1
    for a in range(many):
        i = inside[a]
        room = sizes[i] if step[a] < 0.0 else most[i] - sizes[i]
        if part * abs(step[a]) > room:
            part, at_bound = room / abs(step[a]), a
    for j in range(len(p)):
        moved[j] = 0.0
        for a in range(many):
            moved[j] += step[a] * gain[inside[a], j]
    halvings = 0
    while not _worth(p, total, moved, part) > 0.0:
        part, at_bound, halvings = 0.5 * part, -1, halvings + 1
        if halvings == _HALVINGS:
            return 0.0
    greatest = 0.0
    for a in range(many):
        i = inside[a]
        sizes[i] = min(max(sizes[i] + part * step[a], 0.0), most[i])
        greatest = max(greatest, part * abs(step[a]))
    if at_bound >= 0:
        sizes[inside[at_bound]] = 0.0 if step[at_bound] < 0.0 else most[inside[at_bound]]
    for j in range(len(p)):
        total[j] += part * moved[j]
    return greatest


@lean
def _direction(p: Array, gain: Array, most: Array, memory: Memory, sizes: Array) -> int:
    """Which sizes are between their bounds, and Newton's step of them; their number."""
    total, inside, step, bend = memory.total, memory.inside, memory.step, memory.bend
    many = 0
    for i in range(len(gain)):
        if 0.0 < sizes[i] < most[i]:
            inside[many] = i
            many += 1
    for a in range(many):
        step[a] = 0.0
        for b in range(a + 1):
            bend[a, b] = 0.0
        for j in range(len(p)):
            if p[j] > 0.0:
                ratio = gain[inside[a], j] / total[j]
                step[a] += p[j] * ratio
                for b in range(a + 1):
                    bend[a, b] += p[j] * ratio * gain[inside[b], j] / total[j]
    if many > 1:
        _solve(bend, step, many)
    return many


@lean
def _worth(p: Array, total: Array, moved: Array, part: float) -> float:
    """What a part of a move adds to the expected log wealth; -infinity: it may ruin."""
    worth = 0.0
    for j in range(len(p)):
        if p[j] > 0.0:
            change = part * moved[j] / total[j]
            if not change > -1.0:
                return -np.inf
            worth += p[j] * np.log1p(change)
    return worth


@lean
def _solve(bend: Array, step: Array, many: int) -> None:
    """Solve bend x = step in place by Cholesky; where there is no curvature x is great."""
    for a in range(many):
        whole = bend[a, a]
        for b in range(a + 1):
            rest = bend[a, b]
            for c in range(b):
                rest -= bend[a, c] * bend[b, c]
            if b < a:
                bend[a, b] = rest / bend[b, b]
            else:
                bend[a, a] = np.sqrt(max(rest, _FLAT * whole))
        for c in range(a):
            step[a] -= bend[a, c] * step[c]
        step[a] /= bend[a, a]
    for a in range(many - 1, -1, -1):
        for c in range(a + 1, many):
            step[a] -= bend[c, a] * step[c]
        step[a] /= bend[a, a]


@lean
def _best(p: Array, total: Array, gain: Array, size: float, most: float) -> float:
    """The best size of one order, all others fixed: a root of the falling derivative."""
    low, high = 0.0, most
    for j in range(len(p)):
        # Wealth stays above 0 on every atom that may happen, where other orders may rely on this.
        if gain[j] != 0.0 and p[j] > 0.0:
            bound = size + total[j] / -gain[j] * (1.0 - 1e-9)
            if gain[j] < 0.0:
                high = min(high, bound)
            else:
                low = max(low, bound)
    if high <= low or _slope(p, total, gain, low - size)[0] <= 0.0:
        return low
    if _slope(p, total, gain, high - size)[0] >= 0.0:
        return high
    at = min(max(size, low), high)
    for _ in range(_STEPS):
        slope, bend = _slope(p, total, gain, at - size)
        if slope > 0.0:
            low = at
        else:
            high = at
        step = at - slope / bend if bend < 0.0 else 0.5 * (low + high)
        if not low < step < high:
            step = 0.5 * (low + high)
        if abs(step - at) < 0.1 * _NEAR:
            return step
        at = step
    return at


@lean
def _slope(p: Array, total: Array, gain: Array, change: float) -> tuple[float, float]:
    """Derivatives of the expected log wealth by the size, first and second."""
    slope = bend = 0.0
    for j in range(len(p)):
        if p[j] > 0.0 and gain[j] != 0.0:
            ratio = gain[j] / (total[j] + change * gain[j])
            slope += p[j] * ratio
            bend -= p[j] * ratio * ratio
    return slope, bend


@lean
def atom_probabilities(of_legs: Array, runs: Ints, partition: bool, above: Array, p: Array) -> bool:
    """Probabilities of atoms from those of legs, renormalised; False: not known.

    Parameters
    ----------
    of_legs
        By bracket, lowest first; NaN: not known.
    runs
        First atom of every leg and the one after its last, shape (legs, 2).
    partition
        Whether exactly one leg pays; else the legs are nested and open on the same side.
    above
        Working memory, shape (atoms + 1,).
    p
        Receives the probabilities, shape (atoms,).
    """
    legs, atoms = len(of_legs), len(p)
    total = 0.0
    for leg in range(legs):
        if np.isnan(of_legs[leg]):
            return False
    if partition:
        for leg in range(legs):
            p[runs[leg, 0]] = of_legs[leg]
    else:
        above[0], above[atoms] = 1.0, 0.0
        for leg in range(legs):
            if runs[leg, 1] == atoms:
                above[runs[leg, 0]] = of_legs[leg]
            else:
                above[runs[leg, 1]] = 1.0 - of_legs[leg]
        for j in range(atoms):
            p[j] = max(above[j] - above[j + 1], 0.0)
    for j in range(atoms):
        total += p[j]
    if not total > 0.0:
        return False
    for j in range(atoms):
        p[j] /= total
    return True
