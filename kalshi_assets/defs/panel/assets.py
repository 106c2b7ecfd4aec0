"""The minute panel, with weather, with probabilities."""

import dagster as dg

from kalshi_assets.defs.lake_io import Computation, asset_in, by_partition, lake_asset
from kalshi_assets.features.panel import minute_panel as build_panel
from kalshi_assets.features.weather import full_panel, with_weather
from kalshi_assets.lake.store import Partitions
from kalshi_assets.tables import (
    CANDLES,
    EVENTS,
    FORECASTS,
    FUSED_PMF,
    HAZARD_PMF,
    MARKET_PMF,
    MINUTE_PANEL,
    MINUTE_PANEL_FULL,
    MINUTE_PANEL_WITH_WEATHER,
    OBSERVATIONS,
    TRADES,
)


@dg.asset(
    **lake_asset(MINUTE_PANEL, code_version="1", kinds={"polars"}),
    ins={
        "events": asset_in(EVENTS),
        "candles": asset_in(CANDLES),
        "trades": asset_in(TRADES),
    },
)
def minute_panel(
    context: dg.AssetExecutionContext, events: Partitions, candles: Partitions, trades: Partitions
) -> Computation:
    return by_partition(
        context,
        lambda key: build_panel(events[key], candles[key], trades[key]),
        lambda _, panel: {"quotes": dict(panel["quote_source"].value_counts().iter_rows())},
    )


@dg.asset(
    **lake_asset(MINUTE_PANEL_WITH_WEATHER, code_version="1", kinds={"polars"}),
    ins={
        "panel": asset_in(MINUTE_PANEL),
        "events": asset_in(EVENTS),
        "observations": asset_in(OBSERVATIONS),
        "forecasts": asset_in(FORECASTS),
    },
)
def minute_panel_with_weather(
    context: dg.AssetExecutionContext,
    panel: Partitions,
    events: Partitions,
    observations: Partitions,
    forecasts: Partitions,
) -> Computation:
    return by_partition(
        context,
        lambda key: with_weather(panel[key], events[key], observations[key], forecasts[key]),
        lambda _, frame: {"weather": dict(frame["weather_status"].value_counts().iter_rows())},
    )


@dg.asset(
    **lake_asset(MINUTE_PANEL_FULL, code_version="1", kinds={"polars"}),
    ins={
        "panel": asset_in(MINUTE_PANEL_WITH_WEATHER),
        "market": asset_in(MARKET_PMF),
        "hazard": asset_in(HAZARD_PMF),
        "fused": asset_in(FUSED_PMF),
    },
)
def minute_panel_full(
    context: dg.AssetExecutionContext,
    panel: Partitions,
    market: Partitions,
    hazard: Partitions,
    fused: Partitions,
) -> Computation:
    return by_partition(
        context, lambda key: full_panel(panel[key], market[key], hazard[key], fused[key])
    )
