from decimal import Decimal

import pytest

from kalshi_assets.exchange.errors import Endpoint, MalformedAnswerError, RateLimitedError, error_of
from kalshi_assets.exchange.wire_account import order_created_of, settlements_of
from kalshi_assets.exchange.wire_stream import StreamError, StreamTrade, frame_of, order_book_of


def test_a_reply_without_order_id_is_a_failure_whatever_its_status():
    with pytest.raises(MalformedAnswerError, match="order_id: missing"):
        order_created_of({"fill_count": "0.00", "remaining_count": "0.00", "ts_ms": 1781524800000})


def test_a_settlements_revenue_is_still_cents():
    row = {
        "ticker": "A",
        "market_result": "yes",
        "revenue": 250,
        "settled_time": "2026-06-16T12:00:00Z",
    }
    assert settlements_of({"settlements": [row]})[0].revenue == Decimal("2.5")


def test_a_book_is_sorted_best_first_and_a_missing_side_is_empty():
    levels = [["0.1000", "1.00"], ["0.4000", "2.00"], ["0.3000", "3.00"]]
    book = order_book_of({"orderbook_fp": {"no_dollars": levels}}, "A")
    assert book.bids == ()
    assert book.asks == ((6_000, 200), (7_000, 300), (9_000, 100))
    assert order_book_of({"orderbook": {}}, "A").asks == ()
    with pytest.raises(MalformedAnswerError, match="integer cents"):
        order_book_of({"orderbook": {"yes": [[10, 1]]}}, "A")
    with pytest.raises(MalformedAnswerError, match="order book of A, field yes_dollars"):
        order_book_of({"orderbook_fp": {"yes_dollars": [["0.1"]]}}, "A")


def test_frames_of_unknown_kinds_pass_and_blank_lines_are_nothing():
    assert frame_of("\n") is None
    frame = frame_of('{"type":"novelty","sid":3,"seq":9,"msg":{"x":1}}')
    assert (frame.type, frame.sid, frame.seq, frame.body) == ("novelty", 3, 9, {"x": 1})
    error = frame_of('{"id":5,"type":"error","msg":{"code":7,"msg":"Unknown subscription ID"}}')
    assert error.body == StreamError(code=7, message="Unknown subscription ID")
    listed = frame_of('{"id":4,"type":"ok","msg":[{"channel":"trade","sid":2}]}')
    assert listed.body["msg"][0]["sid"] == 2


def test_a_trade_frame_is_typed_and_a_damaged_one_refused():
    text = (
        '{"type":"trade","sid":2,"seq":4,"msg":{"trade_id":"t","market_ticker":"A",'
        '"yes_price_dollars":"0.3600","count_fp":"13.00","taker_book_side":"ask","ts_ms":1781524800000}}'
    )
    assert frame_of(text).body == StreamTrade(
        trade_id="t",
        ticker="A",
        yes_price_cc=3_600,
        size=1_300,
        taker_side="no",
        is_block_trade=False,
        time_ms=1_781_524_800_000,
    )
    with pytest.raises(MalformedAnswerError, match="trade frame, field count_fp"):
        frame_of(text.replace('"count_fp":"13.00",', ""))
    with pytest.raises(MalformedAnswerError, match="not JSON"):
        frame_of("{")


def test_an_error_without_a_known_shape_keeps_its_text():
    endpoint = Endpoint("GET", "/markets", {"limit": 5})
    error = error_of(502, b"<html>Bad gateway</html>", endpoint)
    assert str(error).startswith("GET /markets?limit=5 [502]: <html>Bad gateway</html>")
    limited = error_of(429, b'{"error":"too many requests"}', endpoint)
    assert isinstance(limited, RateLimitedError)
    assert limited.message == "too many requests"
