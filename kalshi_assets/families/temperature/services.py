"""The weather services as steps use them: observations, forecasts, publishers of the maximum.

Here: opening clients and sharing the account's plan. Not here: requests and parsing (`sources`).
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property, partial

import httpx
import polars as pl

from kalshi_assets.families.temperature.cities import city
from kalshi_assets.families.temperature.official import Publisher
from kalshi_assets.families.temperature.sources.client import WeatherClient
from kalshi_assets.families.temperature.sources.climate_report import (
    fetch_climate_report,
    tells_final,
)
from kalshi_assets.families.temperature.sources.errors import WeatherError
from kalshi_assets.families.temperature.sources.plan import Budget
from kalshi_assets.families.temperature.sources.visual_crossing import VisualCrossingClient
from kalshi_assets.families.temperature.sources.weather_company import fetch_weather_company
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
        # On replay, a day refused because of the plan must not stop the other days.
        return Budget() if self.replay else self._account

    @cached_property
    def _account(self) -> Budget:
        return visual_crossing_plan(self._settings)

    @property
    def _sleep(self) -> Callable[[float], object]:
        """How to wait when a service is asked too often; on replay, not at all."""
        return (lambda seconds: None) if self.replay else time.sleep

    @contextmanager
    def visual_crossing(self, key: LadderDay, purpose: str) -> Iterator[VisualCrossingClient]:
        """A Visual Crossing client whose responses are stored under `key` and `purpose`."""
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
    def climate_reports(self, key: LadderDay, purpose: str) -> Iterator[WeatherClient]:
        """A client of Iowa's archive whose responses are stored under `key` and `purpose`."""
        url = self._settings.climate_report_url
        with self._transport_for("climate_reports", key, purpose) as transport:
            yield WeatherClient(url, transport=transport, sleep=self._sleep)

    @contextmanager
    def weather_company(self, key: LadderDay, purpose: str) -> Iterator[WeatherClient]:
        """A client of the portal whose responses are stored under `key` and `purpose`."""
        url = self._settings.weather_company_url
        with self._transport_for("weather_company", key, purpose) as transport:
            yield WeatherClient(url, transport=transport, sleep=self._sleep)

    def publishers(self, key: LadderDay) -> Mapping[str, Publisher]:
        """For every publisher a function that fetches the maximum of a city-day.

        A publisher that cannot be reached is not asked again, because every day would wait for it.
        """
        known = {
            "climate_report": (self.climate_reports, fetch_climate_report),
            "weather_company": (self.weather_company, fetch_weather_company),
        }

        def fetched(source: str) -> pl.DataFrame:
            if source in self._unreachable:
                raise self._unreachable[source]
            opened, fetch = known[source]
            try:
                with opened(key, "settlement") as client:
                    return fetch(client, city(key.ladder), key.date)
            except WeatherError as error:
                if never_connected(error):
                    self._unreachable[source] = error
                raise

        return {source: partial(fetched, source) for source in known}


def visual_crossing_key(settings: Settings) -> str:
    """The account's key; empty if there is none."""
    secret = settings.visual_crossing_key
    return secret.get_secret_value() if secret else ""


def visual_crossing_plan(settings: Settings) -> Budget:
    """The account's plan, shared by all processes of the machine."""
    return Budget.kept(settings.files, settings.visual_crossing_url, visual_crossing_key(settings))
