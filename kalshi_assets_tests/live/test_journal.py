"""The journal: what is on disk when, and which changes it refuses."""

import shutil
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kalshi_assets.lake.files import Files
from kalshi_assets.live.journal import Journal, journal_name, unfinished_sessions
from kalshi_assets.live.journal_records import (
    DuplicateIntentError,
    JournaledFill,
    JournalError,
)
from kalshi_assets.live.journal_schema import TRANSITIONS
from kalshi_assets.tables import DECISIONS
from kalshi_assets_tests.live.desk import MARKETS, SESSION, START_US, Clock, Desk, intent

SENT_WITH = {"expires_at_s": 1_790_000_300, "order_group_id": "group-1", "exchange_index": 0}


def fill(number: int = 1, **changes: Any) -> JournaledFill:
    fields: dict[str, Any] = {
        "trade_id": f"trade-{number}",
        "client_order_id": intent().client_order_id,
        "market_ticker": MARKETS[2],
        "side": "bid",
        "is_taker": False,
        "price_cc": 4200,
        "size": 300,
        "fee_millionths": 0,
        "filled_at_us": START_US + number,
    }
    return JournaledFill(**fields | changes)


def test_an_id_stands_for_the_decision_and_for_nothing_else() -> None:
    one = intent().client_order_id
    assert one == intent(price_cc=4300, contracts=3, execution="taker").client_order_id
    changes = [
        {"account": "b"},
        {"event_ticker": "E"},
        {"strategy": "move"},
        {"decided_at_us": START_US + 1},
        {"bracket": 3},
        {"side": "ask"},
    ]
    assert len({intent(**change).client_order_id for change in changes} | {one}) == 7


def test_an_id_is_the_same_in_every_process() -> None:
    assert intent().client_order_id == "c4c50f47-22cd-5da3-b792-6893ac89b4ba"


def test_an_intent_is_on_disk_with_what_its_id_stands_for(desk: Desk) -> None:
    order = desk.journal.intend(intent(), **SENT_WITH)
    with sqlite3.connect(f"file:{desk.journal.path}?mode=ro", uri=True) as other:
        row = other.execute(
            "SELECT account, event_ticker, strategy, decided_at_us, bracket, side, state"
            " FROM orders WHERE client_order_id = ?",
            (order.client_order_id,),
        ).fetchone()
    other.close()
    assert row == ("test", "KXHIGHCHI-26NOV20", "value", START_US, 2, "bid", "intent")


def test_the_same_decision_is_not_journaled_twice(desk: Desk) -> None:
    desk.journal.intend(intent(), **SENT_WITH)
    with pytest.raises(DuplicateIntentError, match="not sent again"):
        desk.journal.intend(intent(price_cc=4300), **SENT_WITH)


@pytest.mark.parametrize("before", sorted(TRANSITIONS))
@pytest.mark.parametrize("after", sorted(TRANSITIONS))
def test_only_allowed_transitions_are_journaled(desk: Desk, before: str, after: str) -> None:
    journal = desk.journal
    name = journal.intend(intent(), **SENT_WITH).client_order_id
    if before != "intent":
        if before in ("acknowledged", "partly_filled"):
            journal.advance(name, "sent")
        journal.advance(name, before)
    if after == before or after in TRANSITIONS[before]:
        assert journal.advance(name, after).state == after
    else:
        with pytest.raises(JournalError, match=f"from {before} to {after}"):
            journal.advance(name, after)


def test_what_is_filled_never_shrinks_nor_exceeds_the_order(desk: Desk) -> None:
    journal = desk.journal
    name = journal.intend(intent(), **SENT_WITH).client_order_id
    journal.advance(name, "partly_filled", order_id="x", filled=300)
    for filled in (200, 1001):
        with pytest.raises(JournalError, match="filled"):
            journal.advance(name, "done", filled=filled)
    with pytest.raises(JournalError, match="exchange's ID"):
        journal.advance(name, "done", order_id="y")


def test_a_fill_counts_once_with_the_exchanges_fee(desk: Desk) -> None:
    journal = desk.journal
    name = journal.intend(intent(), **SENT_WITH).client_order_id
    journal.advance(name, "acknowledged", order_id="x")
    assert journal.book(fill(fee_millionths=17_500))
    assert not journal.book(fill(fee_millionths=17_500))
    assert journal.book(fill(2, size=1, price_cc=4199))
    [held] = journal.holdings()
    assert (held.size, held.cash_millionths) == (301, -(300 * 4200) - 17_500 - 4199)
    assert journal.positions() == {MARKETS[2]: 301}
    order = journal.order(name)
    assert order is not None
    assert (order.filled, order.booked, order.state) == (301, 301, "partly_filled")


def test_an_order_cannot_fill_beyond_its_size(desk: Desk) -> None:
    desk.journal.intend(intent(), **SENT_WITH)
    with pytest.raises(JournalError, match=r"fills of 1100/100"):
        desk.journal.book(fill(size=1100))


def test_fills_without_known_fee_count_in_positions(desk: Desk) -> None:
    journal = desk.journal
    name = journal.intend(intent(side="ask"), **SENT_WITH).client_order_id
    journal.advance(name, "done", order_id="x", filled=1000)
    assert journal.positions() == {MARKETS[2]: -1000}
    assert [order.client_order_id for order in journal.unbooked()] == [name]


def test_what_the_account_held_before_counts_at_its_cost(desk: Desk) -> None:
    desk.journal.open_account({"A": (300, 1_500_000), "B": (-200, 1_000_000)}, 5_000_000)
    held = {each.market_ticker: each for each in desk.journal.holdings()}
    assert held["A"].opening_cash_millionths == -1_500_000
    assert held["B"].opening_cash_millionths == 2_000_000 - 1_000_000
    assert desk.journal.positions() == {"A": 300, "B": -200}


def decisions() -> pl.DataFrame:
    minute = datetime(2026, 11, 20, 18, tzinfo=UTC)
    rows = [
        {
            "strategy": "value",
            "market_ticker": MARKETS[n],
            "bracket": n,
            "minute": minute + timedelta(minutes=n % 2),
            "known_at": minute,
            "reason": "trade" if n else "no_quote",
            "side": "bid" if n else None,
            "execution": "maker" if n else None,
            "price_cc": 4200 if n else None,
            "contracts": n,
            "edge_cents": 1.25 if n else None,
            "p_used": 0.1 * n,
            "p_mkt": None,
            "position": -n,
            "signal": 0.1,
            "signal_ras": None,
            "signal_velocity": None,
            "signal_flow": None,
            "signal_pressure": None,
        }
        for n in range(4)
    ]
    return DECISIONS.arranged(pl.DataFrame(rows, schema=DECISIONS.dtypes))


def test_decisions_come_back_as_they_were_and_the_first_one_counts(desk: Desk) -> None:
    rows = decisions()
    assert desk.journal.keep_decisions(rows) == 4
    changed = rows.with_columns(reason=pl.lit("edge_too_small"))
    assert desk.journal.keep_decisions(changed) == 0
    assert desk.journal.decisions().equals(rows)


def test_events_and_cancels_are_kept_in_order(desk: Desk) -> None:
    desk.journal.event("gate_refused", {"why": "a"})
    desk.journal.event("gate_refused", {"why": "b"})
    assert desk.journal.events("gate_refused") == [{"why": "a"}, {"why": "b"}]
    number = desk.journal.ask_cancel(None, "end of session")
    desk.journal.cancel_answered(number, "done")
    desk.journal.beat({"open_orders": 0})


def test_a_session_that_starts_again_resumes_its_journal(desk: Desk) -> None:
    desk.journal.intend(intent(), **SENT_WITH)
    assert unfinished_sessions(desk.files, "test") == [SESSION]
    assert unfinished_sessions(desk.files, "another") == []
    desk.close()
    desk.open()
    assert len(desk.journal.orders()) == 1
    assert desk.journal.events("session_resumed") == [{"versions": {"code": "1"}}]
    with pytest.raises(JournalError, match="session-1"):
        desk.journal.begin(SESSION, account="test", mode="live", versions={})
    desk.journal.end("end of day")
    assert unfinished_sessions(desk.files, "test") == []


def test_every_commit_is_flushed_to_a_log_ahead(desk: Desk) -> None:
    pragmas = {
        name: desk.journal._db.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous")
    }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2}


def test_a_journal_of_another_version_is_refused(desk: Desk) -> None:
    desk.close()
    with sqlite3.connect(desk.journal.path) as other:
        other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(JournalError, match="version 99"):
        desk.open()


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.write(journal_name("x"), b"not a database" * 100)
    with pytest.raises(JournalError, match="not a database"):
        Journal.of(files, "x", clock_us=Clock())


def test_a_journal_locked_by_another_process_refuses_writes_within_bounds(desk: Desk) -> None:
    quick = Journal(desk.journal.path, clock_us=desk.clock, busy_ms=20)
    other = sqlite3.connect(desk.journal.path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with quick, pytest.raises(JournalError, match="locked"):
            quick.intend(intent(), **SENT_WITH)
    finally:
        other.close()


def test_the_files_copied_between_any_two_writes_open_and_are_consistent(
    open_desk: Callable[..., Desk], tmp_path: Path
) -> None:
    copies: list[tuple[str, Path]] = []
    source: list[str] = []

    def copy(name: str) -> None:
        if source:
            target = tmp_path / f"copy-{len(copies)}"
            shutil.copy(source[0], target)
            shutil.copy(source[0] + "-wal", f"{target}-wal")
            copies.append((name, target))

    desk = open_desk(on_write=copy)
    source.append(desk.journal.path)
    for bracket in range(3):
        desk.gateway.place(intent(bracket))
    desk.exchange.match("order-2", 400)
    desk.gateway.cancel(intent(1).client_order_id, "drill")
    desk.journal.book(fill(client_order_id=intent(1).client_order_id, size=400))
    assert [name for name, _ in copies] == [
        *["intent", "sent", "acknowledged"] * 3,
        "cancel",
        "cancel_answered",
        "done",
        "fill",
    ]
    for number, (_, path) in enumerate(copies):
        with Journal(str(path), clock_us=desk.clock) as journal:
            orders = journal.orders()
            booked = sum(each.size for each in journal.fills())
            assert sum(order.booked for order in orders) == booked
            assert sum(each.size for each in journal.holdings()) == booked
            assert len(orders) == min(number // 3 + 1, 3)
