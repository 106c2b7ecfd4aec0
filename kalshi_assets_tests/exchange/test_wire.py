from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.exchange.errors import MalformedAnswerError
from kalshi_assets.exchange.wire import TickRange, candles_of, market_of, trades_of
from kalshi_assets.tables import CANDLES, TRADES
from kalshi_assets_tests.exchange.fake_exchange import candle, market, trade

START = int(datetime(2026, 6, 15, 12, tzinfo=UTC).timestamp())


def test_a_candle_becomes_a_row_of_the_contract():
    frame = CANDLES.conform(candles_of([("A", [candle(START, traded="0.1300")])], "sha"))
    row = frame.row(0, named=True)
    assert row["market_ticker"] == "A"
    assert row["event_time"] == datetime(2026, 6, 15, 12, tzinfo=UTC)
    assert row["known_at"] == row["event_time"] + timedelta(seconds=2)
    assert (row["yes_bid_close_cc"], row["yes_ask_open_cc"]) == (1_200, 1_400)
    assert (row["price_close_cc"], row["price_mean_cc"], row["price_previous_cc"]) == (
        1_300,
        1_303,
        1_300,
    )
    assert (row["volume"], row["open_interest"], row["raw_sha256"]) == (3.0, 10.5, "sha")


@given(
    st.lists(
        st.tuples(st.integers(0, 10_000), st.none() | st.integers(0, 10_000)),
        min_size=1,
        max_size=30,
    )
)
def test_both_tiers_decode_to_the_same_rows(prices):
    def text(cc):
        return None if cc is None else f"{cc // 10_000}.{cc % 10_000:04d}"

    live, historical = (
        [
            candle(START + 60 * i, text(bid), traded=text(last), live=is_live)
            for i, (bid, last) in enumerate(prices)
        ]
        for is_live in (True, False)
    )
    frame = candles_of([("A", live)], "sha")
    assert frame.equals(candles_of([("A", historical)], "sha"))
    assert frame["yes_bid_high_cc"].to_list() == [bid for bid, _ in prices]
    assert frame["price_low_cc"].to_list() == [last for _, last in prices]


def test_a_candle_without_a_trade_has_no_price_but_the_previous_one():
    row = candles_of([("A", [candle(START)])], "sha").row(0, named=True)
    assert row["price_close_cc"] is None
    assert row["price_mean_cc"] is None
    assert row["price_previous_cc"] == 1_300


def test_the_synthetic_candle_before_the_start_is_left_out():
    nothing = dict.fromkeys(("open_dollars", "high_dollars", "low_dollars", "close_dollars"))
    synthetic = {
        "end_period_ts": START - 60,
        "yes_bid": nothing,
        "yes_ask": nothing,
        "price": {**nothing, "previous_dollars": "0.1300"},
        "volume_fp": "0.00",
        "open_interest_fp": "1.00",
    }
    frame = candles_of([("A", [synthetic, candle(START)]), ("B", [synthetic])], "sha")
    assert frame["market_ticker"].to_list() == ["A"]
    with pytest.raises(MalformedAnswerError, match="candle of A"):
        candles_of([("A", [candle(START), synthetic])], "sha")


def damaged_candle(change):
    broken = candle(START + 60, traded="0.1300")
    change(broken)
    return [candle(START), broken]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda c: c["yes_bid"].pop("close_dollars"), "yes_bid, field close_dollars: missing"),
        (lambda c: c.pop("yes_ask"), "yes_ask.*not an object"),
        (lambda c: c.pop("volume_fp"), "field volume_fp: missing"),
        (lambda c: c.update(volume_fp=3), "field volume_fp: the number 3 is not a count"),
        (
            lambda c: c["yes_ask"].update(low_dollars=14),
            "low_dollars: the number 14 is not a dollar",
        ),
        (lambda c: c["yes_ask"].update(low_dollars="0.12345"), "finer than 1/10,000"),
        (lambda c: c["price"].pop("close_dollars"), "price, field close_dollars: missing"),
        (lambda c: c.update(price=None), "price, field open_dollars: missing"),
        (lambda c: c.update(open_interest_fp="many"), "field open_interest_fp"),
    ],
)
def test_a_damaged_candle_is_named_with_market_time_and_field(change, complaint):
    with pytest.raises(
        MalformedAnswerError, match=rf"candle of A ending 2026-06-15T12:01:00Z.*{complaint}"
    ):
        candles_of([("A", damaged_candle(change))], "sha")


@pytest.mark.parametrize("time", ["1781524860", None, 1.5])
def test_a_candle_without_a_time_is_refused(time):
    with pytest.raises(MalformedAnswerError, match="end_period_ts"):
        candles_of([("A", [candle(START), {**candle(START), "end_period_ts": time}])], "sha")


def test_cents_in_unsuffixed_keys_are_not_taken_for_the_historical_tier():
    old = candle(START, live=False)
    old["yes_bid"] = dict.fromkeys(("open", "high", "low", "close"), 12)
    with pytest.raises(MalformedAnswerError, match="the number 12 is not a dollar string"):
        candles_of([("A", [old])], "sha")


def test_no_candles_and_no_trades_are_empty_frames():
    assert candles_of([("A", [])], "sha").schema == CANDLES.empty().schema
    assert trades_of([], "sha").schema == TRADES.empty().schema


def test_a_trade_becomes_a_row_of_the_contract():
    row = TRADES.conform(trades_of([trade(7)], "sha")).row(0, named=True)
    assert row == {
        "trade_id": "trade-7",
        "market_ticker": "KXHIGHCHI-26JUN15-T78",
        "event_time": datetime(2026, 6, 15, 12, 0, 7, 500_000, tzinfo=UTC),
        "known_at": datetime(2026, 6, 15, 12, 0, 8, 500_000, tzinfo=UTC),
        "yes_price_cc": 1_300,
        "count": 2.0,
        "taker_side": "yes",
        "is_block_trade": False,
        "raw_sha256": "sha",
    }


def test_trade_times_have_any_number_of_fractional_digits():
    times = ["2026-06-15T12:00:00Z", "2026-06-15T12:00:00.12345Z", "2026-06-15T12:00:00.123456Z"]
    frame = trades_of([trade(i, created_time=t) for i, t in enumerate(times)], "sha")
    assert [t.microsecond for t in frame["event_time"]] == [0, 123_450, 123_456]


@pytest.mark.parametrize(
    ("fields", "side"),
    [
        ({"taker_outcome_side": "no", "taker_book_side": "bid", "taker_side": "yes"}, "no"),
        ({"taker_outcome_side": None, "taker_book_side": "ask", "taker_side": "yes"}, "no"),
        ({"taker_outcome_side": None, "taker_book_side": "bid", "taker_side": "no"}, "yes"),
        ({"taker_outcome_side": None, "taker_book_side": None, "taker_side": "no"}, "no"),
    ],
)
def test_the_takers_side_is_read_from_the_newest_field_that_is_there(fields, side):
    assert trades_of([trade(1, **fields)], "sha")["taker_side"].to_list() == [side]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"taker_outcome_side": None, "taker_book_side": None, "taker_side": None}, "taker bought"),
        ({"taker_outcome_side": "maybe"}, "taker bought"),
        ({"yes_price_dollars": None, "yes_price": 13}, "yes_price_dollars.*integer cents"),
        ({"count_fp": "0.00"}, "count_fp: not positive"),
        ({"count_fp": 2}, "count_fp: the number 2"),
        ({"created_time": None}, "created_time: missing"),
        ({"created_time": "noon"}, "created_time: 'noon'"),
        ({"is_block_trade": "no"}, "is_block_trade"),
    ],
)
def test_a_damaged_trade_is_named_with_its_field(changes, complaint):
    with pytest.raises(MalformedAnswerError, match=rf"trade trade-3 of KXHIGHCHI.*{complaint}"):
        trades_of([trade(1), trade(3, **changes)], "sha")


def test_a_trade_without_identifier_or_ticker_is_refused():
    with pytest.raises(MalformedAnswerError, match="trade, field trade_id: missing"):
        trades_of([trade(1, trade_id=None)], "sha")
    with pytest.raises(MalformedAnswerError, match="trade-1, field ticker: missing"):
        trades_of([trade(1, ticker=None)], "sha")


def test_a_market_keeps_what_is_used_and_passes_unknown_words():
    read = market_of(market("B84.5", status="hibernating", expiration_value="84.00"), "sha")
    assert (read.floor_strike, read.cap_strike, read.strike_type) == (84.0, 85.0, "between")
    assert read.status == "hibernating"
    assert read.expiration_value == Decimal("84.00")
    assert read.price_ranges == (TickRange(start=0, end=10_000, step=100),)
    assert (read.yes_bid_cc, read.yes_ask_cc, read.raw_sha256) == (1_200, 1_400, "sha")
    assert read.settlement_ts is None


def test_a_market_without_a_grid_or_rules_says_none():
    read = market_of(market(price_ranges=None, rules_primary=""), "sha")
    assert read.price_ranges is None
    assert read.rules_primary is None


@pytest.mark.parametrize(
    "field",
    [
        "event_ticker",
        "status",
        "result",
        "open_time",
        "close_time",
        "yes_bid_dollars",
        "yes_ask_dollars",
    ],
)
def test_a_market_that_lacks_what_matters_is_named(field):
    with pytest.raises(MalformedAnswerError, match=f"market KXHIGHCHI-26JUN15-T78, field {field}"):
        market_of(market(**{field: None}), "sha")


@pytest.mark.parametrize(
    "ranges",
    [
        {},
        [1],
        [{"start": "0.0000", "end": "1.0000"}],
        [{"start": "0.5000", "end": "0.1000", "step": "0.0100"}],
    ],
)
def test_an_unreadable_grid_is_refused(ranges):
    with pytest.raises(MalformedAnswerError, match="price_ranges"):
        market_of(market(price_ranges=ranges), "sha")
