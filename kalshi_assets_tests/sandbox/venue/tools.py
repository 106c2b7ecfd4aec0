"""A venue over the tiny archive, and clients that sign as the exchange wants it."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from websockets.sync.client import ClientConnection, connect

from kalshi_assets.instants import microseconds_of
from kalshi_assets.sandbox.app import Trading
from kalshi_assets.sandbox.archive import Archive
from kalshi_assets.sandbox.buckets import BucketSize
from kalshi_assets.sandbox.exchange_wire import rfc3339
from kalshi_assets.sandbox.server import Sandbox, running
from kalshi_assets.sandbox.venue.books import Books
from kalshi_assets.sandbox.venue.order_entry import OrderEntry
from kalshi_assets.sandbox.venue.order_requests import CreateOrder
from kalshi_assets.sandbox.venue.venue import Venue
from kalshi_assets_tests.sandbox.signing import signed_headers
from kalshi_assets_tests.sandbox.tiny import CHI_BIN, CHI_OPEN

ENDLESS = BucketSize(refill_rate=1e9, capacity=1e9)
START = CHI_OPEN + timedelta(minutes=20, seconds=30)
"""Quotes of CHI_BIN: 32/52 from the close of minute 20; no trade until minute 61."""
START_US = microseconds_of(START)
DOLLAR = 1_000_000
"""Micro."""
API = "/trade-api/v2"
ORDERS = "/portfolio/events/orders"


def order(**changes: Any) -> dict[str, Any]:
    """The body of a create: one contract of CHI_BIN at 33 cents, resting."""
    body = {
        "ticker": CHI_BIN,
        "side": "bid",
        "count": "1.00",
        "price": "0.3300",
        "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "taker_at_cross",
    }
    return {k: v for k, v in (body | changes).items() if v is not None}


class Trader:
    """A venue without HTTP; `events` is everything that was published."""

    def __init__(
        self,
        root: Path,
        *,
        start: datetime = START,
        dollars: int = 1_000,
        books: Path | None = None,
    ) -> None:
        self.books = Books(books)
        self.venue = Venue(
            Archive(root),
            start_us=microseconds_of(start),
            initial=dollars * DOLLAR,
            books=self.books,
        )
        self.entry = OrderEntry(self.venue)
        self.events: list[Any] = []
        self.venue.listen(self.events.append)

    def create(self, **changes: Any) -> Any:
        """Place an order; its receipt."""
        return self.entry.create(CreateOrder.of(order(**changes)))

    def run(self, **delta: float) -> None:
        """Let time pass."""
        passed = int(timedelta(**delta) / timedelta(microseconds=1))
        self.venue.run_until(self.venue.now_us + passed)

    def seen(self, kind: type) -> list[Any]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


class Client:
    """A client of a running sandbox with a key."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.http = httpx.Client(base_url=sandbox.url, timeout=30)
        self._key = load_pem_private_key(sandbox.private_key_pem, password=None)

    def headers(self, method: str, path: str) -> dict[str, str]:
        """The three headers, as of now."""
        return signed_headers(
            self._key,  # type: ignore[arg-type]
            self.sandbox.key_id,
            method=method,
            path=path,
            at_ms=int(time.time() * 1000),
        )

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A signed request to the exchange."""
        whole = API + path
        return self.http.request(method, whole, headers=self.headers(method, whole), **options)

    def create(self, **changes: Any) -> httpx.Response:
        """Place an order."""
        return self.call("POST", ORDERS, json=order(**changes))

    def get(self, path: str, **params: Any) -> Any:
        """The JSON of a signed GET."""
        answer = self.call("GET", path, params=params)
        answer.raise_for_status()
        return answer.json()

    def step(self, **delta: float) -> dict[str, Any]:
        """Move the clock; its answer."""
        now = datetime.fromisoformat(self.http.get("/sandbox/clock").json()["now"])
        answer = self.http.post(
            "/sandbox/clock", json={"advance_to": rfc3339(now + timedelta(**delta))}
        )
        answer.raise_for_status()
        return answer.json()

    def script(self, **entry: Any) -> None:
        """Add one entry to the script."""
        self.http.post("/sandbox/script", json={"entries": [entry]}).raise_for_status()

    @contextmanager
    def socket(self) -> Iterator["Socket"]:
        """An open WebSocket."""
        headers = self.headers("GET", "/trade-api/ws/v2")
        url = self.sandbox.ws_url
        with connect(url, additional_headers=headers, max_queue=None) as connection:
            yield Socket(connection)


class Socket:
    """A WebSocket that counts its commands and frames."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        assert connection.response is not None
        self.id = connection.response.headers["X-Sandbox-Connection"]
        self.frames: list[dict[str, Any]] = []
        self._commands = 0

    def read(self) -> dict[str, Any]:
        """The next frame."""
        frame = json.loads(self.connection.recv(timeout=10))
        self.frames.append(frame)
        return frame

    def command(self, cmd: str, **params: Any) -> dict[str, Any]:
        """Send a command; its first reply."""
        self._commands += 1
        body: dict[str, Any] = {"id": self._commands, "cmd": cmd}
        if params:
            body["params"] = params
        self.connection.send(json.dumps(body))
        return self.read()

    def read_until(self, total: int) -> list[dict[str, Any]]:
        """Read until so many frames have come in all; the new ones."""
        first = len(self.frames)
        while len(self.frames) < total:
            self.read()
        return self.frames[first:]

    def stepped(self, client: Client, **delta: float) -> list[dict[str, Any]]:
        """Move the clock and read every frame that this caused."""
        return self.read_until(client.step(**delta)["frames"][self.id])


@contextmanager
def trading(
    root: Path, *, port: int = 0, pem: bytes | None = None, **options: Any
) -> Iterator[Client]:
    """A running sandbox that accepts orders; time stands, reads do not lag, buckets are endless."""
    settings = {"start": START, "read_lag_s": 0.0, "write_bucket": ENDLESS} | options
    sandboxed = running(
        root,
        port=port,
        pem=pem,
        anonymous_bucket=ENDLESS,
        read_bucket=ENDLESS,
        trading=Trading(**settings),
    )
    with sandboxed as sandbox:
        client = Client(sandbox)
        with client.http:
            yield client
