"""Scores of the market, weather and fused PMFs of a day at its full hours: `backtest.report`.

Not here: the formulas of the scores (`scores`).
"""

from datetime import datetime

import numpy as np
import polars as pl

from kalshi_assets.ladder.atoms import Atoms
from kalshi_assets.statistics.scores import brier_score, log_loss, ranked_probability_score
from kalshi_assets.tables import REPORT
from kalshi_assets.units import HOUR_US, Array


def scoreboard(
    fused: pl.DataFrame,
    day_start: datetime,
    winner: int | None,
    *,
    model: str,
    ladder: Atoms | None = None,
) -> pl.DataFrame:
    """Score the market, model and fused PMFs at every full hour of the day: `backtest.report`.

    Parameters
    ----------
    fused
        `probability.fused_pmf` of one event.
    day_start
        Start of the day; hours outside trading are omitted.
    winner
        Position of the atom that contains the settlement value, of a partition the bracket that
        paid; None: not settled, all scores are null.
    model
        Name of the model in `source`.
    ladder
        The event's legs by bracket; None: a partition.
    """
    minute = fused["minute"].to_physical().to_numpy()
    hour, rest = np.divmod(minute - round(day_start.timestamp() * 1e6), HOUR_US)
    rows = np.flatnonzero((rest == 0) & (hour >= 0) & (hour < 24))
    rows = rows[np.lexsort((fused["bracket"].to_numpy()[rows], hour[rows]))]
    if not len(rows):
        return REPORT.empty()
    at, first = np.unique(hour[rows], return_index=True)
    sources = {"fused": "p_fused", "market": "p_mkt", model: "p_model"}
    legs = len(rows) // len(at)
    pmfs = [fused[column].to_numpy()[rows].reshape(-1, legs) for column in sources.values()]
    if ladder is not None and ladder.shape != "partition":
        pmfs = [ladder.atom_probabilities(p.T).T for p in pmfs]
    return REPORT.arranged(
        pl.DataFrame(
            {
                "source": [source for source in sources for _ in at],
                "lst_hour": np.tile(at.astype(np.int8), len(sources)),
                "minute": pl.Series(np.tile(minute[rows[first]], len(sources))).cast(
                    REPORT.dtypes["minute"]
                ),
                **_scores(np.concatenate(pmfs), winner),
            }
        )
    )


def _scores(p: Array, winner: int | None) -> dict[str, pl.Series]:
    unknown = np.full(len(p), np.nan)
    values = {
        "p_win": unknown if winner is None else p[:, winner],
        "log_loss": unknown if winner is None else log_loss(p, winner),
        "brier_score": unknown if winner is None else brier_score(p, winner),
        "rps": unknown if winner is None else ranked_probability_score(p, winner),
    }
    return {name: pl.Series(value, nan_to_null=True) for name, value in values.items()}
