"""Paths from a filter's state, and paths of the whole day weighed by reports."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kalshi_assets.families.temperature.filter.emission import KnownMaximum
from kalshi_assets.families.temperature.filter.exact import BarrierFilter
from kalshi_assets.families.temperature.filter.mixture import NEGLIGIBLE_WEIGHT, MixtureFilter
from kalshi_assets.families.temperature.filter.monte_carlo import (
    BLOCK_PATHS,
    Estimate,
    Start,
    innovations,
    simulate,
)
from kalshi_assets.families.temperature.filter.residual_model import ResidualModel
from kalshi_assets.units import Array


def from_state(
    state: BarrierFilter | MixtureFilter,
    source: np.random.SeedSequence,
    *,
    new_high: float,
    paths: int,
    lead: int = 0,
    horizons: Sequence[int] = (1, 12),
) -> Estimate:
    """Paths from the slot that a filter has reached.

    The nodes of a mixture use the same innovations, each with its posterior weight.
    """
    head = state.head
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
    z = innovations(model, 0, paths, rng)
    for k in range(model.steps):
        residual[k + 1] = model.rho[k] * residual[k] + model.sd[k] * z[k]
    return residual
