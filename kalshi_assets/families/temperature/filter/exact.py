"""The exact hazard: a forward-backward filter for the maximum of the climate day.

The residual of the temperature around a baseline is an autoregression of order one; a report is an
interval. The filter carries the probability of the paths that stayed below each bracket edge, the
backward sweep the probability of staying below it for the rest of the day; their product is exact
and includes the uncertainty of the maximum so far. Source: methods, sections 3.3 and 3.4.

Reports of a slot that no path agrees with are ignored, at a cost in likelihood, see
`BarrierFilter.advance`. The filter therefore always has a state, and its results for earlier slots
do not change by a bit.

Here: one day around one baseline, in slots of five minutes. Not here: the mixture over baselines
(`mixture`), likelihoods of reports (`emission`), which report was known when (`hazard`), the
baseline and the fit of the parameters (`fit`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.families.temperature.filter.emission import KnownMaximum, disjoint
from kalshi_assets.families.temperature.filter.residual_model import Grid, ResidualModel
from kalshi_assets.families.temperature.normal import normal_cdf
from kalshi_assets.units import Array, Ints

__all__ = ["BarrierFilter", "Grid", "ResidualModel", "Workspace"]

Likelihood = Array | Callable[[Array], Array]

# Log probability of reports that no path agrees with: less than the log of any double, so that a
# node of a mixture that agrees with them outweighs one that ignored them.
IMPOSSIBLE = -1000.0


@dataclass
class Workspace:
    """Memory of filters, reused from day to day; it belongs to the filter created last with it."""

    owner: object = None
    _arrays: dict[str, Array] = field(default_factory=dict)
    _parts: dict[int, "Workspace"] = field(default_factory=dict)

    def array(self, name: str, size: int) -> Array:
        """An uninitialised flat array of that size."""
        kept = self._arrays.get(name)
        if kept is None or kept.size < size:
            kept = self._arrays[name] = np.empty(size)
        return kept[:size]

    def part(self, n: int) -> "Workspace":
        """The workspace of the n-th of several filters in use at the same time."""
        return self._parts.setdefault(n, Workspace())


class BarrierFilter:
    """The filter of one day around one baseline, for some edges.

    Parameters
    ----------
    grid, baseline, model
        Baseline of shape (steps + 1,), degrees F.
    edges
        Half-integers, ascending.
    workspace
        Memory to reuse. The filter created with it before raises when used again.

    Raises
    ------
    ValueError
        The grid is too coarse for the model, or the shapes or the edges are wrong.
    """

    def __init__(
        self,
        grid: Grid,
        baseline: Array,
        model: ResidualModel,
        edges: Array,
        workspace: Workspace | None = None,
    ) -> None:
        from kalshi_assets.families.temperature.filter import exact_kernels
        from kalshi_assets.families.temperature.filter.transition import transition

        self.grid, self.model, self.edges = grid, model, np.asarray(edges, dtype=float)
        self.baseline = self._fitting(baseline)
        grid.must_resolve(model)
        cut = grid.cuts(self.edges)
        if not len(edges) or (np.diff(self.edges) <= 0).any():
            raise ValueError(f"edges {edges} must ascend")
        self._kernels = exact_kernels
        self._cut = np.append(cut, grid.panels)
        self._t = transition(grid, baseline, model)
        self._work = workspace or Workspace()
        self._work.owner = self
        nodes = int(self._t.offset[-1])
        self._values = self._work.array("values", len(cut) * nodes)
        self._states = self._work.array("states", (len(cut) + 1) * nodes)
        self._likelihood = self._work.array("likelihood", nodes)
        self._likelihood[:] = 1.0
        self._log_mass = np.zeros(model.steps + 1)
        # Values are swept on access, as far back as needed: those from `_swept` on exist, and those
        # before `_past`, which were read with the baselines of that time.
        self._swept, self._past = model.steps + 1, 0
        temp, weight = grid.nodes(0)
        density = np.exp(-0.5 * ((temp - baseline[0]) / model.start_sd) ** 2) * weight
        # A grid around known reports may be narrower than the prior; the rest is cut off.
        ends = (grid.lo - 0.5 + grid.bounds[0] - baseline[0]) / model.start_sd
        held = density.sum()
        self._prior = density / (held if held > 0 else 1.0) * np.diff(normal_cdf(ends))
        self._known: list[KnownMaximum] = []
        self._windows: list[KnownMaximum] = []
        self.head = -1
        self.advance(0)

    def report(self, slot: int, likelihood: Likelihood) -> None:
        """Apply a report to the temperature of `slot`; late reports rewind the filter.

        Parameters
        ----------
        likelihood
            Values at the slot's nodes, shape (nodes,), or a function of temperatures, such as
            `emission.Within`.
        """
        self._own()
        now = self._likelihood[self._t.offset[slot] : self._t.offset[slot + 1]]
        now *= likelihood(self.grid.nodes(slot)[0]) if callable(likelihood) else likelihood
        if slot <= self.head:
            self._again_from(slot)

    def window(self, known: KnownMaximum) -> None:
        """Apply a known maximum of a window to the paths; advances the filter to its end."""
        self._own()
        self._known.append(known)
        before, self._windows = self._windows, disjoint(self._known)
        changed = [w.first for w in {*before} ^ {*self._windows}]
        if changed and min(changed) <= self.head:
            self._again_from(min(changed))
        self.advance(known.last)

    def rebase(self, slot: int, baseline: Array) -> None:
        """Use a new baseline from `slot` on.

        The density of the temperature, not that of the residual, is kept: steps that begin at
        `slot` or later revert to the new baseline.

        Raises
        ------
        ValueError
            The grid does not cover the new baseline; create it with `Grid.of` over all vintages.
        """
        self._own()
        self.baseline = self._fitting(baseline)
        past = min(slot, self.head)
        if past > 0:
            self._values_from(0)
        self._t.shift[slot:] = (baseline[1:] - self.model.rho * baseline[:-1])[slot:]
        self._swept, self._past = self.model.steps + 1, past
        if slot < self.head:
            self._again_from(slot + 1)

    def advance(self, slot: int) -> None:
        """Advance the filter to `slot`, unless it is there already.

        If no path agrees with the reports of a slot (dozens of them contradict each other, or all
        paths have left the grid), they are ignored and count as `IMPOSSIBLE`: the previous state
        moves on as without them. If none of it reaches the grid, the temperature starts again from
        the prior around the baseline, and the distribution of the maximum so far is kept.
        """
        self._own()
        while self.head < slot:
            ahead = [w for w in self._windows if w.first > self.head]
            following = min(ahead, key=lambda w: w.first) if ahead else None
            if following and following.first == self.head + 1:
                self._through(following)
                continue
            first, last = self.head + 1, min(slot, following.first - 1) if following else slot
            if first == 0:
                self._settle(0, self._step(0, self._cut, self._state(0), self._state(0)))
                first = 1
            self._sweep(first, last)
            self.head = last

    @property
    def log_likelihood(self) -> float:
        """Log probability of all reports up to the head."""
        return float(self.log_likelihoods()[-1])

    def log_likelihoods(self) -> Array:
        """Log probability of all reports up to each slot, shape (head + 1,).

        Finite: a slot whose reports were ignored counts as `IMPOSSIBLE`.
        """
        return np.cumsum(self._log_mass[: self.head + 1])

    def cdf(self) -> Array:
        """P(maximum of the day below each edge | reports so far), shape (edges,)."""
        return self._read(self.head)[0][0]

    def running_cdf(self) -> Array:
        """P(maximum so far below each edge | reports so far), shape (edges,)."""
        return self._read(self.head)[1][0]

    def cdfs(self) -> tuple[Array, Array]:
        """`cdf` and `running_cdf` as they were at each slot, shape (head + 1, edges).

        Identical bit for bit to advancing slot by slot with the same reports. NaN for a slot inside
        a window.
        """
        total, running = self._read(0)
        for window in self._windows:
            total[window.first : window.last] = np.nan
            running[window.first : window.last] = np.nan
        return total, running

    def cdf_at(self, slots: Ints) -> Array:
        """`cdf` as it was at some slots up to the head, in any order; shape (slots, edges)."""
        self._own()
        total = np.empty((len(slots), len(self._cut) - 1))
        values = self._values_from(int(slots.min()))
        self._kernels.read_rows(self._t, slots, self._states, values, total)
        return total

    def next_hour_at(
        self,
        slots: Ints,
        leads: Ints,
        wanted: NDArray[np.bool_],
        new_high: Sequence[float] | Array,
        horizons: Sequence[int],
        edges: Array,
    ) -> Array:
        """Probabilities for the next hour, as of some slots up to the head.

        Parameters
        ----------
        slots, leads, wanted
            Slot of the latest report, steps since then, whether the result is needed (otherwise 0);
            each of shape (times,).
        new_high
            Edge of a new high, one per time.
        horizons
            Steps after the lead, ascending.
        edges
            Edges of the filter.

        Returns
        -------
        Array
            Shape (times, horizons + edges): P(a temperature at or above the new high within each
            horizon), P(the maximum, so far or within the last horizon, reaches each edge).
        """
        from kalshi_assets.families.temperature.filter.hazard_kernels import next_hour

        self._own()
        barriers = np.searchsorted(self.edges, edges)
        found = np.empty((len(slots), len(horizons) + len(edges)))
        next_hour(
            self._t,
            self._states,
            len(self._cut),
            (slots, leads, wanted),
            self.grid.cuts(np.asarray(new_high, dtype=np.float64)),
            np.array(horizons, dtype=np.int64),
            barriers,
            self._cut[barriers],
            found,
        )
        return found

    def paths(self, slot: int | None = None) -> tuple[Array, Array]:
        """Temperatures at a slot, degrees F, and their probabilities given the reports up to it.

        By default at the head. Shape (edges + 1, nodes): for the paths that stayed below each edge,
        and for all paths.
        """
        self._own()
        at = self.head if slot is None else slot
        return self.grid.nodes(at)[0], self._state(at).copy()

    def survival(self, slot: int) -> tuple[Array, Array]:
        """Temperatures at `slot`, and P(no later one reaches an edge | it), (edges, nodes).

        Zero if the temperature itself is at or above the edge.
        """
        self._own()
        values = self._kernels.slot_of(self._t, slot, self._values_from(slot), len(self._cut) - 1)
        return self.grid.nodes(slot)[0], values.copy()

    def hazard(self, edge: float, lead: int, horizon: int) -> float:
        """P(a temperature at or above `edge` in the `horizon` steps after `lead` more steps)."""
        return float(self.hazards(edge, lead, (horizon,))[0])

    def hazards(self, edge: float, lead: int, horizons: Sequence[int]) -> Array:
        """`hazard` for several horizons, ascending, in one sweep; shape (horizons,).

        With `edge` half a degree above the highest whole degree that reports allow so far, and the
        state at the last report, `lead` steps before now: the probability of a new high.
        """
        self._own()
        from kalshi_assets.families.temperature.filter.hazard_kernels import (
            STRICT,
            staying_below,
            work_of,
        )

        if self.head == self.model.steps:
            return np.zeros(len(horizons))
        below, now = np.empty((1, len(horizons))), self._state(self.head)[-1:]
        staying_below(
            self._t,
            self.head,
            now,
            np.array([self.grid.cut(edge)]),
            np.array([lead]),
            np.array([horizons]),
            STRICT,
            work_of(self._t, 1, 1),
            below,
        )
        return np.clip(1 - below[0] / now.sum(), 0.0, 1.0)

    def staying(self, steps: int) -> tuple[Array, Array]:
        """P(maximum below each edge), of the day so far and so far plus `steps`; both (edges,)."""
        self._own()
        state, last = self._state(self.head), min(self.head + steps, self.model.steps)
        rows = self._kernels.rows_of(self._t)
        for k in range(self.head, last):
            free = np.ones(self._t.offset[k + 2] - self._t.offset[k + 1])
            out = np.empty((len(self._cut), free.size))
            self._kernels.step_forward(self._t, k, self._cut, free, state, out, rows)
            state = out
        return self.running_cdf(), state[:-1].sum(axis=1)

    def crossing(self, steps: int) -> Array:
        """P(an edge is reached within `steps` | not before now), shape (edges,); 1: it was."""
        return crossing(*self.staying(steps))

    def _sweep(self, first: int, last: int) -> None:
        """Compute the states of slots `first` to `last`, inclusive, from the one before."""
        while first <= last:
            self._kernels.sweep_forward(
                self._t, self._cut, self._likelihood, first, last, self._states, self._log_mass
            )
            lost = np.flatnonzero(np.isneginf(self._log_mass[first : last + 1]))
            if not lost.size:
                return
            first += int(lost[0])
            self._leave_out(first)
            first += 1

    def _settle(self, k: int, total: float) -> bool:
        """Normalise the state of slot k by its mass; False: zero, so reports were ignored."""
        self._log_mass[k] = self._kernels.normalise(self._state(k), total)
        if not np.isneginf(self._log_mass[k]):
            return True
        self._leave_out(k)
        return False

    def _leave_out(self, k: int) -> None:
        """Compute the state of slot k without its reports, from that of the previous slot."""
        state, before = self._state(k), self._state(max(k - 1, 0))
        total = self._step(k, self._cut, before, state, np.ones(state.shape[1]))
        if np.isneginf(self._kernels.normalise(state, total)):
            below = before.sum(axis=1) if k > 0 else np.ones(len(self._cut))
            state[:] = below[:, None] * self._anew(k)
        self._log_mass[k] = IMPOSSIBLE

    def _anew(self, k: int) -> Array:
        """The prior of the temperature at slot k, cut at each barrier; shape (barriers, nodes)."""
        temp, weight = self.grid.nodes(k)
        z = (temp - self.baseline[k]) / self.model.residual_sd()[k]
        density = np.exp(-0.5 * z**2) * weight
        density = density if density.sum() > 0 else weight
        below = (self._cut - self._t.low[k]) * self._t.nodes[k]
        return np.where(np.arange(len(temp)) < below[:, None], density / density.sum(), 0.0)

    def _through(self, window: KnownMaximum) -> None:
        """From the slot before a window to its last: all paths, those up to n, those below n.

        If a slot's reports are ignored, no path counts as one that agrees with the window.
        """
        edge = self.grid.cut(window.max_f + 0.5), self.grid.cut(window.max_f - 0.5)
        cuts = [np.minimum(self._cut, e) for e in edge[: 2 if window.reached else 1]]
        bounded: list[Array] = [self._state(max(self.head, 0)) for _ in cuts]
        for k in range(window.first, window.last + 1):
            free = self._state(k)
            moved = [np.empty_like(free) for _ in cuts]
            total = self._step(k, self._cut, self._state(max(k - 1, 0)), free)
            for cut, state, out in zip(cuts, bounded, moved, strict=True):
                self._step(k, cut, state, out)
                if total > 0:
                    out /= total
            bounded = moved if self._settle(k, total) else [np.zeros_like(free) for _ in cuts]
        agreeing = bounded[0] - bounded[1] if window.reached else bounded[0]
        unaware = free.copy()
        free *= window.eps
        free += (1 - 2 * window.eps) * np.maximum(agreeing, 0.0)
        told = self._kernels.normalise(free, float(free[-1].sum()))
        if np.isneginf(told):
            free[:], told = unaware, IMPOSSIBLE
        self._log_mass[window.last] += told
        self.head = window.last

    def _step(
        self,
        k: int,
        cut: NDArray[np.int64],
        state: Array,
        out: Array,
        likelihood: Array | None = None,
    ) -> float:
        """Move `state` to slot k and apply its likelihood; returns the mass of `out`."""
        own = self._likelihood[self._t.offset[k] : self._t.offset[k + 1]]
        weights = own if likelihood is None else likelihood
        if k == 0:
            below = np.clip(cut, self._t.low[0], self._t.high[0]) - self._t.low[0]
            return self._kernels.start(below * self.grid.q[0], self._prior, weights, out)
        rows = self._kernels.rows_of(self._t)
        return self._kernels.step_forward(self._t, k - 1, cut, weights, state, out, rows)

    def _state(self, slot: int) -> Array:
        return self._kernels.slot_of(self._t, slot, self._states, len(self._cut))

    def _read(self, first: int) -> tuple[Array, Array]:
        self._own()
        total = np.empty((self.head + 1 - first, len(self._cut) - 1))
        running = np.empty_like(total)
        values = self._values_from(first)
        self._kernels.read_cdfs(self._t, first, self._states, values, total, running)
        return total, running

    def _values_from(self, slot: int) -> Array:
        """The values, swept back to `slot`."""
        stop = max(slot, self._past)
        if stop < self._swept:
            self._kernels.sweep_back(self._t, self._cut[:-1], self._swept - 1, stop, self._values)
            self._swept = stop
        return self._values

    def _again_from(self, slot: int) -> None:
        head = self.head
        inside = [w.first for w in self._windows if w.first <= slot <= w.last]
        self.head = min([slot, *inside]) - 1
        self.advance(head)

    def _own(self) -> None:
        if self._work.owner is not self:
            raise RuntimeError(
                "the workspace of this filter was given to a later one; "
                "filters used side by side need a workspace each"
            )

    def _fitting(self, baseline: Array) -> Array:
        if baseline.shape != (self.model.steps + 1,):
            raise ValueError(f"baseline has shape {baseline.shape}, not ({self.model.steps + 1},)")
        outside = baseline.min() < self.grid.lo or baseline.max() > self.grid.hi
        if outside and self.grid.held is None:
            raise ValueError(
                f"baseline {baseline.min():.1f}..{baseline.max():.1f} F leaves the grid "
                f"{self.grid.lo}..{self.grid.hi} F; make the grid of all baselines"
            )
        return baseline


def crossing(so_far: Array, later: Array) -> Array:
    """P(an edge is reached | not yet), from the probabilities of having stayed below it."""
    untouched = so_far > 1e-12
    return np.where(untouched, 1 - later / np.where(untouched, so_far, 1.0), 1.0).clip(0.0, 1.0)
