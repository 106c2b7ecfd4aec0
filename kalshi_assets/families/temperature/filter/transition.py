"""The tables of the compiled recursions, from a model and a grid.

Here: arrays computed once per grid. Not here: the row of a step (`row_kernels`).
"""

from functools import lru_cache

import numpy as np

from kalshi_assets.families.temperature.filter.residual_model import BAND_SD, Grid, ResidualModel
from kalshi_assets.families.temperature.filter.row_kernels import Transition, fill_tables
from kalshi_assets.units import Array


def transition(grid: Grid, baseline: Array, model: ResidualModel) -> Transition:
    """The transition kernels of a day's steps around a baseline, on a grid."""
    return _around_zero(grid, model)._replace(shift=baseline[1:] - model.rho * baseline[:-1])


# The filters of a mixture share grid and model; only their baselines differ.
@lru_cache(maxsize=1)
def _around_zero(grid: Grid, model: ResidualModel) -> Transition:
    scales, shares = model.components()
    sd = model.sd[:, None] * scales
    nodes = np.array(grid.q, dtype=np.int64)
    low, high = np.ascontiguousarray(grid.bounds.T)
    reach = model.reach()
    place = np.zeros((len(nodes), nodes.max()))
    weight = np.zeros_like(place)
    for q in np.unique(nodes):
        slot = int(np.flatnonzero(nodes == q)[0])
        place[nodes == q, :q], weight[nodes == q, :q] = grid.panel_nodes(slot)
    # The nodes of a row are those of the next slot; steps with equal nodes, rho and sd share a
    # table.
    laws = np.column_stack([nodes[1:], model.rho, sd])
    _, first, law = np.unique(laws, axis=0, return_index=True, return_inverse=True)
    away, table, ratio, begin = fill_tables(
        place[first + 1],
        weight[first + 1],
        model.rho[first],
        sd[first],
        shares,
        reach[first],
        nodes[first + 1],
    )
    return Transition(
        lowest=grid.lo - 0.5,
        low=low,
        high=high,
        nodes=nodes,
        offset=np.append(0, np.cumsum((high - low) * nodes)),
        place=place,
        shift=np.zeros(model.steps),
        rho=model.rho,
        precision=1 / sd**2,
        growth=np.exp(-(((model.rho - 1)[:, None] / sd) ** 2)),
        variance=model.widest() ** 2,
        width=BAND_SD * model.widest(),
        narrow=grid.band_sd * model.widest(),
        reach=reach,
        away=away,
        table=table,
        ratio=ratio,
        begin=begin[law.ravel()],
    )
