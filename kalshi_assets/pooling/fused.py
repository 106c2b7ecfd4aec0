"""The fused PMF of a day: market and model pooled, then hard zeros from evidence only."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.ladder.atoms import Atoms
from kalshi_assets.ladder.grid import KEY, aligned, in_force
from kalshi_assets.pooling.inputs import OF_PANEL, enters, inputs_of, values_on_atoms
from kalshi_assets.pooling.model import PooledModel
from kalshi_assets.pooling.simplex import without_impossible
from kalshi_assets.pooling.weights import PoolWeights, pooled
from kalshi_assets.tables import FUSED_PMF

_OF_MARKET = (*KEY, "bracket", "known_at", "p_mkt", pl.col("valid").alias("market_valid"))


def fused_pmf(
    market: pl.DataFrame,
    model: pl.DataFrame,
    panel: pl.DataFrame,
    weights: PoolWeights,
    ladder: Atoms | None = None,
) -> pl.DataFrame:
    """Pool the market's PMF of every minute with the latest PMF of the model known then.

    Parameters
    ----------
    market
        `probability.market_pmf` of one event.
    model
        The model's PMF of the event; minutes before its first row have none.
    panel
        The family's panel of the event: the conditions that the weights depend on.
    weights
        In force on the day; they name the model.
    ladder
        The event's legs by bracket; None: a partition.

    Returns
    -------
    DataFrame
        `probability.fused_pmf`. Where the model's PMF is not known or does not count, the pool is
        the market's PMF, `model_weight` is 0 and `model_status` says why. With status ok, a weight
        of 0 means that the market's share is 1 at that hour.

    Raises
    ------
    ValueError
        The panel is of another event or of other minutes.
    """
    of = weights.model
    grid, (market, panel) = aligned(market, panel)
    of_panel = dict.fromkeys((*OF_PANEL, *of.of_panel))
    rows = (
        market.select(_OF_MARKET)
        .hstack(panel.select(*of_panel, condition_known_at="known_at"))
        .hstack(in_force(grid, model, *_columns_of(of)))
        .with_columns(pl.col("impossible").fill_null(value=False), enters=enters("model_status"))
    )

    nested = None if ladder is None or ladder.shape == "partition" else ladder

    def column(name: str) -> NDArray:
        values = grid.in_ladder(grid.matrix(rows[name]))
        if nested is None or name == "enters":
            return values
        return values_on_atoms(values, nested, pmf=name in ("p_mkt", "p_model"))

    inputs = inputs_of(column, grid.minutes, of)
    exponents = weights.exponents(inputs)
    p_fused = without_impossible(pooled(inputs, *exponents), column("impossible").T).T
    if nested is not None:
        of_legs = grid.in_ladder(grid.matrix(rows["p_mkt"]))
        moved = np.any(p_fused != column("p_mkt"), axis=0)
        p_fused = np.where(moved, nested.leg_probabilities(p_fused), of_legs)
    market_weight, model_weight = map(grid.of_minutes, exponents)
    return FUSED_PMF.arranged(
        rows.with_columns(
            known_at=pl.max_horizontal("known_at", "model_known_at", "condition_known_at"),
            p_fused=pl.Series(grid.in_table(p_fused).ravel()),
            market_weight=pl.Series(market_weight),
            model_weight=pl.Series(model_weight),
            model_status=pl.col("model_status").fill_null(of.before),
        )
    )


def _columns_of(model: PooledModel) -> tuple[pl.Expr, ...]:
    """Columns of the model's PMF that the pool reads, under the pool's names."""
    own = ("p_model", "impossible", "model_status", "model_known_at")
    return (
        pl.col(model.p).alias("p_model"),
        pl.col(model.impossible).alias("impossible"),
        pl.col(model.status).alias("model_status"),
        pl.col("known_at").alias("model_known_at"),
        *(pl.col(name) for name in model.of_model if name not in own),
    )
