"""The classifiers in force on a day: fitted once per fold, loaded for its other days."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from importlib.metadata import version
from typing import Any

import polars as pl

from kalshi_assets.learning.classifiers.drift import stability_index
from kalshi_assets.learning.classifiers.fit import Fit, fit_target, params_of
from kalshi_assets.learning.classifiers.schedule import (
    MIN_TRAINING_DAYS,
    MIN_VALIDATION_DAYS,
    Fold,
    fold_of,
    recent_days,
)
from kalshi_assets.learning.classifiers.store import ModelStore
from kalshi_assets.learning.classifiers.targets import (
    OUTCOME_KNOWN_AT,
    TARGETS,
    Target,
    feature_matrix,
    labelled,
    sample,
    training_rows,
)
from kalshi_assets.tables.classifiers import CLASSIFIERS

_UNFITTED: dict[str, Any] = dict.fromkeys(
    (
        "model_sha256",
        "best_iteration",
        "intercept",
        "slope",
        "leader_bonus",
        "position_bonus",
        "validation_cross_entropy",
        "baseline_cross_entropy",
        "improvement_se",
        "validation_auc",
        "baseline_auc",
        "gain_share",
    )
)


def classifiers(
    day: date,
    as_of: datetime,
    days: Mapping[date, pl.DataFrame],
    features: Sequence[str],
    store: ModelStore,
    targets: Sequence[Target] = TARGETS,
) -> pl.DataFrame:
    """The models that predict a day, fitted to the days of its fold or loaded from the store.

    Parameters
    ----------
    day
        The partition.
    as_of
        Start of the day. Outcomes count as they were known when the fold began, so that all its
        days share a fit.
    days
        `panel.examples` by day, of one ladder. Only the days of the fold and, for drift, the
        features of the five days before are used (see `schedule`): others change nothing.
    features
        Columns that models use.
    store
        Fits are stored there under the hash of their data, target and parameters.
    targets
        `TARGETS`, with or without constraints.

    Returns
    -------
    DataFrame
        `learning.classifiers`, a row per target.

    Raises
    ------
    ValueError
        A feature is not a column, or something was known only after `as_of`.
    """
    fold = fold_of(day)
    began = as_of - (day - fold.start)
    train, validation, recent = (
        training_rows(days, wanted, features, began)
        for wanted in (fold.training, fold.validation, recent_days(day))
    )
    enough = train["day"].n_unique() >= MIN_TRAINING_DAYS
    digest = _digest(train, validation) if enough else ""
    drift = _drift(train, recent, features)
    rows = []
    for target in targets:
        parts = (labelled(target, train), labelled(target, validation))
        fit = _fit(target, parts, features, digest, store)
        rows.append(
            {
                "target": target.name,
                **_seen(fold, parts),
                **_found(fit),
                **drift,
                "features": list(features),
                "params_sha256": _params_sha256(target),
                "event_time": as_of,
                "known_at": _known_at(as_of, target, parts, recent),
            }
        )
    return CLASSIFIERS.arranged(pl.DataFrame(rows, schema=CLASSIFIERS.dtypes))


Parts = tuple[pl.DataFrame, pl.DataFrame]


def _fit(
    target: Target, parts: Parts, features: Sequence[str], digest: str, store: ModelStore
) -> Fit | None:
    n_train, n_validation = (part["day"].n_unique() for part in parts)
    if n_train < MIN_TRAINING_DAYS or n_validation < MIN_VALIDATION_DAYS:
        return None
    key = _sha256([target.name, target.monotone, _params_sha256(target), list(features), digest])
    fit = store.recall(key)
    if fit is None:
        train, validation = (sample(target, part, features) for part in parts)
        fit = fit_target(target, train, validation, features, store.save)
        store.remember(key, fit)
    return fit


def _seen(fold: Fold, parts: Parts) -> dict[str, Any]:
    train, validation = parts
    return {
        "fold_start": fold.start,
        "train_start": fold.training[0],
        "train_end": fold.training[-1],
        "validation_start": fold.validation[0],
        "validation_end": fold.validation[-1],
        "n_days": train["day"].n_unique(),
        "n_validation_days": validation["day"].n_unique(),
        "n_rows": train.height,
    }


def _found(fit: Fit | None) -> dict[str, Any]:
    if fit is None:
        return {"status": "too_few_days", **_UNFITTED}
    stored = fit.to_json()
    return {
        "status": "baseline" if fit.model_sha256 is None else "trees",
        **stored["baseline"],
        **{name: stored[name] for name in _UNFITTED if name in stored},
    }


def _drift(train: pl.DataFrame, recent: pl.DataFrame, features: Sequence[str]) -> dict[str, Any]:
    # Full hours only: rows five minutes apart repeat each other, at twelve times the cost.
    before, now = (
        feature_matrix(rows.filter(pl.col("minute").dt.minute() == 0), features)
        for rows in (train, recent)
    )
    if not (len(before) and len(now)):
        return {"stability_index": None, "drift": None, "drift_feature": None}
    index = stability_index(before, now)
    return {
        "stability_index": index.tolist(),
        "drift": float(index.max()),
        "drift_feature": features[int(index.argmax())],
    }


def _known_at(as_of: datetime, target: Target, parts: Parts, recent: pl.DataFrame) -> datetime:
    known = max(_times(target, parts, recent), default=as_of)
    if known > as_of:
        raise ValueError(
            f"classifier {target.name} as of {as_of} uses what was known only at {known}; pass the "
            "start of the climate day, and the examples of each day under its date"
        )
    return known


def _times(target: Target, parts: Parts, recent: pl.DataFrame) -> Iterator[datetime]:
    for rows in parts:
        if rows.height:
            names = ("known_at", OUTCOME_KNOWN_AT) if target.label == "pays" else ("known_at",)
            yield from rows.select(pl.max(*names)).row(0)
    if recent.height:
        yield recent.select(pl.max("features_known_at")).item()


def _digest(*frames: pl.DataFrame) -> str:
    """Hash of all values of the frames, in order; the same on any machine.

    When outcomes became known determines which there are, but enters no fit.
    """
    found = hashlib.sha256()
    for frame in frames:
        for name, values in frame.drop(OUTCOME_KNOWN_AT).to_dict().items():
            numbers = values.to_physical().cast(pl.Float64).fill_null(float("nan")).to_numpy()
            found.update(f"{name} {len(numbers)} ".encode())
            found.update(numbers.tobytes())
    return found.hexdigest()


def _params_sha256(target: Target) -> str:
    return _sha256([version("lightgbm"), asdict(params_of(target))])


def _sha256(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
