"""Predictions of the classifiers in force for every minute of a day."""

from datetime import date

import numpy as np
import polars as pl

from kalshi_assets.learning.classifiers.baseline import Baseline, probabilities
from kalshi_assets.learning.classifiers.store import ModelStore
from kalshi_assets.learning.classifiers.targets import (
    TARGETS,
    Target,
    feature_matrix,
    minute_starts,
    prices,
)
from kalshi_assets.tables.classifiers import CLASSIFIERS, PREDICTIONS
from kalshi_assets.units import Array

_COLUMNS = {"lead_1m": "p_lead_1m", "lead_5m": "p_lead_5m", "pays": "p_pays_model"}


class LeakError(RuntimeError):
    """A model was fitted to the day that it should predict, or to a later one."""


def predictions(
    day: date,
    features: pl.DataFrame,
    classifiers: pl.DataFrame,
    store: ModelStore,
    impossible: str = "impossible",
) -> pl.DataFrame:
    """Predictions of the models in force for a day that they were not fitted to.

    Parameters
    ----------
    day
        The partition.
    features
        The family's features of its event, every minute.
    classifiers
        `learning.classifiers` of the day.
    store
        The store of its models.
    impossible
        Column of the features that marks brackets that can no longer pay.

    Returns
    -------
    DataFrame
        `learning.predictions`, the rows of `features`.

    Raises
    ------
    LeakError
        A model's last day is not before `day`.
    ModelFileError
        A model's file is missing or damaged.
    """
    _check_unseen(day, classifiers)
    rows = features.sort("minute", "bracket")
    during = rows.filter(pl.col("hour_lst") >= 0)
    found: dict[str, Array | None] = dict.fromkeys(target.name for target in TARGETS)
    if during.height:
        for target in TARGETS:
            found[target.name] = _answer(target, during, classifiers, store, impossible)
    said = during.select("market_ticker", "minute").with_columns(
        **_directions(found),
        **{column: _column(found[name]) for name, column in _COLUMNS.items()},
    )
    complete = (classifiers["status"] != "too_few_days").all()
    status = pl.when(pl.col("hour_lst") < 0).then(pl.lit("before_climate_day"))
    known = pl.when(pl.col("hour_lst") >= 0).then(pl.lit(classifiers["known_at"].max()))
    return PREDICTIONS.arranged(
        rows.select(
            "market_ticker",
            "bracket",
            "minute",
            pl.max_horizontal("known_at", known).alias("known_at"),
            status.otherwise(pl.lit("ok" if complete else "too_few_days")).alias("status"),
            fold_start=pl.lit(classifiers["fold_start"][0]),
        )
        .join(said, on=["market_ticker", "minute"], how="left", maintain_order="left")
        .cast(pl.Schema(PREDICTIONS.dtypes))
    )


def _check_unseen(day: date, classifiers: pl.DataFrame) -> None:
    late = classifiers.filter(pl.col("validation_end") >= day)
    if late.height:
        target, last = late.select("target", "validation_end").row(0)
        raise LeakError(
            f"predictions of {day}: {CLASSIFIERS.full_name} {target} was fitted to days up to "
            f"{last}; materialise {CLASSIFIERS.full_name} of {day} and use that partition"
        )


def baseline_in_force(target: Target, classifiers: pl.DataFrame) -> Baseline | None:
    """The baseline of a target; None: it was not fitted.

    Parameters
    ----------
    target
        The target.
    classifiers
        `learning.classifiers` of the day.
    """
    row = classifiers.row(by_predicate=pl.col("target") == target.name, named=True)
    if row["status"] == "too_few_days":
        return None
    return Baseline.from_stored(row)


def _answer(
    target: Target,
    rows: pl.DataFrame,
    classifiers: pl.DataFrame,
    store: ModelStore,
    impossible: str,
) -> Array | None:
    """P(y = 1) of a target, shape (rows,); None: it was not fitted."""
    baseline = baseline_in_force(target, classifiers)
    if baseline is None:
        return None
    row = classifiers.row(by_predicate=pl.col("target") == target.name, named=True)
    score = baseline.score(prices(target, rows))
    if row["model_sha256"] is not None:
        score = score + _trees(store.load(row["model_sha256"]), rows, row["features"])
    starts = minute_starts(rows)
    if target.name == "pays":
        ruled_out = rows[impossible].to_numpy()
        some_left = np.repeat(
            np.logical_or.reduceat(~ruled_out, starts), np.diff(starts, append=len(ruled_out))
        )
        score = np.where(ruled_out & some_left, -np.inf, score)
    return probabilities(target, score, starts)


def _trees(model: str, rows: pl.DataFrame, features: list[str]) -> Array:
    import lightgbm as lgb

    booster = lgb.Booster(model_str=model)
    x = feature_matrix(rows, features)
    return np.asarray(booster.predict(x, raw_score=True, num_threads=1))


def _directions(found: dict[str, Array | None]) -> dict[str, pl.Series | pl.Expr]:
    columns: dict[str, pl.Series | pl.Expr] = {}
    for horizon in ("1m", "5m"):
        move, up = found[f"move_{horizon}"], found[f"up_{horizon}"]
        rises = falls = None
        if move is not None and up is not None:
            rises, falls = move * up, move * (1 - up)
        columns[f"p_up_{horizon}"] = _column(rises)
        columns[f"p_down_{horizon}"] = _column(falls)
    return columns


def _column(p: Array | None) -> pl.Series | pl.Expr:
    return pl.lit(None, pl.Float64) if p is None else pl.Series(p, dtype=pl.Float64)
