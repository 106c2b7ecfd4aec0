"""Observations, forecasts and settlements of a city-day."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import polars as pl

from kalshi_assets.cities import city
from kalshi_assets.defs.failures import never_connected
from kalshi_assets.defs.lake_io import Computations, asset_in, by_partition, lake_asset, the_lake
from kalshi_assets.defs.resources import KalshiResource, WeatherResource
from kalshi_assets.exchange.contract import EventContract
from kalshi_assets.exchange.ingest import fetch_settlement
from kalshi_assets.ladder.settlement import Source, fair_price
from kalshi_assets.lake.store import Partitions
from kalshi_assets.partitions import CityDay
from kalshi_assets.tables import (
    DROPPED_FORECASTS,
    DROPPED_OBSERVATIONS,
    EVENTS,
    FORECASTS,
    OBSERVATIONS,
    SETTLEMENTS,
    Table,
)
from kalshi_assets.weather.evidence import kind_shares
from kalshi_assets.weather.official import Publisher, problems_of, with_publishers
from kalshi_assets.weather.sources.climate_report import fetch_climate_report
from kalshi_assets.weather.sources.errors import WeatherError
from kalshi_assets.weather.sources.visual_crossing import (
    left_out_counts,
    sifted_forecasts,
    sifted_observations,
)
from kalshi_assets.weather.sources.weather_company import fetch_weather_company


# In one run per city, unlike the other fetched tables: the hazard of a day reads the days before,
# which must not still be on their way in a run beside this one.
@dg.asset(**lake_asset(OBSERVATIONS, code_version="3", kinds={"visualcrossing"}))
def observations(context: dg.AssetExecutionContext, weather: WeatherResource) -> Computations:
    def fetch(key: CityDay) -> dict[Table, pl.DataFrame]:
        with weather.visual_crossing(key, "observations") as client:
            sifted = sifted_observations(client, city(key.city), key.date)
        return {OBSERVATIONS: sifted.rows, DROPPED_OBSERVATIONS: sifted.dropped}

    def describe(key: CityDay, reports: pl.DataFrame) -> dict[str, Any]:
        dropped = the_lake().read(DROPPED_OBSERVATIONS, key)
        return {"kinds": kind_shares(reports), "left_out": left_out_counts(dropped)}

    return by_partition(context, fetch, describe)


@dg.asset(**lake_asset(FORECASTS, code_version="2", kinds={"visualcrossing"}, ingest=True))
def forecasts(context: dg.AssetExecutionContext, weather: WeatherResource) -> Computations:
    def fetch(key: CityDay) -> dict[Table, pl.DataFrame]:
        with weather.visual_crossing(key, "forecasts") as client:
            sifted = sifted_forecasts(client, city(key.city), key.date)
        return {FORECASTS: sifted.rows, DROPPED_FORECASTS: sifted.dropped}

    def describe(key: CityDay, _: pl.DataFrame) -> dict[str, Any]:
        return {"left_out": left_out_counts(the_lake().read(DROPPED_FORECASTS, key))}

    return by_partition(context, fetch, describe)


@dg.asset(
    **lake_asset(SETTLEMENTS, code_version="3", kinds={"kalshi", "nws"}, ingest=True),
    ins={"events": asset_in(EVENTS)},
)
def settlements(
    context: dg.AssetExecutionContext,
    kalshi: KalshiResource,
    weather: WeatherResource,
    events: Partitions,
) -> Computations:
    lake = the_lake()
    out_of_reach: dict[Source, Exception] = {}

    def ask_exchange(key: CityDay) -> pl.DataFrame | None:
        event = events.stored(key)
        if event is None:
            context.log.warning(
                f"{key}: market/events is not there, so the exchange's word is left out"
            )
            return None
        contract = EventContract.from_frame(key.city, key.date, event)
        with kalshi.client(key, "settlement") as exchange:
            return fetch_settlement(exchange, contract)

    def fetch(key: CityDay) -> pl.DataFrame:
        publishers = {
            source: _unless_out_of_reach(source, ask, out_of_reach)
            for source, ask in publishers_of(weather, key).items()
        }
        stored = lake.read_current(SETTLEMENTS, key)
        said = with_publishers(ask_exchange(key), publishers, city(key.city), key.date, stored)
        for source, problem in problems_of(said).items():
            context.log.warning(f"{key}: {source} could not be read: {problem}")
        return said

    return by_partition(context, fetch, _describe_settlements)


def _unless_out_of_reach(
    source: Source, ask: Publisher, out_of_reach: dict[Source, Exception]
) -> Publisher:
    """Ask, unless the source was out of reach before in this run: every day would wait for it."""

    def asked() -> pl.DataFrame:
        if source in out_of_reach:
            raise out_of_reach[source]
        try:
            return ask()
        except WeatherError as error:
            if never_connected(error):
                out_of_reach[source] = error
            raise

    return asked


def publishers_of(weather: WeatherResource, key: CityDay) -> Mapping[Source, Publisher]:
    """How every publisher is asked for the maximum of a city-day, each by a client of its own."""
    of = city(key.city)

    def climate_report() -> pl.DataFrame:
        with weather.climate_reports(key, "settlement") as client:
            return fetch_climate_report(client, of, key.date)

    def weather_company() -> pl.DataFrame:
        with weather.weather_company(key, "settlement") as client:
            return fetch_weather_company(client, of, key.date)

    return {"climate_report": climate_report, "weather_company": weather_company}


def _describe_settlements(key: CityDay, said: pl.DataFrame) -> Mapping[str, Any]:
    facts: dict[str, Any] = {}
    if problems := problems_of(said):
        lines = [f"- {source}: {problem}" for source, problem in problems.items()]
        facts["not read"] = dg.MetadataValue.md("\n".join(lines))
    if paid := fair_price(said):
        facts["fair price"] = f"{paid}; learning leaves the day out"
    return facts
