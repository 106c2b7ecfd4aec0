"""Tables of schema `learning`: the classifiers in force on a day, and what they say of it.

Probabilities are of the next minutes after an order decided at the minute has arrived, as
`panel.labels` defines them.
"""

from typing import Annotated

import polars as pl

from kalshi_assets.tables.contract import Contract, Table, UtcTime, column

Names = Annotated[pl.List, pl.String()]
Numbers = Annotated[pl.List, pl.Float64()]

CLASSIFIER_TARGETS = ["move_1m", "move_5m", "up_1m", "up_5m", "lead_1m", "lead_5m", "pays"]


class Classifiers(Contract):
    """The classifiers in force on a day, fitted to earlier days; a row per target.

    Days walk forward on a fixed grid of the calendar: of 71 days before a block of five the first
    60 train, the next 10 decide how many trees there are and whether they come into force, the
    last is left out. Lists have an entry per feature, `position_bonus` one per bracket:
    `select target, unnest(features), unnest(gain_share) from learning.classifiers`.
    """

    target: pl.String = column(
        "move: the mid leaves its dead zone (y_dir is not 0); up: it rises, given that it moves; "
        "lead: the bracket has the greatest price of the curve; pays: it settles YES.",
        isin=CLASSIFIER_TARGETS,
    )
    status: pl.String = column(
        "trees: baseline and trees; baseline: alone, since the trees did not beat it on the "
        "validation days with 95 % confidence; too_few_days: neither, fewer than 30 training or 5 "
        "validation days.",
        isin=["trees", "baseline", "too_few_days"],
    )
    model_sha256: pl.String = column("Content hash of the trees' file; null: none.", nullable=True)
    fold_start: pl.Date = column("First day of the block that shares the model.")
    train_start: pl.Date = column("First day of the training window.")
    train_end: pl.Date = column("Last day of it.")
    validation_start: pl.Date = column("First day of the validation window.")
    validation_end: pl.Date = column("Last day of it; nothing later is in the model.")
    n_days: pl.Int16 = column("Training days with a label.", unit="days", ge=0)
    n_validation_days: pl.Int16 = column("Validation days with a label.", unit="days", ge=0)
    n_rows: pl.Int32 = column("Training rows with a label.", ge=0)
    best_iteration: pl.Int16 = column(
        "Rounds until the validation score was best, in force or not; null: not fitted.",
        ge=0,
        nullable=True,
    )
    intercept: pl.Float64 = column(
        "Baseline of move and up: log odds of the base rate; else 0.", nullable=True
    )
    slope: pl.Float64 = column(
        "Baseline of lead: exponent of the price that y_win compares; of pays 1, of p_mkt: the "
        "market itself; else 0.",
        ge=0,
        nullable=True,
    )
    leader_bonus: pl.Float64 = column(
        "Baseline of lead: what having the greatest price now, as y_win compares it, adds to the "
        "log weight; else 0.",
        nullable=True,
    )
    position_bonus: Numbers = column(
        "Baseline of lead: what the place in the ladder adds to the log weight on any day, an "
        "entry per bracket, coldest first; a bracket beyond has nothing; else empty.",
        nullable=True,
    )
    validation_cross_entropy: pl.Float64 = column(
        "Of the trees, in force or not: mean over validation days of the mean -ln p of what "
        "happened, probabilities floored at 1e-6.",
        unit="nats",
        ge=0,
        nullable=True,
    )
    baseline_cross_entropy: pl.Float64 = column(
        "The same of the baseline.", unit="nats", ge=0, nullable=True
    )
    improvement_se: pl.Float64 = column(
        "Standard error over validation days of baseline_cross_entropy less "
        "validation_cross_entropy.",
        unit="nats",
        ge=0,
        nullable=True,
    )
    validation_auc: pl.Float64 = column(
        "P(a true row is ranked above a false one) by the trees, over validation rows, days "
        "weighing the same; null: all of one class.",
        ge=0,
        le=1,
        nullable=True,
    )
    baseline_auc: pl.Float64 = column("The same by the baseline.", ge=0, le=1, nullable=True)
    features: Names = column("Columns of `panel.model_features` that the model sees, in order.")
    gain_share: Numbers = column(
        "Share of each in the loss that the trees removed in training; null: not fitted.",
        nullable=True,
    )
    stability_index: Numbers = column(
        "Population stability index of each over the five days that were over when this one began, "
        "against the training days: sum over tenths of the latter, and unknown, of "
        "(q - p) ln(q / p); null: no rows of either.",
        nullable=True,
    )
    drift: pl.Float64 = column("The greatest stability index.", ge=0, nullable=True)
    drift_feature: pl.String = column("The feature that has it.", nullable=True)
    params_sha256: pl.String = column("Content hash of how the trees were grown.")
    event_time: UtcTime = column("The climate day's start: nothing later is in it.")
    known_at: UtcTime = column(
        "The latest known_at among the rows and labels of training, validation and drift, for "
        "pays also of the outcomes; event_time where there are none."
    )


class Predictions(Contract):
    """What the classifiers say of a day that they have not seen, every minute of it."""

    market_ticker: pl.String = column("The market.")
    bracket: pl.Int8 = column("Position in the ladder, 0 is the coldest.", ge=0)
    minute: UtcTime = column("The instant of the row; nothing later is in it.")
    known_at: UtcTime = column("The latest known_at among the row's inputs and the models.")
    status: pl.String = column(
        "ok, or why something is null: before_climate_day, of which no model has learnt; "
        "too_few_days to fit some target, whose probabilities are null.",
        isin=["ok", "before_climate_day", "too_few_days"],
    )
    p_up_1m: pl.Float64 = column("P(y_dir_1m = 1).", ge=0, le=1, nullable=True)
    p_down_1m: pl.Float64 = column("P(y_dir_1m = -1).", ge=0, le=1, nullable=True)
    p_up_5m: pl.Float64 = column("P(y_dir_5m = 1).", ge=0, le=1, nullable=True)
    p_down_5m: pl.Float64 = column("P(y_dir_5m = -1).", ge=0, le=1, nullable=True)
    p_lead_1m: pl.Float64 = column("P(y_win_1m).", ge=0, le=1, nullable=True)
    p_lead_5m: pl.Float64 = column("P(y_win_5m).", ge=0, le=1, nullable=True)
    p_pays_model: pl.Float64 = column(
        "P(the bracket settles YES), 0 where the evidence has passed it; where the trees are not "
        "in force it is the market's. Raw: not calibrated.",
        ge=0,
        le=1,
        nullable=True,
    )
    fold_start: pl.Date = column("The fold of `learning.classifiers` that the models are of.")


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
