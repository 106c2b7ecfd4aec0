"""Observations, forecasts and settlements of a city-day."""

import dagster as dg
import polars as pl

from kalshi_assets.cities import city
from kalshi_assets.defs.lake_io import Computations, asset_in, by_partition, lake_asset
from kalshi_assets.defs.resources import KalshiResource, WeatherResource
from kalshi_assets.exchange.contract import EventContract
from kalshi_assets.exchange.ingest import fetch_settlement
from kalshi_assets.lake.store import Partitions
from kalshi_assets.partitions import CityDay
from kalshi_assets.tables import EVENTS, FORECASTS, OBSERVATIONS, SETTLEMENTS
from kalshi_assets.weather.evidence import kind_shares
from kalshi_assets.weather.sources.climate_report import fetch_climate_report
from kalshi_assets.weather.sources.visual_crossing import fetch_forecasts, fetch_observations
from kalshi_assets.weather.sources.weather_company import fetch_weather_company


# In one run per city, unlike the other fetched tables: the hazard of a day reads the days before,
# which must not still be on their way in a run beside this one.
@dg.asset(**lake_asset(OBSERVATIONS, code_version="2", kinds={"visualcrossing"}))
def observations(context: dg.AssetExecutionContext, weather: WeatherResource) -> Computations:
    def fetch(key: CityDay) -> pl.DataFrame:
        with weather.visual_crossing(key, "observations") as client:
            return fetch_observations(client, city(key.city), key.date)

    return by_partition(context, fetch, lambda _, reports: {"kinds": kind_shares(reports)})


@dg.asset(**lake_asset(FORECASTS, code_version="1", kinds={"visualcrossing"}, ingest=True))
def forecasts(context: dg.AssetExecutionContext, weather: WeatherResource) -> Computations:
    def fetch(key: CityDay) -> pl.DataFrame:
        with weather.visual_crossing(key, "forecasts") as client:
            return fetch_forecasts(client, city(key.city), key.date)

    return by_partition(context, fetch)


@dg.asset(
    **lake_asset(SETTLEMENTS, code_version="2", kinds={"kalshi", "nws"}, ingest=True),
    ins={"events": asset_in(EVENTS)},
)
def settlements(
    context: dg.AssetExecutionContext,
    kalshi: KalshiResource,
    weather: WeatherResource,
    events: Partitions,
) -> Computations:
    def fetch(key: CityDay) -> pl.DataFrame:
        with (
            weather.climate_reports(key, "settlement") as reports,
            weather.weather_company(key, "settlement") as portal,
        ):
            published = [
                fetch_climate_report(reports, city(key.city), key.date),
                fetch_weather_company(portal, city(key.city), key.date),
            ]
        event = events.if_there(key)
        if event is None:
            context.log.warning(
                f"{key}: market/events is not there, so the exchange's word is left out"
            )
            return pl.concat(published)
        contract = EventContract.from_frame(key.city, key.date, event)
        with kalshi.client(key, "settlement") as exchange:
            return pl.concat([fetch_settlement(exchange, contract), *published])

    return by_partition(context, fetch)
