"""What models see and learn from: one function makes the rows of a live day and of training."""

import numpy as np
import polars as pl

from kalshi_assets.features.regime import regime, regime_code
from kalshi_assets.ladder.grid import KEY, Grid, aligned, in_force
from kalshi_assets.tables.panel import EXAMPLES, MODEL_FEATURES

EVERY_MINUTES = 5

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
    "last_price",
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

Left out: names, times, and temperatures as such, which would tell a model the city and season.
"""


def model_features(panel: pl.DataFrame, market: pl.DataFrame, hazard: pl.DataFrame) -> pl.DataFrame:
    """What models may see, of every minute of a day.

    Parameters
    ----------
    panel
        `panel.minute_panel_with_weather` of one event.
    market, hazard
        `probability.market_pmf` and `hazard_pmf` of it. The hazard of a minute is the latest one
        evaluated; before the first there is no weather.

    Returns
    -------
    DataFrame
        `panel.model_features`, the panel's rows.
    """
    grid, (panel, market) = aligned(panel, market)
    weather = in_force(grid, hazard, *_OF_HAZARD)
    rows = panel.hstack(market.select(_OF_MARKET)).hstack(weather)
    found = rows.with_columns(
        *_against_leader(grid, rows),
        known_at=pl.max_horizontal("known_at", "market_known_at", "hazard_known_at"),
        hazard_status=pl.col("hazard_status").fill_null("before_climate_day"),
        dead=pl.col("dead").fill_null(value=False),
        is_recorded=pl.col("quote_source") == "recorded",
        projection_gap=pl.col("p_mkt") - pl.col("mid"),
        weather_gap=pl.col("p_wx") - pl.col("p_mkt"),
    ).with_columns(regime=regime(), regime_code=regime_code())
    return MODEL_FEATURES.arranged(found)


_OF_MARKET = (
    pl.col("p_mkt", "thin", "overround_bid", "overround_ask", "coverage"),
    pl.col("valid").alias("market_valid"),
    pl.col("known_at").alias("market_known_at"),
)
_OF_HAZARD = (
    pl.col("p_wx", "dead", "hazard_next_5m", "hazard_next_60m", "p_pass_60m", "log_likelihood"),
    pl.col("status").alias("hazard_status"),
    pl.col("known_at").alias("hazard_known_at"),
)


def _against_leader(grid: Grid, rows: pl.DataFrame) -> list[pl.Series]:
    """Position and velocity of the bracket with the greatest p_mkt; of equal ones the coldest."""
    p, velocity = (
        grid.in_ladder(grid.matrix(rows[name])) for name in ("p_mkt", "logit_velocity_5m")
    )
    leader = p.argmax(axis=0)
    places = (grid.brackets[:, None] - leader).astype(np.int8)
    moving = velocity[leader, np.arange(leader.size)]
    return [
        pl.Series("bracket_from_leader", places.ravel()),
        pl.Series("leader_logit_velocity_5m", grid.of_minutes(moving), nan_to_null=True),
    ]


def examples(features: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """The instants that models learn from: every five minutes of the day until the close.

    Parameters
    ----------
    features
        `panel.model_features` of one event.
    labels
        `panel.labels` of it.

    Returns
    -------
    DataFrame
        `panel.examples`.
    """
    grid, frames = aligned(features, labels)
    minute_of_day = np.round(grid.matrix(frames[0]["hour_lst"])[0] * 60)
    learnt_from = (minute_of_day >= 0) & (minute_of_day % EVERY_MINUTES == 0)
    rows = np.flatnonzero(grid.of_minutes(learnt_from))
    features, labels = (frame[rows] for frame in frames)
    return EXAMPLES.arranged(
        features.rename({"known_at": "features_known_at"}).hstack(labels.drop(*KEY, "bracket"))
    )
