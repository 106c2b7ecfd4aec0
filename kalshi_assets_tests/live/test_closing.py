"""The end of a session: cancelled and verified, or said not to be, within bounds."""

import pytest

from kalshi_assets.live.closing import Closing, close_out
from kalshi_assets.live.reconciliation import Reconciler
from kalshi_assets_tests.live.desk import Desk, intent
from kalshi_assets_tests.live.fake_exchange import Fault

ORDERS = "/portfolio/events/orders"


@pytest.fixture
def reconciler(desk: Desk) -> Reconciler:
    """Of an account opened empty, with three orders that rest, one of them filled in part."""
    both = Reconciler(
        desk.journal,
        desk.reader,
        clock_us=desk.clock,
        sleep=desk.clock.sleep,
        in_flight=desk.gateway.in_flight,
    )
    both.run("start")
    for bracket in (1, 2, 3):
        desk.gateway.place(intent(bracket))
    desk.exchange.match("order-2", 300)
    return both


def close(desk: Desk, reconciler: Reconciler) -> Closing:
    return close_out(
        desk.journal,
        desk.gateway,
        reconciler,
        reason="end of day",
        clock_us=desk.clock,
        sleep=desk.clock.sleep,
    )


def test_a_session_ends_with_nothing_open(desk: Desk, reconciler: Reconciler) -> None:
    closing = close(desk, reconciler)
    assert closing.verified
    assert desk.exchange.resting() == []
    assert {order.state for order in desk.journal.orders()} == {"done"}
    assert sum(fill.size for fill in desk.journal.fills()) == 300


@pytest.mark.parametrize("kind", ["500_before", "500_after", "timeout_before", "lost_after"])
def test_a_cancel_that_fails_is_made_again(desk: Desk, reconciler: Reconciler, kind: str) -> None:
    desk.exchange.faults.append(Fault(method="DELETE", path=ORDERS, kind=kind, times=4))
    assert close(desk, reconciler).verified
    assert desk.exchange.resting() == []


def test_what_cancel_all_left_is_cancelled_one_by_one(desk: Desk, reconciler: Reconciler) -> None:
    desk.exchange.faults.append(Fault(method="DELETE", path=ORDERS, kind="ignored"))
    assert close(desk, reconciler).verified
    assert desk.exchange.resting() == []


def test_an_order_whose_fate_is_not_known_is_waited_for(desk: Desk, reconciler: Reconciler) -> None:
    desk.exchange.faults.append(Fault(method="POST", path=ORDERS, kind="timeout_before"))
    desk.gateway.place(intent(4))
    assert close(desk, reconciler).verified


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", ORDERS), ("GET", "/portfolio/orders"), ("GET", "/portfolio")]
)
def test_a_session_that_cannot_be_closed_says_so_within_bounds(
    desk: Desk, reconciler: Reconciler, method: str, path: str
) -> None:
    before = desk.clock.us
    fault = Fault(method=method, path=path, kind="500_before", times=10_000)
    desk.exchange.faults.append(fault)
    closing = close(desk, reconciler)
    assert not closing.verified
    assert len(closing.open_orders) == 3
    assert desk.clock.us - before < 75_000_000


def test_a_cancel_that_is_refused_is_made_twice_before_the_account_is_read(
    desk: Desk, reconciler: Reconciler
) -> None:
    before = desk.clock.us
    desk.exchange.faults.append(Fault(method="DELETE", path=ORDERS, kind="429"))
    assert close(desk, reconciler).verified
    assert desk.clock.us == before
