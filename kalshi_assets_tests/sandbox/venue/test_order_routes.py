"""The order endpoints, as strict as the exchange."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kalshi_assets.exchange.wire_account import (
    fills_of,
    order_cancelled_of,
    order_created_of,
    order_of,
    orders_of,
)
from kalshi_assets.sandbox.buckets import BASIC_WRITE, BucketSize
from kalshi_assets_tests.sandbox.tiny import CHI_BIN, CHI_CLOSE, CHI_LOW, NY_BIN
from kalshi_assets_tests.sandbox.venue.tools import ORDERS, START_US, Client, order, trading
from kalshi_assets_tests.shared import SAMPLES, needs_samples

NOW_S = START_US // 1_000_000
NEW_SINCE = {"exchange_index", "cancel_order_on_pause"}
"""Fields of orders and fills that the exchange added after the samples were recorded."""


def _sample(name: str) -> Any:
    return json.loads((SAMPLES / "kalshi" / f"{name}.json").read_text())


def _refusal(name: str) -> tuple[int, Any]:
    """Status and body of a recorded refusal; `service` was removed since."""
    body = _sample(name)
    if "error" in body:
        body["error"].pop("service", None)
    return _sample(f"{name}.meta")["status"], body


@needs_samples
def test_refusals_are_the_recorded_ones(client: Client) -> None:
    client.create(client_order_id="used")
    gone = client.create(client_order_id="gone").json()["order_id"]
    client.call("DELETE", f"{ORDERS}/{gone}")
    done = client.create(price="0.5200", time_in_force="immediate_or_cancel").json()["order_id"]
    nobody = "00000000-0000-0000-0000-000000000000"
    answers = {
        "orders__duplicate_client_order_id": client.create(client_order_id="used"),
        "orders__reuse_canceled_client_id": client.create(client_order_id="gone"),
        "orders__cancel_already_canceled": client.call("DELETE", f"{ORDERS}/{gone}"),
        "orders__cancel_executed": client.call("DELETE", f"{ORDERS}/{done}"),
        "orders__cancel_unknown_id": client.call("DELETE", f"{ORDERS}/{nobody}"),
        "orders__insufficient_balance": client.create(count="10099.00", price="0.9900"),
        "orders__invalid_price_structure": client.create(price="0.5150", post_only=True),
        "orders__post_only_cross": client.create(price="0.9900", post_only=True),
        "orders__numeric_field_types": client.create(count=1, price=0.01),
    }
    given = {name: (a.status_code, a.json()) for name, a in answers.items()}
    assert given == {name: _refusal(name) for name in answers}


@needs_samples
def test_receipts_have_the_recorded_keys(client: Client) -> None:
    maker = client.create(client_order_id="a")
    taker = client.create(client_order_id="b", price="0.5200", time_in_force="immediate_or_cancel")
    cancel = client.call("DELETE", f"{ORDERS}/{maker.json()['order_id']}")

    assert maker.json().keys() == _sample("orders__create_v2_maker").keys()
    recorded = _sample("orders__create_v2_taker_ioc")
    assert taker.json().keys() == recorded.keys()
    for name in ("average_fee_paid", "average_fill_price", "fill_count", "remaining_count"):
        assert taker.json()[name] == recorded[name]
    assert cancel.json().keys() == _sample("orders__cancel_v2").keys() | {"client_order_id"}
    assert [a.status_code for a in (maker, taker, cancel)] == [201, 201, 200]
    assert order_created_of(taker.json()).filled == 1
    assert order_cancelled_of(cancel.json()).reduced_by == 1


@needs_samples
def test_reads_have_the_recorded_keys(client: Client) -> None:
    one = client.create(price="0.5200", count="2.00").json()["order_id"]
    single, listed = client.get(f"/portfolio/orders/{one}"), client.get("/portfolio/orders")
    fills, positions = client.get("/portfolio/fills"), client.get("/portfolio/positions")

    sample = _sample("orders__get_after_create")["order"]
    assert single["order"].keys() == sample.keys() | NEW_SINCE
    assert listed == {"orders": [single["order"]], "cursor": ""}
    assert listed.keys() == _sample("portfolio__orders_list").keys()
    fill = _sample("fills__after_taker")["fills"][0]
    assert fills["fills"][0].keys() == fill.keys() | {"exchange_index"}
    held = _sample("portfolio__positions")
    assert positions.keys() == held.keys()
    expected = held["market_positions"][0].keys() - {"resting_orders_count"} | {"exchange_index"}
    assert positions["market_positions"][0].keys() == expected
    assert positions["event_positions"][0].keys() == held["event_positions"][0].keys()
    assert client.get("/portfolio/settlements") == _sample("settlements__page")
    assert order_of(single).filled == orders_of(listed)[0].filled == 2
    assert [f.contracts for f in fills_of(fills)] == [2]


@needs_samples
def test_a_self_cross_is_answered_as_recorded(client: Client) -> None:
    client.create(price="0.4800")
    answer = client.create(
        client_order_id="x", side="ask", price="0.4800", time_in_force="immediate_or_cancel"
    )
    recorded = _sample("orders__stp_self_cross")
    assert answer.status_code == 201
    assert answer.json().keys() == recorded.keys()
    assert answer.json()["fill_count"] == recorded["fill_count"]
    assert answer.json()["remaining_count"] == recorded["remaining_count"]
    assert client.get("/portfolio/orders", status="resting")["orders"]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"ticker": "KXNONE"}, 404, "not_found"),
        ({"ticker": NY_BIN}, 400, "MARKET_INACTIVE"),
        ({"count": "0.00"}, 400, "invalid_order_size"),
        ({"count": "1.001"}, 400, "invalid_order_size"),
        ({"count": "-1.00"}, 400, "invalid_order_size"),
        ({"price": "1.0000"}, 400, "invalid_price"),
        ({"price": "0.0000"}, 400, "invalid_price"),
        ({"price": "1e-1"}, 400, "invalid_price"),
        ({"time_in_force": "GTT"}, 400, "bad_request"),
        ({"side": "yes"}, 400, "bad_request"),
        ({"time_in_force": None}, 400, "bad_request"),
        ({"self_trade_prevention_type": None}, 400, "bad_request"),
        ({"post_only": "true"}, 400, "bad_request"),
        ({"expiration_time": NOW_S}, 400, "invalid_order"),
        ({"expiration_time": 0}, 400, "invalid_order"),
        (
            {"expiration_time": NOW_S + 9, "time_in_force": "immediate_or_cancel"},
            400,
            "invalid_order",
        ),
        ({"post_only": True, "time_in_force": "fill_or_kill"}, 400, "invalid_order"),
        ({"reduce_only": True}, 400, "invalid_order"),
        ({"reduce_only": True, "time_in_force": "immediate_or_cancel"}, 400, "invalid_order"),
        ({"exchange_index": 2}, 400, "invalid_order"),
        ({"subaccount": 1}, 400, "invalid_order"),
        ({"order_group_id": "none"}, 404, "not_found"),
    ],
)
def test_a_refused_order_leaves_nothing(
    client: Client, changes: dict[str, Any], status: int, code: str
) -> None:
    answer = client.create(client_order_id="again", **changes)
    body = answer.json()
    assert (answer.status_code, body.get("error", body)["code"]) == (status, code)
    assert client.get("/portfolio/orders")["orders"] == []
    assert client.create(client_order_id="again").status_code == 201


def test_a_body_that_is_no_object_is_refused(client: Client) -> None:
    for content in (b"{", b"[]", b"", b"null"):
        answer = client.call("POST", ORDERS, content=content)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_the_old_paths_are_gone(client: Client) -> None:
    for method, path in (
        ("POST", ""),
        ("DELETE", "/x"),
        ("POST", "/batched"),
        ("DELETE", "/batched"),
        ("POST", "/x/amend"),
        ("POST", "/x/decrease"),
    ):
        answer = client.call(method, "/portfolio/orders" + path, json={})
        assert answer.status_code == 410
        assert answer.json()["error"]["code"] == "deprecated_v1_order_endpoint"


def test_an_unsigned_order_is_refused(client: Client) -> None:
    answer = client.http.post(f"/trade-api/v2{ORDERS}", json=order())
    assert answer.status_code == 401


def test_a_batch_answers_item_by_item(client: Client) -> None:
    items = [order(client_order_id="a"), order(client_order_id="b", price="0.99000001"), {}]
    answer = client.call("POST", f"{ORDERS}/batched", json={"orders": items})
    first, second, third = answer.json()["orders"]

    assert answer.status_code == 201
    assert first["client_order_id"] == "a"
    assert "order_id" in first
    assert second == {
        "client_order_id": "b",
        "error": {"code": "invalid_price", "message": "invalid price"},
    }
    assert third["error"]["code"] == "bad_request"


def test_a_batch_of_cancels_answers_item_by_item(client: Client) -> None:
    known = client.create().json()["order_id"]
    items = [{"order_id": known}, {"order_id": "unknown"}]
    answer = client.call("DELETE", f"{ORDERS}/batched", json={"orders": items})
    first, second = answer.json()["orders"]

    assert answer.status_code == 200
    assert (first["order_id"], first["reduced_by"]) == (known, "1.00")
    assert (second["order_id"], second["reduced_by"]) == ("unknown", "0")
    assert second["error"]["code"] == "not_found"


def test_a_pure_decrease_keeps_the_place_and_anything_else_loses_it(client: Client) -> None:
    one = client.create(price="0.3200", count="5.00").json()["order_id"]
    client.create(price="0.3200", count="7.00")
    position = f"/portfolio/orders/{one}/queue_position"
    before = client.get(position)
    body = {"ticker": CHI_BIN, "side": "bid", "price": "0.3200"}
    amend = f"{ORDERS}/{one}/amend"

    smaller = client.call("POST", amend, json=body | {"count": "4.00"})
    assert smaller.json()["remaining_count"] == "4.00"
    assert client.get(position) == before
    client.call("POST", f"{ORDERS}/{one}/decrease", json={"reduce_by": "1.00"})
    assert client.get(position) == before
    client.call("POST", amend, json=body | {"count": "6.00"})
    ahead = float(client.get(position)["queue_position_fp"])
    assert ahead == float(before["queue_position_fp"]) + 7
    listed = client.get("/portfolio/orders/queue_positions", market_tickers=CHI_BIN)
    assert len(listed["queue_positions"]) == 2


def test_an_amend_counts_what_is_filled_and_may_cross(client: Client) -> None:
    client.create(side="ask", price="0.5100", count="1.00")
    one = client.create(price="0.5100", count="3.00", self_trade_prevention_type="maker").json()[
        "order_id"
    ]
    body = {"ticker": CHI_BIN, "side": "bid", "price": "0.5200", "count": "2.00"}
    answer = client.call("POST", f"{ORDERS}/{one}/amend", json=body).json()

    assert (answer["fill_count"], answer["remaining_count"]) == ("2.00", "0.00")
    refused = client.call("POST", f"{ORDERS}/{one}/amend", json=body)
    assert refused.status_code == 404


def test_an_amend_that_names_another_market_is_refused(client: Client) -> None:
    one = client.create().json()["order_id"]
    body = {"ticker": CHI_LOW, "side": "bid", "price": "0.3300", "count": "2.00"}
    answer = client.call("POST", f"{ORDERS}/{one}/amend", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "order_ticker_mismatch")


def test_an_amend_may_move_and_clear_the_expiry(client: Client) -> None:
    one = client.create(expiration_time=NOW_S + 10).json()["order_id"]
    body = {"ticker": CHI_BIN, "side": "bid", "price": "0.3300", "count": "1.00"}
    client.call("POST", f"{ORDERS}/{one}/amend", json=body | {"expiration_time": 0})
    client.step(seconds=20)
    assert client.get(f"/portfolio/orders/{one}")["order"]["status"] == "resting"


def test_a_decrease_needs_one_size(client: Client) -> None:
    one = client.create(count="3.00").json()["order_id"]
    path = f"{ORDERS}/{one}/decrease"
    assert client.call("POST", path, json={}).status_code == 400
    both = {"reduce_by": "1.00", "reduce_to": "1.00"}
    assert client.call("POST", path, json=both).status_code == 400
    answer = client.call("POST", path, json={"reduce_to": "1.00"}).json()
    assert answer["remaining_count"] == "1.00"
    assert client.call("POST", path, json={"reduce_to": "0.00"}).json()["remaining_count"] == "0.00"
    assert client.get(f"/portfolio/orders/{one}")["order"]["status"] == "canceled"


def test_cancel_all_also_kills_what_comes_within_a_minute(client: Client) -> None:
    client.create()
    answer = client.call("DELETE", ORDERS)
    assert (answer.status_code, answer.content) == (204, b"")
    late = client.create(price="0.5200")
    assert late.status_code == 201
    assert (late.json()["fill_count"], late.json()["remaining_count"]) == ("0.00", "0.00")
    assert client.get("/portfolio/orders", status="resting")["orders"] == []
    client.step(seconds=61)
    assert client.create().json()["remaining_count"] == "1.00"


def test_orders_come_in_pages_and_by_status(client: Client) -> None:
    made = [client.create().json()["order_id"] for _ in range(5)]
    client.call("DELETE", f"{ORDERS}/{made[0]}")
    walked, cursor = [], None
    while cursor != "":
        body = client.get("/portfolio/orders", limit=2, cursor=cursor or "")
        walked += [o["order_id"] for o in body["orders"]]
        cursor = body["cursor"]
    assert walked == made[::-1]
    assert len(client.get("/portfolio/orders", status="resting")["orders"]) == 4
    assert client.call("GET", "/portfolio/orders", params={"limit": 1001}).status_code == 400
    assert client.call("GET", "/portfolio/orders", params={"status": "open"}).status_code == 400


def test_collateral_is_locked_and_freed(client: Client) -> None:
    def free() -> str:
        return client.get("/portfolio/balance")["balance_dollars"]

    bid = client.create(price="0.3300", count="10.00").json()["order_id"]
    assert free() == "996.7000"
    client.create(side="ask", price="0.9000", count="10.00")
    assert free() == "995.7000"
    client.call("DELETE", f"{ORDERS}/{bid}")
    assert free() == "999.0000"


def test_an_order_that_reduces_a_position_locks_nothing(client: Client) -> None:
    client.create(price="0.5200", count="5.00", time_in_force="immediate_or_cancel")
    before = client.get("/portfolio/balance")["balance_dollars"]
    client.create(side="ask", price="0.9000", count="5.00")
    assert client.get("/portfolio/balance")["balance_dollars"] == before
    client.create(side="ask", price="0.9000", count="5.00")
    after = client.get("/portfolio/balance")["balance_dollars"]
    assert float(before) - float(after) == pytest.approx(0.5)


def test_reduce_only_closes_no_more_than_is_held(client: Client) -> None:
    client.create(price="0.5200", count="3.00", time_in_force="immediate_or_cancel")
    closing = {"side": "ask", "price": "0.0100", "time_in_force": "immediate_or_cancel"}
    answer = client.create(count="9.00", reduce_only=True, **closing)
    assert answer.json()["fill_count"] == "3.00"
    assert client.get("/portfolio/positions", count_filter="position")["market_positions"] == []


def test_reads_lag_behind_a_cancel(tiny_root: Path) -> None:
    with trading(tiny_root, read_lag_s=3600.0) as client:
        one = client.create().json()["order_id"]
        assert client.call("DELETE", f"{ORDERS}/{one}").status_code == 200
        assert client.get(f"/portfolio/orders/{one}")["order"]["status"] == "resting"
        assert client.get("/portfolio/orders", status="resting")["orders"]
        assert client.call("DELETE", f"{ORDERS}/{one}").status_code == 404


def test_writes_have_a_bucket_of_their_own(tiny_root: Path) -> None:
    nearly_still = BucketSize(refill_rate=1e-6, capacity=BASIC_WRITE.capacity)
    with trading(tiny_root, write_bucket=nearly_still) as client:
        limits = client.get("/account/limits")
        made = [client.create() for _ in range(9)]
        batch = client.call("POST", f"{ORDERS}/batched", json={"orders": [order(), order()]})
        cancels = [
            client.call("DELETE", f"{ORDERS}/{m.json()['order_id']}").status_code for m in made[:6]
        ]
        assert limits["write"]["bucket_capacity"] == 100
        assert {m.status_code for m in made} == {201}
        assert (batch.status_code, batch.json()) == (429, {"error": "too many requests"})
        assert cancels == [200] * 5 + [429]
        assert client.get("/portfolio/orders")["orders"]


def test_a_group_stops_at_its_limit_until_it_is_reset(client: Client) -> None:
    made = client.call("POST", "/portfolio/order_groups/create", json={"contracts_limit": 3})
    group = made.json()["order_group_id"]
    rest = client.create(order_group_id=group).json()["order_id"]
    path = f"/portfolio/order_groups/{group}"
    assert client.get(path)["orders"] == [rest]
    client.create(order_group_id=group, price="0.5200", count="2.00")
    assert client.get(f"/portfolio/orders/{rest}")["order"]["status"] == "resting"
    client.create(order_group_id=group, price="0.5200", count="1.00")

    assert client.get(f"/portfolio/orders/{rest}")["order"]["status"] == "canceled"
    refused = client.create(order_group_id=group)
    assert refused.json()["error"]["details"] == "order group is triggered"
    assert client.call("PUT", f"{path}/reset").status_code == 200
    assert client.create(order_group_id=group).status_code == 201
    assert made.status_code == 201


def test_a_group_forgets_matches_after_fifteen_seconds(client: Client) -> None:
    body = {"contracts_limit_fp": "3.00"}
    made = client.call("POST", "/portfolio/order_groups/create", json=body)
    group = made.json()["order_group_id"]
    take = {"price": "0.5600", "count": "2.00", "time_in_force": "immediate_or_cancel"}
    client.create(order_group_id=group, **take)
    client.step(seconds=16)
    assert client.create(order_group_id=group, **take).json()["fill_count"] == "2.00"
    assert client.create(order_group_id=group).status_code == 201


def test_a_group_is_triggered_limited_listed_and_deleted(client: Client) -> None:
    create = "/portfolio/order_groups/create"
    group = client.call("POST", create, json={"contracts_limit": 9}).json()["order_group_id"]
    path = f"/portfolio/order_groups/{group}"
    one = client.create(order_group_id=group).json()["order_id"]
    client.call("PUT", f"{path}/trigger")
    assert client.get(f"/portfolio/orders/{one}")["order"]["status"] == "canceled"
    client.call("PUT", f"{path}/limit", json={"contracts_limit": 5})
    assert client.get(path)["contracts_limit_fp"] == "5.00"
    assert [g["id"] for g in client.get("/portfolio/order_groups")["order_groups"]] == [group]
    client.call("DELETE", path)
    assert client.call("GET", path).status_code == 404
    assert client.call("POST", create, json={}).status_code == 400


def test_the_book_over_rest_has_the_own_order(client: Client) -> None:
    client.create(price="0.3300", count="2.50")
    book = client.get(f"/markets/{CHI_BIN}/orderbook")["orderbook_fp"]
    assert book["yes_dollars"][-1] == ["0.3300", "2.50"]
    assert book["no_dollars"][-1][0] == "0.4800"
    top = client.get(f"/markets/{CHI_BIN}/orderbook", depth=1)["orderbook_fp"]
    assert top == {side: levels[-1:] for side, levels in book.items()}
    market = client.get(f"/markets/{CHI_BIN}")["market"]
    assert (market["yes_bid_dollars"], market["yes_bid_size_fp"]) == ("0.3300", "2.50")
    assert market["volume_24h_fp"] == market["volume_fp"] == "15.00"
    both = client.http.get(
        "/trade-api/v2/markets/orderbooks", params={"tickers": [CHI_BIN, "KXNONE"]}
    ).json()
    assert both["orderbooks"] == [{"ticker": CHI_BIN, "orderbook_fp": book}]


def test_after_the_close_cancels_are_refused_and_orders_go(tiny_root: Path) -> None:
    with trading(tiny_root, start=CHI_CLOSE - timedelta(seconds=2)) as client:
        one = client.create(price="0.0100").json()["order_id"]
        client.step(seconds=2.5)
        refused = client.call("DELETE", f"{ORDERS}/{one}")
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "MARKET_INACTIVE")
        assert client.create().json()["error"]["code"] == "MARKET_INACTIVE"
        client.step(seconds=1)
        assert client.get(f"/portfolio/orders/{one}")["order"]["status"] == "canceled"
        assert client.call("DELETE", f"{ORDERS}/{one}").status_code == 404


def test_a_position_is_settled_at_the_result(client: Client) -> None:
    client.create(price="0.5200", count="2.00", time_in_force="immediate_or_cancel")
    client.create(side="ask", price="0.5000", count="1.00")
    client.step(hours=52)
    (settled,) = client.get("/portfolio/settlements")["settlements"]
    books = client.http.get("/sandbox/books").json()

    assert settled["ticker"] == CHI_BIN
    assert settled["market_result"] == "yes"
    assert settled["revenue"] == round(float(settled["yes_count_fp"]) * 100)
    assert client.get("/portfolio/positions")["market_positions"] == []
    assert client.get("/portfolio/positions", settlement_status="settled")["market_positions"]
    assert books["cost_micro"] == 0
    assert books["cash_micro"] == (
        books["initial_micro"] + books["realized_micro"] - books["fees_micro"]
    )
    assert client.get(f"/markets/{CHI_BIN}")["market"]["result"] == "yes"
