"""The minute panel joined with the weather as it was known at every minute."""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from kalshi_assets.features.activity import percentiles
from kalshi_assets.features.examples import model_features
from kalshi_assets.tables import MINUTE_PANEL_FULL, MINUTE_PANEL_WITH_WEATHER
from kalshi_assets.weather.asof import weather_as_of


def with_weather(
    panel: pl.DataFrame,
    events: pl.DataFrame,
    observations: pl.DataFrame,
    forecasts: pl.DataFrame,
    earlier_activity: Sequence[pl.DataFrame] = (),
) -> pl.DataFrame:
    """Join reports and forecasts onto the panel by the time they were known.

    Parameters
    ----------
    panel, events
        `panel.minute_panel` and `market.events` of one event.
    observations, forecasts
        `weather.observations` and `weather.forecasts` of its climate day; either may be empty.
    earlier_activity
        `panel.activity` of earlier days of the city; see `activity.percentiles`.

    Returns
    -------
    DataFrame
        `panel.minute_panel_with_weather`, the same rows.
    """
    climate_start: datetime = events["climate_start"][0]
    minutes = panel.select(pl.col("minute").unique().sort())
    weather = weather_as_of(minutes, observations, forecasts, climate_start)
    joined = (
        pl.concat([panel, percentiles(panel, climate_start, earlier_activity)], how="horizontal")
        .join(weather.rename({"known_at": "weather_known_at"}), on="minute", how="left")
        .join(events.select("market_ticker", "lo_f", "hi_f"), on="market_ticker", how="left")
    )
    least = pl.col("running_max_lo_f")
    return MINUTE_PANEL_WITH_WEATHER.arranged(
        joined.with_columns(
            known_at=pl.max_horizontal("known_at", "weather_known_at", "activity_known_at"),
            to_upper_edge_f=pl.col("hi_f") + 0.5 - least,
            to_lower_edge_f=least - (pl.col("lo_f") - 0.5),
            forecast_gap_f=pl.col("forecast_max_f") - least,
            hour_lst=(pl.col("minute") - climate_start).dt.total_minutes() / 60,
        )
    )


def full_panel(
    panel: pl.DataFrame, market: pl.DataFrame, hazard: pl.DataFrame, fused: pl.DataFrame
) -> pl.DataFrame:
    """Everything known per bracket and minute: panel, weather and the three PMFs.

    Parameters
    ----------
    panel
        `panel.minute_panel_with_weather`.
    market, hazard, fused
        `probability.market_pmf`, `hazard_pmf` and `fused_pmf` of the same event.

    Returns
    -------
    DataFrame
        `panel.minute_panel_full`, the panel's rows.
    """
    key = ["market_ticker", "minute"]
    pooled = fused.select(*key, "p_fused", "weather_weight")
    return MINUTE_PANEL_FULL.arranged(
        model_features(panel, market, hazard).join(pooled, on=key, maintain_order="left")
    )
