"""The features of a city-day for models: panel, weather, both PMFs, and the regime."""

import polars as pl

from kalshi_assets.families.temperature.regime import regime, regime_code
from kalshi_assets.features.examples import with_pmfs
from kalshi_assets.learning.classifiers.targets import constrained
from kalshi_assets.tables.panel import MODEL_FEATURES

FEATURES: tuple[str, ...] = (
    "bracket",
    "bracket_from_leader",
    "hour_lst",
    "minutes_to_close",
    "is_recorded",
    "quote_age_s",
    "mid",
    "spread_cents",
    "spread_proxy_cents",
    "last_price_cc",
    "last_trade_age_s",
    "volume_1m",
    "volume_15m",
    "flow_1m",
    "flow_15m",
    "velocity_1m",
    "velocity_5m",
    "velocity_15m",
    "acceleration_5m",
    "logit_velocity_1m",
    "logit_velocity_5m",
    "logit_acceleration_5m",
    "close_location",
    "realised_volatility_30m",
    "relative_acceleration",
    "lead_lag_min",
    "flow_percentile",
    "volume_percentile",
    "volatility_percentile",
    "spread_percentile",
    "observation_age_s",
    "exact_age_s",
    "to_upper_edge_f",
    "to_lower_edge_f",
    "forecast_gap_f",
    "p_mkt",
    "market_valid",
    "thin",
    "overround_bid",
    "overround_ask",
    "coverage",
    "projection_gap",
    "leader_logit_velocity_5m",
    "p_wx",
    "weather_gap",
    "dead",
    "hazard_next_5m",
    "hazard_next_60m",
    "p_pass_60m",
    "log_likelihood",
    "regime_code",
)
"""Columns of `panel.model_features` that models use: numbers and booleans, null where unknown.

Excluded: names, times and absolute temperatures, which would reveal the city and the season.
"""


TARGETS = constrained(("p_wx", "weather_gap"), impossible="dead")
"""The targets, with monotone constraints on the weather's features."""


def model_features(panel: pl.DataFrame, market: pl.DataFrame, hazard: pl.DataFrame) -> pl.DataFrame:
    """The features of every bracket and minute of a day.

    Parameters
    ----------
    panel
        `panel.minute_panel_with_weather` of one event.
    market, hazard
        `probability.market_pmf` and `hazard_pmf` of the event.

    Returns
    -------
    DataFrame
        `panel.model_features`, the panel's rows.
    """
    found = (
        with_pmfs(panel, market, hazard, *_OF_HAZARD)
        .with_columns(
            hazard_status=pl.col("hazard_status").fill_null("before_climate_day"),
            dead=pl.col("dead").fill_null(value=False),
            weather_gap=pl.col("p_wx") - pl.col("p_mkt"),
        )
        .with_columns(regime=regime(), regime_code=regime_code())
    )
    return MODEL_FEATURES.arranged(found)


_OF_HAZARD = (
    pl.col("p_wx", "dead", "hazard_next_5m", "hazard_next_60m", "p_pass_60m", "log_likelihood"),
    pl.col("status").alias("hazard_status"),
)
