"""The venue's books on disk: what survives a killed process."""

import os
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kalshi_assets.sandbox.app import Trading
from kalshi_assets.sandbox.exchange_wire import rfc3339
from kalshi_assets.sandbox.server import launched
from kalshi_assets.sandbox.venue.account import ConservationError
from kalshi_assets.sandbox.venue.books import Books, BooksError
from kalshi_assets.sandbox.venue.order_requests import GroupLimit
from kalshi_assets_tests.sandbox.tiny import CHI_BIN, CHI_LOW
from kalshi_assets_tests.sandbox.venue.tools import ORDERS, START, Client, Trader, trading


def _state(trader: Trader) -> dict[str, Any]:
    venue = trader.venue
    return {
        "now": venue.now_us,
        "cash": venue.account.cash,
        "orders": {i: {**vars(o), "fees": o.fees.accumulated} for i, o in venue.orders.items()},
        "fills": venue.fills,
        "positions": venue.account.positions,
        "settlements": venue.account.settlements,
        "groups": venue.groups,
        "kill": venue.kill_until_us,
    }


def _busy(trader: Trader) -> None:
    group = trader.entry.create_group(GroupLimit(contracts_limit=500)).group_id
    trader.create(client_order_id="a", price="0.5300", count="250.50", order_group_id=group)
    trader.create(client_order_id="b", side="ask", price="0.5500", count="3.00")
    trader.create(client_order_id="c", price="0.3200", expiration_time=2_000_000_000)
    trader.run(minutes=5)


def test_everything_comes_back_from_the_file(tiny_root: Path, tmp_path: Path) -> None:
    path = tmp_path / "books.sqlite"
    first = Trader(tiny_root, books=path)
    _busy(first)
    before = _state(first)
    second = Trader(tiny_root, books=path, dollars=7)

    assert _state(second) == before
    assert [o.client_order_id for o in second.venue.matching.resting()] == [
        o.client_order_id for o in first.venue.matching.resting()
    ]
    second.venue.account.check_conservation()
    second.run(days=3)
    second.venue.account.check_conservation()
    assert second.venue.account.settlements


def test_a_returned_order_stands_behind_what_is_displayed(tiny_root: Path, tmp_path: Path) -> None:
    path = tmp_path / "books.sqlite"
    first = Trader(tiny_root, books=path)
    order = first.create(price="0.3200", count="2.00").order
    second = Trader(tiny_root, books=path)
    book = second.venue.book(CHI_BIN)
    ahead = second.entry.queue_position(order.order_id)
    assert ahead == book.background("bid", 3200) > 0


def test_a_used_client_order_id_stays_used(tiny_root: Path, tmp_path: Path) -> None:
    path = tmp_path / "books.sqlite"
    first = Trader(tiny_root, books=path)
    first.entry.cancel(first.create(client_order_id="used").order.order_id)
    second = Trader(tiny_root, books=path)
    with pytest.raises(Exception, match="order_already_exists"):
        second.create(client_order_id="used")


def test_an_answered_fill_is_in_the_file(tiny_root: Path, tmp_path: Path) -> None:
    path = tmp_path / "books.sqlite"
    Trader(tiny_root, books=path).create(price="0.5200")
    with closing(sqlite3.connect(path)) as base:
        kept = base.execute("SELECT count(*) FROM kept WHERE kind = 'fill'").fetchone()
    assert kept == (1,)


def test_money_that_vanished_is_noticed(tiny_root: Path) -> None:
    trader = Trader(tiny_root)
    trader.create(price="0.5200")
    trader.venue.account.cash -= 1
    with pytest.raises(ConservationError, match="but the account began with 1000000000"):
        trader.venue.account.check_conservation()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "books.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(BooksError, match=r"books\.sqlite cannot hold"):
        Books(path)


def test_a_restarted_sandbox_goes_on_at_its_own_time(tiny_root: Path, tmp_path: Path) -> None:
    path = tmp_path / "books.sqlite"
    with trading(tiny_root, books=path) as client:
        one = client.create(client_order_id="a").json()["order_id"]
        now = client.step(minutes=7)["now"]
    with trading(tiny_root, books=path) as client:
        assert client.http.get("/sandbox/clock").json()["now"] == now
        assert client.get(f"/portfolio/orders/{one}")["order"]["status"] == "resting"
        assert client.create(client_order_id="a").status_code == 409


def test_a_client_outlives_a_restart_with_the_same_key_and_port(
    tiny_root: Path, tmp_path: Path
) -> None:
    path = tmp_path / "books.sqlite"
    with trading(tiny_root, books=path) as client:
        one = client.create().json()["order_id"]
        again = Client(client.sandbox)
        port = int(client.sandbox.url.rpartition(":")[2])
    with trading(tiny_root, books=path, port=port, pem=client.sandbox.private_key_pem), again.http:
        assert again.get(f"/portfolio/orders/{one}")["order"]["status"] == "resting"


SERVE = """
import sys
from datetime import datetime
from pathlib import Path
from kalshi_assets.sandbox.app import Trading
from kalshi_assets.sandbox.server import serve
given = dict(zip(sys.argv[3::2], sys.argv[4::2], strict=True))
serve(
    Path(given["--archive"]),
    port=int(given["--port"]),
    state_dir=Path(given["--state-dir"]),
    trading=Trading(start=datetime.fromisoformat(sys.argv[1]), books=Path(sys.argv[2])),
)
"""


@pytest.mark.slow
def test_the_command_line_starts_a_sandbox_that_accepts_orders(
    tiny_root: Path, tmp_path: Path
) -> None:
    wanted = Trading(start=START, speed=1000.0, balance_cc=70_000, books=tmp_path / "books.sqlite")
    with launched(tiny_root, state_dir=tmp_path, trading=wanted) as sandbox:
        client = Client(sandbox)
        with client.http:
            assert client.create(ticker=CHI_LOW).status_code == 201
            books = client.http.get("/sandbox/books").json()
            clock = client.http.get("/sandbox/clock").json()
    assert (books["initial_micro"], books["locked_micro"]) == (7_000_000, 330_000)
    assert clock["speed"] == 1000
    assert clock["now"] > rfc3339(START)
    assert wanted.books is not None
    assert wanted.books.is_file()


@pytest.mark.slow
def test_a_killed_sandbox_keeps_every_answered_order(tiny_root: Path, tmp_path: Path) -> None:
    command = (sys.executable, "-c", SERVE, START.isoformat(), str(tmp_path / "books.sqlite"))
    state_dir = tmp_path / "state"
    with launched(tiny_root, state_dir=state_dir, command=command) as sandbox:
        client = Client(sandbox)
        with client.http:
            made = [client.create(client_order_id=f"{n}").json()["order_id"] for n in range(5)]
            client.call("DELETE", f"{ORDERS}/{made[0]}")
            taken = client.create(price="0.5200", time_in_force="immediate_or_cancel").json()
            before = client.http.get("/sandbox/books").json()
            assert sandbox.pid is not None
            os.kill(sandbox.pid, signal.SIGKILL)
    with launched(tiny_root, state_dir=state_dir, command=command) as sandbox:
        client = Client(sandbox)
        with client.http:
            assert client.http.get("/sandbox/books").json() == before
            statuses = {
                o["order_id"]: o["status"] for o in client.get("/portfolio/orders")["orders"]
            }
            assert statuses == {
                made[0]: "canceled",
                **dict.fromkeys(made[1:], "resting"),
                taken["order_id"]: "executed",
            }
            assert client.create(client_order_id="0").status_code == 409
