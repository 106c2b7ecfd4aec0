"""The WebSocket with a real client."""

import json
import time
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from kalshi_assets.exchange.wire_stream import BookDelta, BookSnapshot, frame_of
from kalshi_assets_tests.sandbox.tiny import CHI_BIN, CHI_LOW, NY_BIN
from kalshi_assets_tests.sandbox.venue.tools import Client, Socket, trading
from kalshi_assets_tests.shared import SAMPLES, needs_samples

BOOKS = "orderbook_delta"
ADDED_SINCE = {"sending_ts_ms"}


def _recorded_frames(name: str) -> list[dict[str, Any]]:
    lines = (SAMPLES / "kalshi" / name).read_text().splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def _books(socket: Socket, **more: Any) -> int:
    reply = socket.command("subscribe", channels=[BOOKS], market_tickers=[CHI_BIN], **more)
    assert reply["type"] == "subscribed"
    socket.read()
    return reply["msg"]["sid"]


def test_an_unsigned_handshake_is_refused_before_the_upgrade(client: Client) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(client.sandbox.ws_url)
    response = refused.value.response
    assert response.status_code == 401
    assert b"signature_is_missing_from_headers" in response.body
    wrong = client.headers("GET", "/trade-api/v2/ws")
    with pytest.raises(InvalidStatus, match="401"):
        connect(client.sandbox.ws_url, additional_headers=wrong)


@needs_samples
@pytest.mark.parametrize(
    ("name", "yes_scale"),
    [("ws__orderbook_trade_noleg.jsonl", False), ("ws__orderbook_trade_yes.jsonl", True)],
)
def test_frames_have_the_shape_of_the_recorded_ones(
    client: Client, name: str, yes_scale: bool
) -> None:
    recorded = _recorded_frames(name)
    with client.socket() as socket:
        socket.command(
            "subscribe",
            channels=[BOOKS, "trade"],
            market_tickers=[CHI_BIN],
            use_yes_price=yes_scale,
        )
        socket.stepped(client, minutes=1)
        frames = socket.frames
    assert [f["type"] for f in frames[:3]] == [f["type"] for f in recorded[:3]]
    assert [f["msg"].get("sid") for f in frames[:2]] == [1, 2]
    for kind in ("subscribed", "orderbook_snapshot", BOOKS):
        ours = next(f for f in frames if f["type"] == kind)
        real = next(f for f in recorded if f["type"] == kind)
        assert ours.keys() == real.keys() | ADDED_SINCE
        assert ours["msg"].keys() == real["msg"].keys()
    assert {f["seq"] for f in recorded if "seq" in f} <= {f.get("seq") for f in frames}


def test_the_no_side_has_the_scale_that_was_asked_for(client: Client) -> None:
    best = []
    for yes_scale in (False, True):
        with client.socket() as socket:
            _books(socket, use_yes_price=yes_scale)
            best.append(socket.frames[-1]["msg"]["no_dollars_fp"])
    no_scale, yes_scale_levels = best
    assert no_scale[-1][0] == "0.4800"
    assert yes_scale_levels[0][0] == "0.5200"
    assert [size for _, size in no_scale[::-1]] == [size for _, size in yes_scale_levels]


def test_deltas_lead_from_the_first_snapshot_to_the_book_of_the_moment(client: Client) -> None:
    with client.socket() as socket:
        sid = _books(socket, use_yes_price=True)
        client.create(price="0.3300", count="4.00")
        socket.stepped(client, minutes=20)
        book: dict[tuple[str, int], int] = defaultdict(int)
        for text in map(json.dumps, socket.frames):
            frame = frame_of(text)
            assert frame is not None
            if isinstance(frame.body, BookSnapshot):
                for side, levels in (("yes", frame.body.yes), ("no", frame.body.no)):
                    book.update({(side, price): size for price, size in levels})
            elif isinstance(frame.body, BookDelta):
                book[frame.body.side, frame.body.price_cc] += frame.body.change
        socket.command(
            "update_subscription", sid=sid, action="get_snapshot", market_tickers=[CHI_BIN]
        )
        final = socket.frames[-1]
    levels = {
        (side, round(float(price) * 10_000)): int(100 * Decimal(size))
        for side in ("yes", "no")
        for price, size in final["msg"][f"{side}_dollars_fp"]
    }
    assert {level: size for level, size in book.items() if size} == levels
    assert (final["type"], final["id"]) == ("orderbook_snapshot", 2)


def test_a_sid_has_one_sequence_for_markets_replies_and_refusals(client: Client) -> None:
    with client.socket() as socket:
        sid = _books(socket)
        added = socket.command(
            "update_subscription", sids=[sid], action="add_markets", market_tickers=[CHI_LOW]
        )
        assert added["msg"] == {"market_tickers": [CHI_BIN, CHI_LOW]}
        assert socket.read()["msg"].keys() == {"market_ticker", "market_id"}
        refused = socket.command("update_subscription", sid=sid, action="jump", market_tickers=[])
        assert (refused["type"], refused["msg"]["code"], refused["sid"]) == ("error", 13, sid)
        client.create(ticker=CHI_LOW)
        socket.read()
        socket.stepped(client, minutes=1)
        gone = socket.command(
            "update_subscription", sid=sid, action="delete_markets", market_tickers=[CHI_LOW]
        )
        assert gone["msg"] == {"market_tickers": [CHI_BIN]}
        client.create(ticker=CHI_LOW)
        end = socket.command("unsubscribe", sids=[sid])
        assert end["type"] == "unsubscribed"
        numbers = [f["seq"] for f in socket.frames if f.get("sid") == sid]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 6


def test_a_subscription_to_all_markets_has_no_list_to_change(client: Client) -> None:
    with client.socket() as socket:
        socket.command("subscribe", channels=["trade"])
        named = {"sid": 1, "market_tickers": [CHI_BIN]}
        assert socket.command("update_subscription", action="add_markets", **named)["type"] == "ok"
        refused = socket.command("update_subscription", action="delete_markets", **named)
        assert refused["msg"]["code"] == 13
        client.create(ticker=CHI_LOW)
        client.create(price="0.5200", time_in_force="immediate_or_cancel")
        assert socket.read()["type"] == "trade"


def test_a_subscription_is_extended_by_subscribing_again(client: Client) -> None:
    with client.socket() as socket:
        sid = _books(socket)
        again = socket.command("subscribe", channels=[BOOKS], market_tickers=[CHI_BIN, CHI_LOW])
        assert (again["type"], again["sid"], again["seq"]) == ("ok", sid, 2)
        assert socket.read()["msg"]["market_ticker"] == CHI_LOW
        assert socket.command("list_subscriptions")["msg"] == [{"channel": BOOKS, "sid": sid}]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"cmd": "subscribe"}, 2),
        ({"cmd": "subscribe", "params": {}}, 3),
        ({"cmd": "unsubscribe", "params": {}}, 4),
        ({"cmd": "shout"}, 5),
        ({"cmd": "unsubscribe", "params": {"sids": [9]}}, 7),
        ({"cmd": "subscribe", "params": {"channels": ["ticker_v2"]}}, 8),
        ({"cmd": "subscribe", "params": {"channels": [BOOKS], "market_tickers": ["X"]}}, 11),
        (
            {
                "cmd": "subscribe",
                "params": {"channels": [BOOKS], "market_ticker": CHI_BIN, "market_tickers": []},
            },
            11,
        ),
        ({"cmd": "update_subscription", "params": {"sids": [1, 2]}}, 12),
        ({"cmd": "update_subscription", "params": {"sid": 1, "action": "x"}}, 13),
        ({"cmd": "subscribe", "params": {"channels": [BOOKS]}}, 14),
        ({"cmd": "update_subscription", "action": "get_snapshot", "params": {"sid": 1}}, 15),
    ],
)
def test_a_wrong_command_gets_its_code(client: Client, command: dict[str, Any], code: int) -> None:
    with client.socket() as socket:
        _books(socket)
        socket.connection.send(json.dumps({"id": 77, **command}))
        reply = socket.read()
        assert (reply["type"], reply["id"], reply["msg"]["code"]) == ("error", 77, code)
        socket.connection.send("{")
        reply = socket.read()
        assert (reply["msg"]["code"], "id" in reply) == (1, False)


def test_own_orders_and_fills_come_over_their_channels(client: Client) -> None:
    with client.socket() as socket:
        socket.command(
            "subscribe", channels=["fill", "user_orders", "market_positions", "trade", "ticker"]
        )
        socket.read_until(5)
        client.create(client_order_id="mine", price="0.5200", count="2.00")
        while not any(f["type"] == "ticker" for f in socket.frames):
            socket.read()
        frames = {f["type"]: f for f in socket.frames}
    fill, state = frames["fill"]["msg"], frames["user_order"]["msg"]
    (booked,) = client.get("/portfolio/fills")["fills"]

    assert not any("seq" in frames[kind] for kind in ("fill", "user_order", "market_position"))
    assert fill["client_order_id"] == state["client_order_id"] == "mine"
    assert {name: fill[name] for name in ("trade_id", "order_id", "count_fp", "fee_cost")} == {
        name: booked[name] for name in ("trade_id", "order_id", "count_fp", "fee_cost")
    }
    assert fill["post_position_fp"] == "2.00"
    assert (state["status"], state["last_update_reason"]) == ("executed", "Trade")
    assert frames["market_position"]["msg"]["position_fp"] == "2.00"
    assert frames["trade"]["msg"]["trade_id"] == fill["trade_id"]
    assert frames["ticker"]["msg"]["price_dollars"] == "0.5200"


def test_a_delta_of_an_own_order_names_it(client: Client) -> None:
    with client.socket() as socket:
        _books(socket)
        client.create(client_order_id='quoted "id"')
        delta = socket.read()
    assert delta["msg"]["client_order_id"] == 'quoted "id"'
    assert (delta["msg"]["price_dollars"], delta["msg"]["delta_fp"]) == ("0.3300", "1.00")


def test_groups_and_lifecycles_are_numbered(client: Client) -> None:
    with client.socket() as socket:
        socket.command("subscribe", channels=["order_group_updates", "market_lifecycle_v2"])
        socket.read()
        client.call("POST", "/portfolio/order_groups/create", json={"contracts_limit": 3})
        created = socket.read()
        socket.stepped(client, hours=24)
        told = [f for f in socket.frames if f["type"] == "market_lifecycle_v2"]
    assert (created["msg"]["event_type"], created["seq"]) == ("created", 1)
    assert [f["msg"]["event_type"] for f in told] == ["created"] * 3
    assert [f["seq"] for f in told] == [1, 2, 3]
    assert told[0]["msg"]["open_ts"] < told[0]["msg"]["close_ts"]


def test_a_market_ends_with_determined_and_settled(client: Client) -> None:
    with client.socket() as socket:
        socket.command("subscribe", channels=["market_lifecycle_v2"])
        socket.stepped(client, hours=60)
        told = [f["msg"] for f in socket.frames if f["type"] == "market_lifecycle_v2"]
    mine = [m for m in told if m["market_ticker"] == CHI_BIN]
    assert [m["event_type"] for m in mine] == ["determined", "settled"]
    assert (mine[0]["result"], mine[0]["settlement_value"]) == ("yes", "1.0000")


def test_a_closed_market_has_an_empty_book(client: Client) -> None:
    with client.socket() as socket:
        socket.command("subscribe", channels=[BOOKS], market_tickers=[NY_BIN])
        snapshot = socket.read()
    assert snapshot["msg"].keys() == {"market_ticker", "market_id"}


def test_every_frame_says_when_it_was_sent(client: Client) -> None:
    with client.socket() as socket:
        socket.command("subscribe", channels=[BOOKS, "ticker"], market_tickers=[CHI_BIN])
        socket.stepped(client, minutes=5)
        frames = socket.frames
    assert all(isinstance(f["sending_ts_ms"], int) for f in frames)
    times = [f["sending_ts_ms"] for f in frames]
    assert times == sorted(times)
    moved = [f for f in frames if "ts_ms" in f["msg"]]
    assert all(f["msg"]["ts_ms"] == f["sending_ts_ms"] for f in moved)


def test_two_connections_have_sids_and_numbers_of_their_own(client: Client) -> None:
    with client.socket() as first, client.socket() as second:
        assert first.id != second.id
        assert _books(first) == _books(second) == 1
        client.create()
        assert first.read()["seq"] == second.read()["seq"] == 2


def test_the_server_pings_with_heartbeat(tiny_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kalshi_assets.sandbox.server.PING_INTERVAL_S", 0.02)
    with trading(tiny_root) as client, client.socket() as socket:
        pings: list[bytes] = []
        protocol = socket.connection.protocol
        received = protocol.recv_frame

        def watch(frame: Any) -> None:
            if frame.opcode == 0x9:
                pings.append(bytes(frame.data))
            received(frame)

        monkeypatch.setattr(protocol, "recv_frame", watch)
        deadline = time.monotonic() + 10
        while not pings and time.monotonic() < deadline:
            client.http.get("/sandbox/clock")
        assert pings[0] == b"heartbeat"
