"""Compiled recursions of the exact hazard; imported only by the functions that run them.

The temperature lives on a grid of unit panels with Gauss-Legendre nodes. `transition`, shape
(steps, nodes, band), holds for every node the kernel times the quadrature weights of a band of
nodes that begins at `first`, shape (steps, nodes). States have shape (barriers, nodes): the mass
at every node of the paths that stayed below each barrier; the last barrier is none.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

_ROOT_2PI = np.sqrt(2.0 * np.pi)


@njit(cache=True, fastmath=True)
def fill_transition(
    temp: Array,
    weight: Array,
    baseline: Array,
    rho: Array,
    sd: Array,
    scales: Array,
    shares: Array,
    q: int,
    transition: Array,
    first: Ints,
) -> None:
    """The kernel of every step: normal, or a mixture of normals around one mean.

    Parameters
    ----------
    temp, weight
        Nodes and quadrature weights, shape (nodes,).
    baseline
        Shape (steps + 1,).
    rho, sd
        Shape (steps,).
    scales, shares
        Factors on `sd` of the mixture's components, and their probabilities.
    q
        Nodes a panel.

    Notes
    -----
    From panel to panel the same node moves by one degree, so a Gaussian there follows from its
    neighbour by two products: two exponentials per node of a panel instead of one per node.
    """
    steps, nodes, band = transition.shape
    panels = band // q
    edge = temp[0] - (temp[0] - np.floor(temp[0] + 0.5) + 0.5)
    for k in range(steps):
        shift = baseline[k + 1] - rho[k] * baseline[k]
        for i in range(nodes):
            mean = shift + rho[k] * temp[i]
            start = int(np.floor(mean - edge)) - panels // 2
            start = min(max(start * q, 0), nodes - band)
            first[k, i] = start
            row = transition[k, i]
            row[:] = 0.0
            for c in range(scales.size):
                width = scales[c] * sd[k]
                half = -0.5 / (width * width)
                height = shares[c] / (width * _ROOT_2PI)
                fall = np.exp(2.0 * half)
                for r in range(q):
                    gap = temp[start + r] - mean
                    density = height * np.exp(half * gap * gap)
                    ratio = np.exp(half * (2.0 * gap + 1.0))
                    for p in range(panels):
                        row[p * q + r] += density
                        density *= ratio
                        ratio *= fall
            for b in range(band):
                row[b] *= weight[start + b]


@njit(cache=True, fastmath=True)
def step_back(transition: Array, first: Ints, cut: Ints, after: Array, before: Array) -> None:
    """One step of the backward sweep: `before` from `after`, both shape (barriers, nodes).

    Entry (a, i) is the probability that no later temperature reaches barrier a, from node i.
    """
    nodes, band = transition.shape
    for i in range(nodes):
        start = first[i]
        row = transition[i]
        for a in range(cut.size):
            stop = min(band, cut[a] - start)
            total = 0.0
            for b in range(stop):
                total += row[b] * after[a, start + b]
            before[a, i] = total


@njit(cache=True, fastmath=True)
def sweep_back(transition: Array, first: Ints, cut: Ints, value: Array) -> None:
    """Every step of the backward sweep; `value` has shape (steps + 1, barriers, nodes)."""
    steps = transition.shape[0]
    value[steps] = 1.0
    for k in range(steps - 1, -1, -1):
        step_back(transition[k], first[k], cut, value[k + 1], value[k])


@njit(cache=True, fastmath=True)
def step_forward(
    transition: Array, first: Ints, cut: Ints, likelihood: Array, state: Array, out: Array
) -> float:
    """Move `state` one step, cut it at the barriers, weigh it with a report; returns its log mass.

    `out` is normalised by the mass below the last barrier. -inf: the report is impossible.
    """
    barriers, nodes = state.shape
    band = transition.shape[1]
    out[:] = 0.0
    least = 1e-30 * np.max(state[barriers - 1])
    for i in range(nodes):
        if state[barriers - 1, i] <= least:
            continue
        start = first[i]
        row = transition[i]
        for a in range(barriers):
            mass = state[a, i]
            if mass > 0.0:
                for b in range(min(band, cut[a] - start)):
                    out[a, start + b] += mass * row[b]
    return weigh(likelihood, out)


@njit(cache=True, fastmath=True)
def weigh(likelihood: Array, state: Array) -> float:
    """Multiply every column with the likelihood, normalise by the last; returns its log mass."""
    barriers, nodes = state.shape
    total = 0.0
    for i in range(nodes):
        for a in range(barriers):
            state[a, i] *= likelihood[i]
        total += state[barriers - 1, i]
    if total <= 0.0:
        return -np.inf
    for a in range(barriers):
        for i in range(nodes):
            state[a, i] /= total
    return np.log(total)


@njit(cache=True, fastmath=True)
def sweep_forward(
    transition: Array,
    first: Ints,
    cut: Ints,
    likelihood: Array,
    prior: Array,
    states: Array,
    log_mass: Array,
) -> None:
    """Filter the whole day: `states` (steps + 1, barriers, nodes), `log_mass` (steps + 1,).

    `likelihood` has shape (steps + 1, nodes); ones where there is no report.
    """
    barriers, nodes = prior.shape
    for a in range(barriers):
        for i in range(nodes):
            states[0, a, i] = prior[a, i] if i < cut[a] else 0.0
    log_mass[0] = weigh(likelihood[0], states[0])
    for k in range(transition.shape[0]):
        log_mass[k + 1] = step_forward(
            transition[k], first[k], cut, likelihood[k + 1], states[k], states[k + 1]
        )


@njit(cache=True, fastmath=True)
def staying_below(
    transition: Array, first: Ints, density: Array, start: int, lead: int, horizon: int, stop: int
) -> float:
    """P(no temperature of the `horizon` steps after `lead` more steps reaches node `stop`).

    `density` is the mass at every node at step `start`.
    """
    nodes = density.size
    band = transition.shape[2]
    state = density.copy()
    out = np.empty(nodes)
    for n in range(lead + horizon):
        k = start + n
        if k >= transition.shape[0]:
            break
        limit = stop if n >= lead else nodes
        out[:] = 0.0
        least = 1e-30 * np.max(state)
        for i in range(nodes):
            mass = state[i]
            if mass > least:
                begin = first[k, i]
                for b in range(min(band, limit - begin)):
                    out[begin + b] += mass * transition[k, i, b]
        state[:] = out
    return state.sum() / density.sum()
