"""Every fault that can be scripted, as a client sees it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedError

from kalshi_assets.sandbox.exchange_wire import rfc3339
from kalshi_assets_tests.sandbox.tiny import CHI_BIN, CHI_EVENT, CHI_LOW
from kalshi_assets_tests.sandbox.venue.tools import ORDERS, START, Client, Socket, trading

BOOKS = "orderbook_delta"
CREATE = f"/trade-api/v2{ORDERS}"


@pytest.fixture
def socket(client: Client) -> Iterator[Socket]:
    with client.socket() as socket:
        socket.command("subscribe", channels=[BOOKS, "trade"], market_tickers=[CHI_BIN])
        socket.read_until(3)
        yield socket


def _in(seconds: float) -> str:
    return rfc3339(START + timedelta(seconds=seconds))


def _numbers(frames: list[dict[str, Any]]) -> list[int]:
    return [f["seq"] for f in frames if f.get("sid") == 1]


def test_a_disconnect_closes_the_socket_at_its_instant(client: Client, socket: Socket) -> None:
    client.script(at=_in(30), kind="disconnect")
    sent = client.step(minutes=2)["frames"][socket.id]
    socket.read_until(sent)
    with pytest.raises(ConnectionClosed) as ended:
        socket.read()
    assert ended.value.rcvd is not None
    assert ended.value.rcvd.code == 1001
    assert all(f["sending_ts_ms"] <= (START.timestamp() + 30) * 1000 for f in socket.frames)
    with client.socket() as again:
        again.command("subscribe", channels=[BOOKS], market_tickers=[CHI_BIN])
        assert (again.read()["sid"], again.frames[-1]["seq"]) == (1, 1)


def test_a_cut_connection_ends_without_a_close_frame(client: Client, socket: Socket) -> None:
    client.script(kind="cut")
    with pytest.raises(ConnectionClosedError) as ended:
        socket.read()
    assert ended.value.rcvd is None


def test_only_the_named_connection_is_disconnected(client: Client, socket: Socket) -> None:
    with client.socket() as other:
        client.script(kind="disconnect", connection=other.id)
        with pytest.raises(ConnectionClosed):
            other.read()
        assert socket.command("list_subscriptions")["type"] == "ok"


def test_a_sequence_gap_loses_one_delta(client: Client, socket: Socket) -> None:
    client.script(kind="sequence_gap")
    client.create()
    client.create()
    assert socket.read()["seq"] == 3


def test_a_duplicated_frame_comes_twice(client: Client, socket: Socket) -> None:
    client.script(kind="duplicate_frame")
    client.create()
    first, second = socket.read(), socket.read()
    assert first == second
    client.create()
    assert socket.read()["seq"] == 3


def test_reordered_frames_change_places(client: Client, socket: Socket) -> None:
    client.script(kind="reorder_frames")
    client.create()
    client.create()
    client.create()
    assert [socket.read()["seq"] for _ in range(3)] == [3, 2, 4]


def test_a_slow_consumer_loses_its_subscriptions(client: Client, socket: Socket) -> None:
    client.script(kind="slow_consumer")
    errors = [socket.read(), socket.read()]
    assert [(e["type"], e["sid"], e["msg"]["code"]) for e in errors] == [
        ("error", 1, 25),
        ("error", 2, 25),
    ]
    assert errors[0]["seq"] == 2
    assert socket.command("list_subscriptions")["msg"] == []
    again = socket.command("subscribe", channels=[BOOKS], market_tickers=[CHI_BIN])
    assert again["msg"]["sid"] == 3


def test_a_reader_that_is_too_slow_overflows_by_itself(tiny_root: Path) -> None:
    with trading(tiny_root, buffer_limit=5) as client, client.socket() as socket:
        socket.command("subscribe", channels=[BOOKS], market_tickers=[CHI_BIN])
        client.step(hours=1)
        while socket.read()["type"] != "error":
            pass
        assert socket.frames[-1]["msg"]["code"] == 25
        numbers = _numbers(socket.frames)
        assert numbers == sorted(numbers)


def test_in_silence_books_stand_and_then_everything_comes(client: Client, socket: Socket) -> None:
    client.script(at=_in(10), kind="silence", seconds=300)
    quiet = socket.stepped(client, seconds=309)
    late = socket.stepped(client, seconds=60)
    assert [f for f in quiet if f["type"] == BOOKS] == []
    deltas = [f for f in late if f["type"] == BOOKS]
    assert _numbers(deltas) == list(range(2, len(deltas) + 2))
    assert deltas[0]["sending_ts_ms"] - deltas[0]["msg"]["ts_ms"] > 200_000


def test_a_private_channel_may_be_silent_for_good(client: Client) -> None:
    with client.socket() as socket:
        socket.command("subscribe", channels=["user_orders"])
        client.script(kind="silence", channel="user_orders", seconds=60, lost=True)
        client.create(client_order_id="unseen")
        client.step(seconds=61)
        client.create(client_order_id="seen")
        assert socket.read()["msg"]["client_order_id"] == "seen"


def test_the_clock_of_the_exchange_may_be_wrong(client: Client, socket: Socket) -> None:
    client.script(kind="clock_skew", seconds=3)
    client.create()
    frame = socket.read()
    assert frame["sending_ts_ms"] - frame["msg"]["ts_ms"] == 3000
    client.script(kind="clock_skew", seconds=60)
    refused = client.call("GET", "/portfolio/balance")
    assert refused.status_code == 401
    assert refused.json()["error"]["code"] == "header_timestamp_expired"


def test_a_pause_refuses_orders_and_accepts_cancels(client: Client) -> None:
    stays = client.create().json()["order_id"]
    goes = client.create(cancel_order_on_pause=True).json()["order_id"]
    client.script(at=_in(1), kind="trading_pause")
    client.step(seconds=1)
    refused = client.create()

    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "trading_is_paused")
    assert client.get("/exchange/status")["trading_active"] is False
    assert client.get(f"/portfolio/orders/{goes}")["order"]["status"] == "canceled"
    body = {"ticker": CHI_BIN, "side": "bid", "price": "0.3300", "count": "2.00"}
    assert client.call("POST", f"{ORDERS}/{stays}/amend", json=body).status_code == 409
    assert client.call("DELETE", f"{ORDERS}/{stays}").status_code == 200
    client.script(kind="trading_resume")
    assert client.create().status_code == 201


def test_nothing_trades_in_a_pause(client: Client, socket: Socket) -> None:
    client.script(kind="trading_pause")
    assert socket.stepped(client, hours=1) == []
    client.script(kind="trading_resume")
    assert socket.read()["type"] == BOOKS


def test_a_paused_market_loses_its_orders_when_it_comes_back(client: Client) -> None:
    with client.socket() as socket:
        socket.command("subscribe", channels=["market_lifecycle_v2"])
        one = client.create().json()["order_id"]
        client.script(kind="market_pause", ticker=CHI_BIN)
        assert socket.read()["msg"]["event_type"] == "deactivated"
        assert client.get(f"/markets/{CHI_BIN}")["market"]["status"] == "inactive"
        assert client.create().json()["error"]["code"] == "MARKET_INACTIVE"
        assert client.create(ticker=CHI_LOW).status_code == 201
        assert client.get(f"/portfolio/orders/{one}")["order"]["status"] == "resting"
        client.script(kind="market_resume", ticker=CHI_BIN)
        assert socket.read()["msg"]["event_type"] == "activated"
        assert client.get(f"/portfolio/orders/{one}")["order"]["status"] == "canceled"


def test_an_early_close_ends_trading_and_settles_on_time(client: Client) -> None:
    client.create(price="0.5200", time_in_force="immediate_or_cancel")
    one = client.create().json()["order_id"]
    with client.socket() as socket:
        socket.command("subscribe", channels=["market_lifecycle_v2"])
        client.script(at=_in(60), kind="early_close", event_ticker=CHI_EVENT)
        told = socket.stepped(client, seconds=62)
    market = client.get(f"/markets/{CHI_BIN}")["market"]

    assert [f["msg"]["event_type"] for f in told].count("close_date_updated") == 3
    assert told[0]["msg"]["close_ts"] == int(START.timestamp()) + 60
    assert (market["status"], market["close_time"]) == ("closed", _in(60))
    assert client.get(f"/portfolio/orders/{one}")["order"]["status"] == "canceled"
    client.step(hours=12)
    assert client.get("/portfolio/settlements")["settlements"][0]["revenue"] == 100


def test_an_early_close_survives_a_restart(tiny_root: Path, tmp_path: Path) -> None:
    for start in range(2):
        with trading(tiny_root, books=tmp_path / "books.sqlite") as client:
            if start == 0:
                client.script(kind="early_close", ticker=CHI_BIN)
            assert client.create().json()["error"]["code"] == "MARKET_INACTIVE"


def _requests(client: Client, **fault: Any) -> None:
    client.script(kind="requests", faults=[fault])


def test_an_error_after_acceptance_leaves_the_order(client: Client) -> None:
    _requests(client, kind="error_after", path=CREATE, method="POST", times=1)
    lost = client.create(client_order_id="a")
    assert (lost.status_code, lost.json()["error"]["code"]) == (500, "internal_server_error")
    assert client.create(client_order_id="a").status_code == 409
    (order,) = client.get("/portfolio/orders")["orders"]
    assert (order["client_order_id"], order["status"]) == ("a", "resting")


def test_an_error_before_acceptance_leaves_nothing(client: Client) -> None:
    _requests(client, kind="http_500", path=CREATE, method="POST", times=1)
    assert client.create(client_order_id="a").status_code == 500
    assert client.create(client_order_id="a").status_code == 201


@pytest.mark.parametrize(("kind", "orders"), [("timeout_before", 0), ("timeout_after", 1)])
def test_a_time_out_leaves_the_order_or_not(client: Client, kind: str, orders: int) -> None:
    _requests(client, kind=kind, path=CREATE, method="POST", times=1, seconds=1.0)
    with pytest.raises(httpx.ReadTimeout):
        client.call(
            "POST",
            ORDERS,
            json={
                "ticker": CHI_BIN,
                "side": "bid",
                "count": "1.00",
                "price": "0.3300",
                "time_in_force": "good_till_canceled",
                "self_trade_prevention_type": "maker",
            },
            timeout=0.2,
        )
    assert len(client.get("/portfolio/orders")["orders"]) == orders


def test_a_time_out_that_is_waited_for_is_a_504(client: Client) -> None:
    _requests(client, kind="timeout_after", path=CREATE, times=1, seconds=0.01)
    answer = client.create()
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "gateway_timeout")


@pytest.mark.parametrize(
    ("kind", "sizes", "complete"),
    [("short_page", [1], False), ("empty_page", [0], True), ("repeated_cursor", [2], False)],
)
def test_a_page_of_orders_may_lie(
    client: Client, kind: str, sizes: list[int], complete: bool
) -> None:
    made = [client.create().json()["order_id"] for _ in range(5)]
    path = "/portfolio/orders"
    _requests(client, kind=kind, path=f"/trade-api/v2{path}", times=1)
    page = client.get(path, limit=2)
    lied = [len(page["orders"])]
    walked, cursor = page["orders"], page["cursor"]
    while cursor != "" and len(walked) < 20:
        page = client.get(path, limit=2, cursor=cursor)
        walked, cursor = walked + page["orders"], page["cursor"]
    assert lied == sizes
    assert ([o["order_id"] for o in walked] == made[::-1]) is complete


def test_the_script_shows_what_was_done(client: Client) -> None:
    client.script(at=_in(30), kind="trading_pause")
    assert client.http.get("/sandbox/script").json()["entries"] == [
        {"at": _in(30), "kind": "trading_pause", "done": False}
    ]
    client.step(seconds=30)
    assert client.http.get("/sandbox/script").json()["entries"][0]["done"] is True


@pytest.mark.parametrize(
    "entry",
    [
        {"kind": "earthquake"},
        {"kind": "silence"},
        {"kind": "early_close", "ticker": "KXNONE"},
        {"kind": "disconnect", "at": "soon"},
        {"kind": "requests", "faults": [{"kind": "gremlins"}]},
        {},
    ],
)
def test_a_wrong_entry_is_refused_and_nothing_is_done(
    client: Client, entry: dict[str, Any]
) -> None:
    body = {"entries": [{"kind": "trading_pause"}, entry]}
    answer = client.http.post("/sandbox/script", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("script: ")
    assert client.get("/exchange/status")["trading_active"] is True


def test_faults_do_not_touch_the_money(client: Client, socket: Socket) -> None:
    kinds = ["sequence_gap", "duplicate_frame", "reorder_frames", "trading_pause"]
    for n, kind in enumerate([*kinds, "trading_resume"]):
        client.script(at=_in(20 * n), kind=kind)
        client.create(price="0.5200", count="3.00")
        client.create(side="ask", price="0.3200", count="2.00")
        client.step(seconds=20)
    books = client.http.get("/sandbox/books").json()
    total = books["cash_micro"] + books["fees_micro"] + books["cost_micro"]
    assert total - books["realized_micro"] == books["initial_micro"]
    assert books["fills"] > 4
