"""Tables of schema `learning` about scores of probabilities."""

import polars as pl

from kalshi_assets.tables.contract import Contract, Table, column

SOURCES = [
    "market",
    "weather",
    "market_alive",
    "prior_pool",
    "fused",
    "calibrated",
    "weather_lagged",
    "fused_lagged",
    "base_rate",
]
SLICES = [
    "all",
    "city",
    "season",
    "lst_hour",
    "city_hour",
    "time_of_day",
    "hazard",
    "regime",
    "lead",
]
PROPER_SCORES = ["log_loss", "brier_score", "rps", "cross_entropy"]
POOLED_SCORES = [
    "auc",
    "ece",
    "ece_debiased",
    "miscalibration",
    "discrimination",
    "uncertainty",
]
VERDICTS = ["better", "worse", "undecided"]


class Scoreboard(Contract):
    """Scores of market, weather, pool and calibrated pool, and their differences.

    A partition is a study of the days up to and including its date, written by `kalshi-assets study
    market`. PMFs are scored at full hours of standard time against the bracket that paid. A
    city-day's score is the mean over its instants, a value the mean over city-days; intervals
    resample dates with all their cities.
    """

    instants: pl.String = column(
        "all: instants at which market, fused and calibrated have a PMF; with_weather: those of "
        "them at which p_wx is known as well.",
        isin=["all", "with_weather"],
    )
    slice: pl.String = column(
        "How the instants are divided: hour and time_of_day of local standard time, "
        "hazard_next_60m, regime, lead to the close.",
        isin=SLICES,
    )
    slice_value: pl.String = column("Value of the slice; all for slice all.")
    source: pl.String = column(
        "Source of the PMF: market_alive is the market's without brackets that observations rule "
        "out; prior_pool uses the fixed prior weights; *_lagged uses the weather of the day "
        "before and base_rate the frequency of the bracket's position, both as controls.",
        isin=SOURCES,
    )
    against: pl.String = column(
        "The source whose score is subtracted at the same instants; nothing: the score itself.",
        isin=["nothing", *SOURCES],
    )
    score: pl.String = column(
        "log_loss: -ln p of the bracket that paid, nats; brier_score: sum of (p - o)^2; rps: "
        "ranked probability score; cross_entropy: mean over brackets of -ln of the probability of "
        "what happened, yes or no. Over all pairs of instant and bracket: auc; ece: expected "
        "calibration error, ten equal-mass bins; ece_debiased: without what chance adds; "
        "miscalibration, discrimination, uncertainty: CORP parts of (p - o)^2. Lower is better, "
        "except for auc and discrimination.",
        isin=PROPER_SCORES + POOLED_SCORES,
    )
    value: pl.Float64 = column("The score, or the difference.")
    lo: pl.Float64 = column(
        "Lower end of the 95 % interval by resampling dates; null: no interval.", nullable=True
    )
    hi: pl.Float64 = column("Upper end of that interval.", nullable=True)
    skill: pl.Float64 = column(
        "1 - score / score of `against` at the same instants; null: no difference of means.",
        nullable=True,
    )
    null_mean: pl.Float64 = column("For ece: its mean if the PMFs were perfect.", nullable=True)
    null_hi: pl.Float64 = column(
        "For ece: its 95 % quantile if the PMFs were perfect.", nullable=True
    )
    n_days: pl.Int32 = column("Number of city-days.", unit="days", ge=1)
    n_dates: pl.Int32 = column("Number of dates.", unit="days", ge=1)
    n_instants: pl.Int32 = column("Number of instants.", ge=1)
    dm: pl.Float64 = column(
        "Diebold-Mariano statistic of the dates' mean differences; null: none.", nullable=True
    )
    dm_p: pl.Float64 = column("Its two-sided p-value.", ge=0, le=1, nullable=True)
    verdict: pl.String = column(
        "For a difference: better or worse than `against` where the interval excludes 0, else "
        "undecided.",
        isin=VERDICTS,
        nullable=True,
    )
    discovery: pl.Boolean = column(
        "Whether the p-value is significant among all slices of the comparison and score at a "
        "false discovery rate of 10 % (Benjamini-Hochberg); null: no p-value.",
        nullable=True,
    )


SCOREBOARD = Table(
    "learning",
    "scoreboard",
    Scoreboard,
    key=("instants", "slice", "slice_value", "source", "against", "score"),
    may_be_empty=True,
)
