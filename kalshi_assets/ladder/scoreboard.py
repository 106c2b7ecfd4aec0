"""How good each PMF was at fixed hours of the day, against the bracket that paid."""

from datetime import datetime

import numpy as np
import polars as pl

from kalshi_assets.ladder.scores import brier_score, log_loss, ranked_probability_score
from kalshi_assets.tables import REPORT

SOURCES = {"market": "p_mkt", "weather": "p_wx", "fused": "p_fused"}


def scoreboard(fused: pl.DataFrame, day_start: datetime, winner: int | None) -> pl.DataFrame:
    """Score market, weather and fused PMF at every full hour of the day.

    Parameters
    ----------
    fused
        `probability.fused_pmf` of one event.
    day_start
        Start of the day whose hours count; hours outside trading are left out.
    winner
        Position of the bracket that paid; None: not settled, all scores are null.

    Returns
    -------
    DataFrame
        `backtest.report`: a row per source and hour; null where a source had no PMF.
    """
    hours = pl.DataFrame({"lst_hour": pl.Series(range(24), dtype=pl.Int8)}).with_columns(
        minute=pl.lit(day_start).cast(pl.Datetime("us", "UTC"))
        + pl.duration(hours=pl.col("lst_hour"))
    )
    rows = hours.join(fused, on="minute").sort("lst_hour", "bracket")
    at = rows.select("lst_hour", "minute").unique(maintain_order=True)
    if at.is_empty():
        return REPORT.empty()
    frames = [
        at.with_columns(
            _scores(rows[column].to_numpy().astype(np.float64).reshape(at.height, -1), winner),
            source=pl.lit(source),
        )
        for source, column in SOURCES.items()
    ]
    return REPORT.arranged(pl.concat(frames))


def _scores(p: np.ndarray, winner: int | None) -> list[pl.Series]:
    unknown = np.full(len(p), np.nan)
    values = {
        "p_win": unknown if winner is None else p[:, winner],
        "log_loss": unknown if winner is None else log_loss(p, winner),
        "brier_score": unknown if winner is None else brier_score(p, winner),
        "rps": unknown if winner is None else ranked_probability_score(p, winner),
    }
    return [
        pl.Series(name, value, dtype=pl.Float64, nan_to_null=True) for name, value in values.items()
    ]
