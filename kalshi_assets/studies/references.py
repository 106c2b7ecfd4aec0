"""Reference forecasts: climatology, and persistence of the maximum.

Here: both as functions of earlier days. Not here: filtering by what was known when (done by the
caller), scores.
"""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.families.temperature.normal import normal_cdf
from kalshi_assets.units import Array

WINDOW_DAYS = 15
MIN_MAXIMA = 30
MIN_RISES = 10
PRIOR_DAYS = 5.0
RISE_SMOOTHING_F = 2.0
GREATEST_RISE_F = 60


def maxima_around(maxima: pl.DataFrame, day: date) -> Array:
    """Official maxima within 15 days of the same date in earlier years, degrees F.

    `maxima` has the columns date and tmax_f, any days and order; years from that of `day` on are
    ignored.
    """
    # 29 February becomes 28 February in other years.
    last = min(day.day, 28) if day.month == 2 else day.day
    around = [
        day.replace(year=year, day=last) + timedelta(days=offset)
        for year in sorted(maxima["date"].dt.year().unique())
        if year < day.year
        for offset in range(-WINDOW_DAYS, WINDOW_DAYS + 1)
    ]
    earlier = [each for each in around if each.year < day.year]
    kept = maxima.filter(pl.col("date").is_in(earlier)).sort("date")
    return kept["tmax_f"].drop_nulls().to_numpy().astype(np.float64)


def climatology(maxima_f: Array, upper: Sequence[int]) -> Array | None:
    """PMF of the official maximum as a kernel density of earlier maxima; None: fewer than 30.

    Normal kernels with the width of Silverman's rule of thumb, 0.9 sd n^(-1/5). `upper` is the
    greatest whole degree of every bracket but the last.
    """
    if len(maxima_f) < MIN_MAXIMA:
        return None
    width = max(0.9 * float(maxima_f.std(ddof=1)) * len(maxima_f) ** -0.2, 0.5)
    edges = np.asarray(upper, dtype=np.float64) + 0.5
    cdf = normal_cdf((edges[:, None] - maxima_f) / width).mean(axis=1)
    return np.diff(cdf, prepend=0.0, append=1.0)


def persistence(
    running_max_f: int, rises_f: NDArray[np.int64], upper: Sequence[int]
) -> Array | None:
    """PMF of the official maximum: the maximum so far plus the rises of earlier days.

    The empirical distribution of rises is mixed with itself, smoothed by a normal of 2 degrees,
    at the weight of five days, so that unseen rises stay possible.

    Parameters
    ----------
    running_max_f
        Lower bound of the maximum so far, whole degrees.
    rises_f
        On earlier days, official maximum minus the maximum so far at the same time of day, whole
        degrees; negative values count as 0.
    upper
        Greatest whole degree of every bracket but the last.

    Returns
    -------
    Shape (brackets,); None: fewer than ten days.
    """
    if len(rises_f) < MIN_RISES:
        return None
    degrees = np.arange(GREATEST_RISE_F + 1)
    rises = np.clip(rises_f, 0, GREATEST_RISE_F)
    counts = np.bincount(rises, minlength=len(degrees)).astype(np.float64)
    edges = (np.append(degrees, GREATEST_RISE_F + 1) - 0.5)[:, None]
    smooth = np.diff(normal_cdf((edges - rises) / RISE_SMOOTHING_F).mean(axis=1))
    shares = counts + PRIOR_DAYS * smooth / smooth.sum()
    cdf = np.cumsum(shares / shares.sum())
    room = np.asarray(upper, dtype=np.int64) - running_max_f
    within = np.where(room < 0, 0.0, cdf[np.clip(room, 0, GREATEST_RISE_F)])
    return np.maximum(np.diff(within, prepend=0.0, append=1.0), 0.0)
