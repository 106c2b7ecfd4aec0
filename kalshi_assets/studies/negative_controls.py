"""Negative controls: the same scores with the outcomes of other days must show no skill.

Here: shuffling winners within city and month, and the base rate to compare with. Not here: the
weather of the day before, which is one of a day's sources (`fused_lagged`).

With shuffled outcomes a comparison with the market is meaningless: both forecast other days, and
the less sharp of the two wins. Sources are therefore compared with the base rate: how often a
bracket of that position paid on the city's other days of the month, which is all that a forecast
can know after shuffling. With true outcomes sources must beat it, with shuffled ones none may.
"""

import numpy as np
import polars as pl

from kalshi_assets.statistics.bootstrap import SINGLE_DAYS, Bootstrap
from kalshi_assets.studies.slice_means import mean_rows
from kalshi_assets.studies.slices import BASE_RATE, Instants

CONTROLS = pl.Schema(
    {
        "winners": pl.String(),
        "source": pl.String(),
        "value": pl.Float64(),
        "lo": pl.Float64(),
        "hi": pl.Float64(),
        "n_days": pl.Int32(),
        "n_dates": pl.Int32(),
        "verdict": pl.String(),
    }
)
"""A row per source and kind of winners (true or shuffled): log loss minus that of the base rate."""

_MONTH = ["city", "month", "brackets"]


def controls(evaluations: pl.DataFrame, bootstrap: Bootstrap = SINGLE_DAYS) -> pl.DataFrame:
    """All sources' log loss minus that of the base rate, with true and with shuffled winners.

    Takes schema `evaluations.EVALUATIONS` and returns schema `CONTROLS`, over all instants. The
    seed of `bootstrap` (over dates) is also used for shuffling.
    """
    shuffled = shuffled_winners(evaluations, seed=bootstrap.seed)
    frames = [pl.DataFrame(schema=CONTROLS)]
    for name, rows in (("true", evaluations), ("shuffled", shuffled)):
        if rows.is_empty():
            continue
        instants = Instants.of(with_base_rate(rows))
        everything = np.ones(instants.rows.height, dtype=bool)
        found = mean_rows(instants, everything, bootstrap, kinds=("all",))
        kept = [r for r in found if (r["against"], r["score"]) == (BASE_RATE, "log_loss")]
        frame = pl.DataFrame([row | {"winners": name} for row in kept], schema=CONTROLS)
        frames.append(frame)
    return pl.concat(frames)


def shuffled_winners(evaluations: pl.DataFrame, *, seed: int) -> pl.DataFrame:
    """Evaluations with winners shuffled among the days of each city and month.

    Only days with the same number of brackets exchange winners, so that every winner exists.
    """
    days = _days(evaluations)
    rng = np.random.default_rng(seed)
    dealt = [
        month.with_columns(winner=pl.Series(rng.permutation(month["winner"]), dtype=pl.Int8))
        for _, month in days.group_by(_MONTH, maintain_order=True)
    ]
    winners = pl.concat([days.clear(), *dealt]).select("city", "date", "winner")
    return (
        evaluations.drop("winner")
        .join(winners, on=["city", "date"], maintain_order="left")
        .select(evaluations.columns)
    )


def with_base_rate(evaluations: pl.DataFrame) -> pl.DataFrame:
    """Evaluations plus the source base_rate: how often each position won on the month's other days.

    Every position gets one additional count, so that none is impossible.
    """
    days = _days(evaluations)
    dealt = [days.select("city", "date", p=pl.lit([], dtype=pl.List(pl.Float64))).clear()]
    for (_, _, brackets), month in days.group_by(_MONTH, maintain_order=True):
        own = np.eye(int(str(brackets)))[month["winner"].to_numpy()]
        others = own.sum(axis=0) - own + 1
        p = others / others.sum(axis=1, keepdims=True)
        dealt.append(
            month.select("city", "date", p=pl.Series(p.tolist(), dtype=pl.List(pl.Float64)))
        )
    instants = evaluations.unique(["date", "city", "lst_hour"], keep="first", maintain_order=True)
    base = instants.drop("p").join(pl.concat(dealt), on=["city", "date"], maintain_order="left")
    return pl.concat(
        [evaluations, base.with_columns(source=pl.lit(BASE_RATE)).select(evaluations.columns)]
    )


def _days(evaluations: pl.DataFrame) -> pl.DataFrame:
    return (
        evaluations.select(
            "city",
            "date",
            "winner",
            month=pl.col("date").dt.truncate("1mo"),
            brackets=pl.col("p").list.len(),
        )
        .unique(["city", "date"], keep="first")
        .sort("city", "date")
    )
