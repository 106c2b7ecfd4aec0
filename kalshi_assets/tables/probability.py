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


class MarketPmf(Contract):
    """What the two-sided book implies: a PMF inside the no-arbitrage box, every minute."""

    market_ticker: pl.String = column("The market.")
    bracket: pl.Int8 = column("Position in the ladder, 0 is the coldest.", ge=0)
    minute: UtcTime = column("The instant of the row; nothing later is in it.")
    known_at: UtcTime = column("The latest known_at among the row's inputs.")
    p_mkt: pl.Float64 = column("Probability.", ge=0, le=1)
    centre: pl.Float64 = column("The price that was projected.", unit="dollars", ge=0, le=1)
    thin: pl.Boolean = column("The bracket's book was wide, one-sided or empty.")
    stale: pl.Boolean = column("Neither a new quote nor a trade for ten minutes.")
    overround_bid: pl.Float64 = column("Sum of bids less 1, of the event.")
    overround_ask: pl.Float64 = column("Sum of asks less 1, of the event.")
    coverage: pl.Float64 = column(
        "Share of brackets quoted on both sides, or on one within two cents of 0 or 1.", ge=0, le=1
    )
    arbitrage: pl.Int8 = column(
        "+1: bids sum above 1; -1: asks sum below 1; 0: neither.", isin=[-1, 0, 1]
    )
    valid: pl.Boolean = column("coverage >= 4/6 and asks less bids sum to at most 0.50.")


class McParams(Contract):
    """Parameters of the weather hazard as of the climate day's first instant, from earlier days.

    The residual of the temperature around its baseline is an autoregression of order one in steps
    of five minutes. Profile and shape of the climatological baseline have a row every half hour
    (block: slot of five minutes) and are interpolated in between.
    """

    parameter: pl.String = column(
        "rho, sd: autocorrelation and innovation sd of a step; start_sd: spread of the day's first "
        "residual; bias: mean residual, recent days counting more; forecast_bias, bias_sd: mean "
        "and spread from day to day of official less forecast maximum; tail_share: probability of "
        "a wide innovation; guidance_*: from a forecast to the maximum and its sd, where there "
        "are no reports during the day; kappa, missed_peak: peaks between reports, as a shift of "
        "the edges, or "
        "P(official maximum is block degrees above the highest whole degree the station had at a "
        "report); above_evidence: the same above what the reports prove; profile, shape: the "
        "climatological day, and one sd of its leading departure.",
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
        "Of sd and bias three hours of standard time, of missed_peak and above_evidence degrees, "
        "of profile and shape the slot; else 0.",
        ge=0,
        le=287,
    )
    value: pl.Float64 = column("The value in force; null: no day to tell it from.", nullable=True)
    standard_error: pl.Float64 = column(
        "Of the value in force, doubt about its prior included; null: not estimated.",
        ge=0,
        nullable=True,
    )
    unit: pl.String = column("Of the value.", isin=["1", "f", "probability"])
    n_days: pl.Int16 = column("Earlier days that tell of it.", unit="days", ge=0)
    parent: pl.String = column(
        "What it is shrunk towards: nothing (own), the packaged value of its season and block "
        "(season) or of its block (block), one packaged value (global); default: too few days, it "
        "is the packaged value.",
        isin=["own", "season", "block", "global", "default"],
    )
    window_start: pl.Date = column("First usable earlier day; null: none.", nullable=True)
    window_end: pl.Date = column("Last usable earlier day; null: none.", nullable=True)
    event_time: UtcTime = column("The climate day's start: nothing later is in it.")
    known_at: UtcTime = column("The latest known_at among the inputs.")


class HazardPmf(Contract):
    """What the weather implies: a PMF of the day's maximum and the hazard of a new high."""

    market_ticker: pl.String = column("The market.")
    bracket: pl.Int8 = column("Position in the ladder, 0 is the coldest.", ge=0)
    minute: UtcTime = column("Evaluation time, every five minutes; nothing later is in it.")
    known_at: UtcTime = column("The latest known_at among the row's inputs.")
    status: pl.String = column(
        "ok, or why p_wx is null; day_ahead: p_wx is guidance of the eve alone, without reports.",
        isin=WEATHER_STATUSES,
    )
    method: pl.String = column(
        "Which method p_wx comes from, the analogue's share aside; null: none.",
        isin=["exact", "analogue", "emos"],
        nullable=True,
    )
    analogue_share: pl.Float64 = column("Share of the analogue in p_wx.", ge=0, le=1, nullable=True)
    baseline: pl.String = column(
        "What the method expects of the day, as known then; null: it needs none.",
        isin=["forecast_hourly", "forecast_max", "climatology", "guidance"],
        nullable=True,
    )
    p_wx: pl.Float64 = column("Probability; null: see status.", ge=0, le=1, nullable=True)
    dead: pl.Boolean = column("The evidence has passed the bracket: it cannot pay.")
    running_max_lo_f: pl.Int16 = column(
        "The least that the maximum can be.", unit="f", nullable=True
    )
    evidence_max_f: pl.Int16 = column(
        "Floor of the maximum by exact products, or two whole-C reports in a row: it kills.",
        unit="f",
        nullable=True,
    )
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
    days: pl.Int16 = column("Earlier days in the library.", unit="days", ge=0)
    effective_days: pl.Float64 = column(
        "Kernel-weighted number of days.", unit="days", ge=0, nullable=True
    )


class FusionWeights(Contract):
    """Weights of the pool as of the day's first instant, learnt from earlier days.

    p_fused is in proportion to p_mkt^market_weight times p_model^model_weight, with market_weight =
    1 - s + s w_m, model_weight = s w_x, s the share of the hour, w_m the sum of the market_*
    coefficients times their conditions and w_x that of the model's, such as weather_*. Share 0 is
    the market.
    """

    parameter: pl.String = column(
        "Coefficient of: constant: 1; flow, volatility: the event's mean percentiles of volume and "
        "volatility; tightness: 1 less that of the spread; no_new_high: 1 less the probability of "
        "one within the hour; quiet: 1 less that of volatility; freshness: exp(-age of the report "
        "/ 30 min). share: how much of the pool is in force at the hours.",
    )
    hour_from: pl.Int8 = column("From this hour of standard time on.", unit="h", ge=0, le=23)
    hour_to: pl.Int8 = column("Up to this hour.", unit="h", ge=1, le=24)
    value: pl.Float64 = column("The value in force.", ge=0)
    prior: pl.Float64 = column("What holds without evidence, and what it is drawn to.", ge=0)
    standard_error: pl.Float64 = column(
        "Of a fitted coefficient, a day being one observation; null: at zero, or not fitted.",
        ge=0,
        nullable=True,
    )
    status: pl.String = column(
        "Of coefficients: fitted, or prior for want of 30 days. Of shares: whole, part; market: "
        "harm was not excluded; unproven: fewer than 10 days.",
        isin=["fitted", "prior", "whole", "part", "market", "unproven"],
    )
    difference: pl.Float64 = column(
        "Of a share: mean log loss at it less the market's, on days not learnt from.",
        unit="nats",
        nullable=True,
    )
    difference_bound: pl.Float64 = column(
        "Its upper 95 % bound, by resampling days; at most 0.01 for the share to be in force.",
        unit="nats",
        nullable=True,
    )
    whole_difference: pl.Float64 = column(
        "The same mean of the whole pool, share 1.", unit="nats", nullable=True
    )
    n_days: pl.Int16 = column("Earlier days that tell of it.", unit="days", ge=0)
    window_start: pl.Date = column("First of them; null: none.", nullable=True)
    window_end: pl.Date = column(
        "Last of them, at least two days before the climate day; null: none.", nullable=True
    )
    event_time: UtcTime = column("The climate day's start: nothing later is in it.")
    known_at: UtcTime = column(
        "When the latest outcome learnt from was known; event_time where there is none."
    )


class FusedPmf(Contract):
    """Market and weather pooled; where there is no weather it is the market's and says so."""

    market_ticker: pl.String = column("The market.")
    bracket: pl.Int8 = column("Position in the ladder, 0 is the coldest.", ge=0)
    minute: UtcTime = column("The instant of the row; nothing later is in it.")
    known_at: UtcTime = column("The latest known_at among the row's inputs.")
    p_fused: pl.Float64 = column("Pooled probability.", ge=0, le=1)
    p_mkt: pl.Float64 = column("The market's.", ge=0, le=1)
    p_model: pl.Float64 = column("The model's; null: see model_status.", ge=0, le=1, nullable=True)
    market_weight: pl.Float64 = column(
        "Exponent of the market in the pool; 1 with no model: p_mkt.", ge=0
    )
    model_weight: pl.Float64 = column("Exponent of the model in the pool; 0: none.", ge=0)
    model_status: pl.String = column("ok, or why the model was left out.")
    market_valid: pl.Boolean = column("Whether p_mkt rests on enough two-sided quotes.")
    impossible: pl.Boolean = column("The bracket can no longer pay, whatever comes.")


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
