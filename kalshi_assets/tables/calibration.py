"""Tables of schema `learning` about calibration: the maps, and the probabilities they make."""

import polars as pl

from kalshi_assets.tables.contract import Contract, Shared, Table, UtcTime, column
from kalshi_assets.tables.probability import FUSED_PMF, KnownBracketMinute

MAPS = ["identity", "temperature", "platt", "beta", "isotonic", "venn_abers"]
SCOPES = ["packaged", "city", "city_block", "city_season_block"]
BLOCK_MEANING = (
    "Hours of standard time since the start of the climate day; eve: before it. A block includes "
    "its lower end."
)
BLOCK_NAMES = ["eve", "00-09", "09-12", "12-15", "15-18", "18-24"]


class Calibrators(Contract):
    """Calibration maps of each lead block: the candidates, their verdicts, and the one in force.

    Made one day before the climate day, from the city's earlier days only. One row per lead block,
    scope, map and parameter; `where in_force` selects the rows that learning.calibrated uses. P is
    P(settlement value <= upper end of a bracket), p the probability of a bracket.
    """

    lead_block: pl.String = column(BLOCK_MEANING, isin=BLOCK_NAMES)
    scope: pl.String = column(
        "Data that the map was fitted to: all instants of the city, those in the lead block, or "
        "those in the lead block and season; packaged: not fitted but configured.",
        isin=SCOPES,
    )
    season: pl.String = column("Season of the days fitted to; all: every season.")
    map: pl.String = column(
        "temperature: p^T over its sum, T = exp(log_exponent). platt: P becomes sigmoid(intercept "
        "+ slope logit P). beta: P becomes sigmoid(intercept + slope_below ln P - slope_above "
        "ln(1 - P)). isotonic, venn_abers: P becomes value, interpolated linearly between knots.",
        isin=MAPS,
    )
    parameter: pl.String = column(
        "Name of the parameter. value: the map at the knot; lower, upper: Venn-Abers band at the "
        "knot; none: the map has no parameters, or its knots are not stored because it is not in "
        "force.",
        isin=[
            "none",
            "log_exponent",
            "intercept",
            "slope",
            "slope_below",
            "slope_above",
            "value",
            "lower",
            "upper",
        ],
    )
    knot_p: pl.Float64 = column("P at the knot; 0: the parameter has no knot.", ge=0, le=1)
    value: pl.Float64 = column(
        "The parameter after shrinkage: parent + n/(n+60) (own - parent), n = n_days.",
        nullable=True,
    )
    own: pl.Float64 = column(
        "The parameter before shrinkage to its parent's; null: no days to fit to.", nullable=True
    )
    n_days: pl.Int16 = column("Number of days fitted to.", unit="days", ge=0)
    window_start: pl.Date = column("First of these days; null: none.", nullable=True)
    window_end: pl.Date = column("Last of these days; null: none.", nullable=True)
    scored_days: pl.Int32 = column(
        "Number of days scored out of sample, each by a fit to earlier days only.",
        unit="days",
        ge=0,
    )
    brier_before: pl.Float64 = column(
        "Mean Brier score on these days of the map that would otherwise be in force.",
        ge=0,
        nullable=True,
    )
    brier_after: pl.Float64 = column(
        "Mean Brier score on these days of this map.", ge=0, nullable=True
    )
    log_loss_before: pl.Float64 = column("The same for the log loss.", unit="nats", nullable=True)
    log_loss_after: pl.Float64 = column("The same for the log loss.", unit="nats", nullable=True)
    lower_bound: pl.Float64 = column(
        "5 % quantile (5 %/6 for scopes with a lead block) of the mean of brier_before - "
        "brier_after over 2000 resamples of days; null: no day was scored.",
        nullable=True,
    )
    verdict: pl.String = column(
        "adopted, or why not: second_best (another map has a greater lower_bound), "
        "log_loss_worse, not_proved (lower_bound <= 0), too_few_days (fewer than 30 scored), "
        "stale (the last is over 45 days old); packaged: in force where nothing is adopted; band: "
        "not a map but an interval of P.",
        isin=[
            "adopted",
            "second_best",
            "log_loss_worse",
            "not_proved",
            "too_few_days",
            "stale",
            "packaged",
            "band",
        ],
    )
    in_force: pl.Boolean = column("Whether learning.calibrated uses the row.")
    parent: pl.String = column(
        "Scope that it is shrunk to and falls back to; none: it has no parent.",
        isin=["none", *SCOPES],
    )
    event_time: UtcTime = column(
        "One day before the start of the climate day; nothing known later is used."
    )
    known_at: UtcTime = column("The latest known_at among the inputs.")


class Calibrated(KnownBracketMinute):
    """Probabilities used for trading: the pooled ones after the map of their lead block."""

    p_raw: pl.Float64 = column("Pooled probability, p_fused.", ge=0, le=1)
    p_calibrated: pl.Float64 = column("Calibrated probability; zero stays zero.", ge=0, le=1)
    cumulative_lo: pl.Float64 = column(
        "Lower end p0 of the Venn-Abers band of P(the settlement value lies in this bracket or a "
        "lower one); null: too few days.",
        ge=0,
        le=1,
        nullable=True,
    )
    cumulative_hi: pl.Float64 = column("Upper end p1 of that band.", ge=0, le=1, nullable=True)
    lead_block: pl.String = column(BLOCK_MEANING, isin=BLOCK_NAMES)
    map: pl.String = column("The map in force.", isin=MAPS)
    scope: pl.String = column(
        "Scope that it was fitted to, see learning.calibrators; packaged: not fitted.", isin=SCOPES
    )
    impossible: pl.Boolean = column("The bracket can no longer pay, whatever happens.")


CALIBRATORS = Table(
    "learning",
    "calibrators",
    Calibrators,
    key=("lead_block", "scope", "map", "parameter", "knot_p"),
    point_in_time="event_time",
)
CALIBRATED = Table(
    "learning",
    "calibrated",
    Calibrated,
    key=("market_ticker", "minute"),
    point_in_time="minute",
    pmfs=("p_raw", "p_calibrated"),
    impossible="impossible",
    shares=(Shared(FUSED_PMF, {"bracket": "bracket", "p_raw": "p_fused"}),),
)
