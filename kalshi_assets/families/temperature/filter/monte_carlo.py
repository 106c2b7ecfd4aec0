"""Simulated paths of the same residual model: the oracle of the exact filter, and a method.

Results depend on the seed alone, never on which process drew them or in what order. Here: paths
from a given state, and paths weighed by reports. Not here: the filter, the reports.
Source: methods, section 3.1.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.families.temperature.filter.emission import KnownMaximum
from kalshi_assets.families.temperature.filter.exact import BarrierFilter
from kalshi_assets.families.temperature.filter.mixture import NEGLIGIBLE_WEIGHT, MixtureFilter
from kalshi_assets.families.temperature.filter.residual_model import ResidualModel

Array = NDArray[np.float64]
Singles = NDArray[np.float32]
Draws = Literal["independent", "antithetic", "sobol"]

BLOCK_PATHS = 8192
COMPONENTS = 16
_LEAST_UNIFORM = 1e-12


def seed(city: str, day: date, slot: int) -> np.random.SeedSequence:
    """The seed of one city, climate day and slot, the same on every machine."""
    name = int.from_bytes(hashlib.sha256(city.encode()).digest()[:8], "big")
    return np.random.SeedSequence((name, day.toordinal(), slot))


@dataclass(frozen=True)
class Start:
    """What is known at a slot: values of the temperature and what the paths to them did.

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
        """A filter's state at a slot that it has reached; by default at its head."""
        temp, mass = state.paths(slot)
        free = mass[-1]
        below = np.divide(mass[:-1], free, out=np.zeros_like(mass[:-1]), where=free > 0)
        return cls(temp, free / free.sum(), below.clip(0.0, 1.0))

    @classmethod
    def at(cls, temp_f: float, running_max_f: float, edges: Array) -> "Start":
        """A temperature and a running maximum taken as exact, degrees F."""
        below = (max(temp_f, running_max_f) < edges).astype(float)[:, None]
        return cls(np.array([temp_f]), np.ones(1), below)


@dataclass(frozen=True)
class Estimate:
    """Of each slot simulated; the errors are those of as many independent paths.

    Attributes
    ----------
    cdf
        P(maximum of the day below each edge), shape (slots, edges).
    hazards
        P(a temperature at or above the new high within each horizon after the lead), shape
        (slots, horizons).
    paths
        Paths from each slot.
    """

    cdf: Array
    hazards: Array
    paths: int

    @cached_property
    def cdf_error(self) -> Array:
        """Standard error of `cdf`; antithetic and Sobol draws have less."""
        return np.sqrt(self.cdf * (1 - self.cdf) / self.paths)

    @cached_property
    def hazards_error(self) -> Array:
        """Standard error of `hazards`."""
        return np.sqrt(self.hazards * (1 - self.hazards) / self.paths)


def innovations(
    model: ResidualModel, first: int, paths: int, rng: np.random.Generator, draws: Draws
) -> Singles:
    """Independent innovations of unit variance for the steps from `first`; zero before it.

    Sobol draws lay a scrambled sequence on the first principal components of the residual's path
    and leave the others to the generator; they need a normal model.

    Returns
    -------
    numpy.ndarray
        Float32, shape (steps, paths).

    Raises
    ------
    ValueError
        Antithetic draws of an odd number of paths, or Sobol draws of a model with tails.
    """
    z = np.zeros((model.steps, paths), np.float32)
    if draws == "sobol" and model.tail_share > 0:
        raise ValueError("Sobol draws need normal innovations: tail_share must be 0")
    if draws == "sobol" and first < model.steps:
        z[first:] = _sobol(model, first, paths, rng)
    elif draws == "antithetic":
        if paths % 2:
            raise ValueError(f"antithetic draws need an even number of paths, not {paths}")
        half = _independent(model, (model.steps - first, paths // 2), rng)
        z[first:, ::2], z[first:, 1::2] = half, -half
    else:
        z[first:] = _independent(model, (model.steps - first, paths), rng)
    return z


def _independent(model: ResidualModel, shape: tuple[int, int], rng: np.random.Generator) -> Singles:
    z = rng.standard_normal(shape, dtype=np.float32)
    if model.tail_share > 0:
        (narrow, wide), (_, share) = model.components()
        z *= np.where(rng.random(shape, dtype=np.float32) < share, wide, narrow).astype(np.float32)
    return z


def _sobol(model: ResidualModel, first: int, paths: int, rng: np.random.Generator) -> Singles:
    from scipy.special import ndtri
    from scipy.stats import qmc

    steps = model.steps - first
    rho, sd = model.rho[first:], model.sd[first:]
    response = np.zeros((steps, steps))
    for k in range(steps):
        if k:
            response[k] = rho[k] * response[k - 1]
        response[k, k] = sd[k]
    variance, vectors = np.linalg.eigh(response @ response.T)
    count = min(COMPONENTS, steps)
    leading = vectors[:, -count:]
    sequence = qmc.Sobol(count, rng=rng).random_base2(int(np.ceil(np.log2(paths))))[:paths]
    normal = ndtri(sequence.clip(_LEAST_UNIFORM, 1 - _LEAST_UNIFORM))
    path = response @ rng.standard_normal((steps, paths))
    path += leading @ (np.sqrt(variance[-count:])[:, None] * normal.T - leading.T @ path)
    before = np.vstack([np.zeros(paths), path[:-1]])
    return ((path - rho[:, None] * before) / sd[:, None]).astype(np.float32)


def simulate(
    model: ResidualModel,
    baseline: Array,
    edges: Array,
    starts: Mapping[int, Start],
    source: np.random.SeedSequence,
    *,
    paths: int = 100_000,
    draws: Draws = "independent",
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
        Edge of the hazards of each slot; by default the least of `edges`.
    lead, horizons
        Steps before the hazards begin, and after that, ascending; as of `BarrierFilter.hazards`.
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
            innovations(model, int(slots[0]), count, rng, draws),
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


def from_state(
    state: BarrierFilter | MixtureFilter,
    source: np.random.SeedSequence,
    *,
    new_high: float,
    slot: int | None = None,
    paths: int = 100_000,
    draws: Draws = "independent",
    lead: int = 0,
    horizons: Sequence[int] = (1, 12),
) -> Estimate:
    """Paths from a slot that a filter has reached, by default its head.

    The nodes of a mixture use the same innovations, each with its posterior weight.
    """
    head = state.head if slot is None else slot
    if isinstance(state, BarrierFilter):
        nodes, weights = [state], np.ones(1)
    else:
        nodes, weights = state.filters, state.weights_at(np.array([head]))[:, 0]
    cdf, hazards = np.zeros((1, len(nodes[0].edges))), np.zeros((1, len(horizons)))
    for node, weight in zip(nodes, weights, strict=True):
        if weight > NEGLIGIBLE_WEIGHT:
            found = simulate(
                node.model,
                node.baseline,
                node.edges,
                {head: Start.of(node, head)},
                source,
                paths=paths,
                draws=draws,
                new_high=[new_high],
                lead=lead,
                horizons=horizons,
            )
            cdf += weight * found.cdf
            hazards += weight * found.hazards
    return Estimate(cdf, hazards, paths)


@dataclass(frozen=True)
class Weighed:
    """P(maximum of the day below each edge | reports), the reports' probability, and errors."""

    cdf: Array
    cdf_error: Array
    likelihood: float
    likelihood_error: float


def weighed(
    model: ResidualModel,
    baseline: Array,
    edges: Array,
    reports: Mapping[int, Callable[[Array], Array]],
    source: np.random.SeedSequence,
    *,
    known: Sequence[KnownMaximum] = (),
    paths: int = 100_000,
) -> Weighed:
    """Paths of the whole day from its start, each weighed with the likelihood of the reports.

    With likelihoods of 0 and 1 this is rejection. Few or wide reports only: the weights of many
    narrow ones leave no path. The bias is drawn from the nodes of `model.biases()`.
    """
    rows = []
    nodes, prior = model.biases()
    for begin in range(0, paths, BLOCK_PATHS):
        count = min(BLOCK_PATHS, paths - begin)
        child = np.random.SeedSequence(source.entropy, spawn_key=(*source.spawn_key, begin))
        rng = np.random.Generator(np.random.SFC64(child))
        temp = baseline[:, None] + rng.choice(nodes, count, p=prior)
        temp += _residuals(model, count, rng)
        weight = np.ones(count)
        for slot, likelihood in reports.items():
            weight *= likelihood(temp[slot])
        for window in known:
            most = np.floor(temp[window.first : window.last + 1].max(axis=0) + 0.5)
            agrees = most == window.max_f if window.reached else most <= window.max_f
            weight *= np.where(agrees, 1 - window.eps, window.eps)
        rows.append(np.vstack([weight, weight * (temp.max(axis=0) < edges[:, None])]))
    weight, *inside = np.hstack(rows)
    total, of_edges = weight.sum(), np.array(inside)
    cdf = of_edges.sum(axis=1) / total
    spread = np.sqrt(((of_edges - cdf[:, None] * weight) ** 2).sum(axis=1))
    return Weighed(cdf, spread / total, weight.mean(), weight.std() / np.sqrt(paths))


def _residuals(model: ResidualModel, paths: int, rng: np.random.Generator) -> Array:
    residual = np.empty((model.steps + 1, paths))
    residual[0] = model.start_sd * rng.standard_normal(paths)
    z = innovations(model, 0, paths, rng, "independent")
    for k in range(model.steps):
        residual[k + 1] = model.rho[k] * residual[k] + model.sd[k] * z[k]
    return residual
