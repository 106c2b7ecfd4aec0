"""Compiled recursions of the next hour: whether a temperature reaches an edge soon.

From states of the exact filter, mass is moved a few steps ahead; what can no longer reach the edge
is set aside, so that most questions cost little. Here: one question, and a day of them. Not here:
the filter's own recursions (`exact_kernels`).
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kalshi_assets.weather.filter.row_kernels import (
    FAST,
    Transition,
    fill_row,
    follow_row,
    lay_down,
    mass_of,
    reach_of_row,
    rows_of,
    scale_of,
    slot_of,
    tables_of,
)

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

# How far a question looks: standard deviations from which an edge is out of reach, and the share of
# the greatest mass below which none is moved on. Strict: 1e-13 of probability; quick: 1e-5.
Care = tuple[float, float]
STRICT: Care = (7.5, 1e-13)
QUICK: Care = (5.0, 1e-7)


@njit(cache=True, error_model="numpy", fastmath=FAST, inline="always")
def out_of_reach(
    t: Transition, k: int, opens: Ints, closes: Ints, stops: Ints, beyond_sd: float, lowest: Array
) -> None:
    """The temperature at slot k below which none at slots `opens` to `closes` reaches an edge.

    Of each row, into `lowest`; by `beyond_sd` of the widest standard deviations.
    """
    lowest[:] = 1e9
    slope, constant, variance = 1.0, 0.0, 0.0
    for step in range(k, np.max(closes)):
        slope *= t.rho[step]
        constant = t.rho[step] * constant + t.shift[step]
        variance = t.rho[step] ** 2 * variance + 1.0 / t.precision[step].min()
        beyond = t.lowest - beyond_sd * np.sqrt(variance) - constant
        for a in range(lowest.size):
            if opens[a] <= step + 1 <= closes[a]:
                missing = stops[a] + beyond
                if slope > 1e-9:
                    lowest[a] = min(lowest[a], missing / slope)
                elif missing <= 0.0:
                    lowest[a] = -1e9


@njit(cache=True, error_model="numpy", fastmath=FAST, inline="always")
def panels_in_use(state: Array, nodes: int, least: float) -> tuple[int, int]:
    """First panel where there is more than the least, and the one after the last."""
    first, end = 0, state.size
    while first < end and state[first] <= least:
        first += 1
    while end > first and state[end - 1] <= least:
        end -= 1
    return first // nodes, -(-end // nodes)


@njit(inline="always")
def pick_up(
    state: Array, i: int, least: float, temp: float, lowest: Array, mass: Array, aside: Array
) -> bool:
    """The mass that moves on from node i, of every row; whether there is any."""
    moves = False
    for a in range(mass.size):
        at = state[a, i]
        mass[a] = 0.0
        if at > least:
            if temp < lowest[a]:
                aside[a] += at
            else:
                mass[a] = at
                moves = True
    return moves


@njit(cache=True, error_model="numpy", fastmath=FAST, inline="always")
def staying_below(
    t: Transition,
    k: int,
    states: Array,
    stops: Ints,
    leads: Ints,
    horizons: Ints,
    care: Care,
    below: Array,
) -> None:
    """Mass whose temperatures stay below an edge in the steps after a lead; several rows at once.

    Mass that can no longer reach is set aside, and what is left moves on among the panels that it
    is in; the rows share what a step costs.

    Parameters
    ----------
    states
        Mass at every node of slot k, shape (rows, nodes).
    stops, leads
        Of each row: panels below its edge, and steps before the edge holds.
    horizons
        Steps after the lead, ascending, shape (rows, horizons).
    below
        The result, shape (rows, horizons).
    """
    rows = states.shape[0]
    aside, lowest, mass = np.zeros(rows), np.empty(rows), np.empty(rows)
    row, parts, lifts, tilts = rows_of(t)
    # No row has more anywhere than the last.
    least = care[1] * np.max(states[rows - 1])
    opens, closes = k + leads + 1, np.minimum(k + leads + horizons[:, -1], t.shift.size)
    last = np.max(closes)
    ahead = np.empty((2, rows, np.max(np.diff(t.offset[k : last + 2]))))
    state, coldest = states, t.lowest
    begin, finish = panels_in_use(states[rows - 1], t.nodes[k], least)
    begin, finish = begin + t.low[k], finish + t.low[k]
    shown = (0, states.shape[1])
    done = np.zeros(rows, dtype=np.int64)
    for step in range(k, last):
        now, then, reach, width = t.nodes[step], t.nodes[step + 1], t.reach[step], t.narrow[step]
        table, ratio = tables_of(t, step)
        here, place, precision = t.place[step], t.place[step + 1, :then], t.precision[step]
        shift, rho, moved = t.shift[step] - t.lowest, t.rho[step], t.rho[step] - 1.0
        growth = t.growth[step]
        low, following, high = t.low[step], t.low[step + 1], t.high[step + 1]
        out_of_reach(t, step, opens, closes, stops, care[0], lowest)
        out = ahead[step % 2, :, : (high - following) * then]
        # No mass lands further off than this: only there the memory must be clean.
        drift = np.abs(t.shift[step] + moved * coldest) - moved * t.high[step]
        spread = reach + 2 + int(drift)
        clean = max(begin - spread - following, 0), min(finish + spread, high) - following
        out[:, clean[0] * then : max(clean[1], clean[0]) * then] = 0.0
        limits = np.where(step + 1 >= opens, (stops - following) * then, out.shape[1])
        leftmost, rightmost = out.shape[1], 0
        for r in range(now):
            fresh, expected, entry, end = True, -1, 0, 0
            for p in range(begin, finish):
                i = (p - low) * now + r
                temp = coldest + 0.5 + p + here[r]
                moves = pick_up(state, i, least, temp, lowest, mass, aside)
                mean = shift + rho * temp
                middle = int(np.floor(mean))
                delta = mean - middle - 0.5
                if p == begin or middle != expected:
                    to_come = max(delta + moved * (finish - p), -0.5)
                    entry, end = reach_of_row(place, reach, width, to_come, delta)
                    fresh = True
                expected = middle + 1
                to_slot = (middle - reach - following) * then
                first, stop = max(to_slot + entry, 0), min(to_slot + end, out.shape[1])
                if not moves or first >= stop:
                    fresh = True
                    continue
                if fresh:
                    fill_row(table, place, precision, moved, delta, lifts, tilts, parts, row)
                    fresh = False
                else:
                    follow_row(ratio, growth, entry, end, lifts, parts, row)
                skip = first - to_slot
                scale = scale_of(row, skip, stop - to_slot)
                leftmost, rightmost = min(leftmost, first), max(rightmost, stop)
                for a in range(rows):
                    lay_down(scale * mass[a], row, skip, out, a, first, min(stop, limits[a]))
        state, begin = out, following + min(leftmost, rightmost) // then
        finish = following - (-rightmost // then)
        shown = (begin - following) * then, (finish - following) * then
        for a in range(rows):
            if done[a] < horizons.shape[1] and step + 1 == k + leads[a] + horizons[a, done[a]]:
                below[a, done[a]] = aside[a] + mass_of(state[a], shown[0], shown[1])
                done[a] += 1
        if begin == finish:
            break
    for a in range(rows):
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

    Quick: off by at most about 1e-5.

    Parameters
    ----------
    states, rows
        Of all slots, flat, and the rows of each: barriers, the last of which is none.
    times
        Slot of the state, steps before the horizons begin, whether it is asked for; (times,) each.
        The others stay 0.
    new_high
        Panels below the edge of a new high, shape (times,).
    horizons
        Ascending.
    barriers, stops
        Of each edge: its row in a state, and the panels below it.
    found
        The result, shape (times, horizons + edges).
    """
    heads, leads, wanted = times
    asked, edges = horizons.size, barriers.size
    below = np.empty((edges + 1, asked))
    delay, until = np.zeros(edges + 1, dtype=np.int64), np.empty((edges + 1, asked), dtype=np.int64)
    limit = np.append(stops, 0)
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
        staying_below(t, heads[n], chosen, limit, delay, until, QUICK, below)
        mass = mass_of(state[rows - 1], 0, state.shape[1])
        for h in range(asked):
            found[n, h] = min(max(1.0 - below[edges, h] / mass, 0.0), 1.0)
        for a in range(edges):
            found[n, asked + a] = min(max(1.0 - below[a, asked - 1] / mass, 0.0), 1.0)
