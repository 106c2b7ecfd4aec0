"""Tables of schema `probability`: PMFs over the brackets, one row per bracket and minute."""

import polars as pl

from kalshi_assets.tables.contract import Contract, Shared, Table, UtcTime, column

WEATHER_STATUSES = [
    "ok",
    "before_climate_day",
    "no_observations",
    "not_yet",
    "stale",
    "short_history",
    "feed_alarm",
    "day_ahead",
]


class BracketMinute(Contract):
    """A bracket at a minute."""

    market_ticker: pl.String = column("The market.")
    bracket: pl.Int8 = column("Position in the ladder, 0 is the lowest.", ge=0)
    minute: UtcTime = column("Time of the row; only labels use facts known later.")


class KnownBracketMinute(BracketMinute):
    """A bracket at a minute, as known then."""

    known_at: UtcTime = column("The latest known_at among the row's inputs.")


class MarketPmf(KnownBracketMinute):
    """Market-implied PMF of every minute: a PMF between bids and asks of all brackets."""

    p_mkt: pl.Float64 = column("Probability.", ge=0, le=1)
    centre: pl.Float64 = column(
        "Price of the bracket before the projection.", unit="dollars", ge=0, le=1
    )
    thin: pl.Boolean = column("The bracket's book was wide, one-sided or empty.")
    stale: pl.Boolean = column("Neither a new quote nor a trade for ten minutes.")
    overround_bid: pl.Float64 = column("Sum of the event's bids less 1.")
    overround_ask: pl.Float64 = column("Sum of the event's asks less 1.")
    coverage: pl.Float64 = column(
        "Share of brackets quoted on both sides, or on one within two cents of 0 or 1.", ge=0, le=1
    )
    arbitrage: pl.Int8 = column(
        "+1: bids sum above 1; -1: asks sum below 1; 0: neither.", isin=[-1, 0, 1]
    )
    valid: pl.Boolean = column("coverage >= 4/6 and asks less bids sum to at most 0.50.")


class McParams(Contract):
    """Parameters of the weather hazard as of the start of the climate day, from earlier days.

    The residual of the temperature around its baseline is an autoregression of order one in steps
    of five minutes. Profile and shape of the climatological baseline have a row every half hour
    (block: slot of five minutes) and are interpolated in between.
    """

    parameter: pl.String = column(
        "rho, sd: autocorrelation and innovation sd of a step; start_sd: spread of the day's "
        "first residual; bias: mean residual, recent days counting more; forecast_bias, bias_sd: "
        "mean and spread from day to day of official less forecast maximum; tail_share: "
        "probability of a wide innovation; guidance_*: regression of the maximum on a forecast "
        "and its sd, used if there are no reports during the day; kappa, missed_peak: effect of "
        "peaks between reports, as a shift of the bracket edges, or as P(official maximum is "
        "block degrees above the highest whole degree reported); above_evidence: the same above "
        "the maximum that the reports prove; profile, shape: the climatological course of the "
        "day, and one sd of its leading component.",
        isin=[
            "rho",
            "sd",
            "start_sd",
            "bias",
            "forecast_bias",
            "bias_sd",
            "tail_share",
            "guidance_offset",
            "guidance_slope",
            "guidance_sd",
            "kappa",
            "missed_peak",
            "above_evidence",
            "profile",
            "shape",
        ],
    )
    block: pl.Int16 = column(
        "For sd and bias three hours of standard time, for missed_peak and above_evidence "
        "degrees, for profile and shape the slot; else 0.",
        ge=0,
        le=287,
    )
    value: pl.Float64 = column(
        "The value in force; null: no day to estimate it from.", nullable=True
    )
    standard_error: pl.Float64 = column(
        "Standard error of the value in force, including the uncertainty of its prior; null: not "
        "estimated.",
        ge=0,
        nullable=True,
    )
    unit: pl.String = column("Unit of the value.", isin=["1", "f", "probability"])
    n_days: pl.Int16 = column(
        "Number of earlier days that it is estimated from.", unit="days", ge=0
    )
    parent: pl.String = column(
        "What it is shrunk towards: nothing (own), the packaged value of its season and block "
        "(season) or of its block (block), one packaged value (global); default: too few days, so "
        "the packaged value is used.",
        isin=["own", "season", "block", "global", "default"],
    )
    window_start: pl.Date = column("First usable earlier day; null: none.", nullable=True)
    window_end: pl.Date = column("Last usable earlier day; null: none.", nullable=True)
    event_time: UtcTime = column("Start of the climate day; nothing known later is used.")
    known_at: UtcTime = column("The latest known_at among the inputs.")


class HazardPmf(KnownBracketMinute):
    """Weather-implied PMF of the day's maximum every five minutes, and the hazard of a new high."""

    status: pl.String = column(
        "ok, or why p_wx is null; day_ahead: p_wx is based on forecasts from before the day only, "
        "without reports.",
        isin=WEATHER_STATUSES,
    )
    method: pl.String = column(
        "Method of p_wx, apart from the share of the analogue; null: none.",
        isin=["exact", "analogue", "emos"],
        nullable=True,
    )
    analogue_share: pl.Float64 = column(
        "Share of the analogue method in p_wx.", ge=0, le=1, nullable=True
    )
    baseline: pl.String = column(
        "Source of the course of the day that the method expects; null: it needs none.",
        isin=["forecast_hourly", "forecast_max", "climatology", "guidance"],
        nullable=True,
    )
    p_wx: pl.Float64 = column("Probability; null: see status.", ge=0, le=1, nullable=True)
    dead: pl.Boolean = column("Observations rule the bracket out: the maximum is already above it.")
    running_max_lo_f: pl.Int16 = column(
        "Smallest possible maximum of the day.", unit="f", nullable=True
    )
    evidence_max_f: pl.Int16 = column(
        "Lower bound of the maximum proved by exact products or two consecutive whole-C reports; "
        "rules out the brackets below it.",
        unit="f",
        nullable=True,
    )
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
    days: pl.Int16 = column("Number of earlier days in the analogue library.", unit="days", ge=0)
    effective_days: pl.Float64 = column(
        "Kernel-weighted number of days.", unit="days", ge=0, nullable=True
    )


class FusionWeights(Contract):
    """Weights of the pool as of the start of the day, fitted to earlier days.

    p_fused is proportional to p_mkt^market_weight times p_model^model_weight, where market_weight =
    1 - s + s w_m and model_weight = s w_x. s is the share at the hour, w_m the sum of the market_*
    coefficients times their conditions, w_x that of the model's coefficients, such as weather_*. A
    share of 0 leaves the market's PMF.
    """

    parameter: pl.String = column(
        "Condition that the coefficient multiplies. constant: 1; flow, volatility: the event's "
        "mean percentiles of volume and volatility; tightness: 1 less that of the spread; "
        "no_new_high: 1 less the probability of one within the hour; quiet: 1 less that of "
        "volatility; freshness: exp(-age of the report / 30 min). share: not a coefficient but "
        "how much of the pool is in force at these hours.",
    )
    hour_from: pl.Int8 = column("First hour, standard time.", unit="h", ge=0, le=23)
    hour_to: pl.Int8 = column("End of the last hour.", unit="h", ge=1, le=24)
    value: pl.Float64 = column("The value in force.", ge=0)
    prior: pl.Float64 = column("Value without data, to which the fit is shrunk.", ge=0)
    standard_error: pl.Float64 = column(
        "Standard error of a fitted coefficient, a day being one observation; null: at zero, or "
        "not fitted.",
        ge=0,
        nullable=True,
    )
    status: pl.String = column(
        "Coefficients: fitted, or prior with fewer than 30 days. Shares: whole, part; market: no "
        "share, because harm was not ruled out; unproven: no share, with fewer than 10 days.",
        isin=["fitted", "prior", "whole", "part", "market", "unproven"],
    )
    difference: pl.Float64 = column(
        "For a share: mean log loss at that share less the market's, out of sample.",
        unit="nats",
        nullable=True,
    )
    difference_bound: pl.Float64 = column(
        "Upper 95 % bound of the difference, by resampling days; must be at most 0.01 for the "
        "share.",
        unit="nats",
        nullable=True,
    )
    whole_difference: pl.Float64 = column(
        "The same difference for the whole pool, share 1.", unit="nats", nullable=True
    )
    n_days: pl.Int16 = column(
        "Number of earlier days that it is estimated from.", unit="days", ge=0
    )
    window_start: pl.Date = column("First of these days; null: none.", nullable=True)
    window_end: pl.Date = column(
        "Last of these days, at least two days before the climate day; null: none.", nullable=True
    )
    event_time: UtcTime = column("Start of the climate day; nothing known later is used.")
    known_at: UtcTime = column(
        "When the latest outcome used in the fit was known; event_time if there is none."
    )


class FusedPmf(KnownBracketMinute):
    """Pooled PMF of market and model; the market's PMF where the model is not used."""

    p_fused: pl.Float64 = column("Pooled probability.", ge=0, le=1)
    p_mkt: pl.Float64 = column("Market-implied probability.", ge=0, le=1)
    p_model: pl.Float64 = column(
        "The model's probability; null: see model_status.", ge=0, le=1, nullable=True
    )
    market_weight: pl.Float64 = column(
        "Exponent of the market in the pool; 1 without a model: p_fused is p_mkt.", ge=0
    )
    model_weight: pl.Float64 = column("Exponent of the model in the pool; 0: not used.", ge=0)
    model_status: pl.String = column("ok, or why the model was left out.")
    market_valid: pl.Boolean = column("Whether p_mkt is based on enough two-sided quotes.")
    impossible: pl.Boolean = column("The bracket can no longer pay, whatever happens.")


_KEY = ("market_ticker", "minute")

MARKET_PMF = Table(
    "probability", "market_pmf", MarketPmf, key=_KEY, point_in_time="minute", pmfs=("p_mkt",)
)
MC_PARAMS = Table(
    "probability", "mc_params", McParams, key=("parameter", "block"), point_in_time="event_time"
)
HAZARD_PMF = Table(
    "probability",
    "hazard_pmf",
    HazardPmf,
    key=_KEY,
    point_in_time="minute",
    pmfs=("p_wx",),
    impossible="dead",
)
FUSION_WEIGHTS = Table(
    "probability",
    "fusion_weights",
    FusionWeights,
    key=("parameter", "hour_from"),
    point_in_time="event_time",
)
FUSED_PMF = Table(
    "probability",
    "fused_pmf",
    FusedPmf,
    key=_KEY,
    point_in_time="minute",
    pmfs=("p_mkt", "p_model", "p_fused"),
    impossible="impossible",
    shares=(Shared(MARKET_PMF, {"bracket": "bracket", "p_mkt": "p_mkt"}),),
)
