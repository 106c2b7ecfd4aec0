"""The scoreboard: which source was better, in which slices, and whether significantly.

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

    Takes schema `evaluations.EVALUATIONS` and returns `learning.scoreboard`, without rows if
    nothing could be scored. `bootstrap` is over dates and also used for null bands.

    Raises
    ------
    ValueError
        A source is unknown.
    """
    instants = Instants.of(evaluations)
    frames = [SCOREBOARD.empty()]
    for name, sample in instants.samples():
        if not sample.any():
            continue
        rows = mean_rows(instants, sample, bootstrap) + pooled_rows(instants, sample, bootstrap)
        frame = pl.DataFrame(rows, schema=SCOREBOARD.dtypes)
        known = frame.with_columns(pl.col(pl.Float64).fill_nan(None), instants=pl.lit(name))
        # Each comparison is a family of tests: clear results of one, such as weather alone against
        # the market, must not make another look significant.
        frames.append(with_discoveries(known, "source", "against", "score"))
    # With few city-days some scores are undefined.
    return SCOREBOARD.arranged(pl.concat(frames).drop_nulls("value"))
