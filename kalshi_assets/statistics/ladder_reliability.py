"""Reliability diagrams of PMFs over ladders: what a person looks at.

Here: frequencies in bins with bars over dates, beside the curve without bins. Not here: pictures.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.statistics.bootstrap import RESAMPLES, day_weights, resampled_ratios
from kalshi_assets.statistics.corp import Corp, corp
from kalshi_assets.statistics.ladder_forecasts import LadderForecasts
from kalshi_assets.statistics.reliability import BINS, RELIABILITY

Array = NDArray[np.float64]

BAR_LEVEL = 0.9


@dataclass(frozen=True, kw_only=True)
class Diagram:
    """One source's reliability over all pairs of instant and bracket.

    Attributes
    ----------
    bins
        Of schema `reliability.RELIABILITY`; lo and hi are the 90 % interval of the frequency by
        resampling dates, and n_days counts city-days.
    curve
        Recalibration without bins, and the parts of the score.
    """

    bins: pl.DataFrame
    curve: Corp


def diagram(
    forecasts: LadderForecasts, *, seed: int, resamples: int = RESAMPLES, block: int = 1
) -> Diagram:
    """Frequencies by bins of probability, with bars, and the CORP curve.

    Parameters
    ----------
    forecasts
        At least one.
    seed, resamples, block
        Of the bootstrap over dates, see `bootstrap.day_weights`.
    """
    p, outcome, date = forecasts.probability, forecasts.outcome, forecasts.date_of_pair
    bins, dates = len(BINS) - 1, forecasts.dates
    of_bin = np.clip(np.searchsorted(BINS, p, side="right") - 1, 0, bins - 1)
    cell, shape = date * bins + of_bin, (dates, bins)
    counts = np.bincount(cell, minlength=dates * bins).reshape(shape).astype(np.float64)
    happened = np.bincount(cell[outcome], minlength=dates * bins).reshape(shape).astype(np.float64)
    weights = day_weights(dates, resamples, np.random.default_rng(seed), block=block)
    bars = resampled_ratios(happened, counts, weights, level=BAR_LEVEL)
    day = np.broadcast_to(forecasts.day[:, None], forecasts.p.shape)[forecasts.known]
    rows = [
        {
            "bin": b,
            "bin_lo": BINS[b],
            "bin_hi": BINS[b + 1],
            "n": int(counts[:, b].sum()),
            "n_days": len(np.unique(day[of_bin == b])),
            "probability": float(p[of_bin == b].mean()),
            "frequency": float(bars.mean[b]),
            "lo": float(bars.lo[b]),
            "hi": float(bars.hi[b]),
        }
        for b in np.flatnonzero(counts.sum(axis=0)).tolist()
    ]
    return Diagram(bins=pl.DataFrame(rows, schema=RELIABILITY), curve=corp(p, outcome))
