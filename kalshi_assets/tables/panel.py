"""Tables of schema `panel`: rows per bracket and minute as known then, and their labels.

Prices are integers of 1/10,000 dollar (`_cc`) of a YES contract. What is computed from them (mid,
velocities) is in dollars, as probabilities are.
"""

from typing import Annotated

import polars as pl

from kalshi_assets.tables.contract import Contract, Shared, Table, UtcTime, column
from kalshi_assets.tables.probability import (
    FUSED_PMF,
    MARKET_PMF,
    WEATHER_STATUSES,
    BracketMinute,
    KnownBracketMinute,
)

REGIMES = ["quiet", "trending", "post_high", "late"]
Times = Annotated[pl.List, pl.Datetime("us", "UTC")]
Answers = Annotated[pl.List, pl.Boolean()]

_DIRECTION = (
    "Sign of move_{0}m_cents; 0: smaller than a tick or than half the spread, both at the entry."
)
_LEADS = (
    "Whether the bracket has the greatest price of the ladder at entry + {0} minute. The price is "
    "the mid or, with one side only, the average of that side and 0 or 1. Null: a tie, or a "
    "bracket has no quote and the greatest price is at most 0.5."
)
_CROSSES = (
    "Whether evidence_max_f exceeds the bracket within {1} minutes of the row, by the time at "
    "which reports were {0}. Null: the top bracket, or no report {0} by then."
)
_LABEL_KNOWN = (
    "minute + 6: when the labels became known, except pays (see outcome_known_at) and "
    "y_cross_sensor, whose reports arrive later."
)


class MinutePanel(KnownBracketMinute):
    """Dense minute grid from open to close: quotes, kinematics over minutes, flow, coupling."""

    bid_cc: pl.Int32 = column(
        "Best YES bid; null: none.", unit="cc", ge=0, le=10_000, nullable=True
    )
    ask_cc: pl.Int32 = column(
        "Best YES ask; null: none.", unit="cc", ge=0, le=10_000, nullable=True
    )
    quote_source: pl.String = column(
        "recorded: the exchange's quote; inferred: from the sides of trades; none: neither yet.",
        isin=["recorded", "inferred", "none"],
    )
    quote_age_s: pl.Float64 = column(
        "Time since the quote was last confirmed.", unit="s", ge=0, nullable=True
    )
    mid: pl.Float64 = column(
        "Middle of bid and ask; null unless both stand.", unit="dollars", ge=0, le=1, nullable=True
    )
    spread_cents: pl.Float64 = column("Ask less bid.", unit="cents", nullable=True)
    last_price_cc: pl.Int32 = column("Last trade.", unit="cc", ge=0, le=10_000, nullable=True)
    last_trade_age_s: pl.Float64 = column(
        "Time since the last trade.", unit="s", ge=0, nullable=True
    )
    high_1m_cc: pl.Int32 = column(
        "Highest trade of the minute.", unit="cc", ge=0, le=10_000, nullable=True
    )
    low_1m_cc: pl.Int32 = column(
        "Lowest trade of the minute.", unit="cc", ge=0, le=10_000, nullable=True
    )
    volume_1m: pl.Float64 = column("Traded in the last minute.", unit="contracts", ge=0)
    volume_15m: pl.Float64 = column("Traded in the last 15 minutes.", unit="contracts", ge=0)
    flow_1m: pl.Float64 = column(
        "Contracts bought less sold by takers in the last minute.", unit="contracts"
    )
    flow_15m: pl.Float64 = column(
        "Contracts bought less sold by takers in the last 15 minutes.", unit="contracts"
    )
    velocity_1m: pl.Float64 = column(
        "(mid(t) - mid(t-1)) / 1.", unit="dollars/minute", nullable=True
    )
    velocity_5m: pl.Float64 = column(
        "(mid(t) - mid(t-5)) / 5.", unit="dollars/minute", nullable=True
    )
    velocity_15m: pl.Float64 = column(
        "(mid(t) - mid(t-15)) / 15.", unit="dollars/minute", nullable=True
    )
    acceleration_5m: pl.Float64 = column(
        "velocity_5m(t) - velocity_5m(t-5).", unit="dollars/minute", nullable=True
    )
    logit_velocity_1m: pl.Float64 = column(
        "velocity_1m of log(mid/(1-mid)), mid clipped half a cent from 0 and 1.",
        unit="1/minute",
        nullable=True,
    )
    logit_velocity_5m: pl.Float64 = column(
        "velocity_5m of log(mid/(1-mid)), mid clipped half a cent from 0 and 1.",
        unit="1/minute",
        nullable=True,
    )
    logit_acceleration_5m: pl.Float64 = column(
        "logit_velocity_5m(t) - logit_velocity_5m(t-5).", unit="1/minute", nullable=True
    )
    close_location: pl.Float64 = column(
        "CLV over 15 minutes of mids: ((C-L)-(H-C))/(H-L); 0 where H=L.",
        ge=-1,
        le=1,
        nullable=True,
    )
    realised_volatility_30m: pl.Float64 = column(
        "Root of the sum of squared one-minute logit changes over 30 minutes.", ge=0, nullable=True
    )
    relative_acceleration: pl.Float64 = column(
        "RAS: acceleration_5m less the neighbours' mean, divided by the 60-minute mean absolute "
        "value of that difference.",
        nullable=True,
    )
    spread_proxy_cents: pl.Float64 = column(
        "Spread estimated from trades: mean of high_1m_cc - low_1m_cc over those of the last 60 "
        "minutes in which they differ; null: no such minute.",
        unit="cents",
        ge=0,
        nullable=True,
    )
    lead_lag_min: pl.Int8 = column(
        "Minutes by which the bracket's logit changes lead (+) or lag (-) a neighbour's: among "
        "lags 1 to 5, both directions and both neighbours, the one with the greatest absolute "
        "correlation over 120 minutes; 0: none above 2/sqrt(n); null: n below 30.",
        unit="minutes",
        ge=-5,
        le=5,
        nullable=True,
    )
    minutes_to_close: pl.Int32 = column("Time until trading closes.", unit="minutes", ge=0)


class PanelActivity(Contract):
    """The hour of the day, and how unusual the minute is for it."""

    hour_lst: pl.Float64 = column(
        "Hours since the start of the day (of a climate day: midnight standard time); negative "
        "before it.",
        unit="h",
    )
    flow_percentile: pl.Float64 = column(
        "Percentile rank of flow_15m among all brackets in the same hour of earlier days "
        "(`panel.activity`), ties at the mid-rank; null: fewer than 5 days.",
        ge=0,
        le=1,
        nullable=True,
    )
    volume_percentile: pl.Float64 = column("The same for volume_15m.", ge=0, le=1, nullable=True)
    volatility_percentile: pl.Float64 = column(
        "The same for realised_volatility_30m.", ge=0, le=1, nullable=True
    )
    spread_percentile: pl.Float64 = column(
        "The same for spread_cents, else spread_proxy_cents.", ge=0, le=1, nullable=True
    )
    activity_days: pl.Int16 = column(
        "Number of earlier days used, at most 30: those that were over when the hour began and "
        "that have the hour.",
        unit="days",
        ge=0,
    )


class MinutePanelWithWeather(PanelActivity, MinutePanel):
    """The minute panel with the station's weather as it was known at the minute."""

    weather_status: pl.String = column(
        "ok, or why there is no weather: before_climate_day, no_observations, not_yet, stale.",
        isin=["ok", "before_climate_day", "no_observations", "not_yet", "stale"],
    )
    temp_f: pl.Float64 = column("Latest known report.", unit="f", nullable=True)
    observation_age_s: pl.Float64 = column(
        "Time since that measurement.", unit="s", ge=0, nullable=True
    )
    running_max_lo_f: pl.Int16 = column(
        "Smallest possible maximum of the day: greatest lower bound of the reports.",
        unit="f",
        nullable=True,
    )
    running_max_hi_f: pl.Int16 = column(
        "Greatest upper bound of the reports so far.", unit="f", nullable=True
    )
    evidence_max_f: pl.Int16 = column(
        "Lower bound of the maximum proved by exact products or two consecutive whole-C reports; "
        "rules out the brackets below it.",
        unit="f",
        nullable=True,
    )
    forecast_max_f: pl.Float64 = column(
        "Forecast maximum from the latest known basis.", unit="f", nullable=True
    )
    to_upper_edge_f: pl.Float64 = column(
        "Upper edge of the bracket less running_max_lo_f; null for the top bracket.",
        unit="f",
        nullable=True,
    )

    to_lower_edge_f: pl.Float64 = column(
        "running_max_lo_f less the lower edge of the bracket, lo_f - 0.5; null for the bottom "
        "bracket.",
        unit="f",
        nullable=True,
    )
    exact_age_s: pl.Float64 = column(
        "Time since the latest known exact product (T-group, six-hour group, maximum so far) was "
        "measured; null: none.",
        unit="s",
        ge=0,
        nullable=True,
    )
    forecast_gap_f: pl.Float64 = column(
        "forecast_max_f less running_max_lo_f: the rise that is still forecast.",
        unit="f",
        nullable=True,
    )


class MinutePanelWithPmfs(MinutePanelWithWeather):
    """Panel and weather with the PMFs of market and weather as of the minute."""

    p_mkt: pl.Float64 = column("Market-implied probability.", ge=0, le=1)
    market_valid: pl.Boolean = column("Whether p_mkt is based on enough two-sided quotes.")
    p_wx: pl.Float64 = column(
        "Weather probability; null: see hazard_status.", ge=0, le=1, nullable=True
    )
    hazard_status: pl.String = column(
        "ok, or why p_wx is null or not pooled.", isin=WEATHER_STATUSES
    )
    dead: pl.Boolean = column("Observations rule the bracket out: the maximum is already above it.")
    hazard_next_5m: pl.Float64 = column("P(new high within 5 minutes).", ge=0, le=1, nullable=True)
    hazard_next_60m: pl.Float64 = column(
        "P(new high within 60 minutes).", ge=0, le=1, nullable=True
    )
    p_pass_60m: pl.Float64 = column(
        "P(the maximum is above the bracket, now or within 60 minutes); null: the top bracket, or "
        "no p_wx.",
        ge=0,
        le=1,
        nullable=True,
    )
    log_likelihood: pl.Float64 = column(
        "Mean log predictive probability of the last twelve reports; null: fewer than twelve, and "
        "none of them impossible.",
        le=0,
        nullable=True,
    )
    regime: pl.String = column(
        "late: little time to the close; post_high: past the usual peak, and a new high within "
        "the hour improbable; trending: volatility high for the hour, or the leader moving; "
        "quiet: otherwise.",
        isin=REGIMES,
    )


class ModelFeatures(MinutePanelWithPmfs):
    """Panel, weather and both PMFs as of the minute: the features that models may use."""

    thin: pl.Boolean = column("The bracket's book was wide, one-sided or empty.")
    overround_bid: pl.Float64 = column("Sum of the event's bids less 1.", unit="dollars")
    overround_ask: pl.Float64 = column("Sum of the event's asks less 1.", unit="dollars")
    coverage: pl.Float64 = column("Share of brackets quoted; see market_pmf.", ge=0, le=1)
    regime_code: pl.Int8 = column(
        "The regime as a number: 0 quiet, 1 trending, 2 post_high, 3 late.", ge=0, le=3
    )
    is_recorded: pl.Boolean = column("Whether the quote is the exchange's own.")
    bracket_from_leader: pl.Int8 = column(
        "bracket less the position of the bracket with the greatest p_mkt."
    )
    leader_logit_velocity_5m: pl.Float64 = column(
        "logit_velocity_5m of the bracket with the greatest p_mkt.", unit="1/minute", nullable=True
    )
    projection_gap: pl.Float64 = column("p_mkt less mid.", unit="dollars", nullable=True)
    weather_gap: pl.Float64 = column("p_wx less p_mkt.", nullable=True)


class MinutePanelFull(MinutePanelWithPmfs):
    """Everything known per bracket and minute: panel, weather and the three PMFs."""

    p_fused: pl.Float64 = column("Pooled probability.", ge=0, le=1)
    weather_weight: pl.Float64 = column("Weight of the weather in the pool; 0: none.", ge=0)


class Targets(BracketMinute):
    """Outcomes of a bracket after a minute, at horizons of 1 and 5 minutes."""

    entry_mid: pl.Float64 = column(
        "mid at the entry: the minute + 1, when an order decided at the minute has arrived.",
        unit="dollars",
        ge=0,
        le=1,
        nullable=True,
    )
    move_1m_cents: pl.Float64 = column(
        "mid(entry + 1 minute) - mid(entry).", unit="cents", nullable=True
    )
    move_5m_cents: pl.Float64 = column(
        "mid(entry + 5 minutes) - mid(entry).", unit="cents", nullable=True
    )
    y_dir_1m: pl.Int8 = column(_DIRECTION.format(1), isin=[-1, 0, 1], nullable=True)
    y_dir_5m: pl.Int8 = column(_DIRECTION.format(5), isin=[-1, 0, 1], nullable=True)
    y_win_1m: pl.Boolean = column(_LEADS.format(1), nullable=True)
    y_win_5m: pl.Boolean = column("The same at entry + 5 minutes.", nullable=True)
    y_cross_sensor_1m: pl.Boolean = column(_CROSSES.format("measured", 1), nullable=True)
    y_cross_sensor_5m: pl.Boolean = column(_CROSSES.format("measured", 5), nullable=True)
    y_cross_known_1m: pl.Boolean = column(_CROSSES.format("known", 1), nullable=True)
    y_cross_known_5m: pl.Boolean = column(_CROSSES.format("known", 5), nullable=True)
    pays: pl.Boolean = column(
        "Whether the bracket settled YES, by the latest final statement; null: not settled, or at "
        "a fair price. This column and the next three look beyond the horizon: fits read it "
        "through `settlement.pays_as_known`.",
        nullable=True,
    )
    outcome_known_at: Times = column(
        "When each final statement of the outcome became known, in order, the same in every row; "
        "empty: not settled."
    )
    outcome_pays: Answers = column(
        "Whether the bracket settled YES by each of these statements; null: a fair price."
    )
    settled_as: pl.String = column(
        "bracket: one bracket pays a dollar; fair_price: the exchange paid every bracket a stated "
        "price, so that there is no winner to learn from; null: not settled.",
        isin=["bracket", "fair_price"],
        nullable=True,
    )


class Labels(Targets):
    """Outcomes of every bracket after every minute: for fits and evaluation, never for decisions.

    Labels look ahead by their horizon, so this table is not point-in-time.
    """

    known_at: UtcTime = column(_LABEL_KNOWN)


class Examples(Targets, ModelFeatures):
    """Training examples: features and labels every five minutes of the climate day.

    The features use nothing known after the minute; the labels look ahead by their horizon.
    """

    features_known_at: UtcTime = column("The latest known_at among the features' inputs.")
    known_at: UtcTime = column(_LABEL_KNOWN)


class Activity(Contract):
    """Quantiles of one day's panel, by hour since the start of the climate day.

    The reference for percentiles of later days. Known when the day's market has closed.
    """

    measure: pl.String = column(
        "flow: flow_15m; volume: volume_15m; volatility: realised_volatility_30m; spread: "
        "spread_cents, else spread_proxy_cents.",
        isin=["flow", "volume", "volatility", "spread"],
    )
    hour: pl.Int8 = column(
        "Whole hours since the start of the climate day; negative before it.", unit="h"
    )
    knot: pl.Int8 = column("Index of the quantile, of 17.", ge=0, le=16)
    value: pl.Float64 = column(
        "Quantile (knot + 1/2) / 17 of the hour's rows, all brackets; an observed value."
    )
    event_time: UtcTime = column("The day's last minute.")
    known_at: UtcTime = column("The latest known_at among the day's rows.")


_KEY = ("market_ticker", "minute")

MINUTE_PANEL = Table("panel", "minute_panel", MinutePanel, key=_KEY, point_in_time="minute")
MINUTE_PANEL_WITH_WEATHER = Table(
    "panel",
    "minute_panel_with_weather",
    MinutePanelWithWeather,
    key=_KEY,
    point_in_time="minute",
    shares=(Shared.all_of(MINUTE_PANEL, but=["known_at"]),),
)
MODEL_FEATURES = Table(
    "panel",
    "model_features",
    ModelFeatures,
    key=_KEY,
    point_in_time="minute",
    pmfs=("p_mkt", "p_wx"),
    impossible="dead",
    shares=(
        Shared.all_of(MINUTE_PANEL_WITH_WEATHER, but=["known_at"]),
        Shared.all_of(MARKET_PMF, but=["known_at", "valid"], market_valid="valid"),
    ),
)
MINUTE_PANEL_FULL = Table(
    "panel",
    "minute_panel_full",
    MinutePanelFull,
    key=_KEY,
    point_in_time="minute",
    pmfs=("p_mkt", "p_wx", "p_fused"),
    impossible="dead",
    shares=(
        Shared.all_of(MODEL_FEATURES),
        Shared(FUSED_PMF, {"p_fused": "p_fused", "weather_weight": "model_weight"}),
    ),
)
ACTIVITY = Table(
    "panel", "activity", Activity, key=("measure", "hour", "knot"), point_in_time="event_time"
)
LABELS = Table("panel", "labels", Labels, key=_KEY)
EXAMPLES = Table("panel", "examples", Examples, key=_KEY, pmfs=("p_mkt", "p_wx"), impossible="dead")
