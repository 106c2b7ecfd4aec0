"""Journal, gateway, reconciliation and kill switch against the sandbox, over real sockets."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kalshi_assets.exchange.account import AccountReader
from kalshi_assets.exchange.orders import OrderWriter
from kalshi_assets.exchange.rest import RetryPolicy
from kalshi_assets.exchange.signing import Signer
from kalshi_assets.exchange.wire_orders import Accepted, Refused, Unknown
from kalshi_assets.lake.files import Files
from kalshi_assets.live.gate import GateLimits, Ladder
from kalshi_assets.live.gateway import Blocked, Gateway, GatewayParams, open_order_group
from kalshi_assets.live.intents import OrderIntent
from kalshi_assets.live.journal import Journal
from kalshi_assets.live.kill_switch import clear_account
from kalshi_assets.live.reconciliation import Bounds, Reconciler, Report
from kalshi_assets.sandbox.app import Trading
from kalshi_assets.sandbox.faults import Fault
from kalshi_assets.sandbox.server import launched
from kalshi_assets_tests.live.desk import AT_ONCE, Clock
from kalshi_assets_tests.sandbox.tiny import CHI_BIN, CHI_EVENT, CHI_LOW, write_archive
from kalshi_assets_tests.sandbox.venue.tools import (
    API,
    ENDLESS,
    ORDERS,
    START,
    START_US,
    Client,
    trading,
)

HIGH = f"{CHI_EVENT}-T56"
LIMITS = GateLimits(
    ladders={CHI_EVENT: Ladder.partition((CHI_LOW, CHI_BIN, HIGH))},
    max_open_orders=20,
    max_order_contracts=10,
    max_position_contracts=50,
    max_event_loss_cc=500_000,
    max_account_loss_cc=500_000,
)
TIMEOUT_S = 0.3


@dataclass
class Desk:
    """A session's parts, on the sandbox's clock, which stands."""

    client: Client
    clock: Clock
    journal: Journal
    writer: OrderWriter
    reader: AccountReader
    gateway: Gateway
    reconciler: Reconciler

    def place(self, number: int = 1, **changes: Any) -> Any:
        """A bid for five contracts at 40 cents, between the quotes."""
        fields: dict[str, Any] = {
            "account": "a",
            "event_ticker": CHI_EVENT,
            "strategy": "value",
            "decided_at_us": START_US + number,
            "bracket": 1,
            "market_ticker": CHI_BIN,
            "side": "bid",
            "execution": "maker",
            "price_cc": 4000,
            "contracts": 5,
        }
        return self.gateway.place(OrderIntent(**fields | changes))

    def fail(self, kind: str, **options: Any) -> None:
        """The next requests to create an order fail so."""
        where = {"path": API + ORDERS, "method": "POST", "times": 1, "seconds": 2 * TIMEOUT_S}
        assert self.client.sandbox.faults is not None
        self.client.sandbox.faults.set([Fault(kind=kind, **where | options)])

    def step(self, seconds: int) -> None:
        """Let time pass at the exchange and here."""
        self.client.step(seconds=seconds)
        self.clock.sleep(seconds)

    def reconcile(self) -> Report:
        return self.reconciler.run("timer")

    def books(self) -> dict[str, Any]:
        """The exchange's own books; an error if they do not conserve money."""
        answer = self.client.http.get("/sandbox/books")
        answer.raise_for_status()
        return answer.json()

    def agrees(self) -> bool:
        """Whether the journal has the exchange's orders, fills and positions."""
        books = self.books()
        ours = [order for order in self.journal.orders() if order.state != "rejected"]
        held = {
            market: f"{size / 100:.2f}" for market, size in self.journal.positions().items() if size
        }
        return (len(ours), len(self.journal.fills()), held) == (
            books["orders"],
            books["fills"],
            books["positions"],
        )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("tiny"))


@contextmanager
def opened(client: Client, folder: Path, clock: Clock) -> Iterator[Desk]:
    """A desk whose account is opened."""
    sandbox = client.sandbox
    signer = Signer.from_pem(sandbox.key_id, sandbox.private_key_pem)
    with (
        OrderWriter(sandbox.api_url, signer=signer, timeout_s=TIMEOUT_S) as writer,
        AccountReader(sandbox.api_url, signer=signer, retry=AT_ONCE) as reader,
        Journal.of(Files(folder), "s", clock_us=clock) as journal,
    ):
        journal.begin("s", account="a", mode="demo", versions={})
        reconciler = Reconciler(
            journal, reader, clock_us=clock, sleep=clock.sleep, bounds=Bounds(attempts=8)
        )
        params = GatewayParams(
            limits=LIMITS,
            order_group_id=open_order_group(journal, writer, contracts_limit=100, exchange_index=0),
            exchange_index=0,
            lifetime_us=120_000_000,
        )
        gateway = Gateway(journal, writer, params, clock_us=clock, guards=[reconciler.guard])
        assert reconciler.run("start").findings == ()
        yield Desk(client, clock, journal, writer, reader, gateway, reconciler)


@pytest.fixture
def desk(root: Path, tmp_path: Path) -> Iterator[Desk]:
    with (
        trading(root) as client,
        opened(client, tmp_path, Clock(START_US)) as desk,
    ):
        yield desk


def test_orders_fills_fees_and_cash_are_the_exchanges_own(desk: Desk) -> None:
    assert isinstance(desk.place(1, execution="taker", price_cc=6000), Accepted)
    assert isinstance(desk.place(2, execution="taker", side="ask", price_cc=2000), Accepted)
    assert isinstance(desk.place(3), Accepted)
    assert desk.reconcile().findings == ()
    desk.step(121)
    report = desk.reconcile()
    assert (report.findings, report.cash_difference_millionths) == ((), 0)
    assert desk.agrees()
    assert len(desk.journal.fills()) >= 2
    books = desk.books()
    assert books["resting_orders"] == 0
    assert books["fees_micro"] == sum(fill.fee_millionths for fill in desk.journal.fills())
    session = desk.journal.session()
    assert session is not None
    assert session.opening_cash_millionths == books["initial_micro"]


@pytest.mark.parametrize(
    "kind",
    ["http_500", "timeout_before", "timeout_after", "error_after", "cut", "truncated_json"],
)
def test_an_answer_that_is_lost_in_any_way_is_settled_by_reading(desk: Desk, kind: str) -> None:
    desk.fail(kind)
    assert isinstance(desk.place(1), Unknown)
    assert desk.place(2).why.endswith("is not resolved: reconcile")
    desk.reconcile()
    desk.step(61)
    assert desk.reconcile().findings == ()
    assert desk.agrees()
    assert isinstance(desk.place(3), Accepted)
    executed = kind not in ("http_500", "timeout_before")
    assert desk.books()["orders"] == (2 if executed else 1)


@pytest.mark.parametrize("kind", ["short_page", "empty_page", "repeated_cursor"])
@pytest.mark.parametrize("path", ["/portfolio/orders", "/portfolio/fills", "/portfolio/positions"])
def test_a_page_that_lies_blocks_trading(desk: Desk, kind: str, path: str) -> None:
    for number in range(1, 5):
        desk.place(number, execution="taker", price_cc=6000, contracts=1)
        desk.reconcile()
    before = [(order.state, order.filled) for order in desk.journal.orders()]
    desk.fail(kind, path=API + path, method="GET", times=None)
    report = desk.reconcile()
    assert not report.may_trade
    assert [(order.state, order.filled) for order in desk.journal.orders()] == before
    assert desk.client.sandbox.faults is not None
    desk.client.sandbox.faults.clear()
    assert desk.reconcile().findings == ()


def test_the_kill_switch_clears_the_account_while_half_of_all_requests_fail(desk: Desk) -> None:
    for number in range(1, 5):
        desk.place(number, price_cc=3500 + 100 * number)
    assert desk.books()["resting_orders"] == 4
    desk.fail("http_500", path=API, method=None, times=None, every=2)
    sandbox = desk.client.sandbox
    signer = Signer.from_pem(sandbox.key_id, sandbox.private_key_pem)
    retry = RetryPolicy(attempts=1)
    with AccountReader(sandbox.api_url, signer=signer, retry=retry) as reader:
        cleared = clear_account(
            desk.writer,
            reader,
            clock_us=lambda: time.monotonic_ns() // 1000,
            sleep=lambda seconds: None,
        )
    assert cleared.verified
    assert desk.books()["resting_orders"] == 0
    assert sandbox.faults is not None
    sandbox.faults.clear()
    desk.reconcile()
    assert {order.state for order in desk.journal.orders()} == {"done"}
    refused = desk.place(9)
    assert "triggered" in json.dumps(vars(refused))


@pytest.mark.slow
def test_an_exchange_that_is_killed_and_started_again_is_reconciled(
    root: Path, tmp_path: Path
) -> None:
    books = tmp_path / "books.sqlite"
    trading_ = Trading(start=START, books=books, write_bucket=ENDLESS, read_lag_s=0.0)
    state_dir, clock = tmp_path / "sandbox", Clock(START_US)
    with launched(root, state_dir=state_dir, trading=trading_) as sandbox, ExitStack() as stack:
        client = Client(sandbox)
        stack.enter_context(client.http)
        desk = stack.enter_context(opened(client, tmp_path, clock))
        desk.place(1, execution="taker", price_cc=6000)
        desk.place(2)
        os.kill(json.loads((state_dir / "sandbox.json").read_bytes())["pid"], signal.SIGKILL)
        gone = desk.place(3)
        assert isinstance(gone, Refused | Unknown)
        report = desk.reconcile()
        assert [finding.kind for finding in report.findings] == ["read_failed"]
        assert isinstance(desk.place(4), Blocked)
        port = int(sandbox.url.rpartition(":")[2])
        with launched(root, state_dir=state_dir, port=port, trading=trading_):
            desk.reconcile()
            desk.step(121)
            report = desk.reconcile()
            assert (report.findings, report.cash_difference_millionths) == ((), 0)
            assert desk.agrees()
            assert desk.books()["resting_orders"] == 0
            assert isinstance(desk.place(5), Accepted)
