"""Tables of schema `learning`: the classifiers in force on a day, and their predictions.

Probabilities refer to the minutes after an order decided at the row's minute has arrived; see
`panel.labels`.
"""

from typing import Annotated

import polars as pl

from kalshi_assets.tables.contract import Contract, Table, UtcTime, column
from kalshi_assets.tables.probability import BracketMinute

Names = Annotated[pl.List, pl.String()]
Numbers = Annotated[pl.List, pl.Float64()]

CLASSIFIER_TARGETS = ["move_1m", "move_5m", "up_1m", "up_5m", "lead_1m", "lead_5m", "pays"]


class Classifiers(Contract):
    """The classifiers in force on a day, fitted to earlier days; a row per target.

    Folds lie on a fixed calendar: of the 71 days before a block of five, the first 60 are for
    training, the next 10 for validation, which determines the number of trees and whether they are
    used, and the last is left out. Lists have one entry per feature, `position_bonus` one per
    bracket: `select target, unnest(features), unnest(gain_share) from learning.classifiers`.
    """

    target: pl.String = column(
        "move: the mid leaves its dead zone (y_dir is not 0); up: it rises, given that it moves; "
        "lead: the bracket has the greatest price of the curve; pays: it settles YES.",
        isin=CLASSIFIER_TARGETS,
    )
    status: pl.String = column(
        "trees: baseline plus trees; baseline: no trees, because they did not beat it on the "
        "validation days with 95 % confidence; too_few_days: no model, with fewer than 30 "
        "training or 5 validation days.",
        isin=["trees", "baseline", "too_few_days"],
    )
    model_sha256: pl.String = column("Content hash of the trees' file; null: none.", nullable=True)
    fold_start: pl.Date = column("First day of the block that shares the model.")
    train_start: pl.Date = column("First day of the training window.")
    train_end: pl.Date = column("Last day of the training window.")
    validation_start: pl.Date = column("First day of the validation window.")
    validation_end: pl.Date = column(
        "Last day of the validation window; the model uses no later day."
    )
    n_days: pl.Int16 = column("Number of training days with a label.", unit="days", ge=0)
    n_validation_days: pl.Int16 = column(
        "Number of validation days with a label.", unit="days", ge=0
    )
    n_rows: pl.Int32 = column("Number of training rows with a label.", ge=0)
    best_iteration: pl.Int16 = column(
        "Boosting rounds at the best validation score, whether the trees are in force or not; "
        "null: not fitted.",
        ge=0,
        nullable=True,
    )
    intercept: pl.Float64 = column(
        "Baseline of move and up: log odds of the base rate; else 0.", nullable=True
    )
    slope: pl.Float64 = column(
        "Baseline of lead: exponent of the price that y_win compares. Baseline of pays: 1, the "
        "exponent of p_mkt, so that it is the market. Else 0.",
        ge=0,
        nullable=True,
    )
    leader_bonus: pl.Float64 = column(
        "Baseline of lead: added to the log weight of the bracket that has the greatest price at "
        "the minute, as compared by y_win; else 0.",
        nullable=True,
    )
    position_bonus: Numbers = column(
        "Baseline of lead: added to the log weight for the position in the ladder, one entry per "
        "bracket, lowest first; positions beyond the list get nothing; else empty.",
        nullable=True,
    )
    validation_cross_entropy: pl.Float64 = column(
        "Cross-entropy of the trees, in force or not: mean over validation days of the daily mean "
        "of -ln p of the outcome, probabilities floored at 1e-6.",
        unit="nats",
        ge=0,
        nullable=True,
    )
    baseline_cross_entropy: pl.Float64 = column(
        "The same for the baseline.", unit="nats", ge=0, nullable=True
    )
    improvement_se: pl.Float64 = column(
        "Standard error over validation days of baseline_cross_entropy less "
        "validation_cross_entropy.",
        unit="nats",
        ge=0,
        nullable=True,
    )
    validation_auc: pl.Float64 = column(
        "Area under the ROC curve of the trees over the validation rows, every day with the same "
        "weight; null: all rows are of one class.",
        ge=0,
        le=1,
        nullable=True,
    )
    baseline_auc: pl.Float64 = column("The same for the baseline.", ge=0, le=1, nullable=True)
    features: Names = column("Columns of `panel.model_features` that the model uses, in order.")
    gain_share: Numbers = column(
        "Share of each feature in the reduction of the training loss by the trees; null: not "
        "fitted.",
        nullable=True,
    )
    stability_index: Numbers = column(
        "Population stability index of each feature, comparing the last five days that were over "
        "when this one began with the training days: sum of (q - p) ln(q / p) over deciles of the "
        "training values and a bin for unknown; null: no rows on one side.",
        nullable=True,
    )
    drift: pl.Float64 = column("The greatest stability index.", ge=0, nullable=True)
    drift_feature: pl.String = column("The feature with that index.", nullable=True)
    params_sha256: pl.String = column("Content hash of the boosting parameters.")
    event_time: UtcTime = column("Start of the climate day; nothing known later is used.")
    known_at: UtcTime = column(
        "The latest known_at among the rows and labels of training, validation and drift, for "
        "pays also of the outcomes; event_time if there are none."
    )


class Predictions(BracketMinute):
    """Predictions of the classifiers for every minute of a day that they were not fitted to."""

    known_at: UtcTime = column("The latest known_at among the row's inputs and the models.")
    status: pl.String = column(
        "ok, or why probabilities are null. before_climate_day: models are not fitted to these "
        "hours; too_few_days: some targets were not fitted, their probabilities are null.",
        isin=["ok", "before_climate_day", "too_few_days"],
    )
    p_up_1m: pl.Float64 = column("P(y_dir_1m = 1).", ge=0, le=1, nullable=True)
    p_down_1m: pl.Float64 = column("P(y_dir_1m = -1).", ge=0, le=1, nullable=True)
    p_up_5m: pl.Float64 = column("P(y_dir_5m = 1).", ge=0, le=1, nullable=True)
    p_down_5m: pl.Float64 = column("P(y_dir_5m = -1).", ge=0, le=1, nullable=True)
    p_lead_1m: pl.Float64 = column("P(y_win_1m).", ge=0, le=1, nullable=True)
    p_lead_5m: pl.Float64 = column("P(y_win_5m).", ge=0, le=1, nullable=True)
    p_pays_model: pl.Float64 = column(
        "P(the bracket settles YES), not calibrated; 0 if observations rule the bracket out, the "
        "market's probability if the trees are not in force.",
        ge=0,
        le=1,
        nullable=True,
    )
    fold_start: pl.Date = column("The fold of `learning.classifiers` that the models belong to.")


CLASSIFIERS = Table(
    "learning", "classifiers", Classifiers, key=("target",), point_in_time="event_time"
)
PREDICTIONS = Table(
    "learning",
    "predictions",
    Predictions,
    key=("market_ticker", "minute"),
    point_in_time="minute",
    pmfs=("p_lead_1m", "p_lead_5m", "p_pays_model"),
)
