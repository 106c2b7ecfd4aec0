"""The minute panel joined with the weather as it was known at every minute."""

import polars as pl

from kalshi_assets.tables import MINUTE_PANEL_FULL, MINUTE_PANEL_WITH_WEATHER
from kalshi_assets.weather.asof import weather_as_of


def with_weather(
    panel: pl.DataFrame,
    events: pl.DataFrame,
    observations: pl.DataFrame,
    forecasts: pl.DataFrame,
) -> pl.DataFrame:
    """Join reports and forecasts onto the panel by the time they were known.

    Parameters
    ----------
    panel, events
        `panel.minute_panel` and `market.events` of one event.
    observations, forecasts
        `weather.observations` and `weather.forecasts` of its climate day; either may be empty.

    Returns
    -------
    DataFrame
        `panel.minute_panel_with_weather`, the same rows.
    """
    minutes = panel.select(pl.col("minute").unique().sort())
    weather = weather_as_of(minutes, observations, forecasts, events["climate_start"][0])
    joined = panel.join(
        weather.rename({"known_at": "weather_known_at"}), on="minute", how="left"
    ).join(events.select("market_ticker", "hi_f"), on="market_ticker", how="left")
    return MINUTE_PANEL_WITH_WEATHER.arranged(
        joined.with_columns(
            known_at=pl.max_horizontal("known_at", "weather_known_at"),
            to_upper_edge_f=pl.col("hi_f") + 0.5 - pl.col("running_max_lo_f"),
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
    hazards = hazard.sort("minute").select(
        *key, "hazard_next_5m", "hazard_next_60m", hazard_known_at="known_at"
    )
    joined = (
        panel.join(market.select(*key, market_known_at="known_at"), on=key)
        .join(fused.drop("known_at", "bracket", "weather_status"), on=key)
        .sort("minute")
        .join_asof(hazards, on="minute", by="market_ticker", check_sortedness=False)
    )
    return MINUTE_PANEL_FULL.arranged(
        joined.with_columns(
            known_at=pl.max_horizontal("known_at", "market_known_at", "hazard_known_at")
        )
    )
