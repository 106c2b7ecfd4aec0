"""Sessions on busy half hours of generated days, while the exchange misbehaves.

Here: one drill from the script to what was seen. Not here: the scripts (`test_fault_drills`), what
must hold afterwards (`invariants`).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx

from kalshi_assets.exchange.rest import RetryPolicy
from kalshi_assets.families.temperature.cities import city_days
from kalshi_assets.lake.store import Lake
from kalshi_assets.live.journal import Journal
from kalshi_assets.live.opening import session_name
from kalshi_assets.sandbox.faults import Fault, Faults
from kalshi_assets.stream.events import Event, LevelChanged, OrderChanged
from kalshi_assets.stream.feed import Feed
from kalshi_assets.tables import EVENTS
from kalshi_assets.units import SECOND_US
from kalshi_assets_tests.live.invariants import Outcome, must_agree
from kalshi_assets_tests.live.restless import Restless
from kalshi_assets_tests.live.worlds import at_the_sandbox

DAYS = city_days(["new_york"], date(2026, 6, 30), date(2026, 7, 11))
ACCOUNT = "demo"
MINUTES = 30
BUSY = tuple(
    (DAYS[day], hours * 60)
    for day, hours in (
        (0, 9),
        (2, 12),
        (3, 15),
        (4, 15),
        (5, 15),
        (7, 18),
        (8, 15),
        (9, 15),
        (10, 15),
        (11, 12),
    )
)
"""Ten days with orders, and minutes before the close at which a busy half hour begins."""
QUICKLY = RetryPolicy(wait_initial_s=0.001, wait_max_s=0.01, wait_jitter_s=0.001)
SLICE_US = 15 * SECOND_US


class CountedFaults(Faults):
    """Faults that count how often each kind struck, and requests by method and path."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.struck: Counter[str] = Counter()
        self.asked: Counter[tuple[str, str]] = Counter()
        super().__init__(faults)

    def hit(self, path: str, method: str = "GET") -> list[Fault]:
        """As `Faults`."""
        found = super().hit(path, method)
        self.struck.update(fault.kind for fault in found)
        self.asked[method, path] += 1
        return found


@dataclass
class Seen:
    """What a drill saw besides journal and books: events of the feed, faults, script."""

    gaps: int = 0
    repeated: int = 0
    withheld_s: float = 0.0
    orders: set[str] = field(default_factory=set)
    events: Counter[type[Event]] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    rereads: int = 0
    journaled: Counter[str] = field(default_factory=Counter)
    executed: list[bool] = field(default_factory=list)
    outcome: Outcome | None = None

    def take(self, feed: Feed, events: Sequence[Event]) -> None:
        """Note what a feed said."""
        self.events.update(type(each) for each in events)
        self.orders.update(e.order.order_id for e in events if isinstance(e, OrderChanged))
        times = [each.time_us for each in events if isinstance(each, LevelChanged)] or [0]
        self.withheld_s = max(self.withheld_s, (max(times) - min(times)) / SECOND_US)
        self.gaps, self.repeated = feed.gaps, feed.repeated


def drill(
    archive: Path,
    lake: Lake,
    folder: Path,
    number: int,
    entries: Sequence[Mapping[str, Any]],
) -> Seen:
    """Run a session under a script, and fail unless journal, books and limits agree afterwards.

    Parameters
    ----------
    archive, lake
        The world with all of `DAYS`.
    folder
        For the exchange's books.
    number
        Selects one of `BUSY`.
    entries
        Of the sandbox's script, with ``minute`` from the session's beginning in place of ``at``;
        with ``whole_event`` for the session's event.
    """
    day, left = BUSY[number % len(BUSY)]
    name, books, seen = session_name([day], ACCOUNT), folder / "books.sqlite", Seen()
    forget(lake)
    faults = CountedFaults()
    with at_the_sandbox(
        archive,
        lake,
        minutes=MINUTES,
        minutes_left=left,
        day=day,
        strategy=Restless(),
        books=books,
        faults=faults,
        retry=QUICKLY,
        slice_us=SLICE_US,
        seen=seen.take,
    ) as (opening, venue, sandbox):
        url = f"{sandbox.url}/sandbox/script"
        contract = lake.read(EVENTS, day)
        event = str(contract["event_ticker"][0])
        start = max(contract["close_time"].to_list()) - timedelta(minutes=left)
        script = [
            {k: v for k, v in entry.items() if k not in ("minute", "whole_event")}
            | ({"event_ticker": event} if entry.get("whole_event") else {})
            | {"at": (start + timedelta(minutes=entry["minute"])).isoformat()}
            for entry in entries
        ]
        httpx.post(url, json={"entries": script}).raise_for_status()
        opening.run_exchange([day], venue, "demo")
        seen.executed = [e["done"] for e in httpx.get(url).json()["entries"]]
    seen.struck = faults.struck
    with Journal.of(lake.files, name, clock_us=lambda: 0) as journal:
        seen.journaled.update({k: len(journal.events(k)) for k in ("stream_lost", "stream_missed")})
        seen.notes.update(order.note for order in journal.orders())
        for report in journal.events("reconciliation"):
            seen.findings.update(finding["kind"] for finding in report["findings"])
            seen.rereads += report["attempts"] - 1
    seen.outcome = must_agree(lake, archive, books, day, ACCOUNT)
    return seen


def forget(lake: Lake) -> None:
    """Delete what earlier sessions left."""
    for name in lake.files.names("live"):
        lake.files.delete(f"live/{name}")
