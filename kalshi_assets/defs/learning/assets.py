"""Classifiers and calibrators as of a day, and what they make of it."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from kalshi_assets.cities import city
from kalshi_assets.defs.lake_io import Computations, asset_in, by_partition, lake_asset
from kalshi_assets.defs.left_out import left_out, reason_of
from kalshi_assets.features.examples import FEATURES, model_features
from kalshi_assets.ladder.settlement import fair_price
from kalshi_assets.lake.history import History
from kalshi_assets.lake.store import Partitions
from kalshi_assets.learning.calibration.calibrators import calibrated as calibrated_pmf
from kalshi_assets.learning.calibration.calibrators import calibrators as fitted_calibrators
from kalshi_assets.learning.calibration.days import CalibrationDay, as_of, as_settled
from kalshi_assets.learning.classifiers.predict import predictions as predicted
from kalshi_assets.learning.classifiers.schedule import LOOK_BACK_DAYS as CLASSIFIER_DAYS
from kalshi_assets.learning.classifiers.store import ModelStore
from kalshi_assets.learning.classifiers.walk_forward import classifiers as fitted_classifiers
from kalshi_assets.partitions import CityDay
from kalshi_assets.settings import Settings
from kalshi_assets.tables import (
    CALIBRATED,
    CALIBRATORS,
    CLASSIFIERS,
    EVENTS,
    EXAMPLES,
    FUSED_PMF,
    HAZARD_PMF,
    MARKET_PMF,
    MINUTE_PANEL_WITH_WEATHER,
    PREDICTIONS,
    SETTLEMENTS,
)

CALIBRATION_DAYS = 150


@dg.asset(
    **lake_asset(CLASSIFIERS, code_version="3", kinds={"lightgbm"}),
    ins={"examples": asset_in(EXAMPLES, look_back_days=CLASSIFIER_DAYS)},
)
def classifiers(context: dg.AssetExecutionContext, examples: Partitions) -> Computations:
    earlier = History(CLASSIFIER_DAYS, examples.if_there)

    def fit(key: CityDay) -> pl.DataFrame:
        return classifiers_of(key, {day.date: frame for day, frame in earlier.before(key)})

    def describe(key: CityDay, frame: pl.DataFrame) -> Mapping[str, Any]:
        found = {day: reason_of(examples) for day, examples in earlier.before(key)}
        reasons = {day: reason for day, reason in found.items() if reason}
        return {**_describe_classifiers(key, frame), **left_out(key, CLASSIFIER_DAYS, reasons)}

    return by_partition(context, fit, describe)


@dg.asset(
    **lake_asset(PREDICTIONS, code_version="1", kinds={"lightgbm"}),
    ins={
        "panel": asset_in(MINUTE_PANEL_WITH_WEATHER),
        "market": asset_in(MARKET_PMF),
        "hazard": asset_in(HAZARD_PMF),
        "classifiers": asset_in(CLASSIFIERS),
    },
)
def predictions(
    context: dg.AssetExecutionContext,
    panel: Partitions,
    market: Partitions,
    hazard: Partitions,
    classifiers: Partitions,
) -> Computations:
    store = the_models()

    def predict(key: CityDay) -> pl.DataFrame:
        features = model_features(panel[key], market[key], hazard[key])
        return predicted(key.date, features, classifiers[key], store)

    return by_partition(
        context,
        predict,
        lambda _, frame: {"status": dict(frame["status"].value_counts().iter_rows())},
    )


@dg.asset(
    **lake_asset(CALIBRATORS, code_version="1", kinds={"numpy", "numba"}),
    ins={
        "fused": asset_in(FUSED_PMF, look_back_days=CALIBRATION_DAYS),
        "events": asset_in(EVENTS, look_back_days=CALIBRATION_DAYS),
        "settlements": asset_in(SETTLEMENTS, look_back_days=CALIBRATION_DAYS),
    },
)
def calibrators(
    context: dg.AssetExecutionContext,
    fused: Partitions,
    events: Partitions,
    settlements: Partitions,
) -> Computations:
    reasons: dict[CityDay, str] = {}

    def settled_day(day: CityDay) -> list[CalibrationDay] | None:
        said = settlements.if_there(day)
        if said is not None and (paid := fair_price(said)) is not None:
            reasons[day] = f"{paid}; left out from {paid.known_at:%Y-%m-%d %H:%MZ}"
        return calibration_days(day, fused.if_there(day), events.if_there(day), said)

    def describe(key: CityDay, frame: pl.DataFrame) -> Mapping[str, Any]:
        return {**_describe_calibrators(key, frame), **left_out(key, CALIBRATION_DAYS, reasons)}

    earlier = History(CALIBRATION_DAYS, settled_day)
    return by_partition(context, lambda key: calibrators_of(key, earlier.before(key)), describe)


@dg.asset(
    **lake_asset(CALIBRATED, code_version="1", kinds={"numpy"}),
    ins={"fused": asset_in(FUSED_PMF), "calibrators": asset_in(CALIBRATORS)},
)
def calibrated(
    context: dg.AssetExecutionContext, fused: Partitions, calibrators: Partitions
) -> Computations:
    def apply(key: CityDay) -> pl.DataFrame:
        start, _ = city(key.city).climate_day(key.date)
        return calibrated_pmf(fused[key], calibrators[key], start)

    return by_partition(
        context, apply, lambda _, frame: {"map": dict(frame["map"].value_counts().iter_rows())}
    )


def the_models() -> ModelStore:
    """Models below the settings' data folder."""
    return ModelStore(Settings().data / "models")


def classifiers_of(key: CityDay, examples: Mapping[date, pl.DataFrame]) -> pl.DataFrame:
    """`learning.classifiers` of a city-day, from `panel.examples` of earlier days."""
    start, _ = city(key.city).climate_day(key.date)
    return fitted_classifiers(key.date, start, examples, FEATURES, the_models())


def calibration_days(
    day: CityDay,
    fused: pl.DataFrame | None,
    events: pl.DataFrame | None,
    settlements: pl.DataFrame | None,
) -> list[CalibrationDay] | None:
    """What calibrators learn of a day, as each final word on its outcome became known.

    None: something of the day is missing, or it never settled.
    """
    if fused is None or events is None or settlements is None:
        return None
    start, _ = city(day.city).climate_day(day.date)
    return as_settled(start, fused, events, settlements) or None


def calibrators_of(
    key: CityDay, earlier: Sequence[tuple[CityDay, Sequence[CalibrationDay]]]
) -> pl.DataFrame:
    """`learning.calibrators` of a city-day, from what was known of earlier days' outcomes."""
    start, _ = city(key.city).climate_day(key.date)
    known = [[day for day in said if day.counts_at(as_of(start))] for _, said in earlier]
    return fitted_calibrators(start, [said[-1] for said in known if said])


def _describe_classifiers(key: CityDay, frame: pl.DataFrame) -> Mapping[str, Any]:
    shown = [
        "target",
        "status",
        "n_days",
        "best_iteration",
        "validation_cross_entropy",
        "baseline_cross_entropy",
        "validation_auc",
        "drift",
        "drift_feature",
    ]
    return {
        "trees": int((frame["status"] == "trees").sum()),
        "fits": dg.MetadataValue.md(_table(frame.select(shown))),
        "gain": dg.MetadataValue.md(_table(_greatest_gains(frame))),
    }


def _greatest_gains(frame: pl.DataFrame) -> pl.DataFrame:
    """The five features that each model rests on most."""
    return (
        frame.filter(pl.col("gain_share").is_not_null())
        .select("target", "features", "gain_share")
        .explode("features", "gain_share")
        .sort("gain_share", descending=True)
        .group_by("target", maintain_order=True)
        .head(5)
        .sort("target", "gain_share", descending=[False, True])
    )


def _describe_calibrators(key: CityDay, frame: pl.DataFrame) -> Mapping[str, Any]:
    shown = ["lead_block", "scope", "map", "n_days", "lower_bound", "verdict"]
    start, _ = city(key.city).climate_day(key.date)
    judged = frame.filter(pl.col("verdict") != "band").unique(shown, maintain_order=True)
    return {
        "days": frame.select(pl.max("n_days")).item(),
        "adopted": int((judged["verdict"] == "adopted").sum()),
        "as of": str(as_of(start)),
        "in force": dg.MetadataValue.md(
            _table(judged.filter(pl.col("in_force")).select(shown).sort("lead_block"))
        ),
    }


def _table(frame: pl.DataFrame) -> str:
    """A frame as a Markdown table."""
    lines = [frame.columns, ["---"] * frame.width]
    lines += [[_cell(value) for value in row] for row in frame.iter_rows()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
