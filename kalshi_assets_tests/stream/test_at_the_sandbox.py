"""The feed at the sandbox exchange: the books of a generated morning, its candles, and faults."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import httpx
import polars as pl
import pytest

from kalshi_assets.exchange.client import KalshiClient
from kalshi_assets.exchange.contract import EventContract
from kalshi_assets.exchange.ingest import fetch_candles, fetch_event, fetch_trades
from kalshi_assets.exchange.signing import Signer
from kalshi_assets.families.temperature.cities import city
from kalshi_assets.families.temperature.listing import listing_of
from kalshi_assets.instants import microseconds_of
from kalshi_assets.sandbox.app import Trading
from kalshi_assets.sandbox.buckets import BucketSize
from kalshi_assets.sandbox.server import Sandbox, running
from kalshi_assets.stream.books import ASK, BID
from kalshi_assets.stream.candles import Candles
from kalshi_assets.stream.connection import Connection
from kalshi_assets.stream.events import Event
from kalshi_assets.stream.feed import Feed
from kalshi_assets.units import MINUTE_US, SECOND_US
from kalshi_assets_tests.shared_work import shared_world
from kalshi_assets_tests.stream.test_feed import at_once

DAY = date(2026, 6, 25)
START = datetime(2026, 6, 25, 15, tzinfo=UTC)
ENDLESS = BucketSize(refill_rate=1e9, capacity=1e9)
PATIENCE_S = 30.0
QUOTES = [
    f"yes_{side}_{part}_cc" for side in ("bid", "ask") for part in ("open", "high", "low", "close")
]


class Exchange:
    """The sandbox, its clock and a day's event."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.signer = Signer.from_pem(sandbox.key_id, sandbox.private_key_pem)
        self.http = httpx.Client(base_url=sandbox.url, timeout=PATIENCE_S)
        with KalshiClient(sandbox.api_url) as client:
            self.contract: EventContract = fetch_event(client, listing_of(city("new_york"), DAY))

    def now(self) -> datetime:
        """The simulated present."""
        return datetime.fromisoformat(
            self.http.get("/sandbox/clock").raise_for_status().json()["now"]
        )

    def advance(self, minutes: float) -> dict[str, int]:
        """Move the clock; the frames sent so far by connection."""
        to = (self.now() + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")
        reply = self.http.post("/sandbox/clock", json={"advance_to": to})
        return reply.raise_for_status().json()["frames"]

    def script(self, **entry: object) -> None:
        """A fault, at once."""
        self.http.post("/sandbox/script", json={"entries": [entry]}).raise_for_status()

    def feed(self) -> Feed:
        """A feed of the event's markets."""
        url = self.sandbox.ws_url
        connection = Connection(url, self.signer, delays=at_once)
        feed = Feed(url, self.signer, connection=connection)
        feed.follow(self.contract.market_tickers)
        return feed


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """A generated day whose clock stands at 15:00Z until it is moved."""
    world = shared_world(tmp_path_factory, cities=["new_york"], start=DAY, end=DAY, seed=5)
    trading = Trading(start=START, speed=0.0)
    options = {"read_bucket": ENDLESS, "anonymous_bucket": ENDLESS, "trading": trading}
    with running(world, **options) as sandbox:
        found = Exchange(sandbox)
        yield found
        found.http.close()


def until_usable(feed: Feed) -> list[Event]:
    """Events until every book is usable."""
    events: list[Event] = []
    deadline = time.monotonic() + PATIENCE_S
    while not all(book.usable for book in feed.books.values()):
        assert time.monotonic() < deadline, [book.stale for book in feed.books.values()]
        events += feed.next_events(0.05)
    return events


def levels(feed: Feed) -> dict[str, tuple[list[tuple[int, int]], ...]]:
    return {t: (book.levels(BID), book.levels(ASK)) for t, book in feed.books.items()}


def test_candles_and_trades_of_the_stream_are_those_that_the_exchange_lists(
    exchange: Exchange,
) -> None:
    began_us, made = microseconds_of(exchange.now()), Candles("a test")
    frames: list[pl.DataFrame] = []
    with exchange.feed() as feed:
        made.take(_at(began_us, until_usable(feed)))
        for minute in range(1, 61):
            sent = exchange.advance(1)
            made.take(feed.events_to_frame(sent[feed.connection_name], PATIENCE_S))
            frames.append(made.candles(began_us + minute * MINUTE_US + 2 * SECOND_US))
        assert feed.gaps == 0
    end = exchange.now()
    found = pl.concat(frames)
    trades = made.trades(2**60)  # they arrived by the wall clock
    with KalshiClient(exchange.sandbox.api_url) as client:
        listed = fetch_candles(client, exchange.contract)
        tape = fetch_trades(client, exchange.contract)
    within = pl.col("event_time").is_between(end - timedelta(minutes=59), end)
    both = found.join(listed, on=["market_ticker", "event_time"], suffix="_listed").filter(within)
    assert both.height > 50
    for name in (*QUOTES, "price_high_cc", "price_low_cc", "volume"):
        differing = both.filter(pl.col(name).ne_missing(pl.col(f"{name}_listed")))
        assert differing.height == 0, name
    # A minute that only one of them has is one without a trade and without another quote.
    key = ["market_ticker", "event_time"]
    flat = pl.all_horizontal(
        pl.col("volume") == 0,
        *(pl.col(f"yes_{side}_high_cc") == pl.col(f"yes_{side}_low_cc") for side in ("bid", "ask")),
    )
    for some, others in ((found, listed), (listed, found)):
        alone = some.filter(within).join(others, on=key, how="anti")
        assert alone.select(flat.all()).item()
    recent = tape.filter(pl.col("event_time") > datetime.fromtimestamp(began_us / 1e6, UTC))
    assert trades["trade_id"].sort().equals(recent["trade_id"].sort())


def _at(at_us: int, events: list[Event]) -> list[Event]:
    """Events with another time of arrival: the clock of the exchange stands still."""
    return [replace(event, at_us=at_us) for event in events]


@pytest.mark.parametrize(
    ("fault", "connections"),
    [
        ({"kind": "sequence_gap"}, 1),
        ({"kind": "duplicate_frame"}, 1),
        ({"kind": "reorder_frames"}, 1),
        ({"kind": "slow_consumer"}, 1),
        ({"kind": "disconnect"}, 2),
        ({"kind": "cut"}, 2),
        ({"kind": "silence", "seconds": 60, "lost": True}, 1),
    ],
    ids=lambda fault: fault["kind"] if isinstance(fault, dict) else "",
)
def test_after_a_fault_the_books_are_those_of_a_new_connection(
    exchange: Exchange, fault: dict[str, object], connections: int
) -> None:
    with exchange.feed() as feed:
        until_usable(feed)
        first = feed.connection_name
        exchange.script(**fault)
        names = set[str]()
        for _ in range(4):
            exchange.advance(1)
            feed.next_events(0.2)
            until_usable(feed)
            names.add(feed.connection_name)
        while feed.next_events(0.3):
            pass
        until_usable(feed)
        assert len(names | {first}) == connections
        with exchange.feed() as reference:
            until_usable(reference)
            assert levels(feed) == levels(reference)
