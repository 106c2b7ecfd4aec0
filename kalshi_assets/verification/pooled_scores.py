"""Scores over all pairs of instant and bracket in every slice: AUC, calibration error, CORP parts.

Here: their rows of the scoreboard. Not here: scores that are means (`slice_means`), formulas
(`discrimination`, `calibration_error`, `corp`).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.verification.bootstrap import LEVEL, day_weights, tails
from kalshi_assets.verification.calibration_error import calibration_error
from kalshi_assets.verification.corp import corp
from kalshi_assets.verification.discrimination import concordance
from kalshi_assets.verification.ladder_forecasts import LadderForecasts
from kalshi_assets.verification.slice_means import verdict
from kalshi_assets.verification.slices import NOTHING, Instants, Mask, Slice

Array = NDArray[np.float64]

KINDS = ("all", "city", "season", "time_of_day", "hazard", "regime", "lead")
"""Not hours: an hour of 30 days has 180 pairs, and its null band is wider than any error."""


def pooled_rows(
    instants: Instants, sample: Mask, *, seed: int, resamples: int, block: int
) -> list[dict[str, object]]:
    """Rows of the scoreboard for AUC, calibration error and CORP parts.

    Parameters
    ----------
    instants, sample
        What is scored, and at which instants, shape (instants,).
    seed, resamples, block
        Of the bootstrap over dates, see `bootstrap.day_weights`.
    """
    rows: list[dict[str, object]] = []
    for part in instants.slices(sample, KINDS):
        for source in instants.scores:
            at = part.instants & instants.has(source)
            if not at.any():
                continue
            forecasts = instants.forecasts[source].at(at)
            weights = day_weights(
                forecasts.dates, resamples, np.random.default_rng(seed), block=block
            )
            key = _key(part, source, NOTHING, forecasts)
            found = [
                *_area(_areas(forecasts, weights)),
                *_calibration(forecasts, seed=seed, resamples=resamples, block=block),
            ]
            rows += [key | row for row in found]
        rows += _differences(instants, part, seed=seed, resamples=resamples, block=block)
    return rows


def _key(part: Slice, source: str, against: str, forecasts: LadderForecasts) -> dict[str, object]:
    return {
        "slice": part.kind,
        "slice_value": part.value,
        "source": source,
        "against": against,
        "n_days": forecasts.days,
        "n_dates": forecasts.dates,
        "n_instants": len(forecasts.winner),
    }


def _areas(forecasts: LadderForecasts, weights: Array) -> Array:
    """Area under the curve as it is, and of every resample: shape (1 + resamples,)."""
    pairs = concordance(
        forecasts.probability, forecasts.outcome, forecasts.date_of_pair, forecasts.dates
    )
    return pairs.area(np.concatenate([np.ones((1, forecasts.dates)), weights]))


def _area(areas: Array) -> Iterator[dict[str, object]]:
    lo, hi = np.nanquantile(areas[1:], tails(LEVEL))
    yield {"score": "auc", "value": float(areas[0]), "lo": float(lo), "hi": float(hi)}


def _calibration(
    forecasts: LadderForecasts, *, seed: int, resamples: int, block: int
) -> Iterator[dict[str, object]]:
    error = calibration_error(forecasts, seed=seed, resamples=resamples, block=block)
    yield {
        "score": "ece",
        "value": error.plug_in,
        "lo": error.lo,
        "hi": error.hi,
        "null_mean": error.null_mean,
        "null_hi": error.null_hi,
    }
    yield {"score": "ece_debiased", "value": error.debiased}
    parts = corp(forecasts.probability, forecasts.outcome)
    yield {"score": "miscalibration", "value": parts.miscalibration}
    yield {"score": "discrimination", "value": parts.discrimination}
    yield {"score": "uncertainty", "value": parts.uncertainty}


def _differences(
    instants: Instants, part: Slice, *, seed: int, resamples: int, block: int
) -> Iterator[dict[str, object]]:
    """AUC less that of `against`, at their common instants; greater is better."""
    for source, against in instants.comparisons():
        at = part.instants & instants.has(source) & instants.has(against)
        if not at.any():
            continue
        mine, theirs = (instants.forecasts[name].at(at) for name in (source, against))
        weights = day_weights(mine.dates, resamples, np.random.default_rng(seed), block=block)
        gap = _areas(mine, weights) - _areas(theirs, weights)
        (row,) = _area(gap)
        lo, hi = np.nanquantile(gap[1:], tails(LEVEL))
        yield _key(part, source, against, mine) | row | {"verdict": verdict(-hi, -lo)}
