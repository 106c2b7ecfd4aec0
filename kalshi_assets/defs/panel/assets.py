"""The minute panel, with weather, with probabilities."""

import dagster as dg
import polars as pl

from kalshi_assets.defs.lake_io import Computations, asset_in, by_partition, lake_asset
from kalshi_assets.features.activity import DAYS as ACTIVITY_DAYS
from kalshi_assets.features.activity import activity as usual_activity
from kalshi_assets.features.examples import examples as learnt_from
from kalshi_assets.features.labels import labels as label
from kalshi_assets.features.panel import load_panel_params
from kalshi_assets.features.panel import minute_panel as build_panel
from kalshi_assets.features.weather import full_panel, with_weather
from kalshi_assets.lake.history import History
from kalshi_assets.lake.store import Partitions
from kalshi_assets.partitions import CityDay
from kalshi_assets.tables import (
    ACTIVITY,
    CANDLES,
    EVENTS,
    EXAMPLES,
    FORECASTS,
    FUSED_PMF,
    HAZARD_PMF,
    LABELS,
    MARKET_PMF,
    MINUTE_PANEL,
    MINUTE_PANEL_FULL,
    MINUTE_PANEL_WITH_WEATHER,
    OBSERVATIONS,
    SETTLEMENTS,
    TRADES,
)


@dg.asset(
    **lake_asset(MINUTE_PANEL, code_version="3", kinds={"polars"}),
    ins={
        "events": asset_in(EVENTS),
        "candles": asset_in(CANDLES),
        "trades": asset_in(TRADES),
    },
)
def minute_panel(
    context: dg.AssetExecutionContext, events: Partitions, candles: Partitions, trades: Partitions
) -> Computations:
    params = load_panel_params()
    return by_partition(
        context,
        lambda key: build_panel(events[key], candles[key], trades[key], params),
        lambda _, panel: {"quotes": dict(panel["quote_source"].value_counts().iter_rows())},
    )


@dg.asset(
    **lake_asset(ACTIVITY, code_version="1", kinds={"polars"}),
    ins={"panel": asset_in(MINUTE_PANEL), "events": asset_in(EVENTS)},
)
def activity(
    context: dg.AssetExecutionContext, panel: Partitions, events: Partitions
) -> Computations:
    return by_partition(
        context, lambda key: usual_activity(panel[key], events[key]["climate_start"][0])
    )


@dg.asset(
    **lake_asset(MINUTE_PANEL_WITH_WEATHER, code_version="2", kinds={"polars"}),
    ins={
        "panel": asset_in(MINUTE_PANEL),
        "events": asset_in(EVENTS),
        "observations": asset_in(OBSERVATIONS),
        "forecasts": asset_in(FORECASTS),
        "activity": asset_in(ACTIVITY, look_back_days=ACTIVITY_DAYS),
    },
)
def minute_panel_with_weather(
    context: dg.AssetExecutionContext,
    panel: Partitions,
    events: Partitions,
    observations: Partitions,
    forecasts: Partitions,
    activity: Partitions,
) -> Computations:
    usual = History(ACTIVITY_DAYS, activity.if_there)

    def join(key: CityDay) -> pl.DataFrame:
        earlier = [frame for _, frame in usual.before(key)]
        return with_weather(panel[key], events[key], observations[key], forecasts[key], earlier)

    return by_partition(
        context,
        join,
        lambda _, frame: {
            "weather": dict(frame["weather_status"].value_counts().iter_rows()),
            "earlier days": frame["activity_days"].max(),
        },
    )


@dg.asset(
    **lake_asset(LABELS, code_version="2", kinds={"polars"}),
    ins={
        "panel": asset_in(MINUTE_PANEL),
        "events": asset_in(EVENTS),
        "observations": asset_in(OBSERVATIONS),
        "settlements": asset_in(SETTLEMENTS),
    },
)
def labels(
    context: dg.AssetExecutionContext,
    panel: Partitions,
    events: Partitions,
    observations: Partitions,
    settlements: Partitions,
) -> Computations:
    return by_partition(
        context,
        lambda key: label(panel[key], events[key], observations[key], settlements[key]),
        lambda _, frame: {
            "direction in 5 minutes": _shares(frame["y_dir_5m"]),
            "settled": _settled(frame),
        },
    )


@dg.asset(
    **lake_asset(EXAMPLES, code_version="2", kinds={"polars"}),
    ins={
        "panel": asset_in(MINUTE_PANEL_WITH_WEATHER),
        "market": asset_in(MARKET_PMF),
        "hazard": asset_in(HAZARD_PMF),
        "labels": asset_in(LABELS),
    },
)
def examples(
    context: dg.AssetExecutionContext,
    panel: Partitions,
    market: Partitions,
    hazard: Partitions,
    labels: Partitions,
) -> Computations:
    return by_partition(
        context,
        lambda key: learnt_from(panel[key], market[key], hazard[key], labels[key]),
        lambda _, frame: {"regime": _shares(frame["regime"])},
    )


@dg.asset(
    **lake_asset(MINUTE_PANEL_FULL, code_version="2", kinds={"polars"}),
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
) -> Computations:
    return by_partition(
        context, lambda key: full_panel(panel[key], market[key], hazard[key], fused[key])
    )


def _settled(labels: pl.DataFrame) -> str:
    words = {
        "bracket": "one bracket pays",
        "fair_price": "at a fair price: nothing is learnt of which bracket pays",
    }
    return words.get(str(labels["settled_as"].first()), "not yet")


def _shares(values: pl.Series) -> dict[str, float]:
    """How much of the rows each value has."""
    counted = values.value_counts(sort=True, normalize=True)
    return {str(value): round(share, 4) for value, share in counted.iter_rows()}
