"""The targets of the classifiers, and the labelled rows of each.

A direction of three classes is split into two binary targets: does the mid move beyond its dead
zone, and if it does, up? Their log scores add up exactly (of the first, plus of the second where it
moved), their probabilities always make a distribution, and the second has a direction, so that
monotone constraints apply; one softmax over three classes has none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.settlement.rule import outcome_known_at, pays_as_known
from kalshi_assets.units import CC_A_DOLLAR, Array

Kind = Literal["binary", "winner"]

OUTCOME_KNOWN_AT = "outcome_known_at"

# Least arguments of logarithms: for a price half a tick; for a probability far below the resolution
# of the market, or a model would win by giving less.
LEAST_PRICE = 0.005
LEAST_PROBABILITY = 1e-4


@dataclass(frozen=True, kw_only=True)
class Target:
    """One target of a model.

    Attributes
    ----------
    name
        Name in `learning.classifiers`.
    label
        Column of `panel.examples`.
    kind
        ``binary``: one bracket, yes or no. ``winner``: which bracket of the event; predictions are
        PMFs.
    monotone
        By feature +1 or -1: the score does not fall (rise) as it grows, all else equal.
    """

    name: str
    label: str
    kind: Kind
    monotone: Mapping[str, int] = field(default_factory=dict)


TARGETS: tuple[Target, ...] = (
    *(Target(name=f"move_{h}m", label=f"y_dir_{h}m", kind="binary") for h in (1, 5)),
    *(Target(name=f"up_{h}m", label=f"y_dir_{h}m", kind="binary") for h in (1, 5)),
    *(Target(name=f"lead_{h}m", label=f"y_win_{h}m", kind="winner") for h in (1, 5)),
    Target(name="pays", label="pays", kind="winner"),
)
"""Order of the rows of `learning.classifiers`."""


def constrained(speak_for: Sequence[str], impossible: str) -> tuple[Target, ...]:
    """The targets with monotone constraints on a family's features.

    At the same price, a higher probability by the family's model never lowers a bracket's score,
    and that a bracket can no longer pay never raises it. Other features are not constrained: prices
    may revert or trend.

    Parameters
    ----------
    speak_for
        Features that grow with the model's probability.
    impossible
        Feature that marks brackets that can no longer pay.
    """
    more: dict[str, int] = dict.fromkeys(speak_for, 1)

    def of(target: Target) -> Target:
        if target.name.startswith("move"):
            return target
        own = {impossible: -1} if target.kind == "winner" else {}
        return replace(target, monotone=more | own)

    return tuple(map(of, TARGETS))


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Inputs of a baseline, each of shape (rows,).

    Attributes
    ----------
    log_price
        Log of the probability or price that the baseline is a power of: p_mkt, at least 1e-4; for
        lead the price that y_win compares, at least half a cent: the mid or, with one side only,
        the average of that side and 0 or 1.
    leads
        1 for the bracket with the greatest such price of its minute, and for those that tie with
        it.
    bracket
        Position in the ladder, 0 is the lowest.
    """

    log_price: Array
    leads: Array
    bracket: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Rows of one target as arrays, sorted by day, minute and bracket.

    Attributes
    ----------
    x
        Features, shape (rows, features), NaN where unknown.
    y
        0 or 1, shape (rows,); of a winner target one 1 per event and minute.
    day
        Index of the row's day, shape (rows,), 0 upwards without gaps.
    starts
        First row of each event and minute, shape (minutes,).
    prices
        Inputs of the baseline.
    """

    x: Array
    y: Array
    day: NDArray[np.int64]
    starts: NDArray[np.int64]
    prices: Prices

    @property
    def n_days(self) -> int:
        """Days with at least one row."""
        return int(self.day[-1]) + 1 if len(self.day) else 0

    @property
    def weight(self) -> Array:
        """Weight of each row, shape (rows,): equal per day, with mean 1."""
        rows_of_day = np.bincount(self.day)
        return len(self.day) / (len(rows_of_day) * rows_of_day[self.day])


def training_rows(
    days: Mapping[date, pl.DataFrame],
    wanted: Sequence[date],
    features: Sequence[str],
    known_by: datetime,
) -> pl.DataFrame:
    """The examples of the wanted days, with a column `day`.

    Parameters
    ----------
    days
        `panel.examples` by day, of one ladder.
    wanted
        Days to take; those without examples are skipped.
    features
        Columns to take.
    known_by
        `pays` is as it was known then, null where it was not; `outcome_known_at` says since when.

    Returns
    -------
    DataFrame
        Sorted by day, minute and bracket: features, position and prices as floats, the labels as
        -1, 0, 1; null where unknown.

    Raises
    ------
    ValueError
        A feature is not a column; the message names it.
    """
    labels = list(dict.fromkeys(target.label for target in TARGETS))
    floats = list(dict.fromkeys([*features, "bracket", "p_mkt", "bid_cc", "ask_cc"]))
    times = ["minute", "known_at", "features_known_at", OUTCOME_KNOWN_AT]
    schema = pl.Schema(
        {
            "day": pl.Date(),
            **dict.fromkeys(times, pl.Datetime("us", "UTC")),
            **dict.fromkeys(labels, pl.Int8()),
            **dict.fromkeys(floats, pl.Float64()),
        }
    )
    frames = [schema.to_frame()]
    for day in wanted:
        if (rows := days.get(day)) is not None:
            check_columns(rows, floats)
            known_at = pl.lit(outcome_known_at(rows, known_by)).alias(OUTCOME_KNOWN_AT)
            seen = pays_as_known(rows, known_by).with_columns(known_at, day=pl.lit(day))
            frames.append(seen.select(schema.names()).cast(schema))
    return pl.concat(frames).sort("day", "minute", "bracket")


def check_columns(rows: pl.DataFrame, names: Sequence[str]) -> None:
    """Raise ValueError, with their names, if columns are missing.

    Parameters
    ----------
    rows
        The frame.
    names
        Columns that it must have.
    """
    if missing := [name for name in names if name not in rows.columns]:
        raise ValueError(
            f"columns missing from the rows: {', '.join(missing)}; they have "
            f"{', '.join(rows.columns)}"
        )


def labelled(target: Target, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows that have the label, and the label as column `y` (0 or 1).

    Parameters
    ----------
    target
        The target.
    rows
        From `training_rows`.

    Returns
    -------
    DataFrame
        For a winner target only minutes at which every bracket has the label and one is true; for
        an `up` target only rows that moved.

    Raises
    ------
    ValueError
        At some minute several brackets win: the legs are not a partition.
    """
    label = pl.col(target.label)
    if target.kind == "winner":
        minute = ["day", "minute"]
        winners = rows.group_by(minute, maintain_order=True).agg(label.sum())
        if (several := winners.filter(label > 1)).height:
            day, at, many = several.row(0)
            raise ValueError(
                f"{target.name}: {many} legs win at {at} of {day}; a target of kind winner needs "
                "legs of which exactly one pays"
            )
        known = (label.null_count().over(minute) == 0) & (label.sum().over(minute) == 1)
        return rows.filter(known).with_columns(y=label.cast(pl.Float64))
    if target.name.startswith("up"):
        return rows.filter(label != 0).with_columns(y=(label > 0).cast(pl.Float64))
    return rows.filter(label.is_not_null()).with_columns(y=(label != 0).cast(pl.Float64))


def sample(target: Target, rows: pl.DataFrame, features: Sequence[str]) -> Sample:
    """Labelled rows as arrays.

    Parameters
    ----------
    target
        The target.
    rows
        From `labelled`.
    features
        Columns of `x`.
    """
    return Sample(
        x=feature_matrix(rows, features),
        y=rows["y"].to_numpy(),
        day=rows["day"].rle_id().cast(pl.Int64).to_numpy(),
        starts=minute_starts(rows),
        prices=prices(target, rows),
    )


def feature_matrix(rows: pl.DataFrame, features: Sequence[str]) -> Array:
    """Features as floats, shape (rows, features); null is NaN, false and true are 0 and 1.

    Parameters
    ----------
    rows
        The frame.
    features
        Columns to take.
    """
    check_columns(rows, features)
    columns = rows.select(pl.col(features).cast(pl.Float64).fill_null(float("nan")))
    return columns.to_numpy(order="c")


def minute_starts(rows: pl.DataFrame) -> NDArray[np.int64]:
    """First row of each event and minute; `rows` are sorted by day, minute and bracket."""
    minute = rows.select(minute=pl.struct(_minute_of(rows)).rle_id())["minute"].to_numpy()
    return np.flatnonzero(np.diff(minute.astype(np.int64), prepend=-1))


def prices(target: Target, rows: pl.DataFrame) -> Prices:
    """Inputs of a baseline.

    Parameters
    ----------
    target
        The target.
    rows
        Whole minutes, sorted by day, minute and bracket.
    """
    bid, ask = (pl.col(f"{side}_cc") / CC_A_DOLLAR for side in ("bid", "ask"))
    middle = ((bid.fill_null(0.0) + ask.fill_null(1.0)) / 2).round(6)
    curve = pl.when(bid.is_null() & ask.is_null()).then(0.0).otherwise(middle)
    found = rows.select(
        p_mkt=pl.max_horizontal("p_mkt", LEAST_PROBABILITY).log(),
        curve=pl.max_horizontal(curve, LEAST_PRICE).log(),
        leads=((curve > 0) & (curve == curve.max().over(_minute_of(rows)))).cast(pl.Float64),
    )
    leader = target.label.startswith("y_win")
    return Prices(
        log_price=found["curve" if leader else "p_mkt"].to_numpy(),
        leads=found["leads"].to_numpy(),
        bracket=rows["bracket"].cast(pl.Int64).to_numpy(),
    )


def _minute_of(rows: pl.DataFrame) -> list[str]:
    return ["day", "minute"] if "day" in rows.columns else ["minute"]
