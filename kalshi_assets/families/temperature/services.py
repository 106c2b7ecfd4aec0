"""The services that the family asks: observations, forecasts, and who publishes a maximum."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property

import httpx
import polars as pl

from kalshi_assets.families.temperature.cities import city
from kalshi_assets.families.temperature.official import Publisher
from kalshi_assets.families.temperature.sources.climate_report import (
    ClimateReportClient,
    fetch_climate_report,
    tells_final,
)
from kalshi_assets.families.temperature.sources.errors import WeatherError
from kalshi_assets.families.temperature.sources.plan import Budget
from kalshi_assets.families.temperature.sources.visual_crossing import VisualCrossingClient
from kalshi_assets.families.temperature.sources.weather_company import (
    WeatherCompanyClient,
    fetch_weather_company,
)
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.kept_answers import KeptAnswers
from kalshi_assets.lake.raw import utc_now
from kalshi_assets.pipeline.services import Service, never_connected
from kalshi_assets.settings import Settings


class WeatherService(Service):
    """Station observations, forecasts and climate reports; for parameters see `Service`."""

    def __init__(self, *, replay: bool = False, clock: Callable[[], datetime] = utc_now) -> None:
        super().__init__(replay=replay, clock=clock)
        self._unreachable: dict[str, WeatherError] = {}

    @property
    def _plan(self) -> Budget:
        # A day that was refused for the plan's end says nothing of the others replayed.
        return Budget() if self.replay else self._account

    @cached_property
    def _account(self) -> Budget:
        return visual_crossing_plan(self._settings)

    @property
    def _sleep(self) -> Callable[[float], object]:
        """How to wait for a service that is asked too much: not at all where none is asked."""
        return (lambda seconds: None) if self.replay else time.sleep

    @contextmanager
    def visual_crossing(self, key: LadderDay, purpose: str) -> Iterator[VisualCrossingClient]:
        """A Visual Crossing client whose answers are kept under `key` and `purpose`."""
        with self._transport_for("visual_crossing", key, purpose) as transport:
            yield VisualCrossingClient(
                self._settings.visual_crossing_url,
                visual_crossing_key(self._settings),
                transport=transport,
                budget=self._plan,
                clock=lambda: transport.as_of,
                sleep=self._sleep,
            )

    def _network(self, service: str, key: LadderDay) -> httpx.BaseTransport:
        network = super()._network(service, key)
        if service != "climate_reports":
            return network
        kept = KeptAnswers(self._settings.files, service)

        def good_enough(body: bytes, fetched_at: datetime) -> bool:
            return tells_final(body, city(key.ladder), key.date, fetched_at, datetime.now(UTC))

        return kept.over(network, good_enough)

    @contextmanager
    def climate_reports(self, key: LadderDay, purpose: str) -> Iterator[ClimateReportClient]:
        """A climate report client whose answers are kept under `key` and `purpose`."""
        with self._transport_for("climate_reports", key, purpose) as transport:
            yield ClimateReportClient(
                self._settings.climate_report_url, transport=transport, sleep=self._sleep
            )

    @contextmanager
    def weather_company(self, key: LadderDay, purpose: str) -> Iterator[WeatherCompanyClient]:
        """A portal client whose answers are kept under `key` and `purpose`."""
        with self._transport_for("weather_company", key, purpose) as transport:
            yield WeatherCompanyClient(
                self._settings.weather_company_url, transport=transport, sleep=self._sleep
            )

    def publishers(self, key: LadderDay) -> Mapping[str, Publisher]:
        """How every publisher is asked for the maximum of a city-day, each by its own client.

        One that cannot be reached is not asked again: every day would wait for it.
        """
        of = city(key.ladder)

        def climate_report() -> pl.DataFrame:
            with self.climate_reports(key, "settlement") as client:
                return fetch_climate_report(client, of, key.date)

        def weather_company() -> pl.DataFrame:
            with self.weather_company(key, "settlement") as client:
                return fetch_weather_company(client, of, key.date)

        return {
            "climate_report": self._while_reachable("climate_report", climate_report),
            "weather_company": self._while_reachable("weather_company", weather_company),
        }

    def _while_reachable(self, source: str, ask: Publisher) -> Publisher:
        def asked() -> pl.DataFrame:
            if source in self._unreachable:
                raise self._unreachable[source]
            try:
                return ask()
            except WeatherError as error:
                if never_connected(error):
                    self._unreachable[source] = error
                raise

        return asked


def visual_crossing_key(settings: Settings) -> str:
    """The account's key; empty without one."""
    secret = settings.visual_crossing_key
    return secret.get_secret_value() if secret else ""


def visual_crossing_plan(settings: Settings) -> Budget:
    """The account's plan as all processes of the machine know it."""
    return Budget.kept(settings.files, settings.visual_crossing_url, visual_crossing_key(settings))
