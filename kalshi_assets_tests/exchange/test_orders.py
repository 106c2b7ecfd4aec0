"""Writes to the exchange: what is sent, and how each answer is understood."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from kalshi_assets.exchange.account import AccountReader
from kalshi_assets.exchange.errors import MalformedAnswerError, NotFoundError, PaginationError
from kalshi_assets.exchange.orders import PUBLISHED_COSTS, OrderWriter, cost_of
from kalshi_assets.exchange.rest import RetryPolicy
from kalshi_assets.exchange.throttle import TokenBucket
from kalshi_assets.exchange.wire_orders import (
    Accepted,
    AlreadyExists,
    Cancelled,
    Done,
    Gone,
    NewOrder,
    Refused,
    Unknown,
    count_text,
    price_text,
)
from kalshi_assets_tests.live.fake_exchange import (
    API,
    BASE_URL,
    SIGNER,
    FakeExchange,
    FakeTransport,
    Fault,
)
from kalshi_assets_tests.shared import SAMPLES, needs_samples

NOW_S = 1_790_000_000
AT_ONCE = RetryPolicy(attempts=2, wait_initial_s=0, wait_max_s=0, wait_jitter_s=0)


@pytest.fixture
def exchange() -> FakeExchange:
    exchange = FakeExchange(quotes={"M-1": (4000, 4400)})
    exchange.groups["group-1"] = True
    return exchange


def writer(exchange: FakeExchange, **options: Any) -> OrderWriter:
    transport = FakeTransport(exchange)
    return OrderWriter(BASE_URL, signer=SIGNER, transport=transport, clock=lambda: NOW_S, **options)


def reader(exchange: FakeExchange) -> AccountReader:
    return AccountReader(
        BASE_URL,
        signer=SIGNER,
        transport=FakeTransport(exchange),
        clock=lambda: NOW_S,
        retry=AT_ONCE,
    )


def order(name: str = "one", **changes: Any) -> NewOrder:
    fields: dict[str, Any] = {
        "ticker": "M-1",
        "side": "bid",
        "client_order_id": name,
        "price_cc": 4200,
        "size": 1000,
        "expires_at_s": NOW_S + 300,
        "order_group_id": "group-1",
        "exchange_index": 0,
    }
    return NewOrder(**fields | changes)


class Canned(httpx.BaseTransport):
    """Gives one recorded answer to every request."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.body = body

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(self.status, content=self.body, request=request)


def canned(name: str) -> OrderWriter:
    folder: Path = SAMPLES / "kalshi"
    meta = json.loads((folder / f"{name}.meta.json").read_text("utf-8"))
    body = (folder / f"{name}.json").read_bytes()
    return OrderWriter(BASE_URL, signer=SIGNER, transport=Canned(meta["status"], body))


def test_an_order_that_rests_is_post_only_with_an_expiry_in_a_group(
    exchange: FakeExchange,
) -> None:
    with writer(exchange) as write:
        assert write.create(order()) == Accepted(
            order_id="order-1", filled=0, remaining=1000, ts_ms=NOW_S * 1000
        )
    assert exchange.requests == [
        (
            "POST",
            "/portfolio/events/orders",
            {
                "ticker": "M-1",
                "client_order_id": "one",
                "side": "bid",
                "count": "10.00",
                "price": "0.4200",
                "time_in_force": "good_till_canceled",
                "expiration_time": NOW_S + 300,
                "post_only": True,
                "self_trade_prevention_type": "taker_at_cross",
                "cancel_order_on_pause": True,
                "reduce_only": False,
                "order_group_id": "group-1",
                "exchange_index": 0,
            },
        )
    ]


def test_an_order_that_takes_is_immediate_and_has_no_expiry(exchange: FakeExchange) -> None:
    with writer(exchange) as write:
        placed = write.create(order(price_cc=4500, expires_at_s=None))
    assert isinstance(placed, Accepted)
    assert (placed.filled, placed.remaining) == (1000, 0)
    sent = exchange.requests[0][2]
    assert sent["time_in_force"] == "immediate_or_cancel"
    assert not sent["post_only"]
    assert "expiration_time" not in sent


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("500_before", Unknown),
        ("500_after", Unknown),
        ("timeout_before", Unknown),
        ("timeout_after", Unknown),
        ("lost_after", Unknown),
        ("garbage_after", Unknown),
        ("nameless_after", Unknown),
        ("429", Refused),
        ("refuse_connection", Refused),
    ],
)
def test_every_failure_of_a_write_is_known_or_unknown_and_is_sent_once(
    exchange: FakeExchange, kind: str, outcome: type
) -> None:
    exchange.faults.append(Fault(method="POST", path="/portfolio/events/orders", kind=kind))
    with writer(exchange) as write:
        assert isinstance(write.create(order()), outcome)
    assert len(exchange.requests) == 1


def test_the_same_client_order_id_is_never_placed_twice(exchange: FakeExchange) -> None:
    with writer(exchange) as write:
        write.create(order())
        assert write.create(order()) == AlreadyExists()


def test_a_post_only_order_that_would_cross_is_refused_with_the_reason(
    exchange: FakeExchange,
) -> None:
    with writer(exchange) as write:
        assert write.create(order(price_cc=4400)) == Refused(
            code="invalid_order", message="post only cross", status=400
        )


def test_a_batch_has_an_outcome_for_each_of_its_orders(exchange: FakeExchange) -> None:
    with writer(exchange) as write:
        outcomes = write.create_batch([order("a"), order("b", price_cc=4400), order("a")])
    assert [type(outcome) for outcome in outcomes] == [Accepted, Refused, AlreadyExists]


def test_a_batch_whose_answer_is_lost_is_unknown_for_all_of_its_orders(
    exchange: FakeExchange,
) -> None:
    exchange.faults.append(Fault(method="POST", path="/portfolio/events", kind="lost_after"))
    with writer(exchange) as write:
        outcomes = write.create_batch([order("a"), order("b")])
    assert [type(outcome) for outcome in outcomes] == [Unknown, Unknown]
    assert len(exchange.orders) == 2


def test_a_cancel_says_how_much_was_still_resting(exchange: FakeExchange) -> None:
    with writer(exchange) as write:
        write.create(order())
        exchange.match("order-1", 300)
        assert write.cancel("order-1", ticker="M-1", exchange_index=0) == Cancelled(
            order_id="order-1", reduced_by=700
        )
        assert write.cancel("order-1", ticker="M-1", exchange_index=0) == Gone()


def test_a_decrease_keeps_what_was_asked_for(exchange: FakeExchange) -> None:
    with writer(exchange) as write:
        write.create(order())
        assert isinstance(write.decrease("order-1", to_size=400, ticker="M-1"), Cancelled)
    assert exchange.orders["order-1"].remaining == 400


def test_a_group_cancels_its_orders_and_takes_none_until_it_is_reset(
    exchange: FakeExchange,
) -> None:
    with writer(exchange) as write:
        group = write.create_group(contracts_limit=100, exchange_index=0)
        assert isinstance(group, str)
        write.create(order(order_group_id=group))
        assert write.trigger_group(group) == Done()
        assert exchange.resting() == []
        assert isinstance(write.create(order("two", order_group_id=group)), Refused)
        write.reset_group(group)
        assert isinstance(write.create(order("three", order_group_id=group)), Accepted)
        assert write.delete_group(group) == Done()
        assert write.trigger_group(group) == Refused(
            code="not_found", message="not found", status=404
        )


def test_cancel_all_has_no_body_and_leaves_nothing(exchange: FakeExchange) -> None:
    with writer(exchange) as write:
        write.create(order("a"))
        write.create(order("b"))
        assert write.cancel_all() == Done()
    assert exchange.resting() == []


@needs_samples
@pytest.mark.parametrize(
    ("sample", "outcome"),
    [
        ("orders__duplicate_client_order_id", AlreadyExists),
        ("orders__reuse_canceled_client_id", AlreadyExists),
        ("orders__insufficient_balance", Refused),
        ("orders__invalid_price_structure", Refused),
        ("orders__numeric_field_types", Refused),
        ("orders__post_only_cross", Refused),
    ],
)
def test_recorded_refusals_of_orders_are_understood(sample: str, outcome: type) -> None:
    with canned(sample) as write:
        assert isinstance(write.create(order()), outcome)


@needs_samples
@pytest.mark.parametrize(
    ("sample", "name", "filled", "remaining"),
    [
        ("orders__create_v2_maker", "4a75a66e-ca85-4187-93cd-aac5e01ad982", 0, 100),
        ("orders__create_v2_taker_ioc", "2b8394e0-515e-4b89-b624-f34067756855", 100, 0),
        ("orders__stp_self_cross", "8ae6f81d-5f9d-4bb0-8bff-076e5cb4038d", 0, 0),
    ],
)
def test_recorded_acceptances_are_understood(
    sample: str, name: str, filled: int, remaining: int
) -> None:
    with canned(sample) as write:
        placed = write.create(order(name, size=100))
        assert isinstance(placed, Accepted)
        assert (placed.filled, placed.remaining) == (filled, remaining)
        assert isinstance(write.create(order("another", size=100)), Unknown)


@pytest.mark.parametrize(("filled", "remaining"), [("9.00", "1.01"), ("-1.00", "10.00")])
def test_an_answer_whose_sizes_do_not_fit_the_order_is_unknown(filled: str, remaining: str) -> None:
    sizes = {"fill_count": filled, "remaining_count": remaining}
    answer = {"order_id": "x", "ts_ms": NOW_S * 1000, **sizes}
    transport = Canned(201, json.dumps(answer).encode())
    with OrderWriter(BASE_URL, signer=SIGNER, transport=transport) as write:
        placed = write.create(order())
    assert isinstance(placed, Unknown)
    assert "do not fit" in placed.why


@needs_samples
def test_recorded_answers_to_cancels_are_understood() -> None:
    with canned("orders__cancel_v2") as write:
        cancelled = write.cancel("x", ticker="M-1", exchange_index=0)
        assert isinstance(cancelled, Cancelled)
        assert cancelled.reduced_by == 100
    for sample in ("already_canceled", "executed", "unknown_id"):
        with canned(f"orders__cancel_{sample}") as write:
            assert write.cancel("x", ticker="M-1", exchange_index=0) == Gone()


def test_writes_take_their_published_cost_from_the_write_budget(
    exchange: FakeExchange, tmp_path: Path
) -> None:
    waits: list[float] = []
    bucket = TokenBucket(
        tmp_path / "bucket", rate=100, capacity=100, clock=lambda: 0.0, sleep=waits.append
    )
    with writer(exchange, bucket=bucket) as write:
        for number in range(9):
            write.create(order(str(number)))
        for number in range(5):
            write.cancel(f"order-{number + 1}", ticker="M-1", exchange_index=0)
        assert waits == []
        write.create(order("beyond"))
    assert waits == [pytest.approx(0.1)]


def test_costs_are_those_of_the_published_paths() -> None:
    path = f"{API}/portfolio/events/orders"
    assert cost_of(PUBLISHED_COSTS, "DELETE", f"{path}/abc-1") == 2
    assert cost_of(PUBLISHED_COSTS, "DELETE", path) == 2
    assert cost_of(PUBLISHED_COSTS, "POST", path) == 10


@pytest.mark.parametrize(("cc", "text"), [(1, "0.0001"), (5600, "0.5600"), (9999, "0.9999")])
def test_prices_are_exact_on_the_wire(cc: int, text: str) -> None:
    assert price_text(cc) == text


@pytest.mark.parametrize("cc", [0, 10_000, -1])
def test_there_is_no_order_at_zero_or_a_dollar(cc: int) -> None:
    with pytest.raises(ValueError, match="not between"):
        price_text(cc)


def test_sizes_are_exact_on_the_wire() -> None:
    assert [count_text(size) for size in (1, 100, 1234)] == ["0.01", "1.00", "12.34"]
    with pytest.raises(ValueError, match="not positive"):
        count_text(0)


def test_lists_of_the_account_are_read_to_their_last_page(exchange: FakeExchange) -> None:
    exchange.page = 2
    with writer(exchange) as write, reader(exchange) as read:
        for number in range(5):
            write.create(order(str(number)))
        assert len(read.orders()) == 5
        assert len(read.orders(status="canceled")) == 0
        assert read.order("order-3").client_order_id == "2"
        assert read.queue_position("order-3") == 12
        with pytest.raises(NotFoundError):
            read.order("nobody's")


@pytest.mark.parametrize(
    ("lie", "error"),
    [
        ("endless orders", PaginationError),
        ("repeated orders", PaginationError),
        ("no cursor orders", MalformedAnswerError),
    ],
)
def test_an_incomplete_list_is_an_error_and_not_an_empty_account(
    exchange: FakeExchange, lie: str, error: type[Exception]
) -> None:
    exchange.page = 2
    with writer(exchange) as write, reader(exchange) as read:
        for number in range(5):
            write.create(order(str(number)))
        exchange.lie = lie
        with pytest.raises(error):
            read.orders()


def test_a_list_whose_pages_repeat_under_new_cursors_ends_at_once(exchange: FakeExchange) -> None:
    exchange.page = 2
    with writer(exchange) as write, reader(exchange) as read:
        for number in range(5):
            write.create(order(str(number)))
        exchange.lie = "same rows orders"
        with pytest.raises(PaginationError, match="repeats 2 rows"):
            read.orders()


def test_an_account_without_groups_has_none(exchange: FakeExchange) -> None:
    exchange.groups.clear()
    with reader(exchange) as read:
        assert read.order_groups() == []
        exchange.groups["g"] = True
        assert read.order_groups() == ["g"]
