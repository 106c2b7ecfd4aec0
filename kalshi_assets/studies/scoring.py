"""Scores of PMFs at fixed hours, and their means over days with bootstrap intervals.

Here: the table of scores of any methods, means on common days, paired differences. Not here: the
formulas (`statistics.scores`), resampling (`bootstrap`), the forecasts.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from kalshi_assets.statistics.bootstrap import SINGLE_DAYS, Bootstrap
from kalshi_assets.statistics.ladder_forecasts import padded
from kalshi_assets.statistics.scores import proper_scores
from kalshi_assets.units import Array

SCORES = ("log_loss", "brier_score", "rps")
NOTHING = "nothing"
ALL_HOURS = -1

FORECASTS = pl.Schema(
    {
        "date": pl.Date(),
        "method": pl.String(),
        "lst_hour": pl.Int8(),
        "p": pl.List(pl.Float64()),
        "winner": pl.Int8(),
    }
)
"""A row per day, method and hour: the PMF, coldest bracket first, and the bracket that paid."""

SUMMARY = pl.Schema(
    {
        "days": pl.String(),
        "method": pl.String(),
        "against": pl.String(),
        "lst_hour": pl.Int8(),
        "score": pl.String(),
        "value": pl.Float64(),
        "lo": pl.Float64(),
        "hi": pl.Float64(),
        "n_days": pl.Int32(),
    }
)
"""A row per set of days, method, reference method, hour and score."""


def scored(forecasts: pl.DataFrame) -> pl.DataFrame:
    """Score every forecast (schema `FORECASTS`) that has a PMF and a winner.

    Returns a row per day, method and hour: log loss in nats (probabilities floored at 1e-6), Brier
    score (0 to 2) and ranked probability score (0 to 1); lower is better.
    """
    known = forecasts.drop_nulls(["p", "winner"]).sort("date", "method", "lst_hour")
    found = proper_scores(padded(known["p"]), known["winner"].to_numpy())
    named = dict(zip(SCORES, map(pl.Series, found), strict=False))
    return known.select("date", "method", "lst_hour", **named)


def summarised(
    scores: pl.DataFrame,
    samples: Mapping[str, Sequence[str]],
    bootstrap: Bootstrap = SINGLE_DAYS,
    *,
    compared: Sequence[str] = (),
) -> pl.DataFrame:
    """Mean scores of methods on the same days, hour by hour, and paired differences.

    Parameters
    ----------
    scores
        Result of `scored`.
    samples
        Sets of days by name, each defined by methods: at each hour it contains the days on which
        all of them were scored, so that their means are comparable.
    bootstrap
        Over days; the resamples are the same for all cells of a set.
    compared
        Methods to compare with each other method: mean score minus the other's, paired by day;
        below 0 they are better. Two of them are compared once, the first with the second.

    Returns
    -------
    DataFrame
        Schema `SUMMARY`. `lst_hour` -1 is the mean over all hours, for days that have every hour;
        `against` is "nothing" for a mean score.
    """
    frames = [pl.DataFrame(schema=SUMMARY)]
    hours = sorted(scores["lst_hour"].unique())
    for name, methods in samples.items():
        of_methods = scores.filter(pl.col("method").is_in(list(methods)))
        if of_methods.height:
            cells, values = _cells(of_methods, methods, hours, compared)
            known = ~np.isnan(values)
            found = bootstrap.ratios(np.where(known, values, 0.0), known.astype(np.float64))
            named = pl.DataFrame(cells, ["method", "against", "lst_hour", "score"], orient="row")
            rows = named.with_columns(
                days=pl.lit(name), value=found.mean, lo=found.lo, hi=found.hi, n_days=found.n_days
            )
            frames.append(rows.fill_nan(None).select(SUMMARY.names()).cast(SUMMARY))
    order = ["days", "method", "against", "lst_hour", "score"]
    return pl.concat(frames).filter(pl.col("n_days") > 0).sort(order)


def _cells(
    of_methods: pl.DataFrame, methods: Sequence[str], hours: Sequence[int], compared: Sequence[str]
) -> tuple[list[tuple[str, str, int, str]], Array]:
    """Keys of the cells, and their values by day: shape (days, cells), NaN if a day lacks one."""
    days = of_methods["date"].unique().sort()
    values = np.full((len(methods), len(hours), len(SCORES), len(days)), np.nan)
    at = (
        of_methods["method"].replace_strict(list(methods), range(len(methods))).to_numpy(),
        of_methods["lst_hour"].replace_strict(hours, range(len(hours))).to_numpy(),
    )
    day = days.search_sorted(of_methods["date"]).to_numpy()
    for k, score in enumerate(SCORES):
        values[at[0], at[1], k, day] = of_methods[score].to_numpy()
    # A day counts at an hour only if all methods have it.
    values[:, np.isnan(values).any(axis=(0, 2))[:, None].repeat(len(SCORES), 1)] = np.nan
    values = np.concatenate([values, values.mean(axis=1, keepdims=True)], axis=1)
    wanted = [*hours, ALL_HOURS]
    cells = [(m, NOTHING, h, s) for m in methods for h in wanted for s in SCORES]
    stacked = [values.reshape(len(cells), -1)]
    of = dict(zip(methods, values, strict=True))
    for place, mine in enumerate(compared):
        for other in methods:
            if other not in compared[: place + 1]:
                cells += [(mine, other, h, s) for h in wanted for s in SCORES]
                stacked.append((of[mine] - of[other]).reshape(len(wanted) * len(SCORES), -1))
    return cells, np.concatenate(stacked).T
