"""Reconciliation: what is repaired, what blocks, and what is not believed."""

import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from kalshi_assets.live.comparison import LagBounds
from kalshi_assets.live.journal import Journal
from kalshi_assets.live.reconciliation import Bounds, Reconciler, Report
from kalshi_assets.live.telemetry import REQUIRED, Event
from kalshi_assets_tests.live.desk import MARKETS, START_US, Desk, intent
from kalshi_assets_tests.live.fake_exchange import Fault

ORDERS = "/portfolio/events/orders"


def reconciler(desk: Desk, **options: Any) -> Reconciler:
    return Reconciler(
        desk.journal,
        desk.reader,
        clock_us=desk.clock,
        sleep=desk.clock.sleep,
        in_flight=desk.gateway.in_flight,
        **options,
    )


@pytest.fixture
def opened(desk: Desk) -> Desk:
    """A desk whose account was opened empty."""
    assert reconcile(desk).may_trade
    return desk


def reconcile(desk: Desk, occasion: str = "timer") -> Report:
    return reconciler(desk).run(occasion)


def kinds(report: Report) -> list[str]:
    return [finding.kind for finding in report.findings]


def state(desk: Desk, bracket: int = 2) -> tuple[str, int, int]:
    order = desk.journal.order(intent(bracket).client_order_id)
    assert order is not None
    return order.state, order.filled, order.booked


def agrees(desk: Desk, journal: Journal | None = None) -> bool:
    """Whether journal and exchange hold the same orders, fills and positions."""
    journal = journal or desk.journal
    there = {o.client_order_id: (o.order_id, o.filled) for o in desk.exchange.orders.values()}
    ours = [order for order in journal.orders() if order.state != "rejected"]
    held = {market: size for market, size in journal.positions().items() if size}
    return (
        there == {o.client_order_id: (o.order_id, o.filled) for o in ours}
        and {fill["trade_id"] for fill in desk.exchange.fills}
        == {fill.trade_id for fill in journal.fills()}
        and held == {market: size for market, size in desk.exchange.positions.items() if size}
    )


def test_nothing_is_traded_before_the_first_reconciliation(desk: Desk) -> None:
    both = reconciler(desk)
    assert both.guard(MARKETS[0]) == "not reconciled yet"
    report = both.run("start")
    assert report.may_trade
    assert report.attempts == 1
    assert both.guard(MARKETS[0]) is None


def test_a_reconciliation_holds_for_a_while_only(desk: Desk) -> None:
    both = reconciler(desk)
    both.run("start")
    desk.clock.sleep(120)
    assert both.guard(MARKETS[0]) is None
    desk.clock.sleep(1)
    assert both.guard(MARKETS[0]) == "last reconciled 121 s ago"


def test_the_opening_is_what_the_account_held_before(desk: Desk) -> None:
    desk.exchange.positions[MARKETS[0]] = 300
    report = reconcile(desk, "start")
    assert report.may_trade
    assert desk.journal.positions() == {MARKETS[0]: 300}
    session = desk.journal.session()
    assert session is not None
    assert session.opening_cash_millionths == desk.exchange.cash
    assert reconcile(desk).findings == ()


@pytest.mark.parametrize("kind", ["500_after", "timeout_after", "lost_after", "garbage_after"])
def test_an_order_whose_answer_was_lost_is_found_by_its_id(opened: Desk, kind: str) -> None:
    opened.exchange.faults.append(Fault(method="POST", path=ORDERS, kind=kind))
    opened.gateway.place(intent())
    opened.exchange.match("order-1", 400)
    report = reconcile(opened)
    assert report.may_trade
    assert report.blocked_markets == frozenset()
    assert state(opened) == ("partly_filled", 400, 400)
    assert agrees(opened)
    assert len(report.repaired) == 2


@pytest.mark.parametrize("kind", ["500_before", "timeout_before"])
def test_an_order_that_is_not_listed_blocks_its_market_until_it_cannot_arrive(
    opened: Desk, kind: str
) -> None:
    opened.exchange.faults.append(Fault(method="POST", path=ORDERS, kind=kind))
    opened.gateway.place(intent())
    report = reconcile(opened)
    assert kinds(report) == ["unresolved"]
    assert report.may_trade
    assert report.blocked_markets == {MARKETS[2]}
    opened.clock.sleep(60)
    assert reconcile(opened).findings == ()
    assert state(opened) == ("rejected", 0, 0)
    assert len(opened.exchange.orders) == 0


def test_an_order_that_an_incomplete_list_lacks_is_not_taken_for_refused(opened: Desk) -> None:
    opened.exchange.faults.append(Fault(method="POST", path=ORDERS, kind="timeout_after"))
    opened.gateway.place(intent(1))
    opened.gateway.place(intent(2))
    opened.clock.sleep(61)
    opened.exchange.lie = "empty orders"
    report = reconcile(opened)
    assert not report.may_trade
    assert state(opened, 1)[0] == "unknown"


def test_an_immediate_order_whose_answer_was_lost_counts_with_its_fill_and_fee(
    opened: Desk,
) -> None:
    opened.exchange.faults.append(Fault(method="POST", path=ORDERS, kind="timeout_after"))
    opened.gateway.place(intent(execution="taker", price_cc=4500))
    assert reconcile(opened).findings == ()
    [fill] = opened.journal.fills()
    assert (fill.price_cc, fill.size, fill.is_taker, fill.fee_millionths) == (
        4400,
        1000,
        True,
        172_500,
    )
    assert agrees(opened)


def test_fills_and_ends_that_were_missed_are_taken_over(opened: Desk) -> None:
    for bracket in (1, 2, 3):
        opened.gateway.place(intent(bracket))
    opened.exchange.match("order-1", 1000)
    opened.exchange.match("order-2", 100)
    opened.clock.sleep(301)
    opened.exchange.expire()
    assert reconcile(opened, "reconnect").findings == ()
    assert [state(opened, n) for n in (1, 2, 3)] == [
        ("done", 1000, 1000),
        ("done", 100, 100),
        ("done", 0, 0),
    ]
    assert agrees(opened)


def test_fills_that_are_never_listed_block_their_market(opened: Desk) -> None:
    opened.gateway.place(intent())
    opened.exchange.match("order-1", 400)
    opened.exchange.lie = "empty fills"
    report = reconcile(opened)
    assert kinds(report) == ["fills_missing"]
    assert report.blocked_markets == {MARKETS[2]}
    assert state(opened) == ("partly_filled", 400, 0)
    assert opened.journal.positions() == {MARKETS[2]: 400}


def test_the_cash_is_the_exchanges_to_the_last_hundredth_of_a_cent(opened: Desk) -> None:
    opened.gateway.place(intent(1, execution="taker", price_cc=4500))
    opened.gateway.place(intent(2, execution="taker", side="ask", price_cc=3900))
    opened.gateway.place(intent(2, execution="taker", price_cc=4500, decided_at_us=START_US + 1))
    report = reconcile(opened)
    assert report.findings == ()
    assert report.cash_difference_millionths == 0
    opened.exchange.cash += 1
    assert reconcile(opened).cash_difference_millionths == 1


def test_a_cancel_that_was_lost_is_settled_by_reading(opened: Desk) -> None:
    opened.gateway.place(intent())
    opened.exchange.match("order-1", 300)
    fault = Fault(method="DELETE", path=ORDERS, kind="lost_after")
    opened.exchange.faults.append(fault)
    opened.gateway.cancel(intent().client_order_id, "pulled")
    assert state(opened)[0] == "unknown"
    assert reconcile(opened).findings == ()
    assert state(opened) == ("done", 300, 300)


def test_a_cancel_that_never_arrived_is_believed_only_after_the_lag(opened: Desk) -> None:
    opened.gateway.place(intent())
    fault = Fault(method="DELETE", path=ORDERS, kind="timeout_before")
    opened.exchange.faults.append(fault)
    opened.gateway.cancel(intent().client_order_id, "pulled")
    report = reconcile(opened)
    assert report.findings == ()
    assert report.attempts == 7
    assert state(opened) == ("acknowledged", 0, 0)


def test_a_list_that_lags_behind_our_writes_is_read_again(opened: Desk) -> None:
    opened.exchange.freeze(reads=6)
    opened.gateway.place(intent())
    opened.exchange.match("order-1", 400)
    report = reconcile(opened)
    assert report.findings == ()
    assert report.attempts > 1
    assert agrees(opened)


def test_a_cancelled_order_that_a_lagging_list_shows_resting_stays_ended(opened: Desk) -> None:
    opened.gateway.place(intent())
    opened.exchange.freeze(reads=4)
    opened.gateway.cancel(intent().client_order_id, "pulled")
    report = reconcile(opened)
    assert report.findings == ()
    assert report.attempts > 1
    assert state(opened) == ("done", 0, 0)


def test_an_ended_order_that_rests_for_good_blocks_its_market(opened: Desk) -> None:
    opened.gateway.place(intent())
    opened.gateway.cancel(intent().client_order_id, "pulled")
    opened.exchange.orders["order-1"].status = "resting"
    report = reconcile(opened)
    assert kinds(report) == ["ended_but_rests"]
    assert report.blocked_markets == {MARKETS[2]}
    assert report.attempts == 10


def test_an_order_that_the_journal_has_as_refused_and_exists_blocks_everything(
    opened: Desk,
) -> None:
    opened.exchange.faults.append(Fault(method="POST", path=ORDERS, kind="timeout_before"))
    opened.gateway.place(intent())
    opened.clock.sleep(61)
    reconcile(opened)
    opened.exchange.rest(intent().client_order_id, ticker=MARKETS[2]).price_cc = 4200
    report = reconcile(opened)
    assert kinds(report) == ["rejected_but_exists"]
    assert not report.may_trade


BOOKS = ("orders", "fills", "groups", "positions", "cash")


def test_a_power_cut_between_any_two_writes_is_reconciled(opened: Desk, tmp_path: Path) -> None:
    """The journal's files and the exchange's books as they were at each write."""
    source = opened.journal.path
    cuts: list[tuple[str, dict[str, Any]]] = []

    def cut(name: str) -> None:
        target = str(tmp_path / f"{len(cuts)}.sqlite")
        shutil.copy(source, target)
        shutil.copy(source + "-wal", target + "-wal")
        cuts.append((target, {book: deepcopy(getattr(opened.exchange, book)) for book in BOOKS}))

    opened.journal._on_write = cut
    opened.gateway.place(intent(1))
    opened.gateway.place(intent(2, execution="taker", price_cc=4500))
    opened.exchange.faults.append(Fault(method="POST", path=ORDERS, kind="timeout_after"))
    opened.gateway.place(intent(3))
    opened.exchange.match("order-1", 200)
    opened.gateway.cancel(intent(1).client_order_id, "pulled")
    reconcile(opened)
    opened.clock.sleep(61)
    assert len(cuts) == 16
    for path, books in cuts:
        for book, content in books.items():
            setattr(opened.exchange, book, content)
        with Journal(path, clock_us=opened.clock) as journal:
            both = Reconciler(
                journal, opened.reader, clock_us=opened.clock, sleep=opened.clock.sleep
            )
            report = both.run("start")
            assert report.findings == ()
            rests = opened.exchange.resting() != []
            assert report.cash_difference_millionths == (None if rests else 0)
            assert agrees(opened, journal)


@pytest.mark.parametrize("change", [{"status": "pending"}, {"size": 900}, {"price_cc": 4300}])
def test_an_order_that_is_another_one_there_blocks(opened: Desk, change: dict[str, Any]) -> None:
    opened.gateway.place(intent())
    for name, value in change.items():
        setattr(opened.exchange.orders["order-1"], name, value)
    assert kinds(reconcile(opened)) == ["order_differs"]


def test_an_order_that_nobody_here_placed_blocks_everything(opened: Desk) -> None:
    opened.exchange.rest("somebody")
    report = reconcile(opened)
    assert kinds(report) == ["stranger_order"]
    assert not report.may_trade


def test_a_start_with_an_unknown_order_has_no_opening(desk: Desk) -> None:
    desk.exchange.rest("somebody")
    assert not reconcile(desk, "start").may_trade
    session = desk.journal.session()
    assert session is not None
    assert session.opening_cash_millionths is None


def test_a_fill_of_no_order_of_ours_blocks_everything(opened: Desk) -> None:
    order = opened.exchange.rest("somebody", ticker=MARKETS[0])
    opened.exchange.match(order.order_id, 100)
    report = reconcile(opened)
    assert sorted(kinds(report)) == ["position_differs", "stranger_fill"]
    assert not report.may_trade


def test_a_position_that_differs_blocks_everything(opened: Desk) -> None:
    opened.exchange.positions[MARKETS[0]] += 100
    report = reconcile(opened)
    assert kinds(report) == ["position_differs"]
    assert "the exchange holds 1 contracts, the journal 0" in report.findings[0].detail
    assert not report.may_trade


def test_a_position_that_settled_is_not_missed(opened: Desk) -> None:
    opened.gateway.place(intent(execution="taker", price_cc=4500))
    reconcile(opened)
    opened.exchange.positions.clear()
    opened.exchange.cash += 10_000_000
    opened.exchange.settlements.append(
        {
            "ticker": MARKETS[2],
            "market_result": "yes",
            "revenue": 1000,
            "settled_time": "2026-11-21T12:00:00Z",
        }
    )
    report = reconcile(opened)
    assert report.findings == ()
    assert report.cash_difference_millionths == 0


@pytest.mark.parametrize(
    "lie",
    [
        *("endless orders", "repeated orders", "no cursor orders", "short orders"),
        "same rows orders",
        *("endless fills", "repeated fills", "no cursor fills", "short fills"),
        *("endless market_positions", "no cursor market_positions", "short market_positions"),
    ],
)
def test_a_list_that_lies_blocks_everything_and_repairs_nothing(opened: Desk, lie: str) -> None:
    opened.exchange.page = 1
    for bracket in (1, 2, 3):
        opened.gateway.place(intent(bracket))
        opened.exchange.match(f"order-{bracket}", 500)
    assert reconcile(opened).findings == ()
    before = [(order.state, order.filled) for order in opened.journal.orders()]
    opened.exchange.lie = lie
    report = reconcile(opened)
    assert not report.may_trade
    assert [(order.state, order.filled) for order in opened.journal.orders()] == before
    opened.exchange.lie = ""
    assert reconcile(opened).findings == ()


def test_an_exchange_that_answers_nothing_blocks_everything(opened: Desk) -> None:
    fault = Fault(method="GET", path="/portfolio/fills", kind="500_before", times=100)
    opened.exchange.faults.append(fault)
    report = reconcile(opened)
    assert kinds(report) == ["read_failed"]
    assert not report.may_trade


def test_orders_on_their_way_are_not_judged(opened: Desk) -> None:
    both = reconciler(opened)
    create = opened.writer.create
    reports: list[Report] = []

    def slow(order: Any, handed: Any) -> Any:
        outcome = create(order, handed)
        opened.exchange.match("order-1", 400)
        reports.append(both.run("timer"))
        return outcome

    opened.writer.create = slow  # type: ignore[method-assign]
    opened.gateway.place(intent())
    assert reports[0].findings == ()
    assert reports[0].repaired == ()
    assert both.run("timer").findings == ()
    assert state(opened) == ("partly_filled", 400, 400)


def test_the_report_is_in_the_journal_and_in_telemetry(desk: Desk) -> None:
    events: list[Event] = []
    reconciler(desk, emit=events.append).run("start")
    [kept] = desk.journal.events("reconciliation")
    assert (kept["occasion"], kept["attempts"], kept["findings"]) == ("start", 1, [])
    assert events[0].data.keys() >= REQUIRED["reconcile"]


def test_bounds_are_the_callers(opened: Desk) -> None:
    opened.exchange.positions[MARKETS[0]] += 100
    bounds = Bounds(lag=LagBounds(read_lag_us=0), attempts=3, wait_s=0.1)
    assert reconciler(opened, bounds=bounds).run("timer").attempts == 3
