"""A control that must show no skill: classifiers fitted and scored on the labels of other days.

Here: labels exchanged between the days of a month. Not here: fits (`walk_forward`), scores.
"""

from collections.abc import Mapping
from datetime import date

import numpy as np
import polars as pl

from kalshi_assets.learning.classifiers.targets import TARGETS

LABELS = (*dict.fromkeys(target.label for target in TARGETS), "outcome_pays")
_PLACE = ("minute_of_day", "bracket")


def shuffled_labels(days: Mapping[date, pl.DataFrame], seed: int) -> dict[date, pl.DataFrame]:
    """Every day with the labels of another day of its month, at the same minute and bracket.

    What holds on any day at that minute and bracket is kept: that prices move more in the
    afternoon, and that middle brackets lead more often, can still be learnt; where prices move and
    which bracket leads today cannot. Therefore the baseline of lead knows positions, and move is no
    control, since its baseline is one rate for all hours and brackets. A month of one day keeps its
    labels.

    Parameters
    ----------
    days
        `panel.examples` by day, of one ladder.
    seed
        Determines the exchange, together with the month.

    Returns
    -------
    dict
        The same rows; labels are null where the other day has none.
    """
    found = {}
    months: dict[tuple[int, int], list[date]] = {}
    for day in sorted(days):
        months.setdefault((day.year, day.month), []).append(day)
    for (year, month), members in months.items():
        # A cycle through the days in random order: no day gets its own labels.
        order = np.random.default_rng((seed, year, month)).permutation(len(members))
        for mine, other in zip(order, np.roll(order, 1), strict=True):
            found[members[mine]] = _with_labels(days[members[mine]], days[members[other]])
    return found


def _with_labels(rows: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    place = (pl.col("hour_lst") * 60).round().cast(pl.Int32).alias("minute_of_day")
    labels = other.select(place, "bracket", *LABELS)
    return (
        rows.drop(LABELS)
        .with_columns(place)
        .join(labels, on=_PLACE, how="left", maintain_order="left")
        .select(rows.columns)
    )
