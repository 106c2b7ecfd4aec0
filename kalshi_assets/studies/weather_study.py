"""The verification study of the weather hazard over many days.

Here: combining days into scores, reliability and missed peaks. Not here: one day (`weather_days`),
general scoring (`scoring`, `reliability`), documents (`pages`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from kalshi_assets.statistics.bootstrap import LEVEL, RESAMPLES, Bootstrap, tails
from kalshi_assets.statistics.reliability import Diagram, reliability
from kalshi_assets.studies.scoring import FORECASTS, scored, summarised
from kalshi_assets.studies.weather_days import (
    ANALOGUE,
    EXACT,
    IN_FORCE,
    MISSED_PEAKS,
    NEW_HIGHS,
    DayEvaluation,
)

BOOTSTRAP = Bootstrap(seed=20250401)
COMPARED = (IN_FORCE, EXACT)
WEATHER_METHODS = (IN_FORCE, EXACT, ANALOGUE, "persistence", "climatology")
SAMPLES = {"all": WEATHER_METHODS, "market": (*WEATHER_METHODS, "market")}

MISSED_COUNTS = pl.Schema(
    {
        "missed_f": pl.Int8(),
        "days": pl.Int32(),
        "expected": pl.Float64(),
        "lo": pl.Int32(),
        "hi": pl.Int32(),
    }
)
"""By degrees missed: number of days, expected number, and its 95 % interval."""


@dataclass(frozen=True)
class WeatherStudy:
    """Evaluated days, oldest first, and their combined results."""

    days: Sequence[DayEvaluation]

    @cached_property
    def scored_days(self) -> list[DayEvaluation]:
        """The days that were not excluded."""
        return [day for day in self.days if day.left_out is None]

    @cached_property
    def scores(self) -> pl.DataFrame:
        """Result of `scoring.scored`."""
        forecasts = (day.forecasts for day in self.scored_days)
        return scored(pl.concat([pl.DataFrame(schema=FORECASTS), *forecasts]))

    @cached_property
    def summary(self) -> pl.DataFrame:
        """Schema `scoring.SUMMARY`: for all days, and for those with a market."""
        return summarised(self.scores, SAMPLES, BOOTSTRAP, compared=COMPARED)

    @cached_property
    def new_highs(self) -> pl.DataFrame:
        """Schema `weather_days.NEW_HIGHS`."""
        found = (day.new_highs for day in self.scored_days)
        return pl.concat([pl.DataFrame(schema=NEW_HIGHS), *found])

    @cached_property
    def diagrams(self) -> dict[str, Diagram]:
        """Reliability of the probability of a new high within the hour, by method."""
        found = {}
        for method in (EXACT, ANALOGUE):
            rows = self.new_highs.filter(method=method)
            pairs = rows["probability"], rows["new_high"], rows["date"].rank("dense") - 1
            if rows.height:
                found[method] = reliability(*(c.to_numpy() for c in pairs), bootstrap=BOOTSTRAP)
        return found

    @cached_property
    def missed_peaks(self) -> pl.DataFrame:
        """Schema `weather_days.MISSED_PEAKS`."""
        found = (day.missed_peak for day in self.scored_days)
        return pl.concat([pl.DataFrame(schema=MISSED_PEAKS), *found])

    @cached_property
    def missed_counts(self) -> pl.DataFrame:
        """Schema `MISSED_COUNTS`, from days whose highest report is one whole degree."""
        return missed_counts(self.missed_peaks)


def missed_counts(missed_peaks: pl.DataFrame) -> pl.DataFrame:
    """Days with an official maximum 0 to 3 degrees above the highest report: count and expectation.

    The expected number and its 95 % interval follow from each day's own probabilities
    (`missed_peak`). Days below 0 or above 3, or with a highest report that may stand for two
    degrees, are not counted.
    """
    missed = pl.col("official_f") - pl.col("reported_hi_f")
    resolved = missed_peaks.with_columns(missed=missed).filter(
        pl.col("reported_lo_f") == pl.col("reported_hi_f"), pl.col("missed").is_between(0, 3)
    )
    if resolved.is_empty():
        return pl.DataFrame(schema=MISSED_COUNTS)
    shares = np.array(resolved["missed_peak"].to_list())
    drawn = np.random.default_rng(BOOTSTRAP.seed).random((RESAMPLES, len(shares), 1))
    degree = (drawn > np.cumsum(shares, axis=1)[:, :-1]).sum(axis=2)
    rows = []
    for d in range(shares.shape[1]):
        counts = (degree == d).sum(axis=1)
        lo, hi = np.quantile(counts, tails(LEVEL), method="nearest")
        found = int((resolved["missed"] == d).sum())
        expected = float(shares[:, d].sum())
        rows.append({"missed_f": d, "days": found, "expected": expected, "lo": lo, "hi": hi})
    return pl.DataFrame(rows, schema=MISSED_COUNTS)
