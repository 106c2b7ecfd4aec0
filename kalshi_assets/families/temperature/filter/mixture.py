"""The exact hazard as a mixture over the baseline's deviation on the day.

One filter per Gauss-Hermite node of the deviation, weighted by its likelihood of the reports so
far. Source: methods, section 3.2. Here also: peaks between the five-minute samples, which are part
of the official value but not of the filter. Not here: the filter (`exact`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.families.temperature.filter.emission import KnownMaximum
from kalshi_assets.families.temperature.filter.exact import (
    BarrierFilter,
    Likelihood,
    Workspace,
    crossing,
)
from kalshi_assets.families.temperature.filter.residual_model import Grid, ResidualModel
from kalshi_assets.units import Array, Ints

NEGLIGIBLE_WEIGHT = 1e-9
# P(official maximum - evidence floor at the end of the day = 0, 1, 2, 3), methods 3.5.
MISSED_PRIOR = (0.55, 0.38, 0.06, 0.01)
MISSED_PRIOR_DAYS = 20.0


class MixtureFilter:
    """Filters around baseline + offset, with the interface of one `BarrierFilter`.

    Every node has its own values and states, so the order of reports does not change a bit.

    Parameters
    ----------
    grid, baseline, model, edges
        As of `BarrierFilter`.
    nodes
        Possible deviations of the day from the baseline, degrees F: offsets, each a number or an
        array per slot, and their prior probabilities. Default: `model.biases()`.
    workspace
        Memory to reuse; each node has a part of it.
    """

    def __init__(
        self,
        grid: Grid,
        baseline: Array,
        model: ResidualModel,
        edges: Array,
        workspace: Workspace | None = None,
        nodes: tuple[Sequence[Array] | Array, Array] | None = None,
    ) -> None:
        from kalshi_assets.families.temperature.filter import exact_kernels

        self._kernels = exact_kernels
        self.grid, self.model = grid, model
        self.offsets, self.prior = nodes if nodes is not None else model.biases()
        work = workspace or Workspace()
        self.filters = [
            BarrierFilter(grid, baseline + offset, model, edges, work.part(j))
            for j, offset in enumerate(self.offsets)
        ]

    @property
    def head(self) -> int:
        """The slot that the filters have reached."""
        return self.filters[0].head

    def report(self, slot: int, likelihood: Likelihood) -> None:
        """`BarrierFilter.report`, to every node."""
        if callable(likelihood):
            likelihood = likelihood(self.grid.nodes(slot)[0])
        for each in self.filters:
            each.report(slot, likelihood)

    def window(self, known: KnownMaximum) -> None:
        """`BarrierFilter.window`, to every node."""
        for each in self.filters:
            each.window(known)

    def rebase(self, slot: int, baseline: Array) -> None:
        """`BarrierFilter.rebase`; the weights of the offsets are kept."""
        for each, offset in zip(self.filters, self.offsets, strict=True):
            each.rebase(slot, baseline + offset)

    def advance(self, slot: int) -> None:
        """Advance every node to `slot`."""
        for each in self.filters:
            each.advance(slot)

    @property
    def weights(self) -> Array:
        """Posterior probabilities of the nodes, shape (nodes,)."""
        return self.weights_at(np.array([self.head]))[:, 0]

    def weights_at(self, slots: Ints) -> Array:
        """`weights` as they were at some slots up to the head, shape (nodes, slots)."""
        empty = np.empty((len(self.prior), len(slots), 0))
        return self._mixed(self.log_likelihood_at(slots), empty)[0]

    @property
    def log_likelihood(self) -> float:
        """Log probability of all reports up to the head."""
        return float(self.log_likelihoods()[-1])

    def log_likelihoods(self) -> Array:
        """Log probability of all reports up to each slot, shape (head + 1,)."""
        by_node = np.array([f.log_likelihoods() for f in self.filters])
        return np.logaddexp.reduce(by_node + np.log(self.prior)[:, None], axis=0)

    def cdf(self) -> Array:
        """P(maximum of the day below each edge | reports so far), shape (edges,)."""
        return self._mix_now([f.cdf() for f in self.filters])

    def running_cdf(self) -> Array:
        """P(maximum so far below each edge | reports so far), shape (edges,)."""
        return self._mix_now([f.running_cdf() for f in self.filters])

    def cdfs(self) -> tuple[Array, Array]:
        """`cdf` and `running_cdf` as they were at each slot, shape (head + 1, edges)."""
        by_node = np.array([f.log_likelihoods() for f in self.filters])
        total, running = zip(*(f.cdfs() for f in self.filters), strict=True)
        return self._mixed(by_node, np.array(total))[1], self._mixed(by_node, np.array(running))[1]

    def hazard(self, edge: float, lead: int, horizon: int) -> float:
        """`BarrierFilter.hazard`, mixed."""
        return float(self.hazards(edge, lead, (horizon,))[0])

    def hazards(self, edge: float, lead: int, horizons: Sequence[int]) -> Array:
        """`BarrierFilter.hazards`, mixed; nodes with negligible weight are skipped."""
        weights = self.weights
        mixed = np.zeros(len(horizons))
        for each, weight in zip(self.filters, weights, strict=True):
            if weight > NEGLIGIBLE_WEIGHT:
                mixed += weight * each.hazards(edge, lead, horizons)
        return mixed / weights[weights > NEGLIGIBLE_WEIGHT].sum()

    def staying(self, steps: int) -> tuple[Array, Array]:
        """`BarrierFilter.staying`, mixed."""
        now, later = zip(*(f.staying(steps) for f in self.filters), strict=True)
        return self._mix_now(now), self._mix_now(later)

    def crossing(self, steps: int) -> Array:
        """P(an edge is reached within `steps` | not before now), shape (edges,); 1: it was."""
        return crossing(*self.staying(steps))

    def log_likelihood_at(self, slots: Ints) -> Array:
        """Log probability of the reports up to some slots for each node, shape (nodes, slots)."""
        return np.array([f.log_likelihoods()[slots] for f in self.filters])

    def at(
        self,
        slots: Ints,
        of_node: Callable[[BarrierFilter, NDArray[np.bool_]], Array],
        least_weight: float = 0.0,
    ) -> Array:
        """Results of the nodes at some slots up to the head, mixed with their weights there.

        Parameters
        ----------
        of_node
            Called with a node's filter and a mask of the slots at which it has weight; returns
            values of shape (slots, columns), which at other slots must be finite and are not used.
        least_weight
            Share of the greatest weight below which a node is not used.

        Returns
        -------
        Array
            Shape (slots, columns). A slot's row does not depend on the other slots.
        """
        log_likelihood = self.log_likelihood_at(slots)
        relative = np.exp(log_likelihood - log_likelihood.max(axis=0)) * self.prior[:, None]
        counts = relative > least_weight * relative.max(axis=0)
        log_likelihood = np.where(counts, log_likelihood, -np.inf)
        values = [of_node(f, node) for f, node in zip(self.filters, counts, strict=True)]
        return self._mixed(log_likelihood, np.array(values))[1]

    def _log_likelihood(self) -> Array:
        return np.array([[f.log_likelihood] for f in self.filters])

    def _mix_now(self, values: Sequence[Array]) -> Array:
        return self._mixed(self._log_likelihood(), np.array(values)[:, None])[1][0]

    def _mixed(self, log_likelihood: Array, values: Array) -> tuple[Array, Array]:
        weights = np.empty(log_likelihood.shape)
        mixed = np.empty(values.shape[1:])
        self._kernels.mix(self.prior, log_likelihood, values, weights, mixed)
        return weights, mixed


@dataclass(frozen=True)
class MissedPeaks:
    """P(official maximum - maximum of the five-minute samples = d), whole degrees d = 0, 1, ...

    The official maximum is that of all minutes. Lowering the edges by the mean amount missed
    (Broadie, Glasserman and Kou: kappa 0.5826 sd (1 - 1/sqrt 5)) would move them off the panels on
    which the filter is exact. A peak missed by a fraction m of a degree passes the next
    half-integer with probability m if the sampled maximum is uniform within its degree; so the
    distribution function is mixed over whole degrees, which is exact on panels, keeps the order of
    the edges, and is the form in which the shares are counted on settled days.

    Parameters
    ----------
    shares
        Probabilities of d = 0, 1, ..., which sum to 1.
    """

    shares: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if abs(sum(self.shares) - 1) > 1e-9 or min(self.shares) < 0:
            raise ValueError(f"shares {self.shares} must be probabilities that sum to 1")

    @classmethod
    def of_kappa(cls, kappa: float, sd: float) -> "MissedPeaks":
        """From the correction's factor and the innovation sd, degrees F, of the afternoon."""
        missed = kappa * 0.5826 * sd * (1 - 5**-0.5)
        if not 0 <= missed <= 1:
            raise ValueError(f"kappa {kappa} and sd {sd} F miss {missed:.2f} F: not a share")
        return cls((1 - missed, missed))

    @classmethod
    def counted(
        cls,
        counts: Sequence[float],
        prior: Sequence[float] = MISSED_PRIOR,
    ) -> "MissedPeaks":
        """Posterior mean of a Dirichlet prior after days with d = 0, 1, ... counted."""
        posterior = np.asarray(prior) * MISSED_PRIOR_DAYS + np.asarray(counts)
        return cls(tuple(float(p) for p in posterior / posterior.sum()))

    def edges(self, edges: Array) -> Array:
        """The edges that the filter needs for `cdf` at `edges`: each, and the degrees below it."""
        return np.unique(np.concatenate([edges - d for d in range(len(self.shares))]))

    def cdf(self, edges: Array, known_edges: Array, known_cdf: Array) -> Array:
        """P(official maximum below `edges`) from the filter's at `known_edges`.

        Parameters
        ----------
        known_cdf
            Shape (..., known edges).
        """
        mixed = np.zeros((*known_cdf.shape[:-1], len(edges)))
        for d, share in enumerate(self.shares):
            mixed += share * known_cdf[..., np.searchsorted(known_edges, edges - d)]
        return mixed
