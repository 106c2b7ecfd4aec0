"""Scores of a day's predictions, and of the baselines that were in force.

A row per day and target, so that intervals can resample days (`statistics.bootstrap`). The log
score of a direction of three classes is that of move plus, where the mid moved, that of up.
"""

from typing import Any

import numpy as np
import polars as pl

from kalshi_assets.learning.classifiers.baseline import daily_cross_entropy, probabilities
from kalshi_assets.learning.classifiers.fit import area_under_curve
from kalshi_assets.learning.classifiers.predict import baseline_in_force
from kalshi_assets.learning.classifiers.targets import (
    TARGETS,
    Target,
    labelled,
    minute_starts,
    prices,
)

DAILY_SCORES = pl.Schema(
    {
        "target": pl.String(),
        "trees": pl.Boolean(),
        "n_rows": pl.Int32(),
        "cross_entropy": pl.Float64(),
        "baseline_cross_entropy": pl.Float64(),
        "auc": pl.Float64(),
        "baseline_auc": pl.Float64(),
    }
)
"""A row per target of a day; `trees`: whether they were in force. If not, both scores are the same,
except for `pays`, whose predictions give impossible brackets 0."""

_ANSWER = {
    **{f"move_{h}": pl.col(f"p_up_{h}") + pl.col(f"p_down_{h}") for h in ("1m", "5m")},
    **{
        f"up_{h}": pl.col(f"p_up_{h}") / (pl.col(f"p_up_{h}") + pl.col(f"p_down_{h}"))
        for h in ("1m", "5m")
    },
    "lead_1m": pl.col("p_lead_1m"),
    "lead_5m": pl.col("p_lead_5m"),
    "pays": pl.col("p_pays_model"),
}


def daily_scores(
    predictions: pl.DataFrame, examples: pl.DataFrame, classifiers: pl.DataFrame
) -> pl.DataFrame:
    """Score a day's predictions at the instants that have labels.

    Parameters
    ----------
    predictions, classifiers
        `learning.predictions` and `learning.classifiers` of one day.
    examples
        `panel.examples` of the day.

    Returns
    -------
    DataFrame
        Schema `DAILY_SCORES`; targets without a model or without a label are left out. Mean -ln p
        of what happened, in nats, floored at 1e-6; areas under the curve within the day, null where
        all rows are of one class.
    """
    key = ["market_ticker", "minute"]
    labels = list(dict.fromkeys(target.label for target in TARGETS))
    rows = examples.select(
        *key, "bracket", "p_mkt", "bid_cc", "ask_cc", pl.col(labels).cast(pl.Int8)
    )
    said = predictions.select(*key, **{f"p_{name}": answer for name, answer in _ANSWER.items()})
    joined = rows.join(said, on=key).with_columns(day=0).sort("minute", "bracket")
    scores = [_scored(target, joined, classifiers) for target in TARGETS]
    return pl.DataFrame([score for score in scores if score], schema=DAILY_SCORES)


def _scored(target: Target, rows: pl.DataFrame, classifiers: pl.DataFrame) -> dict[str, Any] | None:
    baseline = baseline_in_force(target, classifiers)
    judged = labelled(target, rows)
    if baseline is None or judged.is_empty():
        return None
    y, day = judged["y"].to_numpy(), judged["day"].to_numpy()
    score = baseline.score(prices(target, judged))
    reference = probabilities(target, score, minute_starts(judged))
    weight = np.ones(len(y))
    in_force = classifiers.filter(pl.col("target") == target.name)["status"].item() == "trees"
    # Stored values went through products and quotients: differences in the last bits are ignored.
    stored = judged[f"p_{target.name}"].to_numpy()
    p = np.where(np.isclose(stored, reference, rtol=1e-9, atol=0.0), reference, stored)
    return {
        "target": target.name,
        "trees": in_force,
        "n_rows": len(y),
        "cross_entropy": daily_cross_entropy(target, p, y, day).item(),
        "baseline_cross_entropy": daily_cross_entropy(target, reference, y, day).item(),
        "auc": area_under_curve(y, p, weight),
        "baseline_auc": area_under_curve(y, reference, weight),
    }
