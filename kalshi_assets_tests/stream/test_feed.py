"""The feed over a real socket: signed, recovered, made again, and never silent for long."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kalshi_assets.lake.files import Files
from kalshi_assets.stream.books import BID, Top
from kalshi_assets.stream.connection import Connection
from kalshi_assets.stream.events import BookLost, BookReplaced, Closed, Event, LevelChanged, Opened
from kalshi_assets.stream.feed import Feed
from kalshi_assets.stream.market_stream import MarketStream
from kalshi_assets.stream.messages import Kind
from kalshi_assets.stream.recording import Recordings, RecordingWriter
from kalshi_assets.units import HOUR_US
from kalshi_assets_tests.stream.frames import START_US, delta, snapshot, subscribed
from kalshi_assets_tests.stream.scripted_exchange import (
    Peer,
    ScriptedExchange,
    new_signer,
    scripted,
)

A = "KXHIGHNY-26JUN15-T78"
PATIENCE_S = 20.0


def at_once() -> Iterator[float]:
    while True:
        yield 0.0


def feed_of(exchange: ScriptedExchange, silence_s: float = 45.0) -> Feed:
    connection = Connection(exchange.url, exchange.signer, delays=at_once)
    feed = Feed(exchange.url, exchange.signer, connection=connection, silence_s=silence_s)
    feed.follow([A])
    return feed


def until(feed: Feed, kind: type[Event], count: int = 1) -> list[Event]:
    """All events up to the n-th of a kind."""
    events: list[Event] = []
    deadline = time.monotonic() + PATIENCE_S
    while sum(isinstance(event, kind) for event in events) < count:
        assert time.monotonic() < deadline, events
        events += feed.next_events(0.1)
    return events


def begin(peer: Peer) -> None:
    """Answer both subscriptions and send the first snapshot."""
    first, second = peer.hear(), peer.hear()
    assert first["params"]["use_yes_price"] is True
    peer.say(
        subscribed("orderbook_delta", 1, first["id"]),
        subscribed("trade", 2, first["id"]),
        subscribed("market_lifecycle_v2", 3, second["id"]),
        snapshot(A, ((4_700, 300),), ((5_200, 200),), sid=1, seq=1),
    )


def test_a_book_is_kept_over_a_signed_connection() -> None:
    def script(peer: Peer) -> None:
        begin(peer)
        peer.say("\n", delta(A, "no", 5_200, -200, sid=1, seq=2))
        peer.wait()

    with scripted(script) as exchange, feed_of(exchange) as feed:
        events = feed.events_to_frame(0, 1.0) + until(feed, Opened)
        assert feed.connection_name == "c1"
        events += feed.events_to_frame(6, PATIENCE_S)
        assert feed.frames == 6
        assert [type(e) for e in events if not isinstance(e, Opened)] == [
            BookReplaced,
            LevelChanged,
        ]
        assert feed.books[A].top == Top(4_700, 300, 10_000, 0)


def test_a_key_that_the_exchange_does_not_know_is_refused_and_counted() -> None:
    with scripted(Peer.wait) as exchange:
        exchange.signer, known = new_signer(), exchange.signer
        connection = Connection(exchange.url, known, delays=at_once)
        with Feed(exchange.url, known, connection=connection) as feed:
            events = until(feed, Closed, 3)
            assert feed.refusals >= 3
            assert not feed.connected
    refusal = next(event for event in events if isinstance(event, Closed))
    assert refusal.status == 401
    assert "INCORRECT_API_KEY_SIGNATURE" in refusal.cause


def test_every_attempt_to_connect_is_signed_anew() -> None:
    with scripted(Peer.wait, refused=2) as exchange, feed_of(exchange) as feed:
        events = until(feed, Opened)
        assert [type(event) for event in events] == [Closed, Closed, Opened]
        assert feed.refusals == 0


def test_a_lost_connection_drops_the_book_and_the_next_one_brings_it_again() -> None:
    def script(peer: Peer) -> None:
        begin(peer)
        if peer.number == 1:
            peer.socket.close()
            return
        peer.say(delta(A, "yes", 4_700, 100, sid=1, seq=2))
        peer.wait()

    with scripted(script) as exchange, feed_of(exchange) as feed:
        events = until(feed, LevelChanged)
        assert [type(event) for event in events] == [
            Opened,
            BookReplaced,
            Closed,
            BookLost,
            Opened,
            BookReplaced,
            LevelChanged,
        ]
        assert feed.connection_name == "c2"
        assert feed.books[A].top.bid_size == 400
        assert len(exchange.handshakes) == 2


def test_a_gap_is_repaired_by_a_snapshot_over_the_same_connection() -> None:
    def script(peer: Peer) -> None:
        begin(peer)
        peer.say(delta(A, "yes", 4_700, 100, sid=1, seq=5))
        command = peer.hear()
        assert command["params"] == {"sid": 1, "action": "get_snapshot", "market_tickers": [A]}
        peer.say(snapshot(A, ((4_600, 700),), sid=1, seq=6, id=command["id"]))
        peer.wait()

    with scripted(script) as exchange, feed_of(exchange) as feed:
        until(feed, BookReplaced, 2)
        assert feed.books[A].top.bid_size == 700
        assert (feed.gaps, len(exchange.handshakes)) == (1, 1)


def test_silence_is_questioned_and_ends_the_connection_if_nothing_answers() -> None:
    heard = []

    def script(peer: Peer) -> None:
        begin(peer)
        if peer.number == 1:
            heard.append(peer.hear()["cmd"])
        peer.wait()

    with scripted(script) as exchange, feed_of(exchange, silence_s=0.6) as feed:
        events = until(feed, Opened, 2)
    assert heard == ["list_subscriptions"]
    assert [e.cause for e in events if isinstance(e, Closed)] == ["no frame for 0.6 s"]


def test_a_quiet_connection_that_answers_stays() -> None:
    answered = []

    def script(peer: Peer) -> None:
        begin(peer)
        while True:
            command = peer.hear(PATIENCE_S)
            answered.append(command["cmd"])
            peer.say({"id": command["id"], "type": "ok", "msg": []})

    with scripted(script) as exchange, feed_of(exchange, silence_s=0.4) as feed:
        deadline = time.monotonic() + PATIENCE_S
        while len(answered) < 3 and time.monotonic() < deadline:
            feed.next_events(0.05)
        assert answered[:3] == ["list_subscriptions"] * 3
        assert len(exchange.handshakes) == 1


def test_frames_that_do_not_come_are_an_error_with_their_number() -> None:
    with scripted(Peer.wait) as exchange, feed_of(exchange) as feed:
        until(feed, Opened)
        with pytest.raises(TimeoutError, match="0 of 3 frames of connection c1 came within"):
            feed.events_to_frame(3, 0.05)


def test_a_recording_goes_on_in_another_file_each_hour_and_can_be_read_from_there(
    tmp_path: Path,
) -> None:
    now_us = START_US

    def script(peer: Peer) -> None:
        begin(peer)
        peer.hear()
        peer.say(delta(A, "yes", 4_700, 100, sid=1, seq=2))
        command = peer.hear()
        assert command["params"] == {"sid": 1, "action": "get_snapshot", "market_tickers": [A]}
        peer.say(
            snapshot(A, ((4_700, 400),), ((5_200, 200),), sid=1, seq=3, id=command["id"]),
            delta(A, "yes", 4_600, 100, sid=1, seq=4),
        )
        peer.wait()

    with (
        scripted(script) as exchange,
        RecordingWriter(Files(tmp_path), START_US, "a test") as recording,
        Feed(exchange.url, exchange.signer, recording=recording, clock_us=lambda: now_us) as feed,
    ):
        feed.follow([A])
        until(feed, BookReplaced)
        now_us = START_US + HOUR_US
        feed._stream.probe()
        until(feed, LevelChanged, 2)
        book = feed.books[A]
    (parts,) = Recordings(Files(tmp_path)).runs_between(START_US, START_US + HOUR_US)
    assert [part.number for part in parts] == [0, 1]
    stream = MarketStream()
    for message in Recordings(Files(tmp_path)).messages(parts[1:], print):
        if message.kind is not Kind.CLOSED:
            stream.take(message)
    assert stream.books[A].fresh
    assert stream.books[A].levels(BID) == book.levels(BID) == [(4_700, 400), (4_600, 100)]


def test_without_a_wait_everything_that_arrived_is_taken() -> None:
    frames = 2_500

    def script(peer: Peer) -> None:
        begin(peer)
        for n in range(frames):
            peer.say(delta(A, "yes", 4_700, 100, sid=1, seq=n + 2))
        peer.wait()

    with scripted(script) as exchange, feed_of(exchange) as feed:
        until(feed, BookReplaced)
        deadline = time.monotonic() + PATIENCE_S
        while feed._connection.waiting < frames // 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert len(feed.next_events(0.0)) >= frames // 2
        while feed.books[A].top.bid_size < 300 + frames * 100:
            assert time.monotonic() < deadline
            feed.next_events(0.1)


def test_an_address_that_is_none_is_an_error_of_the_session() -> None:
    feed = Feed("http://127.0.0.1:9/", new_signer())
    with pytest.raises(ConnectionError, match="the feed cannot use http://127"), feed:
        until(feed, Opened)


def test_the_end_of_a_session_closes_the_connection() -> None:
    left = []

    def script(peer: Peer) -> None:
        begin(peer)
        peer.wait()
        left.append(peer.socket.close_code)

    with scripted(script) as exchange, feed_of(exchange) as feed:
        until(feed, BookReplaced)
    assert not feed.connected
    assert left == [1000]
