"""Scores over all pairs of instant and bracket in every slice: AUC, calibration error, CORP.

Here: their rows of the scoreboard. Not here: scores that are means (`slice_means`), formulas
(`discrimination`, `calibration_error`, `corp`).
"""

from dataclasses import asdict
from functools import cache

import numpy as np

from kalshi_assets.statistics.bootstrap import LEVEL, Bootstrap, tails
from kalshi_assets.statistics.calibration_error import calibration_error
from kalshi_assets.statistics.corp import corp
from kalshi_assets.statistics.discrimination import areas_under_curve
from kalshi_assets.statistics.ladder_forecasts import LadderForecasts
from kalshi_assets.studies.slice_means import verdict
from kalshi_assets.studies.slices import NOTHING, Instants, Mask, Slice
from kalshi_assets.units import Array

KINDS = ("all", "city", "season", "time_of_day", "hazard", "regime", "lead")
"""Not single hours: an hour of 30 days has 180 pairs, and its null band exceeds any error."""


def pooled_rows(instants: Instants, sample: Mask, bootstrap: Bootstrap) -> list[dict[str, object]]:
    """Rows of the scoreboard for AUC, calibration error and CORP, at the instants in `sample`."""

    # Several slices may have the same instants. Only results are cached: caching the forecasts
    # would hold copies of all rows.
    @cache
    def areas(source: str, packed: bytes) -> Array:
        return _areas(_forecasts(instants, source, packed), bootstrap)

    @cache
    def calibration(source: str, packed: bytes) -> list[dict[str, object]]:
        return _calibration(_forecasts(instants, source, packed), bootstrap)

    rows: list[dict[str, object]] = []
    for part in instants.slices(sample, KINDS):
        for source in instants.scores:
            at = part.instants & instants.has(source)
            if at.any():
                packed = np.packbits(at).tobytes()
                key = _key(part, source, NOTHING, _forecasts(instants, source, packed))
                rows.append(key | _area(areas(source, packed)))
                rows += [key | row for row in calibration(source, packed)]
        for source, against in instants.comparisons():
            at = part.instants & instants.has(source) & instants.has(against)
            if at.any():
                packed = np.packbits(at).tobytes()
                key = _key(part, source, against, _forecasts(instants, source, packed))
                row = _area(areas(source, packed) - areas(against, packed))
                # A larger area is better.
                rows.append(key | row | {"verdict": verdict(-row["hi"], -row["lo"])})
    return rows


def _forecasts(instants: Instants, source: str, packed: bytes) -> LadderForecasts:
    """The source's forecasts at the instants given as packed bits."""
    at = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=instants.rows.height)
    return instants.forecasts[source].at(at.astype(bool))


def _areas(forecasts: LadderForecasts, bootstrap: Bootstrap) -> Array:
    """Area under the curve, without and with resampling: shape (1 + resamples,)."""
    weights = bootstrap.weights(forecasts.dates)
    return areas_under_curve(
        forecasts.probability,
        forecasts.outcome,
        forecasts.date_of_pair,
        np.concatenate([np.ones((1, forecasts.dates)), weights]),
    )


def _calibration(forecasts: LadderForecasts, bootstrap: Bootstrap) -> list[dict[str, object]]:
    """Rows of the calibration error and of the CORP components."""
    error = asdict(calibration_error(forecasts, bootstrap))
    parts = asdict(corp(forecasts.probability, forecasts.outcome))
    alone = {"ece_debiased": error.pop("debiased")} | parts
    alone.pop("curve")
    return [
        {"score": "ece", "value": error.pop("plug_in"), **error},
        *({"score": name, "value": value} for name, value in alone.items()),
    ]


def _key(part: Slice, source: str, against: str, forecasts: LadderForecasts) -> dict[str, object]:
    return {
        "slice": part.kind,
        "slice_value": part.value,
        "source": source,
        "against": against,
        "score": "auc",
        "n_days": forecasts.days,
        "n_dates": forecasts.dates,
        "n_instants": len(forecasts.winner),
    }


def _area(areas: Array) -> dict[str, float]:
    lo, hi = np.nanquantile(areas[1:], tails(LEVEL))
    return {"value": float(areas[0]), "lo": float(lo), "hi": float(hi)}
