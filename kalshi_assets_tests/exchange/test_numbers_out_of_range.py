"""A number beyond its type ends in the error that names record and field, in every reader."""

import copy
import json
import math
from datetime import UTC, datetime, timedelta

import httpx
import polars as pl
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from kalshi_assets.exchange.errors import MalformedAnswerError
from kalshi_assets.exchange.wire import candles_of, market_of, trades_of
from kalshi_assets.exchange.wire_account import (
    account_limits_of,
    balance_of,
    endpoint_costs_of,
    exchange_status_of,
    fee_changes_of,
    fills_of,
    order_cancelled_of,
    order_created_of,
    orders_of,
    positions_of,
    settlements_of,
)
from kalshi_assets.exchange.wire_candles import LIVE, MARKETS_SHAPE, usual_candles
from kalshi_assets.exchange.wire_stream import frame_of, order_book_of
from kalshi_assets.tables import CANDLES, TRADES
from kalshi_assets_tests.exchange.fake_exchange import (
    FakeExchange,
    as_json,
    candle,
    market,
    trade,
)

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
START = int(NOON.timestamp())
WHEN = "2026-06-15T12:00:00Z"

ORDER = {
    "order_id": "o",
    "ticker": "A",
    "outcome_side": "yes",
    "status": "resting",
    "yes_price_dollars": "0.1300",
    "initial_count_fp": "2.00",
    "fill_count_fp": "1.00",
    "remaining_count_fp": "1.00",
}
FILL = {
    "trade_id": "t",
    "order_id": "o",
    "ticker": "A",
    "outcome_side": "no",
    "count_fp": "2.00",
    "yes_price_dollars": "0.1300",
    "is_taker": True,
    "fee_cost": "0.0100",
    "created_time": WHEN,
}
POSITION = {
    "ticker": "A",
    "position_fp": "-2.00",
    "market_exposure_dollars": "1.74",
    "realized_pnl_dollars": "-0.10",
    "fees_paid_dollars": "0.02",
}
CREATED = {
    "order_id": "o",
    "fill_count": "1.00",
    "remaining_count": "1.00",
    "average_fill_price": "0.1300",
    "average_fee_paid": "0.0100",
    "ts_ms": START * 1000,
}
CHANGE = {
    "series_ticker": "S",
    "fee_type": "quadratic",
    "fee_multiplier": 1,
    "scheduled_ts": WHEN,
}
PAID = {"ticker": "A", "market_result": "yes", "revenue": 100, "settled_time": WHEN}
BUDGET = {"refill_rate": 20, "bucket_capacity": 20.5}
SNAPSHOT = {
    "market_ticker": "A",
    "yes_dollars_fp": [["0.1200", "3.00"]],
    "no_dollars_fp": [["0.8600", "4.00"]],
}
DELTA = {
    "market_ticker": "A",
    "side": "yes",
    "price_dollars": "0.1200",
    "delta_fp": "-3.00",
    "ts_ms": START * 1000,
}
STREAMED = {
    "trade_id": "t",
    "market_ticker": "A",
    "yes_price_dollars": "0.1300",
    "count_fp": "2.00",
    "taker_side": "yes",
    "ts_ms": START * 1000,
}


def frame(kind, message):
    return {"type": kind, "sid": 1, "seq": 2, "id": 3, "msg": message}


def framed(payload):
    return frame_of(json.dumps(payload))


def candles(payload):
    return CANDLES.conform(candles_of([("A", payload)], "sha")).rows()


def trades(payload):
    return TRADES.conform(trades_of(payload, "sha")).rows()


READERS = {
    "market": (
        market("B84.5", settlement_ts=WHEN, expiration_value="84.00"),
        lambda p: market_of(p, "sha"),
    ),
    "candles": ([candle(START), candle(START + 60, traded="0.1300")], candles),
    "historical candles": ([candle(START, traded="0.1300", live=False)], candles),
    "trades": ([trade(1), trade(2)], trades),
    "status": (
        {
            "exchange_active": True,
            "trading_active": True,
            "exchange_estimated_resume_time": WHEN,
        },
        exchange_status_of,
    ),
    "limits": ({"usage_tier": "basic", "read": BUDGET, "write": BUDGET}, account_limits_of),
    "costs": (
        {"default_cost": 10, "endpoint_costs": [{"method": "GET", "path": "/", "cost": 2.5}]},
        endpoint_costs_of,
    ),
    "balance": ({"balance_dollars": "12.34", "updated_ts": START}, balance_of),
    "positions": ({"market_positions": [POSITION]}, positions_of),
    "fills": ({"fills": [FILL]}, fills_of),
    "orders": ({"orders": [ORDER]}, orders_of),
    "created order": (CREATED, order_created_of),
    "cancelled order": ({"order_id": "o", "reduced_by": "1.00"}, order_cancelled_of),
    "fee changes": ([CHANGE], fee_changes_of),
    "settlements": ({"settlements": [PAID]}, settlements_of),
    "order book": (
        {"orderbook_fp": {"yes_dollars": [["0.1200", "3.00"]], "no_dollars": []}},
        lambda p: order_book_of(p, "A"),
    ),
    "snapshot": (frame("orderbook_snapshot", SNAPSHOT), framed),
    "delta": (frame("orderbook_delta", DELTA), framed),
    "stream trade": (frame("trade", STREAMED), framed),
}

EXTREMES = (
    math.inf,
    -math.inf,
    math.nan,
    1e300,
    -1e300,
    5e-324,
    2**31,
    2**63,
    -(2**63) - 1,
    10**13,
    10**400,
    True,
    -1,
    "1e400",
    "NaN",
    "Infinity",
    "9" * 400,
    "9" * 400 + ".00",
    "-" + "9" * 400,
    "9" * 5_000,
    "1.000001",
    "99999999999999999999.00",
    "0." + "0" * 400 + "1",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59-12:00",
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+12:00",
    "10000-01-01T00:00:00Z",
    "+262000-01-01T00:00:00Z",
    "1969-12-31T23:59:59Z",
)


def leaves(payload, path=()):
    if isinstance(payload, dict):
        for name, value in payload.items():
            yield from leaves(value, (*path, name))
    elif isinstance(payload, list):
        for position, value in enumerate(payload):
            yield from leaves(value, (*path, position))
    else:
        yield path


def replaced(payload, path, value):
    spoilt = copy.deepcopy(payload)
    inner = spoilt
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return spoilt


def refusal(read, payload):
    """The error that a payload is refused with, if it is; any other is a failure."""
    try:
        read(payload)
    except MalformedAnswerError as error:
        return error
    return None


@pytest.mark.parametrize("name", READERS)
def test_every_leaf_replaced_by_every_extreme_is_read_or_refused_by_record_and_field(name):
    payload, read = READERS[name]
    assert read(payload) is not None
    errors = [
        (path, error)
        for path in leaves(payload)
        for extreme in EXTREMES
        if (error := refusal(read, replaced(payload, path, extreme))) is not None
    ]
    assert errors
    assert [(path, str(e)) for path, e in errors if not (e.record and e.field)] == []


@pytest.mark.parametrize("name", READERS)
@seed(20261128)
@settings(max_examples=150, database=None)
@given(data=st.data())
def test_several_random_leaves_are_read_or_refused(name, data):
    payload, read = READERS[name]
    paths = data.draw(st.lists(st.sampled_from(list(leaves(payload))), min_size=1, max_size=4))
    values = (
        st.sampled_from(EXTREMES)
        | st.integers()
        | st.floats()
        | st.text("-0123456789.eE", max_size=30)
    )
    spoilt = payload
    for path in paths:
        spoilt = replaced(spoilt, path, data.draw(values))
    error = refusal(read, spoilt)
    assert error is None or error.record


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        (("price", "mean_dollars"), "1.000100", "price, field mean_dollars: '1.000100' is above"),
        (("price", "mean_dollars"), "9" * 12, "price, field mean_dollars: '9+' is above one dol"),
        (("price", "mean_dollars"), "9" * 400, "price, field mean_dollars: '9+ is above one dol"),
        (("volume_fp",), "9" * 400 + ".00", "field volume_fp: '9+ exceeds the greatest"),
        (("open_interest_fp",), "9" * 13 + ".00", "field open_interest_fp: '9+.00' exceeds"),
        (("open_interest_fp",), "1.5e3", "field open_interest_fp: '1.5e3' is not a count"),
    ],
)
def test_a_candle_beyond_its_types_is_named_with_time_and_field_in_both_ways_of_reading(
    path, value, complaint
):
    spoilt = replaced(candle(START + 60, traded="0.1300"), path, value)
    rows = [{"market_ticker": "A", "candlesticks": [candle(START), spoilt]}]
    client = FakeExchange({"/markets/candlesticks": {"markets": rows}}).client()
    with pytest.raises(
        MalformedAnswerError,
        match=rf"GET /markets/candlesticks.*candle of A ending 2026-06-15T12:01:00Z.*{complaint}",
    ):
        client.batch_candles(["A"], NOON, NOON + timedelta(minutes=2))


@pytest.mark.parametrize(
    "time",
    [
        "10000000000000",
        "9223372036854775807",
        "9223372036854775808",
        "-1",
        "253402300799",
        "1e300",
        "1e400",
        "NaN",
        "Infinity",
        "9" * 400,
        "true",
    ],
)
def test_a_candles_time_beyond_the_calendar_names_the_market_and_the_field(time):
    spoilt = json.dumps(candle(START)).replace(str(START), time)
    body = f'{{"markets":[{{"market_ticker":"A","candlesticks":[{spoilt}]}}]}}'.encode()
    client = FakeExchange({"/markets/candlesticks": httpx.Response(200, content=body)}).client()
    with pytest.raises(MalformedAnswerError, match="candle of A, field end_period_ts: "):
        client.batch_candles(["A"], NOON, NOON + timedelta(minutes=2))


@seed(20261128)
@settings(max_examples=300, database=None)
@given(data=st.data())
def test_what_is_read_in_columns_is_what_is_read_one_by_one(data):
    """Extremes in any leaf: the columns either give the same rows, or leave it to the other way."""
    payload = [candle(START, traded="0.1300"), candle(START + 60)]
    path = data.draw(st.sampled_from(list(leaves(payload))))
    spoilt = replaced(payload, path, data.draw(st.sampled_from(EXTREMES)))
    body = as_json({"markets": [{"market_ticker": "A", "candlesticks": spoilt}]})
    try:
        answer = pl.read_json(body, schema=MARKETS_SHAPE)
    except pl.exceptions.PolarsError:
        return
    usual = usual_candles([(["A"], answer, "sha")], LIVE)
    if usual is not None:
        assert usual.equals(candles_of([("A", spoilt)], "sha"))


@pytest.mark.parametrize(
    ("field", "number"),
    [("floor_strike", "1e400"), ("cap_strike", "NaN"), ("floor_strike", "-Infinity")],
)
def test_a_number_that_json_has_not_is_named_where_it_matters_and_passes_where_not(field, number):
    body = json.dumps({"markets": [market("B84.5", **{field: 0})], "cursor": ""})
    spoilt = body.replace(f'"{field}": 0', f'"{field}": {number}')
    harmless = body.replace('"nested": true', f'"nested": {number}')
    fake = FakeExchange({"/markets": httpx.Response(200, content=harmless.encode())})
    fake.routes["/historical/cutoff"] = {"market_settled_ts": WHEN, "trades_created_ts": WHEN}
    fake.routes["/historical/markets"] = {"markets": [], "cursor": ""}
    assert len(fake.client().event_markets("KXHIGHCHI-26JUN15")) == 1
    fake.routes["/markets"] = httpx.Response(200, content=spoilt.encode())
    with pytest.raises(
        MalformedAnswerError, match=rf"GET /markets.*market KXHIGHCHI-26JUN15-B84.5, field {field}"
    ):
        fake.client().event_markets("KXHIGHCHI-26JUN15")


@pytest.mark.parametrize("when", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00+05:00"])
def test_an_instant_beyond_the_calendar_is_named(when):
    with pytest.raises(MalformedAnswerError, match=r"market .*, field close_time"):
        market_of(market(close_time=when), "sha")
    with pytest.raises(MalformedAnswerError, match=r"trade trade-2 of .*, field created_time"):
        trades_of([trade(1), trade(2, created_time=when)], "sha")
