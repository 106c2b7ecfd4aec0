"""Tables of schema `learning` about calibration: the maps, and the probabilities they make."""

import polars as pl

from kalshi_assets.tables.contract import Contract, Shared, Table, UtcTime, column
from kalshi_assets.tables.probability import FUSED_PMF

MAPS = ["identity", "temperature", "platt", "beta", "isotonic", "venn_abers"]
SCOPES = ["packaged", "city", "city_block", "city_season_block"]
BLOCK_MEANING = (
    "Hours of standard time into the climate day; eve: before it. A block has its lower end."
)
BLOCK_NAMES = ["eve", "00-09", "09-12", "12-15", "15-18", "18-24"]


class Calibrators(Contract):
    """What could calibrate each lead block on this climate day, what does, and why not the others.

    As of a day before the climate day, from the city's earlier days only. A row per lead block,
    scope, map and parameter; `where in_force` is what learning.calibrated uses. P stands for
    P(maximum <= upper end of a bracket), p for a bracket's probability.
    """

    lead_block: pl.String = column(BLOCK_MEANING, isin=BLOCK_NAMES)
    scope: pl.String = column(
        "Days and instants that it was fitted to: the city's, those of the lead block, those of "
        "the lead block in the season; packaged: none, it is configured.",
        isin=SCOPES,
    )
    season: pl.String = column("Season of the days; all: of every season.")
    map: pl.String = column(
        "temperature: p^T over its sum, T = exp(log_exponent). platt: P to sigmoid(intercept + "
        "slope logit P). beta: P to sigmoid(intercept + slope_below ln P - slope_above ln(1 - P)). "
        "isotonic, venn_abers: P to value, linear between knots.",
        isin=MAPS,
    )
    parameter: pl.String = column(
        "Which; value: the map at the knot; lower, upper: Venn-Abers band at the knot; none: the "
        "map has none, or its knots are not listed because nothing uses them.",
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
    knot_p: pl.Float64 = column("Where on P the value stands; 0: nowhere.", ge=0, le=1)
    value: pl.Float64 = column(
        "The parameter: its parent's + n/(n+60) (own - its parent's), n = n_days.", nullable=True
    )
    own: pl.Float64 = column(
        "The parameter before it was shrunk to its parent's; null: it has no days.", nullable=True
    )
    n_days: pl.Int16 = column("Days fitted to.", unit="days", ge=0)
    window_start: pl.Date = column("First of them; null: none.", nullable=True)
    window_end: pl.Date = column("Last of them; null: none.", nullable=True)
    scored_days: pl.Int32 = column(
        "Days scored, each by a fit to days before it alone.", unit="days", ge=0
    )
    brier_before: pl.Float64 = column(
        "Mean Brier score on them of the map that is in force without this one.",
        ge=0,
        nullable=True,
    )
    brier_after: pl.Float64 = column("Mean Brier score on them of this map.", ge=0, nullable=True)
    log_loss_before: pl.Float64 = column("The same of the log loss.", unit="nats", nullable=True)
    log_loss_after: pl.Float64 = column("The same of the log loss.", unit="nats", nullable=True)
    lower_bound: pl.Float64 = column(
        "5 % quantile, 5 %/6 of scopes with a lead block, of the mean of brier_before - "
        "brier_after over 2000 resamples of days; null: no day was scored.",
        nullable=True,
    )
    verdict: pl.String = column(
        "adopted, or why not: second_best (another's lower_bound is greater), log_loss_worse, "
        "not_proved (lower_bound <= 0), too_few_days (fewer than 30 scored), stale (the last is "
        "over 45 days old); packaged: in force where nothing is adopted; band: no map, an interval "
        "of P.",
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
    in_force: pl.Boolean = column("learning.calibrated uses the row.")
    parent: pl.String = column(
        "Scope it is shrunk to and falls back to; none: it is the last.", isin=["none", *SCOPES]
    )
    event_time: UtcTime = column("A day before the climate day's start: nothing later is in it.")
    known_at: UtcTime = column("The latest known_at among the inputs.")


class Calibrated(Contract):
    """The probabilities that trading reads: the pooled ones through the map of their lead block."""

    market_ticker: pl.String = column("The market.")
    bracket: pl.Int8 = column("Position in the ladder, 0 is the coldest.", ge=0)
    minute: UtcTime = column("The instant of the row; nothing later is in it.")
    known_at: UtcTime = column("The latest known_at among the row's inputs.")
    p_raw: pl.Float64 = column("Pooled probability, p_fused.", ge=0, le=1)
    p_calibrated: pl.Float64 = column("Calibrated probability; a zero stays one.", ge=0, le=1)
    cumulative_lo: pl.Float64 = column(
        "Lower end p0 of the Venn-Abers band of P(the maximum lies in this bracket or a colder "
        "one); null: too few days.",
        ge=0,
        le=1,
        nullable=True,
    )
    cumulative_hi: pl.Float64 = column("Its upper end p1.", ge=0, le=1, nullable=True)
    lead_block: pl.String = column(BLOCK_MEANING, isin=BLOCK_NAMES)
    map: pl.String = column("The map in force.", isin=MAPS)
    scope: pl.String = column(
        "Where it was fitted; see learning.calibrators; packaged: nowhere.", isin=SCOPES
    )
    impossible: pl.Boolean = column("The bracket can no longer pay, whatever comes.")


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
