"""The fused PMF of a day: market and model pooled, hard zeros by evidence only and last."""

import polars as pl
from numpy.typing import NDArray

from kalshi_assets.ladder.atoms import Atoms
from kalshi_assets.ladder.grid import KEY, aligned, in_force
from kalshi_assets.pooling.inputs import OF_PANEL, enters, inputs_of
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
        The model's PMF of it; minutes before its first row have none.
    panel
        The family's panel of it: the conditions that the weights depend on.
    weights
        In force on the day; they say whose PMF the model's is.
    ladder
        The event's legs by bracket; None: a partition.

    Returns
    -------
    DataFrame
        `probability.fused_pmf`. Where the model's PMF is not known or does not count, the pool is
        the market's PMF, `model_weight` is 0 and `model_status` says why. With status ok a
        weight of 0 says that the weights hold to the market at that hour.

    Raises
    ------
    ValueError
        The panel is of another event or of other minutes.
    """
    of = weights.model
    grid, (market, panel) = aligned(market, panel)
    rows = (
        market.select(_OF_MARKET)
        .hstack(panel.select(*OF_PANEL, *of.of_panel, condition_known_at="known_at"))
        .hstack(in_force(grid, model, *_columns_of(of)))
        .with_columns(pl.col("impossible").fill_null(value=False), enters=enters("model_status"))
    )

    nested = None if ladder is None or ladder.shape == "partition" else ladder

    def column(name: str) -> NDArray:
        values = grid.in_ladder(grid.matrix(rows[name]))
        if nested is None or name not in ("p_mkt", "p_model", "impossible"):
            return values
        of_atoms = nested.atom_flags if name == "impossible" else nested.atom_probabilities
        return of_atoms(values)

    inputs = inputs_of(column, grid.minutes, of)
    exponents = weights.exponents(inputs)
    p_fused = without_impossible(pooled(inputs, *exponents), column("impossible").T).T
    if nested is not None:
        p_fused = nested.leg_probabilities(p_fused)
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
    """What the pool reads of the model's PMF, by the names of the pool."""
    return (
        pl.col(model.p).alias("p_model"),
        pl.col(model.impossible).alias("impossible"),
        pl.col(model.status).alias("model_status"),
        pl.col("known_at").alias("model_known_at"),
        *map(pl.col, model.of_model),
    )
