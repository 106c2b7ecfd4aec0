"""Days for the tests of the exact filter: models, baselines, reports."""

import numpy as np
from hypothesis import strategies as st

from kalshi_assets.families.temperature.bulletins.intervals import whole_f_of_whole_c
from kalshi_assets.families.temperature.filter.emission import Within
from kalshi_assets.families.temperature.filter.exact import BarrierFilter
from kalshi_assets.families.temperature.filter.residual_model import Grid, ResidualModel
from kalshi_assets.units import Array

EDGES = np.array([66.5, 68.5, 70.5, 72.5, 74.5])
STEPS = 287


def day_model(
    steps: int = STEPS, *, rho: float = 0.985, sd: float = 0.345, **other
) -> ResidualModel:
    return ResidualModel(
        rho=np.full(steps, rho), sd=np.full(steps, sd), **{"start_sd": 2.0, **other}
    )


def diurnal(steps: int = STEPS, *, mean: float = 62.0, swing: float = 9.0) -> Array:
    """Coldest at a quarter to three, warmest twelve hours later."""
    return mean + swing * np.sin(2 * np.pi * (np.arange(steps + 1) / (steps + 1) - 0.365))


def made(
    model: ResidualModel,
    baseline: Array,
    edges: Array = EDGES,
    *,
    nodes_per_sd: float = 2.0,
    vintages: Array | None = None,
) -> BarrierFilter:
    covered = baseline if vintages is None else np.vstack([baseline, vintages])
    grid = Grid.of(covered, model, nodes_per_sd=nodes_per_sd)
    return BarrierFilter(grid, baseline, model, edges)


def path(model: ResidualModel, baseline: Array, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    residual = np.empty(model.steps + 1)
    residual[0] = model.start_sd * rng.standard_normal()
    for k in range(model.steps):
        residual[k + 1] = model.rho[k] * residual[k] + model.sd[k] * rng.standard_normal()
    return baseline + residual


def whole_c_reports(temps: Array, eps: float = 1e-3) -> list[Within]:
    """What the station sends: whole degrees C of its whole degrees F."""
    shown = np.floor((np.floor(temps + 0.5) - 32) / 1.8 + 0.5).astype(int)
    return [Within(*whole_f_of_whole_c(int(c)), eps) for c in shown]


@st.composite
def days(draw: st.DrawFn, steps: int = 12) -> tuple[ResidualModel, Array]:
    """Short days with parameters that change from step to step."""

    def floats(lo: float, hi: float, n: int) -> Array:
        return np.array(draw(st.lists(st.floats(lo, hi), min_size=n, max_size=n)))

    model = ResidualModel(
        rho=floats(0.0, 1.0, steps),
        sd=floats(0.15, 1.0, steps),
        start_sd=draw(st.floats(0.3, 2.0)),
        tail_share=draw(st.sampled_from([0.0, 0.1])),
    )
    return model, 68 + np.cumsum(floats(-1.0, 1.0, steps + 1))
