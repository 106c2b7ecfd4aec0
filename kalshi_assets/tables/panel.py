"""Tables of schema `panel`: a row per bracket and minute, as known then; labels, what came of it.

Prices are integers of 1/10,000 dollar (`_cc`) of a YES contract. What is computed from them (mid,
velocities) is in dollars, as probabilities are.
"""

from typing import Annotated

import polars as pl

from kalshi_assets.tables.contract import Contract, Shared, Table, UtcTime, column
from kalshi_assets.tables.probability import FUSED_PMF, MARKET_PMF, WEATHER_STATUSES

REGIMES = ["quiet", "trending", "post_high", "late"]
Times = Annotated[pl.List, pl.Datetime("us", "UTC")]
Answers = Annotated[pl.List, pl.Boolean()]

_DIRECTION = (
    "Sign of move_{0}m_cents; 0: smaller than a tick or than half the spread, both at the entry."
)
_LEADS = (
    "Whether the bracket has the greatest price of the curve at entry + {0} minute: its mid, or "
    "with one side only the middle of that and 0 or 1. Null: a tie, or some bracket without a "
    "quote while the greatest is 0.5 or less."
)
_CROSSES = (
    "Whether the evidence maximum passes the bracket within {1} minutes of the minute, by when "
    "reports were {0}. Null: the top bracket, or no report {0} by then."
)
_LABEL_KNOWN = (
    "minute + 6: when the labels were known, but for pays, see outcome_known_at, and for "
    "y_cross_sensor, whose reports arrive later."
)


class BracketMinute(Contract):
    """A bracket at a minute."""

    market_ticker: pl.String = column("The market.")
    bracket: pl.Int8 = column("Position in the ladder, 0 is the coldest.", ge=0)
    minute: UtcTime = column("The instant of the row; only labels look beyond it.")


class MinutePanel(BracketMinute):
    """Dense minute grid from open to close: quotes, kinematics over minutes, flow, coupling."""

    known_at: UtcTime = column("The latest known_at among the row's inputs.")
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
        "Since the quote was last confirmed.", unit="s", ge=0, nullable=True
    )
    mid: pl.Float64 = column(
        "Middle of bid and ask; null unless both stand.", unit="dollars", ge=0, le=1, nullable=True
    )
    spread_cents: pl.Float64 = column("Ask less bid.", unit="cents", nullable=True)
    last_price_cc: pl.Int32 = column("Last trade.", unit="cc", ge=0, le=10_000, nullable=True)
    last_trade_age_s: pl.Float64 = column("Since the last trade.", unit="s", ge=0, nullable=True)
    high_1m_cc: pl.Int32 = column(
        "Highest trade of the minute.", unit="cc", ge=0, le=10_000, nullable=True
    )
    low_1m_cc: pl.Int32 = column(
        "Lowest trade of the minute.", unit="cc", ge=0, le=10_000, nullable=True
    )
    volume_1m: pl.Float64 = column("Traded in the last minute.", unit="contracts", ge=0)
    volume_15m: pl.Float64 = column("Traded in the last 15 minutes.", unit="contracts", ge=0)
    flow_1m: pl.Float64 = column("Bought less sold by takers in the last minute.", unit="contracts")
    flow_15m: pl.Float64 = column(
        "Bought less sold by takers in the last 15 minutes.", unit="contracts"
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
        "RAS: acceleration_5m less the neighbours' mean, over its 60-minute mean absolute value.",
        nullable=True,
    )
    spread_proxy_cents: pl.Float64 = column(
        "Spread as trades show it: mean of high_1m_cc - low_1m_cc over those of 60 "
        "minutes in which they differ; null: no minute.",
        unit="cents",
        ge=0,
        nullable=True,
    )
    lead_lag_min: pl.Int8 = column(
        "Minutes by which the bracket's logit moves come before (+) or after (-) a neighbour's: of "
        "lags 1 to 5, both ways and both neighbours, the one of greatest absolute correlation over "
        "120 minutes; 0: none above 2/sqrt(n); null: n below 30.",
        unit="minutes",
        ge=-5,
        le=5,
        nullable=True,
    )
    minutes_to_close: pl.Int32 = column("Until trading closes.", unit="minutes", ge=0)


class PanelActivity(Contract):
    """The hour of the day, and how unusual the minute is for it."""

    hour_lst: pl.Float64 = column(
        "Since the day's start, of a climate day standard midnight; negative on the eve.", unit="h"
    )
    flow_percentile: pl.Float64 = column(
        "Rank of flow_15m among the same hour of earlier days (`panel.activity`), all brackets; "
        "ties in the middle; null: fewer than 5 days.",
        ge=0,
        le=1,
        nullable=True,
    )
    volume_percentile: pl.Float64 = column("The same of volume_15m.", ge=0, le=1, nullable=True)
    volatility_percentile: pl.Float64 = column(
        "The same of realised_volatility_30m.", ge=0, le=1, nullable=True
    )
    spread_percentile: pl.Float64 = column(
        "The same of spread_cents, else spread_proxy_cents.", ge=0, le=1, nullable=True
    )
    activity_days: pl.Int16 = column(
        "Earlier days, of up to 30, that were over when the hour began and have it.",
        unit="days",
        ge=0,
    )


class MinutePanelWithWeather(PanelActivity, MinutePanel):
    """The minute panel with the station's weather as it was known at the minute."""

    weather_status: pl.String = column(
        "ok, or why there is no weather: before_climate_day, no_observations, not_yet, stale.",
        isin=["ok", "before_climate_day", "no_observations", "not_yet", "stale"],
    )
    temp_f: pl.Float64 = column("Latest report known.", unit="f", nullable=True)
    observation_age_s: pl.Float64 = column(
        "Since that report was measured.", unit="s", ge=0, nullable=True
    )
    running_max_lo_f: pl.Int16 = column(
        "The least that the day's maximum can be: greatest lower bound of the reports.",
        unit="f",
        nullable=True,
    )
    running_max_hi_f: pl.Int16 = column(
        "Greatest upper bound of the reports so far.", unit="f", nullable=True
    )
    evidence_max_f: pl.Int16 = column(
        "Floor of the maximum by exact products, or two whole-C reports in a row: it kills "
        "brackets below it.",
        unit="f",
        nullable=True,
    )
    forecast_max_f: pl.Float64 = column(
        "Maximum forecast, latest basis known.", unit="f", nullable=True
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
        "Since the latest exact product known (T-group, six-hour group, maximum so far) was "
        "measured; null: none.",
        unit="s",
        ge=0,
        nullable=True,
    )
    forecast_gap_f: pl.Float64 = column(
        "forecast_max_f less running_max_lo_f: what is still forecast to come.",
        unit="f",
        nullable=True,
    )


class MinutePanelWithPmfs(MinutePanelWithWeather):
    """Panel, weather, and what market and weather say of the bracket as of the minute."""

    p_mkt: pl.Float64 = column("Market-implied probability.", ge=0, le=1)
    market_valid: pl.Boolean = column("Whether p_mkt rests on enough two-sided quotes.")
    p_wx: pl.Float64 = column(
        "Weather probability; null: see hazard_status.", ge=0, le=1, nullable=True
    )
    hazard_status: pl.String = column("ok, or why p_wx is null or left out.", isin=WEATHER_STATUSES)
    dead: pl.Boolean = column("The evidence has passed the bracket: it cannot pay.")
    hazard_next_5m: pl.Float64 = column("P(new high within 5 minutes).", ge=0, le=1, nullable=True)
    hazard_next_60m: pl.Float64 = column(
        "P(new high within 60 minutes).", ge=0, le=1, nullable=True
    )
    p_pass_60m: pl.Float64 = column(
        "P(the maximum is above the bracket, now or in 60 minutes); null: the last, or no p_wx.",
        ge=0,
        le=1,
        nullable=True,
    )
    log_likelihood: pl.Float64 = column(
        "Mean log probability of the last twelve reports before they came; null: fewer, none "
        "impossible.",
        le=0,
        nullable=True,
    )
    regime: pl.String = column(
        "late: little time to the close; post_high: past the usual peak, and a new high within the "
        "hour improbable; trending: volatility high for the hour, or the leader moving; quiet: "
        "else.",
        isin=REGIMES,
    )


class ModelFeatures(MinutePanelWithPmfs):
    """Panel, weather, and both PMFs as of the minute: what models may see, on any day."""

    thin: pl.Boolean = column("The bracket's book was wide, one-sided or empty.")
    overround_bid: pl.Float64 = column("Sum of bids less 1, of the event.", unit="dollars")
    overround_ask: pl.Float64 = column("Sum of asks less 1, of the event.", unit="dollars")
    coverage: pl.Float64 = column("Share of brackets quoted; see market_pmf.", ge=0, le=1)
    regime_code: pl.Int8 = column(
        "The regime as a number: 0 quiet, 1 trending, 2 post_high, 3 late.", ge=0, le=3
    )
    is_recorded: pl.Boolean = column("Whether the quote is the exchange's own.")
    bracket_from_leader: pl.Int8 = column("bracket less that of the greatest p_mkt.")
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
    """What became of a bracket after a minute, at horizons of 1 and 5 minutes."""

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
        "Whether the bracket settled YES, by the last word; null: not settled, or at a fair price. "
        "With what follows all that looks beyond its horizon: what learns takes it by "
        "`settlement.pays_as_known`.",
        nullable=True,
    )
    outcome_known_at: Times = column(
        "When each final word on the outcome became known, in order, the same in every row; "
        "empty: not settled."
    )
    outcome_pays: Answers = column(
        "Whether the bracket settled YES by each of these words; null: by that of a fair price."
    )
    settled_as: pl.String = column(
        "bracket: one bracket pays a dollar; fair_price: the exchange paid every bracket a price "
        "that it stated, so nothing is learnt of who pays; null: not settled.",
        isin=["bracket", "fair_price"],
        nullable=True,
    )


class Labels(Targets):
    """What became of every bracket after every minute; to fit and judge, never to decide.

    Labels look ahead by their horizon, so this table is not point-in-time.
    """

    known_at: UtcTime = column(_LABEL_KNOWN)


class Examples(Targets, ModelFeatures):
    """What models learn from: features and labels every five minutes of the climate day.

    The features know nothing after the minute; the labels look ahead by their horizon.
    """

    features_known_at: UtcTime = column("The latest known_at among the features' inputs.")
    known_at: UtcTime = column(_LABEL_KNOWN)


class Activity(Contract):
    """What was usual on one day: quantiles of the panel by hour since the climate day's start.

    Later days take percentiles against it. Known when the day's market has closed.
    """

    measure: pl.String = column(
        "flow: flow_15m; volume: volume_15m; volatility: realised_volatility_30m; spread: "
        "spread_cents, else spread_proxy_cents.",
        isin=["flow", "volume", "volatility", "spread"],
    )
    hour: pl.Int8 = column(
        "Whole hours since the climate day's start; negative on the eve.", unit="h"
    )
    knot: pl.Int8 = column("Number of the quantile, of 17.", ge=0, le=16)
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
