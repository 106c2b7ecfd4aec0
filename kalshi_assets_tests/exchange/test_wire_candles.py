import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.exchange.errors import MalformedAnswerError
from kalshi_assets.exchange.wire import candles_of
from kalshi_assets.exchange.wire_candles import (
    HISTORICAL,
    LIVE,
    MARKET_SHAPE,
    MARKETS_SHAPE,
    usual_candles,
)
from kalshi_assets_tests.exchange.fake_exchange import FakeExchange, candle

T0 = datetime(2026, 6, 15, 12, tzinfo=UTC)
START = int(T0.timestamp())


def about_markets(*groups):
    rows = [{"market_ticker": ticker, "candlesticks": candles} for ticker, candles in groups]
    return pl.read_json(json.dumps({"markets": rows}).encode(), schema=MARKETS_SHAPE)


def about_one(candles):
    return pl.read_json(json.dumps({"candlesticks": candles}).encode(), schema=MARKET_SHAPE)


def usual(*candles):
    return usual_candles([(["A"], about_markets(("A", list(candles))), "sha")], LIVE)


cc = st.integers(0, 10_000).map(lambda n: f"{n // 10_000}.{n % 10_000:04d}")
hundredths = st.integers(0, 10**7).map(lambda n: f"{n / 100:.2f}")
means = st.integers(0, 10**6).map(lambda n: f"{n / 10**6:.6f}")


@st.composite
def lists_of_candles(draw, *, live):
    dollars, fp = ("_dollars", "_fp") if live else ("", "")
    candles = []
    for i in range(draw(st.integers(0, 8))):
        one = candle(START + 60 * i, draw(cc), traded=draw(st.none() | cc), live=live)
        one["yes_ask"]["low" + dollars] = draw(cc)
        one["open_interest" + fp] = draw(hundredths)
        if "mean" + dollars in one["price"]:
            one["price"]["mean" + dollars] = draw(st.none() | means)
        one["price"]["a_field_of_tomorrow"] = [1, {"x": None}]
        one["price"] = draw(st.sampled_from([one["price"], None])) if i % 3 else one["price"]
        if one["price"] is None:
            one["volume" + fp] = "0.00"
        candles.append(one)
    return candles


@given(lists_of_candles(live=True), lists_of_candles(live=True))
def test_columns_and_objects_make_the_same_rows(first, second):
    groups = [("A", first), ("B", second)]
    frame = usual_candles([(["A", "B"], about_markets(*groups), "sha")], LIVE)
    assert frame.equals(candles_of(groups, "sha"))


@given(lists_of_candles(live=False), lists_of_candles(live=False))
def test_answers_about_one_market_each_become_one_frame(first, second):
    answers = [(["A"], about_one(first), "sha-a"), (["B"], about_one(second), "sha-b")]
    careful = [candles_of([("A", first)], "sha-a"), candles_of([("B", second)], "sha-b")]
    assert usual_candles(answers, HISTORICAL).equals(pl.concat(careful))


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.pop("end_period_ts"),
        lambda c: c.update(end_period_ts=START + 0.5),
        lambda c: c["yes_bid"].pop("close_dollars"),
        lambda c: c.pop("yes_ask"),
        lambda c: c["yes_ask"].update(low_dollars=0),
        lambda c: c["yes_ask"].update(low_dollars="0.12345"),
        lambda c: c["yes_ask"].update(low_dollars="1.0001"),
        lambda c: c["yes_ask"].update(low_dollars="-0.100"),
        lambda c: c["price"].update(mean_dollars="many"),
        lambda c: c["price"].pop("close_dollars"),
        lambda c: c.pop("volume_fp"),
        lambda c: c.update(volume_fp=3),
        lambda c: c.update(open_interest_fp="-1.00"),
        lambda c: c.update(open_interest_fp="nan"),
    ],
)
def test_what_is_missing_or_of_another_form_is_not_usual(change):
    unusual = candle(START, traded="0.1300")
    assert len(usual(candle(START - 60), unusual)) == 2
    change(unusual)
    assert usual(candle(START - 60), unusual) is None


def test_without_columns_or_with_a_market_missing_nothing_is_usual():
    assert usual_candles([], LIVE) is None
    assert usual_candles([(["A"], {"markets": []}, "sha")], LIVE) is None
    assert usual_candles([(["A", "B"], about_markets(("A", [])), "sha")], LIVE) is None
    assert usual_candles([(["A"], about_markets(("A", None)), "sha")], LIVE) is None


@pytest.mark.parametrize(
    ("path", "ask"),
    [
        ("/markets/candlesticks", "batch_candles"),
        ("/historical/markets/A/candlesticks", "archived_candles"),
    ],
)
def test_a_damaged_candle_is_named_with_its_endpoint(path, ask):
    live = ask == "batch_candles"
    broken = candle(START + 60, live=live)
    del broken["yes_bid"]["low" + ("_dollars" if live else "")]
    rows = [candle(START, live=live), broken]
    answer = {"markets": [{"market_ticker": "A", "candlesticks": rows}], "candlesticks": rows}
    client = FakeExchange({path: answer}).client()
    complaint = rf"GET {path}.*candle of A ending 2026-06-15T12:01:00Z, yes_bid, field low"
    with pytest.raises(MalformedAnswerError, match=complaint):
        getattr(client, ask)(["A"], T0, T0 + timedelta(minutes=2))


def test_an_unusual_answer_is_read_all_the_same():
    rows = [candle(START, "0.12", live=False)]
    path = "/historical/markets/{}/candlesticks"
    fake = FakeExchange(
        {
            path.format("A"): {"candlesticks": rows},
            path.format("B"): {"candlesticks": [candle(START, live=False)]},
        }
    )
    frame = fake.client().archived_candles(["A", "B"], T0, T0 + timedelta(minutes=1))
    assert frame["yes_bid_close_cc"].to_list() == [1_200, 1_200]
    assert frame["market_ticker"].to_list() == ["A", "B"]


def test_an_answer_that_is_no_object_is_refused():
    fake = FakeExchange({"/historical/markets/A/candlesticks": [[{"candlesticks": []}]]})
    with pytest.raises(MalformedAnswerError, match="not an object"):
        fake.client().archived_candles(["A"], T0, T0 + timedelta(minutes=1))
