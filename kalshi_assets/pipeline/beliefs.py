"""Steps that pool the market's PMF with a model's, calibrate the pool, and fit classifiers.

A day's fits use only earlier days that were settled by then.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import polars as pl

from kalshi_assets.features.examples import examples
from kalshi_assets.keys import LadderDay
from kalshi_assets.ladder.terms import atoms_of
from kalshi_assets.learning.calibration.calibrators import calibrated, calibrators
from kalshi_assets.learning.calibration.days import CalibrationDay, as_of, as_settled
from kalshi_assets.learning.classifiers.predict import predictions
from kalshi_assets.learning.classifiers.schedule import LOOK_BACK_DAYS as CLASSIFIER_DAYS
from kalshi_assets.learning.classifiers.store import ModelStore
from kalshi_assets.learning.classifiers.walk_forward import classifiers
from kalshi_assets.pages.markdown import table as markdown_table
from kalshi_assets.pipeline.family import Classified, LadderFamily
from kalshi_assets.pipeline.market import counts, shares
from kalshi_assets.pipeline.step import Input, LookBack, Made, Markdown, Service, Step, step
from kalshi_assets.pooling.fused import fused_pmf
from kalshi_assets.pooling.inputs import half_hours
from kalshi_assets.pooling.weights import PoolWeights, fusion_weights
from kalshi_assets.settlement.rule import fair_price
from kalshi_assets.tables import (
    CALIBRATED,
    CALIBRATORS,
    CLASSIFIERS,
    EVENTS,
    FUSED_PMF,
    FUSION_WEIGHTS,
    LABELS,
    MARKET_PMF,
    PREDICTIONS,
)

FUSION_DAYS = 150
CALIBRATION_DAYS = 150

AT_FAIR_PRICE = "the exchange settled at a fair price: no bracket won"

Earlier = Sequence[tuple[LadderDay, Any]]


def belief_steps(of: LadderFamily) -> tuple[Step, ...]:
    """The steps of a family."""
    classified = () if of.classified is None else _classifier_steps(of, of.classified)
    return (_examples_step(of), *_pool_steps(of), *classified, *_calibration_steps(of))


def _examples_step(of: LadderFamily) -> Step:
    def learnt_from(features: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
        return examples(features, labels, of.examples)

    def describe(made: Made) -> dict[str, Any]:
        return {"regime": shares(made.frame["regime"])} if "regime" in made.frame.columns else {}

    return step(
        of.examples,
        learnt_from,
        features=Input(of.features),
        labels=Input(LABELS),
        kinds={"polars"},
        describe=describe,
    )


def _pool_steps(of: LadderFamily) -> tuple[Step, ...]:
    def fit_weights(key: LadderDay, earlier: Earlier) -> pl.DataFrame:
        days = [(of.day_start(day), rows) for day, rows in earlier]
        return fusion_weights(of.model, of.day_start(key), days)

    def kept(_: LadderDay, rows: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
        return half_hours(rows, of.model, atoms_of(events))

    def pool(
        market: pl.DataFrame,
        model: pl.DataFrame,
        panel: pl.DataFrame,
        events: pl.DataFrame,
        weights: pl.DataFrame,
    ) -> pl.DataFrame:
        in_force = PoolWeights.from_frame(weights, of.model)
        return fused_pmf(market, model, panel, in_force, atoms_of(events))

    return (
        step(
            FUSION_WEIGHTS,
            fit_weights,
            earlier=LookBack(
                FUSION_DAYS,
                (of.examples, EVENTS),
                keep=kept,
                left_out=lambda rows, events: not_learnt_from(rows),
            ),
            kinds={"numpy"},
            describe=_describe_weights,
        ),
        step(
            FUSED_PMF,
            pool,
            market=Input(MARKET_PMF),
            model=Input(of.model_pmf),
            panel=Input(of.panel),
            events=Input(EVENTS),
            weights=Input(FUSION_WEIGHTS),
            kinds={"polars"},
        ),
    )


def _classifier_steps(of: LadderFamily, classified: Classified) -> tuple[Step, ...]:
    def fit_classifiers(key: LadderDay, earlier: Earlier, models: ModelStore) -> pl.DataFrame:
        days: dict[date, pl.DataFrame] = {day.date: rows for day, rows in earlier}
        as_of, seen, targets = of.day_start(key), classified.features, classified.targets
        return classifiers(key.date, as_of, days, seen, models, targets)

    def predict(
        key: LadderDay, features: pl.DataFrame, fitted: pl.DataFrame, models: ModelStore
    ) -> pl.DataFrame:
        return predictions(key.date, features, fitted, models, of.model.impossible)

    return (
        step(
            CLASSIFIERS,
            fit_classifiers,
            earlier=LookBack(CLASSIFIER_DAYS, (of.examples,), left_out=not_learnt_from),
            models=Service(),
            kinds={"lightgbm"},
            describe=_describe_classifiers,
        ),
        step(
            PREDICTIONS,
            predict,
            features=Input(of.features),
            fitted=Input(CLASSIFIERS),
            models=Service(),
            kinds={"lightgbm"},
            describe=lambda made: {"status": counts(made, "status")},
        ),
    )


def _calibration_steps(of: LadderFamily) -> tuple[Step, ...]:
    def fit_calibrators(key: LadderDay, earlier: Earlier) -> pl.DataFrame:
        return calibrators_of(of.day_start(key), [days for _, days in earlier])

    def settled_day(
        day: LadderDay, fused: pl.DataFrame, events: pl.DataFrame, settlements: pl.DataFrame
    ) -> list[CalibrationDay] | None:
        return as_settled(of.day_start(day), fused, events, settlements) or None

    def calibrate(
        key: LadderDay, fused: pl.DataFrame, events: pl.DataFrame, maps: pl.DataFrame
    ) -> pl.DataFrame:
        return calibrated(fused, maps, of.day_start(key), atoms_of(events))

    return (
        step(
            CALIBRATORS,
            fit_calibrators,
            earlier=LookBack(
                CALIBRATION_DAYS,
                (FUSED_PMF, EVENTS, of.settlements),
                keep=settled_day,
                left_out=lambda fused, events, said: _at_fair_price(said),
            ),
            kinds={"numpy", "numba"},
            describe=_describe_calibrators,
        ),
        step(
            CALIBRATED,
            calibrate,
            fused=Input(FUSED_PMF),
            events=Input(EVENTS),
            maps=Input(CALIBRATORS),
            kinds={"numpy"},
            describe=lambda made: {"map": counts(made, "map")},
        ),
    )


def calibrators_of(
    day_start: datetime, earlier: Sequence[Sequence[CalibrationDay]]
) -> pl.DataFrame:
    """`learning.calibrators` of a day, from the outcomes of earlier days known at its start.

    Parameters
    ----------
    earlier
        For each earlier day, oldest first, its outcome after each statement about it.
    """
    known = [[day for day in said if day.counts_at(as_of(day_start))] for said in earlier]
    return calibrators(day_start, [said[-1] for said in known if said])


def not_learnt_from(examples: pl.DataFrame) -> str | None:
    """Why models do not learn from a day of `panel.examples` which bracket pays; None: they do."""
    return AT_FAIR_PRICE if examples["settled_as"].first() == "fair_price" else None


def _at_fair_price(settlements: pl.DataFrame) -> str | None:
    paid = fair_price(settlements)
    return None if paid is None else f"{paid}; left out from {paid.known_at:%Y-%m-%d %H:%MZ}"


def _describe_weights(made: Made) -> dict[str, Any]:
    shown = made.frame.select(
        "parameter",
        pl.format("{}-{}", "hour_from", "hour_to").alias("hours"),
        "value",
        pl.col("standard_error").alias("standard error"),
        "status",
        pl.col("difference_bound").alias("bound"),
    )
    return {
        "days": made.frame.select(pl.max("n_days")).item(),
        "weights": Markdown(markdown_table(shown)),
    }


def _describe_classifiers(made: Made) -> dict[str, Any]:
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
        "trees": int((made.frame["status"] == "trees").sum()),
        "fits": Markdown(markdown_table(made.frame.select(shown))),
        "gain": Markdown(markdown_table(_greatest_gains(made.frame))),
    }


def _greatest_gains(frame: pl.DataFrame) -> pl.DataFrame:
    """The five features with the largest gain, for each model."""
    return (
        frame.filter(pl.col("gain_share").is_not_null())
        .select("target", "features", "gain_share")
        .explode("features", "gain_share")
        .sort("gain_share", descending=True)
        .group_by("target", maintain_order=True)
        .head(5)
        .sort("target", "gain_share", descending=[False, True])
    )


def _describe_calibrators(made: Made) -> dict[str, Any]:
    shown = ["lead_block", "scope", "map", "n_days", "lower_bound", "verdict"]
    judged = made.frame.filter(pl.col("verdict") != "band").unique(shown, maintain_order=True)
    return {
        "days": made.frame.select(pl.max("n_days")).item(),
        "adopted": int((judged["verdict"] == "adopted").sum()),
        "in force": Markdown(
            markdown_table(judged.filter(pl.col("in_force")).select(shown).sort("lead_block"))
        ),
    }
