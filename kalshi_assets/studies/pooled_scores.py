"""Scores over all pairs of instant and bracket in every slice: AUC, calibration error, CORP parts.

Here: their rows of the scoreboard. Not here: scores that are means (`slice_means`), formulas
(`discrimination`, `calibration_error`, `corp`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.statistics.bootstrap import LEVEL, Bootstrap, tails
from kalshi_assets.statistics.calibration_error import calibration_error
from kalshi_assets.statistics.corp import corp
from kalshi_assets.statistics.discrimination import concordance
from kalshi_assets.statistics.ladder_forecasts import LadderForecasts
from kalshi_assets.studies.slice_means import verdict
from kalshi_assets.studies.slices import NOTHING, Instants, Mask, Slice

Array = NDArray[np.float64]

KINDS = ("all", "city", "season", "time_of_day", "hazard", "regime", "lead")
"""Not hours: an hour of 30 days has 180 pairs, and its null band is wider than any error."""


def pooled_rows(instants: Instants, sample: Mask, bootstrap: Bootstrap) -> list[dict[str, object]]:
    """Rows of the scoreboard for AUC, calibration error and CORP parts.

    Parameters
    ----------
    instants, sample
        What is scored, and at which instants, shape (instants,).
    bootstrap
        Over dates.
    """
    judged = _Judged(instants=instants, bootstrap=bootstrap)
    rows: list[dict[str, object]] = []
    for part in instants.slices(sample, KINDS):
        for source in instants.scores:
            at = part.instants & instants.has(source)
            if at.any():
                key = _key(part, source, NOTHING, judged.forecasts(source, at))
                rows.append(key | _area(judged.areas(source, at)))
                rows += [key | row for row in judged.calibration(source, at)]
        for source, against in instants.comparisons():
            at = part.instants & instants.has(source) & instants.has(against)
            if at.any():
                key = _key(part, source, against, judged.forecasts(source, at))
                row = _area(judged.areas(source, at) - judged.areas(against, at))
                # Of areas more is better.
                turned = verdict(-row["hi"], -row["lo"])
                rows.append(key | row | {"verdict": turned})
    return rows


@dataclass(frozen=True, kw_only=True)
class _Judged:
    """What is computed once for a source and a set of instants, though slices share it."""

    instants: Instants
    bootstrap: Bootstrap
    known: dict[tuple[str, str, bytes], Any] = field(default_factory=dict)

    def _once(self, what: str, source: str, at: Mask, compute: Callable[[], Any]) -> Any:
        key = (what, source, np.packbits(at).tobytes())
        if key not in self.known:
            self.known[key] = compute()
        return self.known[key]

    def forecasts(self, source: str, at: Mask) -> LadderForecasts:
        """The source's at some instants; not kept, for they are all the study's rows again."""
        return self.instants.forecasts[source].at(at)

    def areas(self, source: str, at: Mask) -> Array:
        """Area under the curve as it is, and of every resample: shape (1 + resamples,)."""
        found: Array = self._once("areas", source, at, lambda: self._areas(source, at))
        return found

    def calibration(self, source: str, at: Mask) -> list[dict[str, object]]:
        """Rows of the calibration error and of the CORP parts."""
        found: list[dict[str, object]] = self._once(
            "calibration", source, at, lambda: self._calibration(source, at)
        )
        return found

    def _areas(self, source: str, at: Mask) -> Array:
        forecasts = self.forecasts(source, at)
        pairs = concordance(
            forecasts.probability, forecasts.outcome, forecasts.date_of_pair, forecasts.dates
        )
        weights = self.bootstrap.weights(forecasts.dates)
        return pairs.area(np.concatenate([np.ones((1, forecasts.dates)), weights]))

    def _calibration(self, source: str, at: Mask) -> list[dict[str, object]]:
        forecasts = self.forecasts(source, at)
        error = calibration_error(forecasts, self.bootstrap)
        parts = corp(forecasts.probability, forecasts.outcome)
        plug_in = {
            "score": "ece",
            "value": error.plug_in,
            "lo": error.lo,
            "hi": error.hi,
            "null_mean": error.null_mean,
            "null_hi": error.null_hi,
        }
        alone = {
            "ece_debiased": error.debiased,
            "miscalibration": parts.miscalibration,
            "discrimination": parts.discrimination,
            "uncertainty": parts.uncertainty,
        }
        return [plug_in, *({"score": name, "value": value} for name, value in alone.items())]


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
