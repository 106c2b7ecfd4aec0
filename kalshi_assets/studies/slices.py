"""The instants at which sources are compared, and their slices.

Here: aligning evaluations by instant, and selecting instants. Not here: what is computed from them
(`slice_means`, `pooled_scores`), the labels (`evaluations`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.statistics.ladder_forecasts import LadderForecasts
from kalshi_assets.statistics.scores import proper_scores
from kalshi_assets.studies.evaluations import EVALUATIONS, sliced
from kalshi_assets.tables.scoreboard import SOURCES
from kalshi_assets.units import Array

Mask = NDArray[np.bool_]

NOTHING = "nothing"
CORE = ("market", "fused", "calibrated")
WEATHER = "weather"
BASE_RATE = "base_rate"
_INSTANT = ["date", "city", "lst_hour"]


@dataclass(frozen=True, kw_only=True)
class Slice:
    """The instants with one value of one kind of slice."""

    kind: str
    value: str
    instants: Mask


@dataclass(frozen=True, kw_only=True)
class Instants:
    """Evaluations aligned by instant, with the same instants for all sources.

    `rows` has the columns date, city, lst_hour and a label per kind of slice, sorted by the first
    three. By source, `scores` holds the `proper_scores`, shape (4, instants), NaN without a PMF.
    """

    rows: pl.DataFrame
    scores: dict[str, Array]
    forecasts: dict[str, LadderForecasts]

    @classmethod
    def of(cls, evaluations: pl.DataFrame) -> "Instants":
        """From rows of schema `EVALUATIONS`.

        Raises
        ------
        ValueError
            A source is unknown.
        """
        present = evaluations["source"].unique().to_list()
        if unknown := sorted(set(present) - set(SOURCES)):
            raise ValueError(
                f"unknown sources {unknown}; the scoreboard knows {', '.join(SOURCES)}"
            )
        context = [name for name in EVALUATIONS.names() if name not in ("source", "p")]
        rows = evaluations.select(context).unique(_INSTANT, keep="first").sort(_INSTANT)
        scores, forecasts = {}, {}
        for source in (name for name in SOURCES if name in present):
            of_source = evaluations.filter(pl.col("source") == source).select(*_INSTANT, "p")
            aligned = rows.join(of_source, on=_INSTANT, how="left", maintain_order="left")
            forecasts[source] = LadderForecasts.of(aligned)
            scores[source] = proper_scores(forecasts[source].p, forecasts[source].winner)
        return cls(rows=sliced(rows), scores=scores, forecasts=forecasts)

    def has(self, source: str) -> Mask:
        """Instants at which the source has a PMF."""
        return ~np.isnan(self.scores[source][0])

    def samples(self) -> Iterator[tuple[str, Mask]]:
        """Names and instants of the samples; see the column `instants` of the scoreboard."""
        common = np.ones(self.rows.height, dtype=bool)
        for source in CORE:
            if source in self.scores:
                common &= self.has(source)
        yield "all", common
        if WEATHER in self.scores:
            yield "with_weather", common & self.has(WEATHER)

    def slices(self, sample: Mask, kinds: Sequence[str]) -> Iterator[Slice]:
        """All non-empty slices of a sample."""
        for kind in kinds:
            labels = self.rows[kind].to_numpy()
            for value in np.unique(labels[sample].astype(str)):
                yield Slice(kind=kind, value=str(value), instants=sample & (labels == value))

    def comparisons(self) -> list[tuple[str, str]]:
        """Pairs of sources to compare: all with the market, each step with the one before.

        Control sources are included: they must not be found better than the market.
        """
        pairs = [(source, "market") for source in self.scores if source != "market"]
        pairs += [("fused", "market_alive"), ("fused", "prior_pool"), ("calibrated", "fused")]
        pairs += [(source, BASE_RATE) for source in self.scores if source != BASE_RATE]
        return [pair for pair in pairs if all(source in self.scores for source in pair)]
