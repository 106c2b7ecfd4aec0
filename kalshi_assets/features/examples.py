"""What models see and learn from: one function makes the rows of a live day and of training.

Here: what any ladder has. Not here: what a family adds, or which columns its models use.
"""

import numpy as np
import polars as pl

from kalshi_assets.ladder.grid import KEY, Grid, aligned, in_force
from kalshi_assets.tables import Table

EVERY_MINUTES = 5


def with_pmfs(
    panel: pl.DataFrame, market: pl.DataFrame, model: pl.DataFrame, *of_model: str | pl.Expr
) -> pl.DataFrame:
    """The panel with what market and model say of every bracket and minute.

    Parameters
    ----------
    panel
        The family's panel of one event.
    market, model
        `probability.market_pmf` and the model's PMF of it. The latter of a minute is the latest
        one evaluated; before the first its columns are null.
    of_model
        What to take of the model's PMF, besides its `known_at`.

    Returns
    -------
    DataFrame
        The panel's rows in the order of the tables: the market's columns, the model's, where the
        bracket stands against the leader, and `known_at` of all three.
    """
    grid, (panel, market) = aligned(panel, market)
    believed = in_force(grid, model, *of_model, pl.col("known_at").alias("model_known_at"))
    rows = panel.hstack(market.select(_OF_MARKET)).hstack(believed)
    return rows.with_columns(
        *_against_leader(grid, rows),
        known_at=pl.max_horizontal("known_at", "market_known_at", "model_known_at"),
        is_recorded=pl.col("quote_source") == "recorded",
        projection_gap=pl.col("p_mkt") - pl.col("mid"),
    )


_OF_MARKET = (
    pl.col("p_mkt", "thin", "overround_bid", "overround_ask", "coverage"),
    pl.col("valid").alias("market_valid"),
    pl.col("known_at").alias("market_known_at"),
)


def _against_leader(grid: Grid, rows: pl.DataFrame) -> list[pl.Series]:
    """Position and velocity of the bracket with the greatest p_mkt; of equal ones the lowest."""
    p, velocity = (
        grid.in_ladder(grid.matrix(rows[name])) for name in ("p_mkt", "logit_velocity_5m")
    )
    leader = p.argmax(axis=0)
    places = (grid.brackets[:, None] - leader).astype(np.int8)
    moving = velocity[leader, np.arange(leader.size)]
    return [
        pl.Series("bracket_from_leader", places.ravel()),
        pl.Series("leader_logit_velocity_5m", grid.of_minutes(moving), nan_to_null=True),
    ]


def examples(features: pl.DataFrame, labels: pl.DataFrame, table: Table) -> pl.DataFrame:
    """The instants that models learn from: every five minutes of the day until the close.

    Parameters
    ----------
    features
        The family's features of one event.
    labels
        `panel.labels` of it.
    table
        The family's examples.

    Returns
    -------
    DataFrame
        Rows of `table`.
    """
    grid, frames = aligned(features, labels)
    minute_of_day = np.round(grid.matrix(frames[0]["hour_lst"])[0] * 60)
    learnt_from = (minute_of_day >= 0) & (minute_of_day % EVERY_MINUTES == 0)
    rows = np.flatnonzero(grid.of_minutes(learnt_from))
    features, labels = (frame[rows] for frame in frames)
    return table.arranged(
        features.rename({"known_at": "features_known_at"}).hstack(labels.drop(*KEY, "bracket"))
    )
