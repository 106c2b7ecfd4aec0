"""The recorder follows markets while they are open, over disconnects, and ends when told to."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from kalshi_assets.exchange.errors import ServerError
from kalshi_assets.lake.files import Files
from kalshi_assets.stream.connection import Connection, wall_us
from kalshi_assets.stream.events import BookReplaced, LevelChanged
from kalshi_assets.stream.feed import Feed
from kalshi_assets.stream.market_stream import MarketStream
from kalshi_assets.stream.recorder import Recorder
from kalshi_assets.stream.recording import Recordings, RecordingWriter
from kalshi_assets.units import HOUR_US
from kalshi_assets_tests.stream.frames import START_US, delta, snapshot, subscribed
from kalshi_assets_tests.stream.scripted_exchange import Peer, scripted
from kalshi_assets_tests.stream.test_feed import at_once

A, B = "KXHIGHNY-26JUN15-T78", "KXHIGHNY-26JUN16-T78"
PATIENCE_S = 20.0


class Clock:
    """A clock that runs fast: an hour of the recorder takes a second."""

    def __call__(self) -> float:
        return time.monotonic() * 3_600


def script(peer: Peer) -> None:
    """Two connections: the first is lost; over both come snapshots of what is followed."""
    seq = 0
    sids: dict[str, int] = {}
    while True:
        command = peer.hear(PATIENCE_S)
        params = command.get("params", {})
        if command["cmd"] == "subscribe":
            for name in params["channels"]:
                sids[name] = len(sids) + 1
                peer.say(subscribed(name, sids[name], command["id"]))
        more = params.get("action") in ("add_markets", "get_snapshot")
        of_books = more and params["sid"] == sids["orderbook_delta"]
        if of_books or "orderbook_delta" in params.get("channels", ()):
            for ticker in params["market_tickers"]:
                seq += 1
                sid = sids["orderbook_delta"]
                peer.say(snapshot(ticker, ((4_700, 300),), sid=sid, seq=seq))
                seq += 1
                peer.say(delta(ticker, "yes", 4_700, 100, sid=sid, seq=seq))
                if peer.number == 1:
                    peer.socket.close()


def recorded(
    root: Path,
    listing: Callable[[], Mapping[str, int]],
    enough: Callable[[Feed], bool],
    clock_us: Callable[[], int] = wall_us,
) -> list[str]:
    """What a recorder says that runs until enough is known."""
    said: list[str] = []
    deadline = time.monotonic() + PATIENCE_S
    with (
        scripted(script) as exchange,
        RecordingWriter(Files(root), wall_us(), "a test") as recording,
        Feed(
            exchange.url,
            exchange.signer,
            recording=recording,
            connection=Connection(exchange.url, exchange.signer, delays=at_once),
        ) as feed,
    ):
        Recorder(
            feed=feed,
            recording=recording,
            listing=listing,
            clock_us=clock_us,
            monotonic=Clock(),
            stopped=lambda: enough(feed) or time.monotonic() > deadline,
            tell=said.append,
        ).run()
    assert time.monotonic() < deadline, said
    return said


def test_what_a_recorder_took_replays_as_the_same_books(tmp_path: Path) -> None:
    listings = iter([{A: wall_us() + HOUR_US}, {A: wall_us() + HOUR_US, B: wall_us() + HOUR_US}])

    def listing() -> Mapping[str, int]:
        return next(listings, {})

    def enough(feed: Feed) -> bool:
        return {A, B} <= {t for t, book in feed.books.items() if book.usable}

    said = recorded(tmp_path, listing, enough)
    assert said[0] == "following 1 more markets: KXHIGHNY-26JUN15"
    assert "following 1 more markets: KXHIGHNY-26JUN16" in said
    assert any(line.startswith("not connected: ") for line in said)
    assert "connected, connection 2" in said
    assert said[-1].startswith("2 of 2 books known, ")
    recordings, stream, damage = Recordings(Files(tmp_path)), MarketStream(), list[str]()
    (parts,) = recordings.runs_between(wall_us() - HOUR_US, wall_us())
    events = [e for m in recordings.messages(parts, damage.append) for e in stream.take(m)]
    assert damage == []
    assert sum(isinstance(e, BookReplaced) for e in events) >= 2
    assert any(isinstance(e, LevelChanged) and e.book.ticker == B for e in events)


def test_an_exchange_that_does_not_list_is_asked_again_and_a_closed_market_left(
    tmp_path: Path,
) -> None:
    asked = 0

    def listing() -> Mapping[str, int]:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise ServerError("503")
        return {A: START_US + 9 * HOUR_US, B: START_US + HOUR_US} if asked == 2 else {}

    seen: set[str] = set()

    def enough(feed: Feed) -> bool:
        seen.update(feed.books)
        return seen == {A, B} and feed.books.keys() == {A}

    said = recorded(tmp_path, listing, enough, lambda: START_US + asked * HOUR_US // 2)
    assert said[0].startswith("the open markets could not be read: 503")
    assert "following 2 more markets: KXHIGHNY-26JUN15, KXHIGHNY-26JUN16" in said
    assert "1 markets closed: KXHIGHNY-26JUN16" in said
