"""The event contract, candles and trades of a city-day."""

import dagster as dg
import polars as pl

from kalshi_assets.cities import city
from kalshi_assets.defs.lake_io import Computation, asset_in, by_partition, lake_asset
from kalshi_assets.defs.resources import KalshiResource
from kalshi_assets.exchange.contract import EventContract
from kalshi_assets.exchange.ingest import fetch_candles, fetch_event, fetch_trades
from kalshi_assets.lake.store import Partitions
from kalshi_assets.partitions import CityDay
from kalshi_assets.tables import CANDLES, EVENTS, TRADES


@dg.asset(**lake_asset(EVENTS, code_version="2", kinds={"kalshi"}, ingest=True))
def events(context: dg.AssetExecutionContext, kalshi: KalshiResource) -> Computation:
    def fetch(key: CityDay) -> pl.DataFrame:
        with kalshi.client(key, "events") as client:
            return fetch_event(client, city(key.city), key.date).to_frame()

    return by_partition(context, fetch)


@dg.asset(
    **lake_asset(CANDLES, code_version="1", kinds={"kalshi"}, ingest=True),
    ins={"events": asset_in(EVENTS)},
)
def candles(
    context: dg.AssetExecutionContext, kalshi: KalshiResource, events: Partitions
) -> Computation:
    def fetch(key: CityDay) -> pl.DataFrame:
        with kalshi.client(key, "candles") as client:
            return fetch_candles(client, EventContract.from_frame(key.city, key.date, events[key]))

    return by_partition(context, fetch)


@dg.asset(
    **lake_asset(TRADES, code_version="1", kinds={"kalshi"}, ingest=True),
    ins={"events": asset_in(EVENTS)},
)
def trades(
    context: dg.AssetExecutionContext, kalshi: KalshiResource, events: Partitions
) -> Computation:
    def fetch(key: CityDay) -> pl.DataFrame:
        with kalshi.client(key, "trades") as client:
            return fetch_trades(client, EventContract.from_frame(key.city, key.date, events[key]))

    return by_partition(context, fetch)
