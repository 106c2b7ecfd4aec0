"""Mean proper scores and paired differences in every slice, with intervals and tests.

Here: means over city-days with dates resampled. Not here: scores that are no means
(`pooled_scores`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.statistics.bootstrap import Bootstrap
from kalshi_assets.statistics.significance import diebold_mariano, discoveries
from kalshi_assets.studies.slices import NOTHING, Instants, Mask, Slice
from kalshi_assets.tables.scoreboard import PROPER_SCORES, SLICES

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One mean of the scoreboard: its identity, and its sums by date.

    Attributes
    ----------
    key
        Columns slice, slice_value, source, against, score and the counts of days and instants.
    totals, counts
        Sum of the city-days' means, and how many there are; shape (dates,).
    reference
        Mean score of `against` at the same instants; NaN where there is none.
    """

    key: dict[str, object]
    totals: Array
    counts: Array
    reference: float


def mean_rows(
    instants: Instants,
    sample: Mask,
    bootstrap: Bootstrap,
    kinds: Sequence[str] = SLICES,
) -> list[dict[str, object]]:
    """Rows of the scoreboard for all proper scores; see `tables.scoreboard`.

    Parameters
    ----------
    instants, sample
        What is scored, and at which instants, shape (instants,).
    bootstrap
        Over dates; every cell sees the same ones, so that differences agree with the scores.
    kinds
        Of slices.
    """
    cells = [
        cell
        for part in instants.slices(sample, kinds)
        for source, against in _pairs(instants)
        for cell in _cells(instants, part, source, against)
    ]
    if not cells:
        return []
    totals, counts = (
        np.stack([getattr(cell, name) for cell in cells], axis=1) for name in ("totals", "counts")
    )
    found = bootstrap.ratios(totals, counts)
    means = zip(cells, found.mean.tolist(), found.lo.tolist(), found.hi.tolist(), strict=True)
    return [_row(cell, mean, lo, hi) for cell, mean, lo, hi in means]


def _pairs(instants: Instants) -> Sequence[tuple[str, str]]:
    return [*((source, NOTHING) for source in instants.scores), *instants.comparisons()]


def _cells(instants: Instants, part: Slice, source: str, against: str) -> Iterator[Cell]:
    """A cell per proper score; none where the two share no instant of the slice."""
    present = part.instants & instants.has(source)
    values = instants.scores[source]
    if against != NOTHING:
        present &= instants.has(against)
        values = values - instants.scores[against]
    if not present.any():
        return
    forecasts = instants.forecasts[source]
    days, date_of = forecasts.days, forecasts.date_of_day
    day = forecasts.day[present]
    n = np.bincount(day, minlength=days)
    there = n > 0
    counts = np.bincount(date_of[there], minlength=forecasts.dates).astype(np.float64)
    for k, score in enumerate(PROPER_SCORES):
        totals = _by_date(values[k, present], day, n, date_of, forecasts.dates)
        reference = np.nan
        if against != NOTHING:
            theirs = instants.scores[against][k, present]
            reference = _by_date(theirs, day, n, date_of, forecasts.dates).sum() / there.sum()
        key: dict[str, object] = {
            "slice": part.kind,
            "slice_value": part.value,
            "source": source,
            "against": against,
            "score": score,
            "n_days": int(there.sum()),
            "n_dates": int((counts > 0).sum()),
            "n_instants": int(present.sum()),
        }
        yield Cell(key=key, totals=totals, counts=counts, reference=float(reference))


def _by_date(
    values: Array,
    day: NDArray[np.int64],
    n: NDArray[np.int64],
    date_of: NDArray[np.int64],
    dates: int,
) -> Array:
    """City-days' means summed by date, shape (dates,)."""
    means = np.bincount(day, values, minlength=len(n)) / np.maximum(n, 1)
    return np.bincount(date_of, means, minlength=dates).astype(np.float64)


def _row(cell: Cell, mean: float, lo: float, hi: float) -> dict[str, object]:
    row = cell.key | {"value": mean, "lo": lo, "hi": hi}
    if cell.key["against"] == NOTHING:
        return row
    there = cell.counts > 0
    test = diebold_mariano(cell.totals[there] / cell.counts[there])
    return row | {
        "skill": -mean / cell.reference if cell.reference > 0 else None,
        "dm": test.statistic,
        "dm_p": test.p_value,
        "verdict": verdict(lo, hi),
    }


def verdict(lo: float, hi: float) -> str:
    """What the interval of a difference says, less being better."""
    if hi < 0:
        return "better"
    return "worse" if lo > 0 else "undecided"


def with_discoveries(rows: pl.DataFrame, *family: str) -> pl.DataFrame:
    """Rows with a column discovery: which p-values stay, each family judged by itself.

    Parameters
    ----------
    rows
        With a column dm_p; null: there was no test, and discovery is null.
    family
        Columns whose values make a family.
    """
    judged = [
        part.with_columns(discovery=pl.Series(discoveries(part["dm_p"].to_numpy())))
        for _, part in rows.group_by(*family, maintain_order=True)
    ]
    tested = pl.when(pl.col("dm_p").is_not_null())
    return pl.concat([rows.clear(), *judged]).with_columns(discovery=tested.then("discovery"))
