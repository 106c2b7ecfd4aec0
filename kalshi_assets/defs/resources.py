"""The services that assets talk to: clients per city-day, with raw answers kept below them.

Addresses and keys come from the settings of the process that runs, never from Dagster's
configuration: no secret reaches the UI or the event log.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import dagster as dg
import httpx
from pydantic import PrivateAttr

from kalshi_assets.cities import city
from kalshi_assets.exchange.client import KalshiClient
from kalshi_assets.exchange.rest import RetryPolicy
from kalshi_assets.exchange.signing import Signer
from kalshi_assets.exchange.throttle import TokenBucket
from kalshi_assets.lake.kept_answers import KeptAnswers
from kalshi_assets.lake.raw import RawArchive, RawTransport, utc_now
from kalshi_assets.lake.requests import CountedTransport, RequestCounts
from kalshi_assets.machine import shared_file
from kalshi_assets.partitions import CityDay
from kalshi_assets.settings import Settings
from kalshi_assets.weather.sources.climate_report import ClimateReportClient, tells_final
from kalshi_assets.weather.sources.plan import Budget
from kalshi_assets.weather.sources.visual_crossing import VisualCrossingClient
from kalshi_assets.weather.sources.weather_company import WeatherCompanyClient

# A basic account may spend 200 read tokens a second, and at least as many at once. A tenth is
# headroom for clock drift; of the burst a third is used, the rest absorbs delays in transit.
SIGNED_TOKENS_PER_S, SIGNED_BURST = 180.0, 60.0
# The limit without a key is not documented; three to five requests a second were never refused.
ANONYMOUS_TOKENS_PER_S, ANONYMOUS_BURST = 40.0, 40.0
# A tick must end well within a minute, whatever the exchange does.
WATCHER_TIMEOUT_S = 8.0


class Service(dg.ConfigurableResource):
    """What the services share: raw answers, and replaying them instead of asking again."""

    replay: bool = False
    """Answer from raw answers kept earlier; nothing is sent."""

    _transport: httpx.BaseTransport | None = PrivateAttr(default=None)
    _clock: Callable[[], datetime] = PrivateAttr(default_factory=lambda: utc_now)

    @contextmanager
    def _transport_for(self, service: str, key: CityDay, purpose: str) -> Iterator[RawTransport]:
        raw = RawArchive(self._settings.data / "raw", self._clock)
        if self.replay:
            yield raw.replaying(service, key, purpose)
            return
        with raw.recording(service, key, purpose, self._network(service, key)) as transport:
            yield transport

    def _network(self, service: str, key: CityDay) -> httpx.BaseTransport:
        """What sends and counts requests; the connections are shared by the clients of a run."""
        if self._transport is None:
            self._transport = httpx.HTTPTransport()
        return CountedTransport(self._transport, self._counts, service)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Let go of the connections, which the clients of a run share."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    @cached_property
    def _settings(self) -> Settings:
        return Settings()

    @property
    def _counts(self) -> RequestCounts:
        return RequestCounts(self._settings.data / "requests")


class KalshiResource(Service):
    """The exchange's reads."""

    unthrottled: bool = False
    """Ask as fast as it answers; for a sandbox without limits."""

    @contextmanager
    def watcher(self) -> Iterator[KalshiClient]:
        """A client for sensors and schedules: short patience, answers are not kept."""
        settings = self._settings
        signer = signer_of(settings)
        with (
            httpx.HTTPTransport() as network,
            KalshiClient(
                settings.kalshi_api_url,
                transport=CountedTransport(network, self._counts, "kalshi"),
                signer=signer,
                bucket=None if self.unthrottled else read_bucket(settings.kalshi_api_url, signer),
                timeout_s=WATCHER_TIMEOUT_S,
                retry=RetryPolicy(attempts=2),
            ) as client,
        ):
            yield client

    @contextmanager
    def client(self, key: CityDay, purpose: str) -> Iterator[KalshiClient]:
        """A client whose answers are kept under `key` and `purpose`."""
        settings = self._settings
        signer = None if self.replay else signer_of(settings)
        free = self.replay or self.unthrottled
        with self._transport_for("kalshi", key, purpose) as transport:
            yield KalshiClient(
                settings.kalshi_api_url,
                transport=transport,
                signer=signer,
                bucket=None if free else read_bucket(settings.kalshi_api_url, signer),
                as_of=transport.as_of,
                # What was kept says the same however often it is asked.
                retry=RetryPolicy(attempts=1) if self.replay else None,
            )


class WeatherResource(Service):
    """Station observations, forecasts and climate reports."""

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
    def visual_crossing(self, key: CityDay, purpose: str) -> Iterator[VisualCrossingClient]:
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

    def _network(self, service: str, key: CityDay) -> httpx.BaseTransport:
        network = super()._network(service, key)
        if service != "climate_reports":
            return network
        kept = KeptAnswers(self._settings.data / "kept_answers" / service)

        def good_enough(body: bytes, fetched_at: datetime) -> bool:
            return tells_final(body, city(key.city), key.date, fetched_at, datetime.now(UTC))

        return kept.over(network, good_enough)

    @contextmanager
    def climate_reports(self, key: CityDay, purpose: str) -> Iterator[ClimateReportClient]:
        """A climate report client whose answers are kept under `key` and `purpose`."""
        with self._transport_for("climate_reports", key, purpose) as transport:
            yield ClimateReportClient(
                self._settings.climate_report_url, transport=transport, sleep=self._sleep
            )

    @contextmanager
    def weather_company(self, key: CityDay, purpose: str) -> Iterator[WeatherCompanyClient]:
        """A portal client whose answers are kept under `key` and `purpose`."""
        with self._transport_for("weather_company", key, purpose) as transport:
            yield WeatherCompanyClient(
                self._settings.weather_company_url, transport=transport, sleep=self._sleep
            )


def read_bucket(base_url: str, signer: Signer | None) -> TokenBucket:
    """The read budget that all processes of this machine share.

    Parameters
    ----------
    base_url
        Of the exchange.
    signer
        Of the key whose budget it is; None: the one of this address without a key.
    """
    if signer is None:
        path = shared_file("kalshi-read", base_url)
        return TokenBucket(path, rate=ANONYMOUS_TOKENS_PER_S, capacity=ANONYMOUS_BURST)
    path = shared_file("kalshi-read", base_url, signer.key_id)
    return TokenBucket(path, rate=SIGNED_TOKENS_PER_S, capacity=SIGNED_BURST)


def visual_crossing_key(settings: Settings) -> str:
    """The account's key; empty without one."""
    secret = settings.visual_crossing_key
    return secret.get_secret_value() if secret else ""


def visual_crossing_plan(settings: Settings) -> Budget:
    """The account's plan as all processes of the machine know it."""
    return Budget.kept(
        settings.data / "plans", settings.visual_crossing_url, visual_crossing_key(settings)
    )


def signer_of(settings: Settings) -> Signer | None:
    """The signer that the settings name, or None without a key.

    Raises
    ------
    ValueError
        Only one of key id and key file is set, or the file cannot be read.
    """
    key_id, path = settings.kalshi_api_key_id, settings.kalshi_private_key_pem_path
    if not key_id and not path:
        return None
    if not key_id or not path:
        raise ValueError(
            "set both KALSHI_API_KEY_ID and KALSHI_PRIVATE_KEY_PEM_PATH, or neither of them"
        )
    try:
        pem = Path(path).expanduser().read_bytes()
    except OSError as error:
        raise ValueError(f"KALSHI_PRIVATE_KEY_PEM_PATH={path}: {error.strerror}") from error
    return Signer.from_pem(key_id, pem)
