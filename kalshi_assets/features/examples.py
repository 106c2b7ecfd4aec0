"""What models see and learn from: one function makes the rows of a live day and of training."""

import polars as pl

from kalshi_assets.features.regime import regime
from kalshi_assets.tables.panel import EXAMPLES, MODEL_FEATURES, REGIMES

KEY = ["market_ticker", "minute"]
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
    said = market.select(
        *KEY,
        "p_mkt",
        "thin",
        "overround_bid",
        "overround_ask",
        "coverage",
        market_valid="valid",
        market_known_at="known_at",
    )
    hazards = hazard.sort("minute").select(
        *KEY,
        "p_wx",
        "dead",
        "hazard_next_5m",
        "hazard_next_60m",
        "p_pass_60m",
        "log_likelihood",
        hazard_status="status",
        hazard_known_at="known_at",
    )
    rows = (
        panel.join(said, on=KEY)
        .sort("minute")
        .join_asof(hazards, on="minute", by="market_ticker", check_sortedness=False)
        .sort("minute", "bracket")
    )
    gaps = rows.with_columns(
        known_at=pl.max_horizontal("known_at", "market_known_at", "hazard_known_at"),
        hazard_status=pl.col("hazard_status").fill_null("before_climate_day"),
        dead=pl.col("dead").fill_null(value=False),
        is_recorded=pl.col("quote_source") == "recorded",
        projection_gap=pl.col("p_mkt") - pl.col("mid"),
        weather_gap=pl.col("p_wx") - pl.col("p_mkt"),
    )
    codes = {name: code for code, name in enumerate(REGIMES)}
    return MODEL_FEATURES.arranged(
        gaps.with_columns(_against_leader(rows))
        .with_columns(regime=regime())
        .with_columns(regime_code=pl.col("regime").replace_strict(codes, return_dtype=pl.Int8))
    )


def _against_leader(rows: pl.DataFrame) -> list[pl.Series]:
    """Position and velocity of the bracket with the greatest p_mkt; of equal ones the coldest.

    `rows` are sorted by minute and bracket, every bracket at every minute.
    """
    brackets = rows["bracket"].n_unique()
    leader = rows["p_mkt"].to_numpy().reshape(-1, brackets).argmax(axis=1)
    at = leader.repeat(brackets)
    velocity = rows["logit_velocity_5m"].gather(
        (leader + brackets * pl.int_range(len(leader), eager=True).to_numpy()).repeat(brackets)
    )
    return [
        (rows["bracket"] - pl.Series(at, dtype=pl.Int8)).alias("bracket_from_leader"),
        velocity.alias("leader_logit_velocity_5m"),
    ]


def examples(
    panel: pl.DataFrame, market: pl.DataFrame, hazard: pl.DataFrame, labels: pl.DataFrame
) -> pl.DataFrame:
    """The instants that models learn from: every five minutes of the climate day until the close.

    Parameters
    ----------
    panel, market, hazard
        As for `model_features`, whose rows these are, bit for bit.
    labels
        `panel.labels` of the event.

    Returns
    -------
    DataFrame
        `panel.examples`.
    """
    minute_of_day = (pl.col("hour_lst") * 60).round().cast(pl.Int32)
    learnt_from = (minute_of_day >= 0) & (minute_of_day % EVERY_MINUTES == 0)
    return EXAMPLES.arranged(
        model_features(panel, market, hazard)
        .filter(learnt_from)
        .rename({"known_at": "features_known_at"})
        .join(labels.drop("bracket"), on=KEY, maintain_order="left")
    )
