"""Candles from the stream are those of the exchange, made when the minute is over or not at all."""

from collections.abc import Iterable

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.exchange.wire import OHLC, candles_of, trades_of
from kalshi_assets.stream.books import ASK, BID
from kalshi_assets.stream.candles import Candles, minute_of
from kalshi_assets.stream.events import Event
from kalshi_assets.stream.market_stream import MarketStream
from kalshi_assets.stream.messages import Message
from kalshi_assets.tables import CANDLES, TRADES
from kalshi_assets.units import MINUTE_US, SECOND_US
from kalshi_assets_tests.stream.frames import (
    START_US,
    closed,
    contracts,
    delta,
    dollars,
    opened,
    received,
    snapshot,
    subscribed,
    trade,
)

A = "KXHIGHNY-26JUN15-T78"
KNOWN = 2 * SECOND_US


class Day:
    """A stream and its candles; frames arrive 50 ms after the exchange's time."""

    def __init__(self) -> None:
        self.stream = MarketStream(send=lambda text: None)
        self.stream.follow([A])
        self.made = Candles("a test")
        self.seq = {1: 0, 2: 0}

    def take(self, messages: Iterable[Message]) -> list[Event]:
        events = [event for message in messages for event in self.stream.take(message)]
        self.made.take(events)
        return events

    def open(self, at_us: int, *bid_ask: int, number: int = 1) -> None:
        """A connection with a first snapshot of one level a side."""
        self.seq = {1: 1, 2: 0}
        bid, ask = bid_ask
        frames = (
            subscribed("orderbook_delta", 1, 2 * number - 1),
            subscribed("trade", 2, 2 * number - 1),
            snapshot(A, ((bid, 1_000),), ((ask, 1_000),), sid=1, seq=1),
        )
        self.take([opened(number, at_us), *(received(frame, at_us) for frame in frames)])

    def quote(self, second: float, side: str, price: int, by: int) -> None:
        at_us = START_US + int(second * SECOND_US)
        self.seq[1] += 1
        frame = delta(A, side, price, by, at_us, sid=1, seq=self.seq[1])
        self.take([received(frame, at_us + 50_000)])

    def trade(self, second: float, price: int, size: int, **more: object) -> None:
        at_us = START_US + int(second * SECOND_US)
        self.seq[2] += 1
        frame = trade(A, price, size, at_us, sid=2, seq=self.seq[2])
        frame["msg"] |= more
        self.take([received(frame, at_us + 50_000)])

    def candles(self, minute: int) -> pl.DataFrame:
        """Those known two seconds after the end of a minute, counted from the start."""
        return self.made.candles(START_US + minute * MINUTE_US + KNOWN)


@pytest.fixture
def day() -> Day:
    """Quotes of 0.47 and 0.52 from the start on."""
    found = Day()
    found.open(START_US, 4_700, 5_200)
    return found


def test_the_end_of_a_minute_belongs_to_it() -> None:
    assert minute_of(START_US) == START_US
    assert minute_of(START_US + 1) == START_US + MINUTE_US


def test_a_candle_is_that_of_the_exchange(day: Day) -> None:
    day.candles(0)
    day.quote(5, "yes", 4_800, 100)
    day.quote(10, "yes", 4_800, -100)
    day.quote(20, "yes", 4_700, -1_000)
    day.quote(21, "yes", 4_600, 300)
    day.trade(30, 5_200, 150)
    day.trade(40, 5_100, 777)
    day.quote(60, "no", 5_100, 100)
    day.quote(61, "no", 5_000, 100)
    answer = {
        "end_period_ts": START_US // SECOND_US + 60,
        "yes_bid": _ohlc(4_700, 4_800, 0, 4_600),
        "yes_ask": _ohlc(5_200, 5_200, 5_100, 5_100),
        "price": {
            **_ohlc(5_200, 5_200, 5_100, 5_100),
            "mean_dollars": "0.511618",
            "previous_dollars": None,
        },
        "volume_fp": contracts(927),
        "open_interest_fp": "0.00",
    }
    expected = CANDLES.conform(candles_of([(A, [answer])], "a test"))
    found = day.candles(1)
    assert found.drop("open_interest").equals(expected.drop("open_interest"))
    assert found["open_interest"].to_list() == [None]
    later = day.candles(2)
    assert later["yes_ask_open_cc"].to_list() == [5_100]
    assert later["yes_ask_close_cc"].to_list() == [5_000]
    assert later["price_open_cc"].to_list() == [None]
    assert later["price_previous_cc"].to_list() == [5_100]


def _ohlc(first: int, high: int, low: int, last: int) -> dict[str, str]:
    prices = {"open": first, "high": high, "low": low, "close": last}
    return {f"{part}_dollars": dollars(price) for part, price in prices.items()}


def test_a_quote_that_moves_was_never_away(day: Day) -> None:
    day.candles(1)
    day.quote(70, "yes", 4_700, -1_000)
    day.quote(70, "yes", 4_600, 1_000)
    found = day.candles(2)
    assert found["yes_bid_low_cc"].to_list() == [4_600]
    assert found["yes_bid_high_cc"].to_list() == [4_700]


def test_a_candle_is_not_made_before_it_is_known_and_only_once(day: Day) -> None:
    day.candles(0)
    day.quote(5, "yes", 4_800, 100)
    end = START_US + MINUTE_US
    assert day.made.candles(end).height == 0
    assert day.made.candles(end + KNOWN - 1).height == 0
    assert day.made.candles(end + KNOWN).height == 1
    assert day.made.candles(end + KNOWN).height == 0


def test_a_minute_without_change_or_trade_has_no_candle(day: Day) -> None:
    day.candles(1)
    assert day.candles(5).height == 0
    day.trade(330, 5_200, 100)
    found = day.candles(6)
    assert found["yes_bid_close_cc"].to_list() == [4_700]
    assert found["volume"].to_list() == [1.0]


def test_a_change_that_arrives_too_late_is_of_the_next_minute(day: Day) -> None:
    day.candles(1)
    day.quote(50, "yes", 4_800, 100)
    found = day.candles(2)
    assert found["event_time"].dt.epoch("us").to_list() == [START_US + 2 * MINUTE_US]
    assert found["yes_bid_close_cc"].to_list() == [4_800]


def test_trades_are_those_of_the_exchanges_list_in_milliseconds(day: Day) -> None:
    day.trade(30, 5_200, 777, trade_id="x")
    day.trade(30, 5_200, 777, trade_id="x")
    answer = {
        "trade_id": "x",
        "ticker": A,
        "count_fp": "7.77",
        "yes_price_dollars": "0.5200",
        "taker_outcome_side": "yes",
        "is_block_trade": False,
        "created_time": "2026-06-15T12:00:30Z",
    }
    assert day.made.trades(START_US + 31 * SECOND_US - 1).height == 0
    found = day.made.trades(START_US + 31 * SECOND_US)
    assert found.equals(TRADES.conform(trades_of([answer], "a test")))
    assert day.made.trades(START_US + MINUTE_US).height == 0
    assert day.candles(1)["volume"].to_list() == [7.77]


def test_a_block_trade_is_on_the_tape_and_not_in_the_candle(day: Day) -> None:
    day.candles(1)
    day.trade(90, 9_000, 100, is_block_trade=True)
    assert day.made.trades(START_US + 2 * MINUTE_US)["is_block_trade"].to_list() == [True]
    assert day.candles(2).height == 0


def test_the_first_whole_minute_states_the_quotes_whatever_happens(day: Day) -> None:
    assert day.candles(0).height == 0
    found = day.candles(1)
    assert found["yes_bid_close_cc"].to_list() == [4_700]
    assert found["volume"].to_list() == [0.0]


def test_a_trade_that_arrives_late_is_known_when_it_arrives(day: Day) -> None:
    frame = trade(A, 5_200, 100, START_US, sid=2, seq=1)
    day.take([received(frame, START_US + 5 * SECOND_US)])
    known = day.made.trades(START_US + 5 * SECOND_US)["known_at"]
    assert known.dt.epoch("us").to_list() == [START_US + 5 * SECOND_US]


def test_the_minutes_of_a_lost_connection_have_no_candles_and_the_next_one_has(day: Day) -> None:
    day.quote(5, "yes", 4_800, 100)
    day.take([closed(at_us=START_US + 30 * SECOND_US)])
    day.open(START_US + 100 * SECOND_US, 4_500, 5_500, number=2)
    found = day.candles(5)
    assert found["event_time"].dt.epoch("us").to_list() == [START_US + 3 * MINUTE_US]
    assert found["yes_bid_open_cc"].to_list() == [4_500]
    assert found["yes_ask_close_cc"].to_list() == [5_500]


def test_a_gap_of_trades_takes_the_candle_of_its_minute_alone(day: Day) -> None:
    day.candles(0)
    day.quote(5, "yes", 4_800, 100)
    day.seq[2] += 1
    day.trade(30, 5_200, 100)
    day.quote(70, "yes", 4_800, 100)
    found = day.candles(2)
    assert found["event_time"].dt.epoch("us").to_list() == [START_US + 2 * MINUTE_US]
    assert found["price_previous_cc"].to_list() == [5_200]


def test_a_book_that_is_known_again_before_the_minutes_end_counts(day: Day) -> None:
    day.candles(0)
    day.seq[1] += 1
    day.quote(30, "yes", 4_800, 100)
    again = snapshot(A, ((4_400, 100),), ((5_600, 100),), sid=1, seq=day.seq[1] + 1, id=5)
    day.take([received(again, START_US + 31 * SECOND_US)])
    found = day.candles(1)
    assert found["yes_bid_close_cc"].to_list() == [4_400]
    assert found["yes_ask_high_cc"].to_list() == [5_600]


def test_a_book_that_is_not_known_at_the_minutes_end_has_no_candle(day: Day) -> None:
    day.candles(0)
    day.seq[1] += 1
    day.quote(30, "yes", 4_800, 100)
    assert day.candles(1).height == 0


MOVES = st.lists(
    st.tuples(
        st.integers(0, 40_000),  # milliseconds since the one before
        st.sampled_from(["yes", "no", "trade"]),
        st.integers(1, 40),
        st.integers(1, 500),
    ),
    min_size=1,
    max_size=40,
)


@given(MOVES)
def test_candles_are_those_of_a_plain_count(moves: list[tuple[int, str, int, int]]) -> None:
    day, at_ms = Day(), 0
    day.open(START_US - MINUTE_US, 4_700, 5_200)
    tops, trades = [(-MINUTE_US, 4_700, 5_200)], []
    for wait_ms, what, step, size in moves:
        at_ms += wait_ms
        if what == "trade":
            day.trade(at_ms / 1000, 4_000 + step, size)
            trades.append((at_ms * 1000, 4_000 + step, size))
            continue
        side, price = (BID, 4_700 - step) if what == "yes" else (ASK, 5_200 + step)
        present = day.stream.books[A].size_at(side, price)
        day.quote(at_ms / 1000, what, price, -present or size)
        top = day.stream.books[A].top
        if tops[-1][0] == at_ms * 1000:
            tops.pop()
        tops.append((at_ms * 1000, top.bid, top.ask))
    day.made.candles(START_US + KNOWN)
    rows = day.candles(at_ms // 60_000 + 1).rows(named=True)
    found = {row["event_time"].timestamp() - START_US / 1e6: row for row in rows}
    for end_us in {minute_of(at) for at, *_ in [*tops[1:], *trades]} - {0}:
        before = [top for top in tops if top[0] <= end_us - MINUTE_US][-1]
        within = [before, *(top for top in tops if end_us - MINUTE_US < top[0] <= end_us)]
        traded = [each for each in trades if end_us - MINUTE_US < each[0] <= end_us]
        bids, asks = [top[1] for top in within], [top[2] for top in within]
        row = found[end_us / 1e6]
        for name, prices in (("yes_bid", bids), ("yes_ask", asks)):
            shown = [row[f"{name}_{part}_cc"] for part in OHLC]
            assert shown == [prices[0], max(prices), min(prices), prices[-1]]
        assert row["volume"] == sum(size for *_, size in traded) / 100
        assert row["price_close_cc"] == (traded[-1][1] if traded else None)
