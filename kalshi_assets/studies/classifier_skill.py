"""Out-of-sample skill of the classifiers against their baseline.

Here: mean daily scores with intervals over dates. Not here: the scores of a day
(`learning.classifiers.scores`).
"""

import numpy as np
import polars as pl

from kalshi_assets.statistics.bootstrap import SINGLE_DAYS, Bootstrap
from kalshi_assets.statistics.significance import diebold_mariano
from kalshi_assets.studies.slice_means import verdict, with_discoveries

CLASSIFIER_DAYS = pl.Schema(
    {
        "city": pl.String(),
        "date": pl.Date(),
        "target": pl.String(),
        "trees": pl.Boolean(),
        "n_rows": pl.Int32(),
        "cross_entropy": pl.Float64(),
        "baseline_cross_entropy": pl.Float64(),
        "auc": pl.Float64(),
        "baseline_auc": pl.Float64(),
    }
)
"""A row per city-day and target: out-of-sample scores, and the baseline's on the same rows."""

CLASSIFIER_SKILL = pl.Schema(
    {
        "slice": pl.String(),
        "slice_value": pl.String(),
        "target": pl.String(),
        "score": pl.String(),
        "value": pl.Float64(),
        "baseline": pl.Float64(),
        "difference": pl.Float64(),
        "lo": pl.Float64(),
        "hi": pl.Float64(),
        "skill": pl.Float64(),
        "n_days": pl.Int32(),
        "n_dates": pl.Int32(),
        "days_with_trees": pl.Int32(),
        "dm_p": pl.Float64(),
        "verdict": pl.String(),
        "discovery": pl.Boolean(),
    }
)
"""A row per slice (all, city), target and score (cross_entropy, auc): means over city-days.

`difference` is value minus baseline, with the interval from resampled dates. `skill`, only for
cross-entropy: 1 - value / baseline. `discovery`: significant among all rows of the score at a false
discovery rate of 10 %."""

SCORES = {"cross_entropy": 1.0, "auc": -1.0}
"""Sign that makes lower better."""


def classifier_skill(days: pl.DataFrame, bootstrap: Bootstrap = SINGLE_DAYS) -> pl.DataFrame:
    """Mean scores by target and their differences from the baseline's.

    Takes schema `CLASSIFIER_DAYS` and returns schema `CLASSIFIER_SKILL`; `bootstrap` is over dates.
    """
    rows = []
    parts = [("all", "all", days), *(("city", str(c), d) for (c,), d in days.group_by("city"))]
    for kind, value, part in parts:
        for (target,), of_target in part.group_by("target"):
            for score in SCORES:
                known = of_target.drop_nulls([score, f"baseline_{score}"])
                if known.height:
                    rows.append(
                        {"slice": kind, "slice_value": value, "target": target, "score": score}
                        | _compared(known, score, bootstrap)
                    )
    found = (
        pl.DataFrame(rows, schema=CLASSIFIER_SKILL)
        .with_columns(pl.col(pl.Float64).fill_nan(None))
        .sort("score", "slice", "slice_value", "target")
    )
    return with_discoveries(found, "score")


def _compared(known: pl.DataFrame, score: str, bootstrap: Bootstrap) -> dict[str, object]:
    by_date = (
        known.group_by("date")
        .agg(total=(pl.col(score) - pl.col(f"baseline_{score}")).sum(), count=pl.len())
        .sort("date")
    )
    totals = by_date["total"].to_numpy()
    counts = by_date["count"].to_numpy().astype(np.float64)
    found = bootstrap.ratios(totals[:, None], counts[:, None])
    lo, hi = float(found.lo[0]), float(found.hi[0])
    value, baseline = (
        float(known[name].to_numpy().mean()) for name in (score, f"baseline_{score}")
    )
    sign = SCORES[score]
    return {
        "value": value,
        "baseline": baseline,
        "difference": float(found.mean[0]),
        "lo": lo,
        "hi": hi,
        "skill": 1 - value / baseline if sign > 0 and baseline > 0 else None,
        "n_days": known.height,
        "n_dates": by_date.height,
        "days_with_trees": int(known["trees"].sum()),
        "dm_p": diebold_mariano(totals / counts).p_value,
        "verdict": verdict(*sorted((sign * lo, sign * hi))),
    }
