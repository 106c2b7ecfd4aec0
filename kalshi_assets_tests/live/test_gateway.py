"""The gateway: what leaves, what is journaled, and what an unknown answer blocks."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kalshi_assets.exchange.wire_orders import (
    Accepted,
    AlreadyExists,
    Cancelled,
    Done,
    Gone,
    Refused,
    Unknown,
)
from kalshi_assets.lake.files import Files
from kalshi_assets.live.gateway import Blocked, open_order_group
from kalshi_assets.live.reconciliation import Reconciler
from kalshi_assets.live.telemetry import REQUIRED, Event, Telemetry
from kalshi_assets.live.updates import observe_fill, observe_order
from kalshi_assets_tests.live.desk import MARKETS, SESSION, START_US, Desk, intent
from kalshi_assets_tests.live.fake_exchange import KEY_ID, Fault

ORDERS = "/portfolio/events/orders"


def state(desk: Desk, bracket: int = 2, **changes: Any) -> tuple[str, int, str]:
    order = desk.journal.order(intent(bracket, **changes).client_order_id)
    assert order is not None
    return order.state, order.filled, order.note


def sent(desk: Desk) -> int:
    return sum(path == ORDERS and method == "POST" for method, path, _ in desk.exchange.requests)


def fault(desk: Desk, kind: str, method: str = "POST") -> None:
    desk.exchange.faults.append(Fault(method=method, path=ORDERS, kind=kind))


def test_an_order_is_journaled_before_it_leaves_and_its_answer_after(
    open_desk: Callable[..., Desk],
) -> None:
    seen: list[tuple[str, int]] = []
    desks: list[Desk] = []
    desk = open_desk(on_write=lambda name: desks and seen.append((name, sent(desks[0]))))
    desks.append(desk)
    assert isinstance(desk.gateway.place(intent()), Accepted)
    assert seen == [("intent", 0), ("sent", 1), ("acknowledged", 1)]


def test_what_rests_expires_within_its_lifetime_in_its_group_on_its_shard(desk: Desk) -> None:
    desk.gateway.place(intent())
    body = desk.exchange.requests[-1][2]
    assert body["expiration_time"] == START_US // 1_000_000 + 300
    assert (body["order_group_id"], body["exchange_index"]) == ("group-1", 0)
    assert body["post_only"]
    assert body["cancel_order_on_pause"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ("acknowledged", 0, "")),
        ({"execution": "taker", "price_cc": 4500}, ("done", 1000, "filled")),
        ({"execution": "taker"}, ("done", 0, "ended unfilled")),
        ({"price_cc": 4500}, ("rejected", 0, "invalid_order: post only cross")),
    ],
)
def test_every_answer_has_its_state(
    desk: Desk, changes: dict[str, Any], expected: tuple[str, int, str]
) -> None:
    desk.gateway.place(intent(**changes))
    assert state(desk, **changes) == expected


@pytest.mark.parametrize(
    "kind",
    ["500_before", "500_after", "timeout_before", "timeout_after", "lost_after", "nameless_after"],
)
def test_an_unknown_outcome_blocks_its_market_and_no_other(desk: Desk, kind: str) -> None:
    fault(desk, kind)
    assert isinstance(desk.gateway.place(intent()), Unknown)
    assert state(desk)[0] == "unknown"
    later = {"decided_at_us": START_US + 60_000_000}
    blocked = desk.gateway.place(intent(**later))
    assert isinstance(blocked, Blocked)
    assert "not resolved" in blocked.why
    assert isinstance(desk.gateway.place(intent(3, **later)), Accepted)
    assert sent(desk) == 2


def test_an_order_that_never_left_is_rejected_and_blocks_nothing(desk: Desk) -> None:
    fault(desk, "refuse_connection")
    assert isinstance(desk.gateway.place(intent()), Refused)
    assert state(desk)[0] == "rejected"
    assert isinstance(desk.gateway.place(intent(decided_at_us=START_US + 1)), Accepted)


def test_the_same_decision_is_never_sent_twice(desk: Desk) -> None:
    desk.gateway.place(intent())
    desk.close()
    desk.open()
    again = desk.gateway.place(intent())
    assert isinstance(again, Blocked)
    assert "not sent again" in again.why
    assert sent(desk) == 1


def test_an_id_that_the_exchange_knows_must_be_read_not_renewed(desk: Desk) -> None:
    desk.exchange.rest(intent().client_order_id)
    assert desk.gateway.place(intent()) == AlreadyExists()
    assert state(desk)[0] == "unknown"


def test_a_guard_that_speaks_or_fails_stops_the_order(open_desk: Callable[..., Desk]) -> None:
    def broken(market: str) -> str | None:
        raise OSError("no such file")

    for guard, words in ((lambda market: f"no {market}", f"no {MARKETS[2]}"), (broken, "no such")):
        desk = open_desk(guards=[guard])
        placed = desk.gateway.place(intent())
        assert isinstance(placed, Blocked)
        assert words in placed.why
        assert sent(desk) == 0
        assert words in desk.journal.events("gate_refused")[0]["why"]


def test_limits_hold_whatever_the_engine_asks(desk: Desk) -> None:
    for bracket in range(6):
        assert isinstance(desk.gateway.place(intent(bracket, contracts=1, price_cc=100)), Accepted)
    seventh = desk.gateway.place(intent(0, side="ask", price_cc=9000, contracts=1))
    assert isinstance(seventh, Blocked)
    assert "6 orders are open" in seventh.why


def test_nothing_leaves_while_the_journal_is_locked(desk: Desk) -> None:
    desk.journal._db.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(desk.journal.path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        placed = desk.gateway.place(intent())
    finally:
        other.close()
    assert isinstance(placed, Blocked)
    assert "locked" in placed.why
    assert sent(desk) == 0


def test_an_answer_that_cannot_be_journaled_leaves_the_order_unresolved(desk: Desk) -> None:
    desk.journal._db.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(desk.journal.path, isolation_level=None)
    create = desk.writer.create

    def locking(order: Any, handed: Callable[[], None]) -> Any:
        other.execute("BEGIN IMMEDIATE")
        return create(order, handed)

    desk.writer.create = locking  # type: ignore[method-assign]
    try:
        placed = desk.gateway.place(intent())
    finally:
        other.close()
    assert isinstance(placed, Unknown)
    assert state(desk)[0] == "intent"
    assert isinstance(desk.gateway.place(intent(decided_at_us=START_US + 1)), Blocked)


def test_a_cancel_is_journaled_before_it_leaves_and_ends_the_order(desk: Desk) -> None:
    desk.gateway.place(intent())
    desk.exchange.match("order-1", 400)
    name = intent().client_order_id
    assert desk.gateway.cancel(name, "pulled") == Cancelled(order_id="order-1", reduced_by=600)
    assert state(desk) == ("done", 400, "cancelled")
    assert isinstance(desk.gateway.cancel(name, "again"), Blocked)


def test_a_cancel_of_an_order_that_is_gone_must_be_read(desk: Desk) -> None:
    desk.gateway.place(intent())
    desk.exchange.match("order-1", 1000)
    assert desk.gateway.cancel(intent().client_order_id, "pulled") == Gone()
    assert state(desk)[0] == "unknown"


def test_a_cancel_whose_answer_is_lost_blocks_the_market(desk: Desk) -> None:
    desk.gateway.place(intent())
    fault(desk, "lost_after", "DELETE")
    assert isinstance(desk.gateway.cancel(intent().client_order_id, "pulled"), Unknown)
    assert state(desk)[0] == "unknown"
    assert isinstance(desk.gateway.place(intent(decided_at_us=START_US + 1)), Blocked)


def test_a_cancel_that_cannot_be_journaled_is_sent_all_the_same(desk: Desk) -> None:
    desk.gateway.place(intent())
    desk.journal._db.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(desk.journal.path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        result = desk.gateway.cancel(intent().client_order_id, "pulled")
    finally:
        other.close()
    assert isinstance(result, Cancelled)
    assert desk.exchange.resting() == []


def test_cancel_all_leaves_nothing_at_the_exchange(desk: Desk) -> None:
    desk.gateway.place(intent(1))
    desk.gateway.place(intent(2))
    assert desk.gateway.cancel_all("end of day") == Done()
    assert desk.exchange.resting() == []


def test_telemetry_has_the_fields_of_its_types(open_desk: Callable[..., Desk]) -> None:
    events: list[Event] = []
    desk = open_desk(emit=events.append)
    desk.gateway.place(intent())
    desk.gateway.place(intent(3, price_cc=4500))
    desk.gateway.place(intent())
    fault(desk, "timeout_after")
    desk.gateway.place(intent(4))
    desk.gateway.cancel(intent().client_order_id, "pulled")
    assert [event.type for event in events] == [
        *("intent", "sent", "ack"),
        *("intent", "sent", "reject"),
        "reject",
        *("intent", "sent", "unknown"),
        "cancel",
    ]
    for event in events:
        assert event.data.keys() >= REQUIRED[event.type]


def test_no_file_of_a_session_holds_the_key_or_a_signature(tmp_path: Path) -> None:
    """Not even if the exchange repeats the request's headers in an error."""
    signatures: list[str] = []

    def telling(method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> Any:
        signatures.append(headers["kalshi-access-signature"])
        error = {"code": "authentication_error", "message": f"{KEY_ID}: {headers}"}
        return 401, {"error": error}

    telemetry = Telemetry(
        Files(tmp_path), session_id=SESSION, mode="demo", random=bytes, key_id=KEY_ID
    )
    desk = Desk(tmp_path, emit=telemetry.emit)
    desk.gateway.place(intent())
    desk.exchange.respond = telling  # type: ignore[method-assign]
    desk.gateway.place(intent(3))
    desk.gateway.cancel(intent().client_order_id, "pulled")
    reconciler = Reconciler(
        desk.journal, desk.reader, clock_us=desk.clock, sleep=desk.clock.sleep, emit=telemetry.emit
    )
    assert not reconciler.run("timer").may_trade
    desk.close()
    assert len(signatures) == 3
    secrets = [KEY_ID.encode(), bytes(range(32)), *(each.encode() for each in signatures)]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 2
    for path in files:
        content = path.read_bytes()
        assert b"authentication_error" in content
        assert [secret for secret in secrets if secret in content] == []


def test_a_full_disk_of_telemetry_stops_no_order(open_desk: Callable[..., Desk]) -> None:
    def full(event: Event) -> None:
        raise OSError("no space left")

    desk = open_desk(emit=full)
    assert isinstance(desk.gateway.place(intent()), Accepted)
    assert desk.journal.events("telemetry_failed") == [{"error": "no space left"}]


def test_the_stream_tells_of_fills_and_ends_once(desk: Desk) -> None:
    desk.gateway.place(intent())
    name = intent().client_order_id
    seen = {
        "trade_id": "t",
        "order_id": "order-1",
        "client_order_id": None,
        "price_cc": 4200,
        "size": 400,
        "fee_millionths": 0,
        "is_taker": False,
        "filled_at_us": START_US,
    }
    assert observe_fill(desk.journal, **seen) is not None
    assert observe_fill(desk.journal, **seen) is None
    assert state(desk) == ("partly_filled", 400, "")
    order = {"client_order_id": name, "order_id": "order-1"}
    ended = {**order, "status": "canceled", "filled": 400, "remaining": 0}
    older = {**order, "status": "resting", "filled": 0, "remaining": 1000}
    assert observe_order(desk.journal, **older) is None
    assert observe_order(desk.journal, **ended, reason="ExpiryCancel") is not None
    assert state(desk) == ("done", 400, "ExpiryCancel")
    assert observe_order(desk.journal, **{**older, "filled": 400}) is None
    nobodys = {**seen, "order_id": "x", "trade_id": "u"}
    assert observe_fill(desk.journal, **nobodys) is None


def test_a_fill_on_the_stream_proves_that_an_unknown_order_got_in(desk: Desk) -> None:
    fault(desk, "timeout_after")
    desk.gateway.place(intent())
    observe_fill(
        desk.journal,
        trade_id="t",
        order_id="order-1",
        client_order_id=intent().client_order_id,
        price_cc=4200,
        size=1000,
        fee_millionths=0,
        is_taker=False,
        filled_at_us=START_US,
    )
    assert state(desk) == ("done", 1000, "seen to fill")


@pytest.mark.parametrize(("size", "expected"), [(600, "partly_filled"), (1000, "done")])
def test_a_fill_on_the_stream_may_come_before_the_answer(
    desk: Desk, size: int, expected: str
) -> None:
    create = desk.writer.create

    def slow(order: Any, handed: Callable[[], None]) -> Any:
        outcome = create(order, handed)
        observe_fill(
            desk.journal,
            trade_id="t",
            order_id="order-1",
            client_order_id=intent().client_order_id,
            price_cc=4200,
            size=size,
            fee_millionths=0,
            is_taker=False,
            filled_at_us=START_US,
        )
        return outcome

    desk.writer.create = slow  # type: ignore[method-assign]
    assert isinstance(desk.gateway.place(intent()), Accepted)
    assert state(desk)[:2] == (expected, size)


def open_group(desk: Desk) -> str:
    return open_order_group(desk.journal, desk.writer, contracts_limit=100, exchange_index=0)


def test_a_start_shuts_out_a_process_of_an_earlier_one(desk: Desk) -> None:
    """It was taken for dead, wakes up, and sends an order whose guards it had asked before."""
    first = open_group(desk)
    second = open_group(desk)
    groups = desk.exchange.groups
    assert (groups[first], groups[second]) == (False, True)
    third = open_group(desk)
    assert (groups[first], groups[second], groups[third]) == (False, False, True)


def test_no_session_starts_while_an_earlier_group_cannot_be_triggered(desk: Desk) -> None:
    open_group(desk)
    failing = Fault(method="PUT", path="/portfolio/order_groups", kind="500_before", times=2)
    desk.exchange.faults.append(failing)
    open_group(desk)
    failing.times = 3
    with pytest.raises(RuntimeError, match="could not be triggered"):
        open_group(desk)


def test_a_group_that_was_not_created_is_an_error(desk: Desk) -> None:
    fault = Fault(method="POST", path="/portfolio/order_groups", kind="timeout_after")
    desk.exchange.faults.append(fault)
    with pytest.raises(RuntimeError, match="no order group was created"):
        open_group(desk)
    assert desk.journal.events("order_group") == []
