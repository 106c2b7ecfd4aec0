"""Sessions under every script of the sandbox: each fault strikes, and every invariant holds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kalshi_assets.lake.store import Lake
from kalshi_assets.stream.events import Closed, Filled, Refused
from kalshi_assets.tables.live import TRADING_ENDED
from kalshi_assets_tests.live.drills import MINUTES, Seen, drill
from kalshi_assets_tests.live.invariants import Outcome

pytestmark = pytest.mark.slow

ORDERS = "/trade-api/v2/portfolio/events/orders"
LISTS = "/trade-api/v2/portfolio/"
SHORT_S = 0.02

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Drill:
    """A script, whether it did what it was meant to, and why the session ended."""

    name: str
    entries: Sequence[Entry]
    struck: Callable[[Seen], bool]
    ended: str = "stopped: the end"


def every(kind: str, step: int, **fields: Any) -> list[Entry]:
    """An entry every so many minutes, but for the first two and the last."""
    return [{"minute": m, "kind": kind, **fields} for m in range(2, MINUTES - 1, step)]


def later(minutes: int, entries: Sequence[Entry]) -> list[Entry]:
    """Entries so many minutes later."""
    return [{**entry, "minute": entry["minute"] + minutes} for entry in entries]


def requests(*faults: Entry, until: int | None = None) -> list[Entry]:
    """Faults of requests from the third minute on, to the end or to a minute."""
    start: list[Entry] = [{"minute": 3, "kind": "requests", "faults": list(faults)}]
    return start + ([] if until is None else [{"minute": until, "kind": "requests", "faults": []}])


def writes(kind: str, every_nth: int) -> list[Entry]:
    """A fault of creates and of cancels, to the end."""
    of = {"kind": kind, "path": ORDERS, "every": every_nth, "seconds": SHORT_S}
    return requests({**of, "method": "POST"}, {**of, "method": "DELETE"})


def reads(kind: str, every_nth: int, until: int | None) -> list[Entry]:
    """A fault of reads of the account."""
    of = {"kind": kind, "path": LISTS, "every": every_nth, "method": "GET", "seconds": SHORT_S}
    return requests(of, until=until)


def hit(kind: str) -> Callable[[Seen], bool]:
    """Whether a fault of requests struck more than once."""
    return lambda seen: seen.struck[kind] > 1


def doubted(kind: str) -> Callable[[Seen], bool]:
    """Whether a fault of lists struck, and the account was read again because of it."""
    return lambda seen: seen.struck[kind] > 1 and seen.rereads > 0


def outcome(seen: Seen) -> Outcome:
    """What journal and books say of a drill."""
    assert seen.outcome is not None
    return seen.outcome


def lost(times: int) -> Callable[[Seen], bool]:
    """Whether the stream ended so often, and the session journaled it."""
    return lambda seen: seen.events[Closed] >= times and seen.journaled["stream_lost"] >= times


DRILLS = [
    Drill("nothing", [], lambda seen: seen.gaps == 0 and seen.events[Closed] == 0),
    Drill("disconnect", every("disconnect", 7), lost(4)),
    Drill("cut", every("cut", 7), lost(4)),
    Drill(
        "sequence_gap",
        every("sequence_gap", 3),
        lambda seen: seen.gaps > 3 and seen.journaled["stream_missed"] > 3,
    ),
    Drill("duplicate_frame", every("duplicate_frame", 2), lambda seen: seen.repeated > 3),
    Drill("reorder_frames", every("reorder_frames", 3), lambda seen: seen.gaps > 3),
    Drill("slow_consumer", every("slow_consumer", 8), lambda seen: seen.events[Refused] > 3),
    Drill("silence", every("silence", 6, seconds=240), lambda seen: seen.withheld_s > 200),
    Drill(
        "silence_of_fills",
        every("silence", 6, seconds=240, channel="fill", lost=True),
        lambda seen: seen.events[Filled] < outcome(seen).fills,
    ),
    Drill(
        "silence_of_orders",
        every("silence", 6, seconds=240, channel="user_orders", lost=True),
        lambda seen: len(seen.orders) < outcome(seen).orders,
    ),
    Drill(
        "trading_pause",
        [*every("trading_pause", 8), *later(3, every("trading_resume", 8))],
        lambda seen: seen.notes["HaltCancel"] > 1,
    ),
    Drill(
        "market_pause",
        [
            *every("market_pause", 8, whole_event=True),
            *later(3, every("market_resume", 8, whole_event=True)),
        ],
        lambda seen: seen.notes["HaltCancel"] > 1,
    ),
    Drill(
        "early_close",
        [{"minute": 14, "kind": "early_close", "whole_event": True}],
        lambda seen: seen.notes["CloseCancel"] > 0,
        TRADING_ENDED,
    ),
    Drill(
        "clock_skew",
        [
            {"minute": 5, "kind": "clock_skew", "seconds": 3600},
            {"minute": 15, "kind": "clock_skew", "seconds": 0},
        ],
        lambda seen: seen.findings["read_failed"] > 5,
    ),
    Drill("timeout_before", writes("timeout_before", 3), hit("timeout_before")),
    Drill("timeout_after", writes("timeout_after", 3), hit("timeout_after")),
    Drill("error_after", writes("error_after", 3), hit("error_after")),
    Drill("http_500_writes", writes("http_500", 2), hit("http_500")),
    Drill("http_500_reads", reads("http_500", 2, None), hit("http_500")),
    Drill("http_429", requests({"kind": "http_429", "path": LISTS, "every": 2}), hit("http_429")),
    Drill("cut_answers", writes("cut", 2), hit("cut")),
    Drill("truncated_json", writes("truncated_json", 2), hit("truncated_json")),
    Drill("short_page", reads("short_page", 2, 22), doubted("short_page")),
    Drill("empty_page", reads("empty_page", 2, 22), hit("empty_page")),
    Drill("repeated_cursor", reads("repeated_cursor", 2, 22), doubted("repeated_cursor")),
]


@pytest.mark.parametrize(
    ("number", "of"), list(enumerate(DRILLS)), ids=[each.name for each in DRILLS]
)
def test_a_session_keeps_every_invariant_while_the_exchange_misbehaves(
    drill_archive: Path, drill_lake: Lake, tmp_path: Path, number: int, of: Drill
) -> None:
    seen = drill(drill_archive, drill_lake, tmp_path, number, of.entries)
    assert all(seen.executed)
    assert of.struck(seen), seen
    assert outcome(seen).orders > 5
    assert outcome(seen).ended == of.ended
