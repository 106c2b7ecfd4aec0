"""What a feed took is on disk, and comes back bit for bit; a crash loses the last flush at most."""

import gzip
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kalshi_assets.lake.files import Files
from kalshi_assets.stream.events import BookLost, Missed
from kalshi_assets.stream.market_stream import MarketStream
from kalshi_assets.stream.messages import Kind, Message
from kalshi_assets.stream.recording import (
    RecordingError,
    Recordings,
    RecordingWriter,
    messages_of,
)
from kalshi_assets.units import HOUR_US, MINUTE_US
from kalshi_assets_tests.stream.frames import START_US, closed, delta, opened, received, snapshot
from kalshi_assets_tests.stream.test_market_stream import A, Session

NEVER_S = 1e6
ODD = [
    received("\n\n"),
    received('{"type":"ok"}\n'),
    Message(Kind.RECEIVED, START_US + 5, "received 1 3\nabc°\n".encode()),
    Message(Kind.SENT, START_US + 6, b""),
    closed(),
]


def written(root: Path, *messages: Message, began_us: int = START_US) -> str:
    """The name of the file of a recording that has one."""
    with RecordingWriter(Files(root), began_us, "a test", flush_s=NEVER_S) as writer:
        for message in messages:
            writer.write(message)
    return writer.name


def read(root: Path) -> tuple[list[Message], list[str]]:
    recordings, damage = Recordings(Files(root)), list[str]()
    runs = recordings.runs_between(START_US, START_US + 10 * HOUR_US)
    return [m for parts in runs for m in recordings.messages(parts, damage.append)], damage


def test_messages_come_back_bit_for_bit(tmp_path: Path) -> None:
    name = written(tmp_path, *ODD)
    assert read(tmp_path) == (ODD, [])
    assert name == "recordings/date=2026-06-15/20260615T120000.0-00000-120000.gz"
    assert b"received 1 3\nabc" in gzip.decompress((tmp_path / name).read_bytes())


def test_two_recorders_of_the_same_second_have_their_own_files(tmp_path: Path) -> None:
    assert written(tmp_path, ODD[0]) != written(tmp_path, ODD[1])
    assert read(tmp_path)[0] == ODD[:2]


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_torn_tail_loses_the_last_flush_and_reading_says_so(tmp_path: Path, cut: int) -> None:
    with RecordingWriter(Files(tmp_path), START_US, "a test", flush_s=NEVER_S) as writer:
        for message in ODD[:3]:
            writer.write(message)
        writer.flush()
        writer.write(ODD[3])
        writer.write(ODD[4])
    path = tmp_path / writer.name
    path.write_bytes(path.read_bytes()[:-cut])
    found, damage = read(tmp_path)
    assert found == ODD[:3]
    assert [("incomplete write" in each, path.name in each) for each in damage] == [(True, True)]


def test_a_spoilt_byte_ends_the_file_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / written(tmp_path, *ODD)
    content = bytearray(path.read_bytes())
    content[-6] ^= 1
    path.write_bytes(content)
    found, damage = read(tmp_path)
    assert found == []
    assert "are lost" in damage[0]


def test_a_file_of_another_format_is_refused() -> None:
    content = gzip.compress(b'file 1 12\n{"format":9}\n')
    with pytest.raises(RecordingError, match=r"x\.gz is not a recording of format 1"):
        list(messages_of(content, "x.gz", print))


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + 20.0
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_what_is_kept_is_stored_without_being_asked(tmp_path: Path) -> None:
    with RecordingWriter(Files(tmp_path), START_US, "a test", flush_s=0.01) as writer:
        writer.write(ODD[0])
        eventually(lambda: read(tmp_path)[0] == ODD[:1])


def test_a_disk_that_cannot_be_written_is_told_at_the_next_message(tmp_path: Path) -> None:
    writer = RecordingWriter(Files(tmp_path), START_US, "a test", flush_s=0.01)
    path = tmp_path / writer.name
    path.unlink()
    path.mkdir()

    def refuses() -> bool:
        try:
            writer.write(ODD[0])
        except RecordingError as error:
            return "Is a directory" in str(error)
        return False

    with pytest.raises(RecordingError, match=r"gz ends: .*Is a directory"), writer:
        eventually(refuses)


def begun(session: Session) -> None:
    session.take(opened())
    ident = session.sent[0]["id"]
    session.take(
        {"id": ident, "type": "subscribed", "msg": {"channel": "orderbook_delta", "sid": 1}}
    )
    session.take(snapshot(A, ((4_700, 300),), ((5_200, 200),), sid=1, seq=1))


def test_a_reader_that_begins_with_a_later_part_knows_each_book_from_its_snapshot_on(
    tmp_path: Path,
) -> None:
    session = Session()
    begun(session)
    later = START_US + HOUR_US
    with RecordingWriter(Files(tmp_path), START_US, "a test", flush_s=NEVER_S) as writer:
        for message in session.messages:
            writer.write(message)
        assert not writer.is_full(later - 1)
        assert writer.is_full(later)
        writer.turn(session.stream.state(later))
        session.messages.clear()
        session.stream.refresh()
        assert session.sent[-1]["params"]["action"] == "get_snapshot"
        session.take(
            received(delta(A, "yes", 4_700, 100, sid=1, seq=2), later + 1),
            received(snapshot(A, ((4_700, 400),), ((5_200, 200),), sid=1, seq=3, id=9), later + 2),
            received(delta(A, "no", 5_300, 100, sid=1, seq=4), later + 3),
        )
        for message in session.messages:
            writer.write(message)
    recordings = Recordings(Files(tmp_path))
    (both,) = recordings.runs_between(START_US, later + HOUR_US)
    (second,) = recordings.runs_between(later + MINUTE_US, later + HOUR_US)
    assert ([part.number for part in both], [part.number for part in second]) == ([0, 1], [1])
    for parts, expected in ((both, 0), (second, 1)):
        stream = MarketStream()
        for message in recordings.messages(parts, print):
            stream.take(message)
        assert stream.gaps == expected


def test_a_part_whose_forerunner_was_torn_begins_with_lost_books(tmp_path: Path) -> None:
    session = Session()
    begun(session)
    before = MarketStream()
    for message in session.messages:
        before.take(message)
    session.take(delta(A, "yes", 4_700, 100, sid=1, seq=2))
    events = before.take(session.stream.state(START_US + HOUR_US))
    assert [type(event) for event in events] == [Missed, BookLost]
    assert "missing" in before.books[A].stale
