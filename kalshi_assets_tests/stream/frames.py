"""Frames of a made-up stream, in the exchange's shape."""

import json
from typing import Any

from kalshi_assets.stream.messages import Kind, Message, stating

START_US = 1_781_524_800_000_000  # 2026-06-15T12:00:00Z


def dollars(price_cc: int) -> str:
    """A price as the exchange writes it."""
    return f"{price_cc / 10_000:.4f}"


def contracts(hundredths: int) -> str:
    """A number of contracts as the exchange writes it."""
    return f"{hundredths / 100:.2f}"


def levels(*pairs: tuple[int, int]) -> list[list[str]]:
    """Levels of (price in cc, hundredths of a contract)."""
    return [[dollars(price), contracts(size)] for price, size in pairs]


def snapshot(
    ticker: str,
    bids: tuple[tuple[int, int], ...] = (),
    asks: tuple[tuple[int, int], ...] = (),
    **envelope: Any,
) -> dict[str, Any]:
    """A snapshot in YES prices; an empty side is left out."""
    message: dict[str, Any] = {"market_ticker": ticker, "market_id": "m"}
    message |= {"yes_dollars_fp": levels(*bids)} if bids else {}
    message |= {"no_dollars_fp": levels(*asks)} if asks else {}
    return {"type": "orderbook_snapshot", "msg": message, **envelope}


def delta(
    ticker: str, side: str, price_cc: int, by: int, at_us: int = START_US, **envelope: Any
) -> dict[str, Any]:
    """A change of one level."""
    message = {
        "market_ticker": ticker,
        "market_id": "m",
        "price_dollars": dollars(price_cc),
        "delta_fp": contracts(by),
        "side": side,
        "ts_ms": at_us // 1000,
    }
    return {"type": "orderbook_delta", "msg": message, **envelope}


def trade(
    ticker: str, price_cc: int, size: int, at_us: int = START_US, **envelope: Any
) -> dict[str, Any]:
    """A trade by a buyer of YES."""
    message = {
        "trade_id": f"t{envelope.get('seq', 0)}",
        "market_ticker": ticker,
        "yes_price_dollars": dollars(price_cc),
        "no_price_dollars": dollars(10_000 - price_cc),
        "count_fp": contracts(size),
        "taker_outcome_side": "yes",
        "taker_book_side": "bid",
        "is_block_trade": False,
        "ts_ms": at_us // 1000,
    }
    return {"type": "trade", "msg": message, **envelope}


def subscribed(channel: str, sid: int, ident: int = 1) -> dict[str, Any]:
    """The reply that confirms a channel."""
    return {"id": ident, "type": "subscribed", "msg": {"channel": channel, "sid": sid}}


def received(frame: dict[str, Any] | str, at_us: int = START_US) -> Message:
    """A frame as it arrived."""
    text = frame if isinstance(frame, str) else json.dumps(frame)
    return Message(Kind.RECEIVED, at_us, text.encode())


def opened(number: int = 1, at_us: int = START_US) -> Message:
    """A connection was made."""
    return stating(Kind.OPENED, at_us, number=number, name=None, url="ws://nowhere")


def closed(cause: str = "gone", at_us: int = START_US) -> Message:
    """The connection ended."""
    return stating(Kind.CLOSED, at_us, cause=cause, status=None)
