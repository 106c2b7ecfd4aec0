"""Scores of the market, weather and fused PMFs of a day at its full hours: `backtest.report`.

Not here: the formulas of the scores (`scores`).
"""

from datetime import datetime

import numpy as np
import polars as pl

from kalshi_assets.statistics.scores import Array, brier_score, log_loss, ranked_probability_score
from kalshi_assets.tables import REPORT

SOURCES = {"fused": "p_fused", "market": "p_mkt", "weather": "p_wx"}
_US_AN_HOUR = 3_600_000_000


def scoreboard(fused: pl.DataFrame, day_start: datetime, winner: int | None) -> pl.DataFrame:
    """Score the market, weather and fused PMFs at every full hour of the day: `backtest.report`.

    `fused` is `probability.fused_pmf` of one event; hours outside trading are omitted. `winner` is
    the position of the bracket that paid; None: not settled, all scores are null.
    """
    minute = fused["minute"].to_physical().to_numpy()
    hour, rest = np.divmod(minute - round(day_start.timestamp() * 1e6), _US_AN_HOUR)
    rows = np.flatnonzero((rest == 0) & (hour >= 0) & (hour < 24))
    rows = rows[np.lexsort((fused["bracket"].to_numpy()[rows], hour[rows]))]
    if not len(rows):
        return REPORT.empty()
    at, first = np.unique(hour[rows], return_index=True)
    p = np.stack([fused[column].to_numpy()[rows] for column in SOURCES.values()])
    return REPORT.arranged(
        pl.DataFrame(
            {
                "source": [source for source in SOURCES for _ in at],
                "lst_hour": np.tile(at.astype(np.int8), len(SOURCES)),
                "minute": pl.Series(np.tile(minute[rows[first]], len(SOURCES))).cast(
                    REPORT.dtypes["minute"]
                ),
                **_scores(p.reshape(len(SOURCES) * len(at), -1), winner),
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
