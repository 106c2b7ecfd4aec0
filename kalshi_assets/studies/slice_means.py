"""Mean proper scores and paired differences in every slice, with intervals and tests.

Here: means over city-days, with bootstrap over dates. Not here: scores that are not means
(`pooled_scores`).
"""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from kalshi_assets.statistics.bootstrap import Bootstrap
from kalshi_assets.statistics.significance import diebold_mariano, discoveries
from kalshi_assets.studies.slices import NOTHING, Instants, Mask, Slice
from kalshi_assets.tables.scoreboard import PROPER_SCORES, SLICES
from kalshi_assets.units import Array


def mean_rows(
    instants: Instants, sample: Mask, bootstrap: Bootstrap, kinds: Sequence[str] = SLICES
) -> list[dict[str, object]]:
    """Rows of the scoreboard (`tables.scoreboard`) for all proper scores.

    `sample` are the instants to score, shape (instants,), `kinds` the kinds of slices. Resampled
    dates are the same for all cells, so that differences agree with scores.
    """
    pairs = [*((source, NOTHING) for source in instants.scores), *instants.comparisons()]
    cells = [
        cell
        for part in instants.slices(sample, kinds)
        for source, against in pairs
        for cell in _cells(instants, part, source, against)
    ]
    if not cells:
        return []
    keys, totals, counts, references = zip(*cells, strict=True)
    found = bootstrap.ratios(np.stack(totals, axis=1), np.stack(counts, axis=1))
    rows = []
    for k, key in enumerate(keys):
        mean, lo, hi = float(found.mean[k]), float(found.lo[k]), float(found.hi[k])
        row = {**key, "value": mean, "lo": lo, "hi": hi}
        if key["against"] != NOTHING:
            there = counts[k] > 0
            test = diebold_mariano(totals[k][there] / counts[k][there])
            row |= {
                "skill": -mean / references[k] if references[k] > 0 else None,
                "dm": test.statistic,
                "dm_p": test.p_value,
                "verdict": verdict(lo, hi),
            }
        rows.append(row)
    return rows


def _cells(
    instants: Instants, part: Slice, source: str, against: str
) -> Iterator[tuple[dict[str, object], Array, Array, float]]:
    """Per proper score: key, sums and counts of city-day means by date, and the mean of `against`.

    Empty if the two sources have no instant of the slice in common.
    """
    present = part.instants & instants.has(source)
    values, theirs = instants.scores[source], np.full_like(instants.scores[source], np.nan)
    if against != NOTHING:
        present &= instants.has(against)
        theirs = instants.scores[against]
        values = values - theirs
    if not present.any():
        return
    forecasts = instants.forecasts[source]
    day, date_of, dates = forecasts.day[present], forecasts.date_of_day, forecasts.dates
    n = np.bincount(day, minlength=forecasts.days)
    there = n > 0
    counts = np.bincount(date_of[there], minlength=dates).astype(np.float64)

    def by_date(scores: Array) -> Array:
        means = np.bincount(day, scores[present], minlength=len(n)) / np.maximum(n, 1)
        return np.bincount(date_of, means, minlength=dates).astype(np.float64)

    for k, score in enumerate(PROPER_SCORES):
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
        yield key, by_date(values[k]), counts, float(by_date(theirs[k]).sum() / there.sum())


def verdict(lo: float, hi: float) -> str:
    """Verdict from the interval of a difference, lower being better."""
    if hi < 0:
        return "better"
    return "worse" if lo > 0 else "undecided"


def with_discoveries(rows: pl.DataFrame, *family: str) -> pl.DataFrame:
    """Add the column discovery: which p-values (dm_p) are significant within their family.

    A family consists of rows with equal values in the columns `family`. Without a test dm_p and
    discovery are null.
    """
    judged = [
        part.with_columns(discovery=pl.Series(discoveries(part["dm_p"].to_numpy())))
        for _, part in rows.group_by(*family, maintain_order=True)
    ]
    tested = pl.when(pl.col("dm_p").is_not_null())
    return pl.concat([rows.clear(), *judged]).with_columns(discovery=tested.then("discovery"))
