"""Dagster's resources: the services, the catalogue, stores of models and pages.

No secret is a field of a resource: the services read the settings of the running process, so that
no key reaches the UI or the event log. Not here: what the services do (`pipeline.services`).
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import dagster as dg
import duckdb
from dagster_duckdb import DuckDBResource

from kalshi_assets.defs.clocks import the_clock
from kalshi_assets.defs.lake_io import the_lake
from kalshi_assets.families.temperature.services import WeatherService
from kalshi_assets.lake.catalogue import CATALOGUE, ensure_catalogue
from kalshi_assets.lake.configurations import Configurations
from kalshi_assets.learning.classifiers.store import ModelStore
from kalshi_assets.live.journals import SessionJournals
from kalshi_assets.live.opening import present
from kalshi_assets.pages.library import PageStore
from kalshi_assets.pipeline.services import KalshiService
from kalshi_assets.settings import Settings
from kalshi_assets.stream.recording import Recordings


class KalshiResource(dg.ConfigurableResource[KalshiService]):
    """Read access to the exchange."""

    replay: bool = False
    """Answer from stored raw responses; nothing is sent."""
    unthrottled: bool = False
    """Send requests without rate limit; for a sandbox."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[KalshiService]:
        """The service of a run or a tick; its connections are closed at the end."""
        now = present(the_clock())
        with closing(
            KalshiService(replay=self.replay, unthrottled=self.unthrottled, clock=now)
        ) as service:
            yield service


class WeatherResource(dg.ConfigurableResource[WeatherService]):
    """Station observations, forecasts and climate reports."""

    replay: bool = False
    """Answer from stored raw responses; nothing is sent."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[WeatherService]:
        """The service of a run; its connections are closed at the end."""
        now = present(the_clock())
        with closing(WeatherService(replay=self.replay, clock=now)) as service:
            yield service


@dg.resource(description="Fitted models, in the data folder.")
def models(context: dg.InitResourceContext) -> ModelStore:
    """The store of a run."""
    return ModelStore(Settings().files)


@dg.resource(description="The configurations that were ever backtested, in the data folder.")
def configurations(context: dg.InitResourceContext) -> Configurations:
    """The registry of a run."""
    return Configurations(Settings().files)


@dg.resource(description="Journals of trading sessions, in the data folder.")
def journals(context: dg.InitResourceContext) -> SessionJournals:
    """The journals of a run."""
    return SessionJournals(Settings().files)


@dg.resource(description="Recordings of the exchange's stream, in the data folder.")
def recordings(context: dg.InitResourceContext) -> Recordings:
    """The store of a run."""
    return Recordings(Settings().files)


@dg.resource(description="The DuckDB catalogue, read-only, for SQL over many days.")
def catalogue(context: dg.InitResourceContext) -> DuckDBResource:
    """DuckDB over the data folder."""
    # Opening it for writing would lock out all other processes.
    return DuckDBResource(
        database=Settings().files.address(CATALOGUE),
        connection_config={"access_mode": "READ_ONLY"},
    )


@dg.resource(description="Pages, in the data folder.", required_resource_keys={"catalogue"})
def pages(context: dg.InitResourceContext) -> PageStore:
    """The store of a run; the catalogue is opened only when the index is written."""

    @contextmanager
    def opened() -> Iterator[duckdb.DuckDBPyConnection]:
        ensure_catalogue(the_lake())
        with context.resources.catalogue.get_connection() as connection:
            yield connection

    return PageStore(Settings().files, opened)
