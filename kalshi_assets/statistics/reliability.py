"""Do things forecast with probability p happen with frequency p?

Here: observed frequencies in bins of probability beside consistency bands. Not here: scores, or
what the probabilities are of.

The bands tell how far frequencies stray when the forecasts are right: outcomes are drawn from the
forecast probabilities, and the frequency compared with the mean probability of the bin (Bröcker
and Smith 2007, Weather and Forecasting 22, 651-661). The forecasts stay as they are: resampled days
would count each outcome drawn as often as its day, and the bands be wider by the root of two.
Outcomes of one day are drawn independently, which is right for forecasts that know the day's
earlier outcomes: their errors are then uncorrelated.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.statistics.bootstrap import LEVEL, RESAMPLES

Array = NDArray[np.float64]

BINS = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)

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
"""A row per bin that has forecasts: mean probability, frequency, and the band it should lie in."""


def reliability(
    probability: Array,
    outcome: NDArray[np.bool_],
    day: NDArray[np.int64],
    *,
    bins: tuple[float, ...] = BINS,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> pl.DataFrame:
    """Frequencies by bins of forecast probability, with consistency bands.

    Parameters
    ----------
    probability, outcome
        Forecast probabilities and what happened, shape (forecasts,).
    day
        Number of the day each belongs to, 0, 1, ..., shape (forecasts,).
    bins
        Edges, ascending; a bin has its lower edge, the last one both.
    seed, resamples, level
        Of the bands.

    Returns
    -------
    DataFrame
        Of schema `RELIABILITY`.

    Raises
    ------
    ValueError
        A probability is not one.
    """
    if not ((probability >= 0) & (probability <= 1)).all():
        raise ValueError("reliability needs probabilities within [0, 1]; leave out unknown ones")
    of_bin = np.clip(np.searchsorted(bins, probability, side="right") - 1, 0, len(bins) - 2)
    strayed = _strayed(probability, of_bin, len(bins) - 1, seed, resamples)
    rows = []
    for b in np.unique(of_bin):
        inside = of_bin == b
        mean = float(probability[inside].mean())
        below, above = np.nanquantile(strayed[:, b], ((1 - level) / 2, (1 + level) / 2))
        rows.append(
            {
                "bin": int(b),
                "bin_lo": bins[b],
                "bin_hi": bins[b + 1],
                "n": int(inside.sum()),
                "n_days": len(np.unique(day[inside])),
                "probability": mean,
                "frequency": float(outcome[inside].mean()),
                "lo": max(mean + float(below), 0.0),
                "hi": min(mean + float(above), 1.0),
            }
        )
    return pl.DataFrame(rows, schema=RELIABILITY)


def _strayed(
    probability: Array, of_bin: NDArray[np.int64], bins: int, seed: int, resamples: int
) -> Array:
    """Frequency less mean probability where the forecasts are right: (resamples, bins)."""
    rng = np.random.default_rng(seed)
    count = np.bincount(of_bin, minlength=bins)
    strayed = np.full((resamples, bins), np.nan)
    for r in range(resamples):
        happened = rng.random(len(probability)) < probability
        excess = np.bincount(of_bin, happened - probability, minlength=bins)
        strayed[r, count > 0] = excess[count > 0] / count[count > 0]
    return strayed
