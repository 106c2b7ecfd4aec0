"""Books and events follow from messages; what is lost is found and asked for again."""

import json
from pathlib import Path
from typing import Any

import pytest

from kalshi_assets.stream.books import ASK, BID, Top
from kalshi_assets.stream.events import (
    BookLost,
    BookReplaced,
    Closed,
    Event,
    Filled,
    LevelChanged,
    Lifecycle,
    Missed,
    Opened,
    OrderChanged,
    Refused,
    Traded,
    Unreadable,
)
from kalshi_assets.stream.market_stream import MarketStream
from kalshi_assets.stream.messages import Kind, Message
from kalshi_assets.stream.subscriptions import PRIVATE, PUBLIC
from kalshi_assets_tests.shared import SAMPLES, needs_samples
from kalshi_assets_tests.stream.frames import (
    START_US,
    closed,
    delta,
    opened,
    received,
    snapshot,
    subscribed,
    trade,
)

A, B = "KXHIGHNY-26JUN15-T78", "KXHIGHNY-26JUN15-B84.5"


class Session:
    """A stream with the commands that it sent, and all messages, for a replay."""

    def __init__(self, channels: tuple[str, ...] = PUBLIC) -> None:
        self.sent: list[dict[str, Any]] = []
        self.messages: list[Message] = []
        self.stream = MarketStream(channels, self._send)
        self.stream.follow([A, B])

    def _send(self, text: bytes) -> None:
        self.sent.append(json.loads(text))
        self.messages.append(Message(Kind.SENT, START_US, text))

    def take(self, *frames: dict[str, Any] | str | Message) -> list[Event]:
        events: list[Event] = []
        for frame in frames:
            message = frame if isinstance(frame, Message) else received(frame)
            self.messages.append(message)
            events += self.stream.take(message)
        return events

    def actions(self) -> list[str]:
        return [c["params"].get("action", c["cmd"]) for c in self.sent]

    def begun(self) -> "Session":
        """With both books known, at message 2 of sid 1."""
        self.take(
            opened(),
            subscribed("orderbook_delta", 1),
            subscribed("trade", 2),
            subscribed("market_lifecycle_v2", 3, 2),
            snapshot(A, ((4_700, 300),), ((5_200, 200),), sid=1, seq=1),
            snapshot(B, ((1_000, 100),), sid=1, seq=2),
        )
        self.stream.tick(0.0)
        self.sent.clear()
        return self


def test_a_connection_subscribes_in_yes_prices_and_says_so() -> None:
    session = Session()
    assert session.take(opened()) == [Opened(START_US, 1, "")]
    assert [c["params"] for c in session.sent] == [
        {
            "channels": ["orderbook_delta", "trade"],
            "market_tickers": [A, B],
            "use_yes_price": True,
        },
        {"channels": ["market_lifecycle_v2"]},
    ]


def test_snapshots_and_changes_make_the_book() -> None:
    session = Session().begun()
    events = session.take(
        delta(A, "yes", 4_700, -300, sid=1, seq=3), delta(A, "no", 5_100, 50, sid=1, seq=4)
    )
    book = session.stream.books[A]
    assert book.top == Top(0, 0, 5_100, 50)
    assert [(e.side, e.price_cc, e.size) for e in events if isinstance(e, LevelChanged)] == [
        (BID, 4_700, 0),
        (ASK, 5_100, 50),
    ]
    assert session.stream.books[B].top == Top(1_000, 100, 10_000, 0)


def test_replies_consume_numbers_too() -> None:
    session = Session().begun()
    reply = {"id": 9, "sid": 1, "seq": 3, "type": "ok", "msg": {"market_tickers": [A, B]}}
    events = session.take(reply, delta(A, "yes", 4_700, 100, sid=1, seq=4))
    assert [type(event) for event in events] == [LevelChanged]
    assert session.stream.gaps == 0


def test_after_a_gap_all_books_are_stale_until_their_new_snapshots() -> None:
    session = Session().begun()
    events = session.take(delta(A, "yes", 4_700, 100, sid=1, seq=4))
    assert [type(event) for event in events] == [Missed, BookLost, BookLost]
    assert session.stream.tick(1.0) == ""
    assert session.sent[-1]["params"] == {
        "sid": 1,
        "action": "get_snapshot",
        "market_tickers": [A, B],
    }
    assert session.take(delta(A, "yes", 4_700, 100, sid=1, seq=5)) == []
    again = snapshot(A, ((4_600, 900),), ((5_200, 200),), sid=1, seq=6, id=3)
    assert [type(event) for event in session.take(again)] == [BookReplaced]
    assert session.stream.books[A].top.bid_size == 900
    assert not session.stream.books[B].fresh
    session.stream.tick(1.5)
    assert session.actions() == ["get_snapshot"]
    session.stream.tick(2.5)
    assert session.sent[-1]["params"]["market_tickers"] == [B]


def test_a_gap_of_trades_leaves_the_books_as_they_are() -> None:
    session = Session().begun()
    events = session.take(trade(A, 5_200, 100, sid=2, seq=3))
    assert [type(event) for event in events] == [Missed, Traded]
    assert session.stream.books[A].usable


def test_the_last_message_once_more_changes_nothing() -> None:
    session = Session().begun()
    change = delta(A, "yes", 4_700, 100, sid=1, seq=3)
    assert len(session.take(change, change)) == 1
    assert session.stream.books[A].top.bid_size == 400
    assert (session.stream.gaps, session.stream.repeated) == (0, 1)


def test_messages_in_another_order_are_a_gap_that_one_request_repairs() -> None:
    session = Session().begun()
    for seq in (4, 3, 5):
        session.take(delta(A, "yes", 4_700, seq, sid=1, seq=seq))
        session.stream.tick(1.0)
    assert session.stream.gaps == 3
    assert session.actions() == ["get_snapshot"]


def test_no_snapshot_after_five_requests_is_a_reason_to_connect_again() -> None:
    session = Session().begun()
    session.take(delta(A, "yes", 4_700, 100, sid=1, seq=9))
    causes = [session.stream.tick(float(second)) for second in range(2, 20, 2)]
    assert session.actions() == ["get_snapshot"] * 5
    assert causes[:5] == [""] * 5
    assert "no usable book" in causes[5]


def test_a_book_that_never_comes_does_not_end_the_connection_of_the_others() -> None:
    session = Session().begun()
    session.take(delta(A, "yes", 4_700, -400, sid=1, seq=3))
    causes = [session.stream.tick(float(second)) for second in range(2, 62, 2)]
    assert set(causes) == {""}
    assert session.actions() == ["get_snapshot"] * 6


def test_a_subscription_that_is_refused_is_asked_for_again_after_a_while() -> None:
    session = Session()
    session.take(opened())
    error = {"type": "error", "id": 1, "msg": {"code": 26, "msg": "too many markets"}}
    assert [type(event) for event in session.take(error)] == [Refused]
    session.sent.clear()
    session.stream.tick(1.0)
    session.stream.tick(30.0)
    assert session.sent == []
    session.stream.tick(31.0)
    assert [c["params"]["channels"] for c in session.sent] == [["orderbook_delta"], ["trade"]]


def test_a_subscription_that_is_not_answered_is_a_reason_to_connect_again() -> None:
    session = Session()
    session.take(opened())
    assert session.stream.tick(0.0) == ""
    assert "no answer to command 1" in session.stream.tick(11.0)


@pytest.mark.parametrize("code", [10, 25])
def test_an_ended_subscription_is_made_again(code: int) -> None:
    session = Session().begun()
    error = {"type": "error", "sid": 1, "seq": 3, "msg": {"code": code, "msg": "ended"}}
    events = session.take(error)
    assert [type(event) for event in events] == [Refused, Missed, BookLost, BookLost]
    session.stream.tick(5.0)
    assert session.sent == []
    session.stream.tick(6.0)
    assert [c["params"]["channels"] for c in session.sent] == [["orderbook_delta"]]
    ident = session.sent[0]["id"]
    session.take(
        subscribed("orderbook_delta", 7, ident),
        snapshot(A, ((4_700, 300),), sid=7, seq=1),
        snapshot(B, ((1_000, 100),), sid=7, seq=2),
    )
    assert session.stream.books[A].usable
    assert session.stream.gaps == 1


def test_frames_of_an_ended_subscription_are_nothing() -> None:
    session = Session().begun()
    session.take({"type": "error", "sid": 1, "seq": 3, "msg": {"code": 25, "msg": "overflow"}})
    assert session.take(snapshot(A, ((4_700, 300),), sid=1, seq=4)) == []
    assert not session.stream.books[A].fresh


def test_a_new_connection_drops_every_book() -> None:
    session = Session().begun()
    events = session.take(closed("lost"), opened(2))
    assert [type(event) for event in events] == [Closed, BookLost, BookLost, Opened]
    assert [c["cmd"] for c in session.sent] == ["subscribe", "subscribe"]
    session.take(
        subscribed("orderbook_delta", 1, session.sent[0]["id"]),
        snapshot(A, ((4_500, 300),), sid=1, seq=1),
    )
    assert session.stream.books[A].top.bid == 4_500
    assert session.stream.gaps == 0


def test_a_frame_that_cannot_be_read_loses_every_book() -> None:
    session = Session().begun()
    broken = delta(A, "yes", 4_700, 100, sid=1, seq=3)
    broken["msg"]["price_dollars"] = "0.47005"
    events = session.take(broken)
    assert [type(event) for event in events] == [Unreadable, BookLost, BookLost]
    assert "price_dollars" in str(events[0])


def test_a_size_below_zero_loses_that_book_alone() -> None:
    session = Session().begun()
    events = session.take(delta(A, "yes", 4_700, -400, sid=1, seq=3))
    assert [type(event) for event in events] == [BookLost]
    assert session.stream.books[B].usable
    session.stream.tick(1.0)
    assert session.sent[-1]["params"]["market_tickers"] == [A]


def test_a_market_followed_later_is_added_to_the_subscriptions() -> None:
    session = Session().begun()
    session.stream.follow(["C"])
    assert [c["params"] for c in session.sent] == [
        {"sid": 1, "action": "add_markets", "market_tickers": ["C"]},
        {"sid": 2, "action": "add_markets", "market_tickers": ["C"]},
    ]
    session.stream.tick(1.0)
    session.take(snapshot("C", ((200, 100),), sid=1, seq=3))
    assert session.stream.books["C"].usable
    session.stream.leave([B])
    assert [c["params"]["action"] for c in session.sent[2:]] == ["delete_markets"] * 2
    assert set(session.stream.books) == {A, "C"}


def test_a_market_followed_before_the_answer_is_added_when_it_comes() -> None:
    session = Session()
    session.take(opened())
    session.stream.follow(["C"])
    assert session.actions() == ["subscribe", "subscribe"]
    session.take(subscribed("orderbook_delta", 1))
    assert session.sent[-1]["params"]["market_tickers"] == ["C"]


def test_own_orders_and_fills_come_as_events() -> None:
    session = Session((*PUBLIC, *PRIVATE))
    session.take(opened())
    assert session.sent[1]["params"]["channels"] == [
        "market_lifecycle_v2",
        "fill",
        "user_orders",
    ]
    fill = {
        "trade_id": "t",
        "order_id": "o",
        "client_order_id": "c",
        "market_ticker": A,
        "is_taker": True,
        "yes_price_dollars": "0.5200",
        "count_fp": "1.00",
        "fee_cost": "0.017500",
        "outcome_side": "no",
        "book_side": "ask",
        "post_position_fp": "-1.00",
        "ts_ms": START_US // 1000,
    }
    order = {
        "order_id": "o",
        "ticker": A,
        "status": "canceled",
        "outcome_side": "no",
        "yes_price_dollars": "0.5200",
        "initial_count_fp": "2.00",
        "fill_count_fp": "1.00",
        "remaining_count_fp": "0.00",
        "last_update_reason": "ExpiryCancel",
    }
    filled, changed = session.take(
        {"type": "fill", "sid": 4, "msg": fill}, {"type": "user_order", "sid": 5, "msg": order}
    )
    assert isinstance(filled, Filled)
    assert (filled.fill.fee_millionths, filled.fill.position) == (17_500, -100)
    assert isinstance(changed, OrderChanged)
    assert (changed.order.filled, changed.order.reason) == (100, "ExpiryCancel")


def test_changes_of_markets_come_as_events() -> None:
    session = Session().begun()
    body = {"event_type": "deactivated", "market_ticker": A, "is_deactivated": True}
    events = session.take({"type": "market_lifecycle_v2", "sid": 3, "seq": 1, "msg": body})
    assert events == [Lifecycle(START_US, "market_lifecycle_v2", body)]


def test_the_clock_is_compared_with_the_exchanges() -> None:
    session = Session()
    assert session.stream.clock_skew_us is None
    sent_ms = START_US // 1000
    session.take({"type": "ok", "id": 4, "sending_ts_ms": sent_ms - 40})
    session.take({"type": "ok", "id": 4, "sending_ts_ms": sent_ms - 1_900})
    assert (session.stream.clock_skew_us, session.stream.lag_us) == (40_000, 1_900_000)


def test_a_replay_of_all_messages_gives_the_same_books_and_sends_nothing() -> None:
    session = Session().begun()
    session.take(
        delta(A, "yes", 4_700, 100, sid=1, seq=3),
        delta(A, "yes", 4_700, 100, sid=1, seq=5),
        snapshot(A, ((4_600, 900),), ((5_200, 200),), sid=1, seq=6, id=3),
        closed(),
        opened(2),
    )
    session.take(
        subscribed("orderbook_delta", 1, session.sent[-2]["id"]),
        snapshot(A, ((100, 1),), sid=1, seq=1),
    )
    replay = MarketStream()
    events = [event for message in session.messages for event in replay.take(message)]
    assert replay.tick(99.0) == ""
    assert {t: (b.levels(BID), b.levels(ASK), b.stale) for t, b in replay.books.items()} == {
        t: (b.levels(BID), b.levels(ASK), b.stale) for t, b in session.stream.books.items()
    }
    assert [type(event) for event in events].count(BookReplaced) == 4


@needs_samples
@pytest.mark.parametrize("yes_price", [True, False])
def test_the_recorded_streams_give_their_books_in_either_scale(yes_price: bool) -> None:
    name = "ws__orderbook_trade_yes" if yes_price else "ws__orderbook_trade_noleg"
    folder: Path = SAMPLES / "kalshi"
    meta = json.loads((folder / f"{name}.meta.json").read_bytes())
    stream = MarketStream()
    stream.take(opened())
    stream.take(Message(Kind.SENT, START_US, json.dumps(meta["subscribe_cmd"]).encode()))
    tops = []
    for line in (folder / f"{name}.jsonl").read_text("utf-8").split("\n"):
        tops += [e.top for e in stream.take(received(line)) if not isinstance(e, Opened)]
    asks = [top.ask for top in tops]
    assert asks == ([5_200, 10_000, 5_200] if yes_price else [5_200, 5_200, 10_000, 10_000, 5_200])
    assert stream.gaps == 0
