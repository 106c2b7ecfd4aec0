"""Market, hazard and fused PMFs of a city-day."""

import dagster as dg
import polars as pl

from kalshi_assets.cities import city
from kalshi_assets.defs.lake_io import Computation, asset_in, by_partition, lake_asset
from kalshi_assets.ladder.market_pmf import market_pmf as implied_pmf
from kalshi_assets.ladder.pooling import fused_pmf as pooled_pmf
from kalshi_assets.lake.store import Partitions
from kalshi_assets.partitions import CityDay
from kalshi_assets.tables import (
    EVENTS,
    FUSED_PMF,
    HAZARD_PMF,
    MARKET_PMF,
    MINUTE_PANEL,
    OBSERVATIONS,
)
from kalshi_assets.weather import analogue
from kalshi_assets.weather.hazard import hazard_pmf as analogue_hazard

LOOK_BACK_DAYS = analogue.DEFAULTS.look_back_days
MIN_DAYS = analogue.DEFAULTS.min_days


@dg.asset(
    **lake_asset(MARKET_PMF, code_version="1", kinds={"polars", "numba"}),
    ins={"panel": asset_in(MINUTE_PANEL)},
)
def market_pmf(context: dg.AssetExecutionContext, panel: Partitions) -> Computation:
    return by_partition(
        context,
        lambda key: implied_pmf(panel[key]),
        lambda _, pmf: {"valid_share": pmf.select(pl.mean("valid")).item()},
    )


@dg.asset(
    **lake_asset(HAZARD_PMF, code_version="1", kinds={"polars"}),
    ins={
        "events": asset_in(EVENTS),
        "observations": asset_in(OBSERVATIONS, look_back_days=LOOK_BACK_DAYS),
    },
)
def hazard_pmf(
    context: dg.AssetExecutionContext, events: Partitions, observations: Partitions
) -> Computation:
    def evaluate(key: CityDay) -> pl.DataFrame:
        earlier = observations.window(key.earlier(LOOK_BACK_DAYS))
        if len(earlier) < MIN_DAYS:
            context.log.warning(
                f"{key}: p_wx stays empty: observations of {len(earlier)} earlier days, it takes "
                f"{MIN_DAYS}; materialise weather/observations of the {LOOK_BACK_DAYS} days before"
            )
        start = city(key.city).climate_day
        library = [(start(day.date)[0], frame) for day, frame in earlier.items()]
        return analogue_hazard(events[key], observations[key], library)

    return by_partition(
        context,
        evaluate,
        lambda _, hazard: {
            "library_days": hazard.select(pl.max("days")).item(),
            "status": dict(hazard["status"].value_counts().iter_rows()),
        },
    )


@dg.asset(
    **lake_asset(FUSED_PMF, code_version="1", kinds={"polars"}),
    ins={"market": asset_in(MARKET_PMF), "hazard": asset_in(HAZARD_PMF)},
)
def fused_pmf(
    context: dg.AssetExecutionContext, market: Partitions, hazard: Partitions
) -> Computation:
    return by_partition(context, lambda key: pooled_pmf(market[key], hazard[key]))
