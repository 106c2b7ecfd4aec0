"""The services as Dagster configures them.

No secret is a field here: the services read the settings of the process that runs, so that neither
the UI nor the event log ever holds a key.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import dagster as dg
import duckdb
from dagster_duckdb import DuckDBResource

from kalshi_assets.defs.lake_io import the_lake
from kalshi_assets.families.temperature.services import WeatherService
from kalshi_assets.lake.catalogue import CATALOGUE, ensure_catalogue
from kalshi_assets.learning.classifiers.store import ModelStore
from kalshi_assets.pages.library import PageStore
from kalshi_assets.pipeline.services import KalshiService
from kalshi_assets.settings import Settings


class KalshiResource(dg.ConfigurableResource[KalshiService]):
    """The exchange's reads."""

    replay: bool = False
    """Answer from raw answers kept earlier; nothing is sent."""
    unthrottled: bool = False
    """Ask as fast as it answers; for a sandbox without limits."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[KalshiService]:
        """The service of a run or a tick; its connections are closed at the end."""
        with closing(KalshiService(replay=self.replay, unthrottled=self.unthrottled)) as service:
            yield service


class WeatherResource(dg.ConfigurableResource[WeatherService]):
    """Station observations, forecasts and climate reports."""

    replay: bool = False
    """Answer from raw answers kept earlier; nothing is sent."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[WeatherService]:
        """The service of a run; its connections are closed at the end."""
        with closing(WeatherService(replay=self.replay)) as service:
            yield service


@dg.resource(description="Fitted models, below the settings' data folder.")
def models(context: dg.InitResourceContext) -> ModelStore:
    """The store of a run."""
    return ModelStore(Settings().files)


@dg.resource(description="The catalogue, read-only: what is asked over many days is SQL.")
def catalogue(context: dg.InitResourceContext) -> DuckDBResource:
    """DuckDB over the settings' data folder."""
    # Opened for writing it would lock out everyone else.
    return DuckDBResource(
        database=Settings().files.address(CATALOGUE),
        connection_config={"access_mode": "READ_ONLY"},
    )


@dg.resource(
    description="Pages, below the settings' data folder.", required_resource_keys={"catalogue"}
)
def pages(context: dg.InitResourceContext) -> PageStore:
    """The store of a run; the catalogue is opened only when the index is written."""

    @contextmanager
    def opened() -> Iterator[duckdb.DuckDBPyConnection]:
        ensure_catalogue(the_lake())
        with context.resources.catalogue.get_connection() as connection:
            yield connection

    return PageStore(Settings().files, opened)
