"""`market.order_book` says what every book was at every instant of a recording."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_assets.lake.files import Files
from kalshi_assets.stream.books import ASK, BID, Book
from kalshi_assets.stream.market_stream import MarketStream
from kalshi_assets.stream.messages import Message
from kalshi_assets.stream.order_book import books_at, order_book
from kalshi_assets.stream.recording import Recordings, RecordingWriter
from kalshi_assets.tables import ORDER_BOOK
from kalshi_assets.units import HOUR_US, SECOND_US
from kalshi_assets_tests.stream.frames import (
    START_US,
    closed,
    delta,
    opened,
    received,
    snapshot,
)
from kalshi_assets_tests.stream.test_market_stream import A, B, Session

NEVER_S = 1e6


def begun(at_us: int = START_US) -> Session:
    """A session with both books known."""
    session = Session()
    session.take(opened(1, at_us))
    reply = {"type": "subscribed", "id": 1, "msg": {"channel": "orderbook_delta", "sid": 1}}
    session.take(
        received(reply, at_us),
        received(snapshot(A, ((4_700, 300),), ((5_200, 200),), sid=1, seq=1), at_us + 1),
        received(snapshot(B, ((1_000, 100),), sid=1, seq=2), at_us + 2),
    )
    return session


def stored(root: Path, messages: list[Message], began_us: int = START_US) -> None:
    with RecordingWriter(Files(root), began_us, "a test", flush_s=NEVER_S) as writer:
        for message in messages:
            writer.write(message)


def made(root: Path) -> tuple[pl.DataFrame, list[str]]:
    damage: list[str] = []
    recordings = Recordings(Files(root))
    end_us = START_US + 10 * HOUR_US
    frame = order_book(recordings, {A, B}, START_US, end_us, damage.append)
    return ORDER_BOOK.conform(frame), damage


def levels(book: Book | None) -> tuple[list[tuple[int, int]], ...] | None:
    """Both sides; None: not known."""
    known = book is not None and book.fresh
    return (book.levels(BID), book.levels(ASK)) if known and book is not None else None


def test_no_recording_is_no_rows(tmp_path: Path) -> None:
    frame, damage = made(tmp_path)
    assert (frame.height, damage) == (0, [])


def test_a_recording_of_other_markets_is_no_rows(tmp_path: Path) -> None:
    stored(tmp_path, begun().messages)
    frame = order_book(
        Recordings(Files(tmp_path)), {"C"}, START_US, START_US + HOUR_US, lambda problem: None
    )
    assert frame.height == 0


def test_rows_are_sizes_by_level_with_both_times(tmp_path: Path) -> None:
    session = begun()
    change = delta(A, "no", 5_200, 50, START_US + 7_000, sid=1, seq=3)
    session.take(received(change, START_US + 9_123), closed(at_us=START_US + SECOND_US))
    stored(tmp_path, session.messages)
    frame, _ = made(tmp_path)
    of_a = frame.filter(pl.col("market_ticker") == A)
    assert of_a.select("change", "side", "price_cc", "size").rows() == [
        ("reset", None, None, None),
        ("level", BID, 4_700, 300),
        ("level", ASK, 5_200, 200),
        ("level", ASK, 5_200, 250),
        ("lost", None, None, None),
    ]
    row = of_a.row(3, named=True)
    assert row["event_time"] == datetime(2026, 6, 15, 12, 0, 0, 7_000, UTC)
    assert row["known_at"] == datetime(2026, 6, 15, 12, 0, 0, 9_123, UTC)


def test_a_snapshot_that_confirms_the_book_adds_no_row(tmp_path: Path) -> None:
    session = begun()
    session.take(snapshot(A, ((4_700, 300),), ((5_200, 200),), sid=1, seq=3, id=9))
    stored(tmp_path, session.messages)
    frame, _ = made(tmp_path)
    assert frame.filter(pl.col("change") == "reset").height == 2


def test_a_recorder_that_was_killed_leaves_books_that_are_lost(tmp_path: Path) -> None:
    stored(tmp_path, begun().messages)
    frame, _ = made(tmp_path)
    assert books_at(frame, START_US + 1)[A].fresh
    assert not books_at(frame, START_US + 2)[A].fresh
    assert frame.filter(pl.col("change") == "lost").height == 2


def test_a_torn_file_is_told(tmp_path: Path) -> None:
    stored(tmp_path, begun().messages)
    (path,) = tmp_path.rglob("*.gz")
    path.write_bytes(path.read_bytes()[:-3])
    frame, damage = made(tmp_path)
    assert frame.height == 0
    assert "incomplete write" in damage[0]


def test_of_two_recorders_the_first_counts_until_its_end_and_then_the_second(
    tmp_path: Path,
) -> None:
    first, second = begun(), begun(START_US + SECOND_US)
    for session in (first, second):
        for seq, at_s in ((3, 2), (4, 4)):
            change = delta(A, "yes", 4_700, 100, sid=1, seq=seq)
            session.take(received(change, START_US + at_s * SECOND_US + seq))
    second.take(received(delta(A, "yes", 4_600, 100, sid=1, seq=5), START_US + 6 * SECOND_US))
    second.take(closed(at_us=START_US + 9 * SECOND_US))
    stored(tmp_path, first.messages)
    stored(tmp_path, second.messages, START_US + SECOND_US)
    frame, _ = made(tmp_path)
    sizes = frame.filter((pl.col("market_ticker") == A) & (pl.col("side") == BID))
    assert sizes.select("price_cc", "size").rows() == [
        (4_700, 300),
        (4_700, 400),
        (4_700, 500),
        (4_700, 500),
        (4_600, 100),
    ]
    last = books_at(frame, START_US + 7 * SECOND_US)[A]
    assert last.levels(BID) == [(4_700, 500), (4_600, 100)]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["change", "change", "change", "gap", "snapshot", "reconnect"]),
        st.sampled_from([A, B]),
        st.sampled_from(["yes", "no"]),
        st.integers(1, 5),
        st.integers(-400, 400),
    ),
    max_size=40,
)


@settings(max_examples=30)
@given(STEPS)
def test_the_table_gives_every_book_at_every_message(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[str, str, str, int, int]],
) -> None:
    session, seq, number, at_us = begun(), 2, 1, START_US + 10
    for what, ticker, side, step, by in steps:
        at_us += 1_000
        seq += 1
        price = 1_000 * step if side == "yes" else 10_000 - 1_000 * (step - 1) - 500
        match what:
            case "change":
                frame = delta(ticker, side, price, by, at_us, sid=1, seq=seq)
            case "gap":
                seq += 1
                frame = delta(ticker, side, price, by, at_us, sid=1, seq=seq)
            case "snapshot":
                frame = snapshot(ticker, ((100 * step, abs(by) + 1),), sid=1, seq=seq, id=9)
            case _:
                number, seq = number + 1, 0
                session.take(closed(at_us=at_us), opened(number, at_us))
                ident = session.sent[-2]["id"]
                reply = {"channel": "orderbook_delta", "sid": 1}
                frame = {"type": "subscribed", "id": ident, "msg": reply}
        session.take(received(frame, at_us))
    root = tmp_path_factory.mktemp("recorded")
    stored(root, session.messages)
    table, _ = made(root)
    stream = MarketStream()
    for n, message in enumerate(session.messages):
        stream.take(message)
        following = session.messages[n + 1 : n + 2]
        if following and message.at_us < following[0].at_us:
            found = books_at(table, message.at_us)
            for ticker in (A, B):
                assert levels(found.get(ticker)) == levels(stream.books.get(ticker))
