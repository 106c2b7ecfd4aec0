"""Tables of schema `panel`: one row per bracket and minute, everything as known at that minute.

Probabilities and prices are float dollars of a YES contract (0 to 1).
"""

import polars as pl

from kalshi_assets.tables.contract import Contract, Table, UtcTime, column


class MinutePanel(Contract):
    """Dense minute grid from open to close: quotes, kinematics over minutes, flow, coupling."""

    market_ticker: pl.String = column("The market.")
    bracket: pl.Int8 = column("Position in the ladder, 0 is the coldest.", ge=0)
    minute: UtcTime = column("The instant of the row; nothing later is in it.")
    known_at: UtcTime = column("The latest known_at among the row's inputs.")
    bid: pl.Float64 = column("Best YES bid; null: none.", unit="dollars", ge=0, le=1, nullable=True)
    ask: pl.Float64 = column("Best YES ask; null: none.", unit="dollars", ge=0, le=1, nullable=True)
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
    last_price: pl.Float64 = column("Last trade.", unit="dollars", ge=0, le=1, nullable=True)
    last_trade_age_s: pl.Float64 = column("Since the last trade.", unit="s", ge=0, nullable=True)
    high_1m: pl.Float64 = column("Highest trade of the minute.", unit="dollars", nullable=True)
    low_1m: pl.Float64 = column("Lowest trade of the minute.", unit="dollars", nullable=True)
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
    logit_velocity_5m: pl.Float64 = column(
        "velocity_5m of log(mid/(1-mid)), mid clipped half a cent from 0 and 1.",
        unit="1/minute",
        nullable=True,
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
    minutes_to_close: pl.Int32 = column("Until trading closes.", unit="minutes", ge=0)


class MinutePanelWithWeather(MinutePanel):
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


class MinutePanelFull(MinutePanelWithWeather):
    """Everything known per bracket and minute: panel, weather and the three PMFs."""

    p_mkt: pl.Float64 = column("Market-implied probability.", ge=0, le=1)
    market_valid: pl.Boolean = column("Whether p_mkt rests on enough two-sided quotes.")
    p_wx: pl.Float64 = column(
        "Weather probability; null: see hazard_status.", ge=0, le=1, nullable=True
    )
    p_fused: pl.Float64 = column("Pooled probability.", ge=0, le=1)
    weather_weight: pl.Float64 = column("Weight of the weather in the pool; 0: none.", ge=0)
    hazard_next_5m: pl.Float64 = column("P(new high within 5 minutes).", ge=0, le=1, nullable=True)
    hazard_next_60m: pl.Float64 = column(
        "P(new high within 60 minutes).", ge=0, le=1, nullable=True
    )
    dead: pl.Boolean = column("The evidence has passed the bracket: it cannot pay.")


_KEY = ("market_ticker", "minute")

MINUTE_PANEL = Table("panel", "minute_panel", MinutePanel, key=_KEY, point_in_time="minute")
MINUTE_PANEL_WITH_WEATHER = Table(
    "panel", "minute_panel_with_weather", MinutePanelWithWeather, key=_KEY, point_in_time="minute"
)
MINUTE_PANEL_FULL = Table(
    "panel",
    "minute_panel_full",
    MinutePanelFull,
    key=_KEY,
    point_in_time="minute",
    pmfs=("p_mkt", "p_wx", "p_fused"),
)
