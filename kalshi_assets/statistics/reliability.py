"""Do things forecast with probability p happen with frequency p?

Here: observed frequencies in bins of probability, with bars or bands, beside the curve without
bins. Not here: scores, or what the probabilities are of.

Bars are 90 % intervals of the frequency by resampling dates. Consistency bands are 95 % intervals
of where the frequency would lie if the forecasts were right: outcomes are drawn from the forecast
probabilities (Bröcker and Smith 2007, Weather and Forecasting 22, 651-661). The forecasts stay as
they are: resampled days would count each outcome drawn as often as its day, and the bands be wider
by the root of two. Outcomes of one day are drawn independently. That is right for forecasts that
know the day's earlier outcomes, whose errors are then uncorrelated, and wrong for instants that
share one outcome: those have bars.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.statistics.bootstrap import LEVEL, SINGLE_DAYS, Bootstrap, summed, tails
from kalshi_assets.statistics.corp import Corp, corp

Array = NDArray[np.float64]
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
"""A row per bin that has forecasts: mean probability, frequency, and the ends of bar or band."""


@dataclass(frozen=True, kw_only=True)
class Diagram:
    """Reliability of one source of forecasts.

    Attributes
    ----------
    bins
        Of schema `RELIABILITY`.
    curve
        Recalibration without bins, and the parts of the score.
    """

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
        Forecast probabilities and what happened, shape (forecasts,), at least one.
    day
        Number of the day each belongs to, 0, 1, ..., shape (forecasts,); days are counted.
    date
        Number of the date, whose resampling gives bars; None: consistency bands instead.
    bins
        Edges, ascending; a bin has its lower edge, the last one both.
    bootstrap
        Over dates; of bands, seed and number of draws.

    Raises
    ------
    ValueError
        A probability is not one.
    """
    if not ((probability >= 0) & (probability <= 1)).all():
        raise ValueError("reliability needs probabilities within [0, 1]; leave out unknown ones")
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
        bins=found.select(RELIABILITY.names()).cast(RELIABILITY),
        curve=corp(probability, outcome),
    )


def _if_right(probability: Array, of_bin: Whole, bins: int, bootstrap: Bootstrap) -> Array:
    """Frequencies where the forecasts are right: (resamples, bins)."""
    rng = np.random.default_rng(bootstrap.seed)
    drawn = np.empty((bootstrap.resamples, bins))
    for r in range(bootstrap.resamples):
        happened = rng.random(len(probability)) < probability
        drawn[r] = np.bincount(of_bin, happened, minlength=bins)
    return drawn / np.maximum(np.bincount(of_bin, minlength=bins), 1)
