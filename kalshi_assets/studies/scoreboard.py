"""The scoreboard: who was better, where, and whether that is more than noise.

Here: `learning.scoreboard` from evaluated days. Not here: single scores, days (`evaluations`),
documents (`pages`).
"""

import polars as pl

from kalshi_assets.statistics.bootstrap import SINGLE_DAYS, Bootstrap
from kalshi_assets.studies.pooled_scores import pooled_rows
from kalshi_assets.studies.slice_means import mean_rows, with_discoveries
from kalshi_assets.studies.slices import Instants
from kalshi_assets.tables.scoreboard import SCOREBOARD


def scoreboard(evaluations: pl.DataFrame, bootstrap: Bootstrap = SINGLE_DAYS) -> pl.DataFrame:
    """Score every source in every slice, alone and against others at common instants.

    Parameters
    ----------
    evaluations
        Of schema `evaluations.EVALUATIONS`, of any number of city-days.
    bootstrap
        Over dates, and of null bands.

    Returns
    -------
    DataFrame
        `learning.scoreboard`; without rows where nothing could be scored.

    Raises
    ------
    ValueError
        A source is not one that the scoreboard knows.
    """
    instants = Instants.of(evaluations)
    frames = [SCOREBOARD.empty()]
    for name, sample in instants.samples():
        if not sample.any():
            continue
        rows = [
            *mean_rows(instants, sample, bootstrap),
            *pooled_rows(instants, sample, bootstrap),
        ]
        frame = pl.DataFrame(rows, schema=SCOREBOARD.dtypes)
        known = frame.with_columns(pl.col(pl.Float64).fill_nan(None), instants=pl.lit(name))
        # Comparisons apart: what is plain of one, such as weather alone against the market, must
        # not make another look better.
        frames.append(with_discoveries(known, "source", "against", "score"))
    # Of a handful of city-days some scores say nothing.
    return SCOREBOARD.arranged(pl.concat(frames).drop_nulls("value"))
