"""The services that steps use: clients for a partition, whose raw responses are stored.

Addresses and keys come from the settings of the running process. Here: opening clients. Not here:
the requests (`families`), or how Dagster configures a service (`defs.resources`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path

import httpx

from kalshi_assets.exchange.client import KalshiClient
from kalshi_assets.exchange.rest import RetryPolicy
from kalshi_assets.exchange.signing import Signer
from kalshi_assets.exchange.throttle import TokenBucket
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.raw import RawArchive, RawTransport, utc_now
from kalshi_assets.lake.requests import CountedTransport, RequestCounts
from kalshi_assets.settings import Settings
from kalshi_assets.shared_files import shared_file

# A basic account may spend 200 read tokens per second, with a burst of at least as many. A tenth is
# headroom for clock drift; a third of the burst is used, the rest absorbs delays in transit.
SIGNED_TOKENS_PER_S, SIGNED_BURST = 180.0, 60.0
# Of writes it may spend 100 per second, and holds as many: ten orders, or fifty cancels.
WRITE_TOKENS_PER_S, WRITE_BURST = 90.0, 60.0
# The limit without a key is not documented; three to five requests per second were never refused.
ANONYMOUS_TOKENS_PER_S, ANONYMOUS_BURST = 40.0, 40.0
# A sensor's tick must end well within a minute, even if the exchange does not respond.
WATCHER_TIMEOUT_S = 8.0


class Service:
    """Base of the services: storing raw responses, and replaying them without requests.

    Parameters
    ----------
    replay
        Answer from stored raw responses; nothing is sent.
    clock
        The present time, aware; responses are recorded as received at that time.
    """

    def __init__(self, *, replay: bool = False, clock: Callable[[], datetime] = utc_now) -> None:
        self.replay = replay
        self._clock = clock
        self._transport: httpx.BaseTransport | None = None

    def now(self) -> datetime:
        """The present time."""
        return self._clock()

    def close(self) -> None:
        """Close the connections, which the clients of a run share."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    @contextmanager
    def _transport_for(self, service: str, key: LadderDay, purpose: str) -> Iterator[RawTransport]:
        raw = RawArchive(self._settings.files, self._clock)
        if self.replay:
            yield raw.replaying(service, key, purpose)
            return
        with raw.recording(service, key, purpose, self._network(service, key)) as transport:
            yield transport

    def _network(self, service: str, key: LadderDay) -> httpx.BaseTransport:
        """Sends and counts requests; the clients of a run share its connections."""
        if self._transport is None:
            self._transport = httpx.HTTPTransport()
        return CountedTransport(self._transport, self._counts, service)

    @cached_property
    def _settings(self) -> Settings:
        return Settings()

    @property
    def _counts(self) -> RequestCounts:
        return RequestCounts(self._settings.files)


class KalshiService(Service):
    """Read access to the exchange.

    Parameters
    ----------
    unthrottled
        Send requests without rate limit; for a sandbox.
    replay, clock
        See `Service`.
    """

    def __init__(
        self,
        *,
        unthrottled: bool = False,
        replay: bool = False,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__(replay=replay, clock=clock)
        self.unthrottled = unthrottled

    @contextmanager
    def watcher(self) -> Iterator[KalshiClient]:
        """A client for sensors and schedules: short timeouts, responses are not stored."""
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
    def client(self, key: LadderDay, purpose: str) -> Iterator[KalshiClient]:
        """A client whose responses are stored under `key` and `purpose`."""
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
                # Stored responses do not change when asked again.
                retry=RetryPolicy(attempts=1) if self.replay else None,
            )


def never_connected(error: BaseException | None) -> bool:
    """Whether the service could not be reached, so that further requests would fail, too."""
    while error is not None:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return True
        error = error.__cause__
    return False


def read_bucket(base_url: str, signer: Signer | None) -> TokenBucket:
    """The read budget of a key, shared by all processes of this machine.

    Parameters
    ----------
    base_url
        Address of the exchange.
    signer
        Signer with the key; None: the budget for requests without a key.
    """
    if signer is None:
        path = shared_file("kalshi-read", base_url)
        return TokenBucket(path, rate=ANONYMOUS_TOKENS_PER_S, capacity=ANONYMOUS_BURST)
    path = shared_file("kalshi-read", base_url, signer.key_id)
    return TokenBucket(path, rate=SIGNED_TOKENS_PER_S, capacity=SIGNED_BURST)


def write_bucket(base_url: str, signer: Signer) -> TokenBucket:
    """The write budget of a key, shared by all processes of this machine.

    Parameters
    ----------
    base_url
        Address of the exchange.
    signer
        Signer with the key.
    """
    path = shared_file("kalshi-write", base_url, signer.key_id)
    return TokenBucket(path, rate=WRITE_TOKENS_PER_S, capacity=WRITE_BURST)


def signer_of(settings: Settings) -> Signer | None:
    """The signer with the key in the settings; None without a key.

    Raises
    ------
    ValueError
        Only one of key ID and key file is set, or the file cannot be read.
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
