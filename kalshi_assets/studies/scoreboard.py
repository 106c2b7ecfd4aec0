"""The scoreboard: who was better, where, and whether that is more than noise.

Here: `learning.scoreboard` from evaluated days. Not here: single scores, days (`evaluations`),
pages (`reports`).
"""

import polars as pl

from kalshi_assets.statistics.bootstrap import RESAMPLES
from kalshi_assets.statistics.significance import discoveries
from kalshi_assets.studies.pooled_scores import pooled_rows
from kalshi_assets.studies.slice_means import mean_rows
from kalshi_assets.studies.slices import Instants
from kalshi_assets.tables.scoreboard import SCOREBOARD


def scoreboard(
    evaluations: pl.DataFrame, *, seed: int = 0, resamples: int = RESAMPLES, block: int = 1
) -> pl.DataFrame:
    """Score every source in every slice, alone and against others at common instants.

    Parameters
    ----------
    evaluations
        Of schema `evaluations.EVALUATIONS`, of any number of city-days.
    seed
        Of the bootstrap over dates and of null bands.
    resamples
        How many.
    block
        Dates resampled together; 3 allows for weather that persists.

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
            *mean_rows(instants, sample, seed=seed, resamples=resamples, block=block),
            *pooled_rows(instants, sample, seed=seed, resamples=resamples, block=block),
        ]
        frame = pl.DataFrame(rows, schema=SCOREBOARD.dtypes)
        known = frame.with_columns(pl.col(pl.Float64).fill_nan(None), instants=pl.lit(name))
        frames.append(_with_discoveries(known))
    # Of a handful of city-days some scores say nothing.
    return SCOREBOARD.arranged(pl.concat(frames).drop_nulls("value"))


def _with_discoveries(frame: pl.DataFrame) -> pl.DataFrame:
    """The slices of each comparison judged together.

    Comparisons apart: what is plain of one, such as weather alone against the market, must not make
    another look better.
    """
    frames = [
        family.with_columns(discovery=pl.Series(discoveries(family["dm_p"].to_numpy())))
        for _, family in frame.group_by("source", "against", "score", maintain_order=True)
    ]
    tested = pl.col("dm_p").is_not_null()
    return pl.concat(frames).with_columns(discovery=pl.when(tested).then("discovery"))
