"""Compiled recursions of the next hour: the probability that a temperature reaches an edge soon.

The mass of a state of the exact filter is moved a few steps ahead; mass that can no longer reach
the edge is put aside, so that most queries are cheap. Here: one query, and those of a day. Not
here: the recursions of the filter (`exact_kernels`).
"""

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.families.temperature.filter.row_kernels import (
    BLOCK,
    FAST,
    Place,
    Rows,
    Transition,
    fill_rows,
    mass_of,
    panels_in_use,
    rows_of,
    slot_of,
)
from kalshi_assets.kernel_cache import njit
from kalshi_assets.units import Array, Ints

# Accuracy of a query: standard deviations beyond which an edge is out of reach, and the share of
# the greatest mass below which mass is ignored. Strict: 1e-13 of probability; quick: 1e-5.
Care = tuple[float, float]
STRICT: Care = (7.5, 1e-13)
QUICK: Care = (5.0, 1e-7)
# The working memory of queries: see `work_of`.
Work = tuple[Array, Ints, Array, Ints, Array, Array]
# Number of steps whose rows are kept: those of a query of one hour and some lead.
_KEPT = 16


@njit(cache=True)
def work_of(t: Transition, questions: int, steps: int) -> Work:
    """Memory for `staying_below`: the masses of two slots, and the rows of some steps.

    Returns
    -------
    ahead
        Shape (2, questions, nodes).
    held
        The step whose rows are stored, -1 for none, and for each block of panels whether they are:
        1 or 0; shape (steps, 1 + blocks).
    rows, span, scale, parts
        As in `rows_of`, for each step.
    """
    rows, span, scale, parts = rows_of(t)
    kept = np.empty((steps, *parts.shape))
    return (
        np.empty((2, questions, scale.size)),
        np.full((steps, np.max(t.high - t.low) // BLOCK + 2), -1, dtype=np.int64),
        kept.reshape((steps, *rows.shape)) if len(parts) == 1 else np.empty((steps, *rows.shape)),
        np.empty((steps, *span.shape), dtype=np.int64),
        np.empty((steps, *scale.shape)),
        kept,
    )


@njit(cache=True)
def missing_of(held: Ints, step: int, panels: tuple[int, int]) -> tuple[int, int]:
    """First and end panel of the rows of a step that are missing; marks them as stored."""
    if held[0] != step:
        held[0], held[1:] = step, 0
    first, last = panels[1], panels[0]
    for block in range(panels[0] // BLOCK, -(-panels[1] // BLOCK)):
        if not held[1 + block]:
            held[1 + block] = 1
            first, last = min(first, block * BLOCK), (block + 1) * BLOCK
    return first, last


@njit(cache=True, error_model="numpy", fastmath=FAST, inline="always")
def out_of_reach(
    t: Transition, k: int, opens: Ints, closes: Ints, stops: Ints, beyond_sd: float, lowest: Array
) -> None:
    """The temperature at slot k below which the edge is out of reach at slots `opens` to `closes`.

    For each query, into `lowest`; out of reach means `beyond_sd` of the widest standard deviations.
    """
    lowest[:] = 1e9
    slope, constant, variance = 1.0, 0.0, 0.0
    for step in range(k, np.max(closes)):
        slope *= t.rho[step]
        constant = t.rho[step] * constant + t.shift[step]
        variance = t.rho[step] ** 2 * variance + t.variance[step]
        beyond = t.lowest - beyond_sd * np.sqrt(variance) - constant
        for a in range(lowest.size):
            if opens[a] <= step + 1 <= closes[a]:
                missing = stops[a] + beyond
                if slope > 1e-9:
                    lowest[a] = min(lowest[a], missing / slope)
                elif missing <= 0.0:
                    lowest[a] = -1e9


@njit(cache=True)
def set_aside(
    t: Transition, k: int, panels: tuple[int, int], state: Array, lowest: float
) -> tuple[int, float]:
    """The first node of slot k, within some panels, not below `lowest`, and the mass below it."""
    now, middle, place, mass = t.nodes[k], t.lowest + t.low[k] + 0.5, t.place[k], 0.0
    for p in range(panels[0], panels[1]):
        for r in range(now):
            if middle + p + place[r] >= lowest:
                return p * now + r, mass
            mass += state[p * now + r]
    return panels[1] * now, mass


@njit(cache=True, error_model="numpy", fastmath=FAST, inline="always")
def move_on(
    t: Transition,
    k: int,
    panels: tuple[int, int],
    start: Ints,
    least: float,
    limits: Ints,
    state: Array,
    out: Array,
    memory: Rows,
) -> tuple[int, int]:
    """Move `state` from slot k to k + 1; returns the first and end panel that then have mass.

    Parameters
    ----------
    panels
        First and end panel of slot k that have mass to be moved.
    start
        For each query the first node that is moved.
    least
        Mass up to which nodes are ignored.
    limits
        For each query the number of nodes of slot k + 1 that are used.
    """
    now, then, low, following = t.nodes[k], t.nodes[k + 1], t.low[k], t.low[k + 1]
    # Mass moves to these panels, so only there the memory must be zero.
    shift = t.shift[k] + (t.rho[k] - 1.0) * t.lowest
    coldest, warmest = shift + t.rho[k] * (low + panels[0]), shift + t.rho[k] * (low + panels[1])
    lands = int(np.floor(coldest)) - t.reach[k] - following
    until = int(np.floor(warmest)) + t.reach[k] + 1 - following
    out[:, max(lands, 0) * then : max(until, 0) * then] = 0.0
    rows, span, scale, _ = memory
    leftmost, rightmost = out.shape[1], 0
    for i in range(panels[0] * now, panels[1] * now):
        first, from_row, to = span[i, 1], Place(span[i, 0]), Place(span[i, 1])
        for a in range(start.size):
            count = min(span[i, 2], limits[a]) - first
            if i >= start[a] and state[a, i] > least and count > 0:
                share = scale[i] * state[a, i]
                for b in range(Place(count)):
                    out[a, to + b] += share * rows[i, from_row + b]
                leftmost, rightmost = min(leftmost, first), max(rightmost, first + count)
    return min(leftmost, rightmost) // then, -(-rightmost // then)


@njit(cache=True, error_model="numpy", fastmath=FAST, inline="always")
def staying_below(
    t: Transition,
    k: int,
    states: Array,
    stops: Ints,
    leads: Ints,
    horizons: Ints,
    care: Care,
    work: Work,
    below: Array,
) -> None:
    """Mass whose temperatures stay below an edge after a lead; several queries at once.

    Mass that can no longer reach the edge is put aside, and the rest is moved on the panels that
    contain it; the queries share the rows of a step.

    Parameters
    ----------
    states
        Mass at every node of slot k, shape (queries, nodes).
    stops, leads
        For each query the panels below its edge, and the steps before the edge applies.
    horizons
        Steps after the lead, ascending, shape (queries, horizons).
    below
        The result, shape (queries, horizons).
    """
    questions = states.shape[0]
    ahead, held, rows, span, scale, parts = work
    aside, lowest = np.zeros(questions), np.empty(questions)
    start, limits, done = np.empty((3, questions), dtype=np.int64)
    done[:] = 0
    # No row has more mass at any node than the last.
    least = care[1] * np.max(states[questions - 1])
    opens, closes = k + leads + 1, np.minimum(k + leads + horizons[:, -1], t.shift.size)
    state, panels = states, panels_in_use(states[questions - 1], t.nodes[k], least)
    shown = 0, states.shape[1]
    for step in range(k, np.max(closes)):
        then, following = t.nodes[step + 1], t.low[step + 1]
        out = ahead[step % 2, :, : (t.high[step + 1] - following) * then]
        out_of_reach(t, step, opens, closes, stops, care[0], lowest)
        for a in range(questions):
            start[a], mass = set_aside(t, step, panels, state[a], lowest[a])
            aside[a] += mass
            limits[a] = (stops[a] - following) * then if step + 1 >= opens[a] else out.shape[1]
        moved = np.min(start) // t.nodes[step], panels[1]
        at = step % len(held)
        memory = rows[at], span[at], scale[at], parts[at]
        missing = missing_of(held[at], step, moved)
        if missing[0] < missing[1]:
            fill_rows(t, step, missing, t.narrow[step], memory)
        panels = move_on(t, step, moved, start, least, limits, state, out, memory)
        state, shown = out, (panels[0] * then, panels[1] * then)
        for a in range(questions):
            if done[a] < horizons.shape[1] and step + 1 == k + leads[a] + horizons[a, done[a]]:
                below[a, done[a]] = aside[a] + mass_of(state[a], shown[0], shown[1])
                done[a] += 1
        if panels[0] == panels[1]:
            break
    for a in range(questions):
        below[a, done[a] :] = aside[a] + mass_of(state[a], shown[0], shown[1])


@njit(cache=True, error_model="numpy", fastmath=FAST)
def next_hour(
    t: Transition,
    states: Array,
    rows: int,
    times: tuple[Ints, Ints, NDArray[np.bool_]],
    new_high: Ints,
    horizons: Ints,
    barriers: Ints,
    stops: Ints,
    found: Array,
) -> None:
    """P(new high within each horizon) and P(each edge is passed within the last), at many times.

    Accuracy: about 1e-5.

    Parameters
    ----------
    states, rows
        States of all slots, flat, and the rows of each: barriers, the last row without one.
    times
        Slot of the state, steps before the horizons begin, whether it is needed; (times,) each. The
        results of the others remain 0.
    new_high
        Panels below the edge of a new high, shape (times,).
    horizons
        Ascending.
    barriers, stops
        For each edge its row in a state, and the panels below it.
    found
        The result, shape (times, horizons + edges).
    """
    heads, leads, wanted = times
    asked, edges = horizons.size, barriers.size
    below = np.empty((edges + 1, asked))
    delay, until = np.zeros(edges + 1, dtype=np.int64), np.empty((edges + 1, asked), dtype=np.int64)
    limit = np.append(stops, 0)
    work = work_of(t, edges + 1, _KEPT)
    for n in range(heads.size):
        found[n] = 0.0
        if not wanted[n]:
            continue
        state = slot_of(t, heads[n], states, rows)
        chosen = np.empty((edges + 1, state.shape[1]))
        for a in range(edges):
            chosen[a] = state[barriers[a]]
        chosen[edges] = state[rows - 1]
        limit[edges], delay[edges] = new_high[n], leads[n]
        until[:edges] = leads[n] + horizons[-1]
        until[edges] = horizons
        staying_below(t, heads[n], chosen, limit, delay, until, QUICK, work, below)
        mass = mass_of(state[rows - 1], 0, state.shape[1])
        for h in range(asked):
            found[n, h] = min(max(1.0 - below[edges, h] / mass, 0.0), 1.0)
        for a in range(edges):
            found[n, asked + a] = min(max(1.0 - below[a, asked - 1] / mass, 0.0), 1.0)
