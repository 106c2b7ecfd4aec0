"""Reliability: whether events forecast with probability p occur with frequency p.

Here: observed frequencies in bins of probability, with error bars or consistency bands, and the
curve without bins. Not here: scores.

Bars are 90 % intervals of the frequency from resampling dates. Consistency bands are 95 % intervals
of the frequency if the forecasts were correct: outcomes are drawn from the forecast probabilities
(Bröcker and Smith 2007, Weather and Forecasting 22, 651-661). The days are not resampled as well,
which would count each drawn outcome as often as its day and widen the bands by the square root of
two. Outcomes of one day are drawn independently. That is correct for forecasts that know the day's
earlier outcomes, whose errors are therefore uncorrelated, but not for instants that share one
outcome; those get bars.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.statistics.bootstrap import LEVEL, SINGLE_DAYS, Bootstrap, summed, tails
from kalshi_assets.statistics.corp import Corp, corp
from kalshi_assets.units import Array

Whole = NDArray[np.int64]

BINS = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)
BAR_LEVEL = 0.9

RELIABILITY = pl.Schema(
    {
        "bin": pl.Int8(),
        "bin_lo": pl.Float64(),
        "bin_hi": pl.Float64(),
        "n": pl.Int32(),
        "n_days": pl.Int32(),
        "probability": pl.Float64(),
        "frequency": pl.Float64(),
        "lo": pl.Float64(),
        "hi": pl.Float64(),
    }
)
"""A row per bin with forecasts: mean probability, frequency, and the ends of the bar or band."""


@dataclass(frozen=True, kw_only=True)
class Diagram:
    """Reliability of one source: bins (schema `RELIABILITY`) and the CORP curve."""

    bins: pl.DataFrame
    curve: Corp


def reliability(
    probability: Array,
    outcome: NDArray[np.bool_],
    day: Whole,
    date: Whole | None = None,
    *,
    bins: tuple[float, ...] = BINS,
    bootstrap: Bootstrap = SINGLE_DAYS,
) -> Diagram:
    """Frequencies by bins of forecast probability, and the CORP curve.

    Parameters
    ----------
    probability, outcome
        Forecasts and whether the event occurred, shape (forecasts,), at least one.
    day, date
        Indices, shape (forecasts,): days are counted, dates resampled for bars; without dates the
        diagram has consistency bands.
    bins
        Edges, ascending; a bin includes its lower edge, the last bin both edges.
    bootstrap
        Over dates; for bands only the seed and the number of draws are used.

    Raises
    ------
    ValueError
        A probability is not within [0, 1].
    """
    if not ((probability >= 0) & (probability <= 1)).all():
        raise ValueError("reliability needs probabilities within [0, 1]; remove unknown ones")
    of_bin = np.clip(np.searchsorted(bins, probability, side="right") - 1, 0, len(bins) - 2)
    pairs = pl.DataFrame({"bin": of_bin, "probability": probability, "o": outcome, "day": day})
    rows = (
        pairs.group_by("bin")
        .agg(
            pl.col("probability").mean(),
            n=pl.len(),
            n_days=pl.col("day").n_unique(),
            frequency=pl.col("o").mean(),
        )
        .sort("bin")
    )
    filled = rows["bin"].to_numpy()
    if date is None:
        drawn = _if_right(probability, of_bin, len(bins) - 1, bootstrap)[:, filled]
        lo, hi = np.quantile(drawn, tails(LEVEL), axis=0)
    else:
        shape = int(date.max()) + 1, len(bins) - 1
        happened = summed(date, of_bin, shape, outcome.astype(np.float64))
        bars = bootstrap.ratios(happened, summed(date, of_bin, shape), level=BAR_LEVEL)
        lo, hi = bars.lo[filled], bars.hi[filled]
    edges = np.array(bins)
    found = rows.with_columns(bin_lo=edges[filled], bin_hi=edges[filled + 1], lo=lo, hi=hi)
    return Diagram(
        bins=found.select(RELIABILITY.names()).cast(RELIABILITY), curve=corp(probability, outcome)
    )


def _if_right(probability: Array, of_bin: Whole, bins: int, bootstrap: Bootstrap) -> Array:
    """Simulated frequencies if the forecasts are correct, shape (resamples, bins)."""
    rng = np.random.default_rng(bootstrap.seed)
    drawn = np.empty((bootstrap.resamples, bins))
    for r in range(bootstrap.resamples):
        happened = rng.random(len(probability)) < probability
        drawn[r] = np.bincount(of_bin, happened, minlength=bins)
    return drawn / np.maximum(np.bincount(of_bin, minlength=bins), 1)
