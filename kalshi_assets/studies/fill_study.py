"""What the probes of many events say: fill rates, times to the fill, mark-outs, with intervals.

Here: means and medians by bucket. Not here: the probes (`virtual_makers`), what is ahead of an
order (`queue_ahead`), the page (`pages`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from kalshi_assets.statistics.bootstrap import Bootstrap
from kalshi_assets.studies.queue_ahead import ALL, QueueAhead, distribution, parts_of
from kalshi_assets.studies.virtual_makers import (
    CLOCK,
    FILLS,
    JUDGED_MIN,
    LEADS_MIN,
    LEVELS,
    LIFE_MIN,
    MAKER,
    MARKS_MIN,
    MODELS,
    PROBES,
    EventProbes,
)

BOOTSTRAP = Bootstrap(seed=20250401, block=3)
REAL, BOUNDS = "real", "bounds"
POPULATIONS = ((CLOCK, 0), *((MAKER, lead) for lead in LEADS_MIN))
"""Kinds of probes and minutes before the real fill."""

SUMMARY = pl.Schema(
    {
        "kind": pl.String(),
        "lead_min": pl.Int16(),
        "by": pl.String(),
        "bucket": pl.String(),
        "model": pl.String(),
        "measure": pl.String(),
        "value": pl.Float64(),
        "lo": pl.Float64(),
        "hi": pl.Float64(),
        "n": pl.Int64(),
    }
)
"""A row per kind and lead of probes, bucket, model and measure; intervals resample blocks of dates.

`by` is all, price or spread. The model of kind `real` is the real makers'. Measures: `filled`
(until the probe is judged), `filled_5m`, `filled_60m`, `median_s` (Kaplan and Meier; null: less
than half are filled), `mark_1m`, `mark_5m`, and of the model `bounds`: `refused`, `improves`,
`through` (filled for certain) and `reached` (filled at most). `n` counts probes, or marks.
"""


@dataclass(frozen=True)
class FillStudy:
    """Probes, levels and fills of many events, and what they say together."""

    probes: pl.DataFrame
    levels: pl.DataFrame
    fills: pl.DataFrame

    @classmethod
    def of(cls, events: Iterable[EventProbes]) -> "FillStudy":
        """Of events in any order."""
        found = list(events)
        frames = []
        for name, schema in (("probes", PROBES), ("levels", LEVELS), ("fills", FILLS)):
            parts = [getattr(each, name) for each in found]
            frames.append(pl.concat([pl.DataFrame(schema=schema), *parts]))
        return cls(*frames)

    @cached_property
    def summary(self) -> pl.DataFrame:
        """Schema `SUMMARY`."""
        rows: list[dict[str, object]] = []
        for kind, lead in POPULATIONS:
            probes = self.probes.filter(kind=kind, lead_min=lead)
            for by, bucket, part in parts_of(probes.filter(~pl.col("refused"))):
                key = {"kind": kind, "lead_min": lead, "by": by, "bucket": bucket}
                rows += _means(part, key, _measures(lead if kind == MAKER else JUDGED_MIN))
                rows += [
                    {
                        **key,
                        "model": model,
                        "measure": "median_s",
                        "value": median_seconds(part[f"seconds_{model}"], part["life_s"]),
                        "n": part.height,
                    }
                    for model in MODELS
                ]
            key = {"kind": kind, "lead_min": lead, "by": ALL, "bucket": ALL}
            rows += _means(probes, key, {(BOUNDS, "refused"): pl.col("refused")})
        for by, bucket, part in parts_of(self.fills):
            key = {"kind": REAL, "lead_min": 0, "by": by, "bucket": bucket}
            marks = {(REAL, f"mark_{m}m"): pl.col(f"mark_{m}m") for m in MARKS_MIN}
            rows += _means(part, key, marks)
        return pl.DataFrame(rows, schema=SUMMARY)

    @cached_property
    def ahead(self) -> dict[tuple[str, int], QueueAhead]:
        """What is ahead of the probes, by kind and lead."""
        clock = self.probes.filter(pl.col("kind") == CLOCK)
        return {
            (kind, lead): QueueAhead(
                probes=self.probes.filter(kind=kind, lead_min=lead),
                judged_s=60 * (lead if kind == MAKER else JUDGED_MIN),
                clock=clock,
                levels=self.levels,
                bootstrap=BOOTSTRAP,
            )
            for kind, lead in POPULATIONS
        }


def median_seconds(seconds: pl.Series, life_s: pl.Series) -> float | None:
    """The median time to the fill by Kaplan and Meier; None: fewer than half are filled.

    Parameters
    ----------
    seconds
        To the fill; null: none.
    life_s
        How long the order rested at most.
    """
    filled = seconds.is_not_null().to_numpy()
    until = pl.select(pl.coalesce(seconds, life_s)).to_series().to_numpy()
    if not until.size:
        return None
    total = np.bincount(until).astype(np.float64)
    events = np.bincount(until[filled], minlength=total.size).astype(np.float64)
    reached = np.flatnonzero(distribution(events, total) >= 0.5)
    return float(reached[0]) if reached.size else None


def _measures(judged_min: int) -> dict[tuple[str, str], pl.Expr]:
    """By model and measure: a value for each probe, null if it has none."""
    found = {(BOUNDS, name): pl.col(name) for name in ("improves", "through", "reached")}
    for model in MODELS:
        seconds = pl.col(f"seconds_{model}")
        for name, minutes in {"filled": judged_min, "filled_5m": 5, "filled_60m": LIFE_MIN}.items():
            found[model, name] = (seconds <= 60 * minutes).fill_null(False)
        for minutes in MARKS_MIN:
            found[model, f"mark_{minutes}m"] = pl.col(f"mark_{minutes}m_{model}")
    return found


def _means(
    rows: pl.DataFrame, key: dict[str, object], measures: Mapping[tuple[str, str], pl.Expr]
) -> list[dict[str, object]]:
    """Rows of `SUMMARY`: the mean of every measure."""
    values = [each.cast(pl.Float64) for each in measures.values()]
    sums = (
        rows.group_by("date")
        .agg(
            *(each.sum().alias(f"sum {k}") for k, each in enumerate(values)),
            *(each.count().alias(f"count {k}") for k, each in enumerate(values)),
        )
        .sort("date")
    )
    totals, counts = (
        sums.select(pl.col(rf"^{what} \d+$").cast(pl.Float64)).to_numpy()
        for what in ("sum", "count")
    )
    found = BOOTSTRAP.ratios(totals, counts)
    numbers = counts.sum(axis=0).astype(np.int64)
    return [
        {**key, "model": model, "measure": measure, "value": _known(found.mean[k]),
         "lo": _known(found.lo[k]), "hi": _known(found.hi[k]), "n": int(numbers[k])}
        for k, (model, measure) in enumerate(measures)
    ]  # fmt: skip


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
