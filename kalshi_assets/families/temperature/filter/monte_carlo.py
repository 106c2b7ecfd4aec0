"""Simulated paths of the same residual model, as a reference for the exact filter.

Results depend on the seed alone, not on processes or their order. Here: paths from a given state.
Not here: the filter, the reports. Source: methods, section 3.1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.families.temperature.filter.exact import BarrierFilter
from kalshi_assets.families.temperature.filter.residual_model import ResidualModel
from kalshi_assets.units import Array

Singles = NDArray[np.float32]

BLOCK_PATHS = 8192


@dataclass(frozen=True)
class Start:
    """The state at a slot: values of the temperature and the maximum of the paths to them.

    Attributes
    ----------
    temp
        Degrees F, shape (values,).
    probability
        Shape (values,), sums to 1.
    below
        P(maximum so far below each edge | value), shape (edges, values).
    """

    temp: Array
    probability: Array
    below: Array

    @classmethod
    def of(cls, state: BarrierFilter, slot: int | None = None) -> "Start":
        """The state of a filter at a slot up to its head; by default at its head."""
        temp, mass = state.paths(slot)
        free = mass[-1]
        below = np.divide(mass[:-1], free, out=np.zeros_like(mass[:-1]), where=free > 0)
        return cls(temp, free / free.sum(), below.clip(0.0, 1.0))

    @classmethod
    def at(cls, temp_f: float, running_max_f: float, edges: Array) -> "Start":
        """A temperature and a running maximum known exactly, degrees F."""
        below = (max(temp_f, running_max_f) < edges).astype(float)[:, None]
        return cls(np.array([temp_f]), np.ones(1), below)


@dataclass(frozen=True)
class Estimate:
    """The results at each simulated slot.

    Attributes
    ----------
    cdf
        P(maximum of the day below each edge), shape (slots, edges).
    hazards
        P(a temperature at or above the new high within each horizon after the lead), shape
        (slots, horizons).
    paths
        Number of paths from each slot.
    """

    cdf: Array
    hazards: Array
    paths: int

    @cached_property
    def cdf_error(self) -> Array:
        """Standard error of `cdf`."""
        return np.sqrt(self.cdf * (1 - self.cdf) / self.paths)

    @cached_property
    def hazards_error(self) -> Array:
        """Standard error of `hazards`."""
        return np.sqrt(self.hazards * (1 - self.hazards) / self.paths)


def innovations(model: ResidualModel, first: int, paths: int, rng: np.random.Generator) -> Singles:
    """Independent innovations of unit variance for the steps from `first`; zero before it.

    Returns
    -------
    numpy.ndarray
        Float32, shape (steps, paths).
    """
    shape = (model.steps - first, paths)
    drawn = rng.standard_normal(shape, dtype=np.float32)
    if model.tail_share > 0:
        (narrow, wide), (_, share) = model.components()
        drawn *= np.where(rng.random(shape, dtype=np.float32) < share, wide, narrow).astype(
            np.float32
        )
    z = np.zeros((model.steps, paths), np.float32)
    z[first:] = drawn
    return z


def simulate(
    model: ResidualModel,
    baseline: Array,
    edges: Array,
    starts: Mapping[int, Start],
    source: np.random.SeedSequence,
    *,
    paths: int = 100_000,
    new_high: Sequence[float] | None = None,
    lead: int = 0,
    horizons: Sequence[int] = (1, 12),
) -> Estimate:
    """Paths from each slot of `starts` to the end of the day; all slots use the same innovations.

    Parameters
    ----------
    baseline
        Shape (steps + 1,), degrees F, the bias of the day included.
    new_high
        Edge of the hazards of each slot; by default the lowest of `edges`.
    lead, horizons
        Steps before the hazards begin, and after that, ascending; see `BarrierFilter.hazards`.
    """
    from kalshi_assets.families.temperature.filter.monte_carlo_kernels import accumulate

    slots = np.array(sorted(starts), dtype=np.int64)
    ordered = [starts[int(k)] for k in slots]
    values = max(len(s.temp) for s in ordered)
    temps, cumulative = np.zeros((len(slots), values)), np.ones((len(slots), values))
    below = np.zeros((len(slots), len(edges), values))
    for s, state in enumerate(ordered):
        n = len(state.temp)
        temps[s, :n], temps[s, n:] = state.temp, state.temp[-1]
        cumulative[s, : n - 1] = np.cumsum(state.probability)[:-1]
        below[s, :, :n], below[s, :, n:] = state.below, state.below[:, -1:]
    high = np.full(len(slots), edges[0]) if new_high is None else np.array(new_high, dtype=float)
    sums, hits = np.zeros((len(slots), len(edges))), np.zeros((len(slots), len(horizons)))
    shift = (baseline[1:] - model.rho * baseline[:-1]).astype(np.float32)
    rho, sd = model.rho.astype(np.float32), model.sd.astype(np.float32)
    for begin in range(0, paths, BLOCK_PATHS):
        count = min(BLOCK_PATHS, paths - begin)
        child = np.random.SeedSequence(source.entropy, spawn_key=(*source.spawn_key, begin))
        rng = np.random.Generator(np.random.SFC64(child))
        accumulate(
            innovations(model, int(slots[0]), count, rng),
            shift,
            rho,
            sd,
            slots,
            temps,
            cumulative,
            below,
            edges,
            high,
            lead,
            np.array(horizons, dtype=np.int64),
            (begin + np.arange(count) + rng.random()) / paths,
            sums,
            hits,
        )
    return Estimate(sums / paths, hits / paths, paths)
