"""Decoding order books (REST) and WebSocket frames.

Books contain only bids, for both outcomes; an ask is a bid for the other outcome. Here: decoding
one book or one frame. Not here: maintaining a book, checking sequence numbers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic_core import from_json

from kalshi_assets.exchange.errors import MalformedAnswerError
from kalshi_assets.exchange.wire_values import (
    Record,
    amount,
    count,
    epoch_ms,
    price_cc,
)
from kalshi_assets.units import CC_A_DOLLAR

Levels = tuple[tuple[int, float], ...]


@dataclass(frozen=True, kw_only=True)
class OrderBook:
    """A market's resting orders; bids for NO are shown as asks of YES.

    Levels are (price of YES in 1/10,000 dollar, contracts), best first.
    """

    ticker: str
    bids: Levels
    asks: Levels


@dataclass(frozen=True, kw_only=True)
class BookDelta:
    """A change of one level. `price_cc` is as sent, see `use_yes_price` of the subscription."""

    ticker: str
    side: str
    price_cc: int
    change: Decimal
    time_ms: int | None


@dataclass(frozen=True, kw_only=True)
class BookSnapshot:
    """All levels of both sides as sent; prices depend on the subscription's `use_yes_price`."""

    ticker: str
    yes: Levels
    no: Levels


@dataclass(frozen=True, kw_only=True)
class StreamTrade:
    """A trade message."""

    trade_id: str
    ticker: str
    yes_price_cc: int
    count: float
    taker_side: str
    time_ms: int


Body = BookSnapshot | BookDelta | StreamTrade | Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One message: type, subscription ID, sequence number in the subscription, and body.

    The body is decoded for snapshots, deltas and trades, and raw JSON for every other type.
    """

    type: str
    sid: int | None
    seq: int | None
    id: int | None
    body: Body


def order_book_of(payload: Any, ticker: str) -> OrderBook:
    """Decode a response of the order-book endpoint; a missing side or book is empty.

    Parameters
    ----------
    payload
        The response.
    ticker
        Ticker of the market.

    Raises
    ------
    MalformedAnswerError
        A level is not [price, count], or the book is in the old format with integer cents.
    """
    record = Record(payload, f"order book of {ticker}")
    book = record.payload.get("orderbook_fp")
    if book is None:
        if record.payload.get("orderbook"):
            raise MalformedAnswerError(
                "missing, but 'orderbook' is present: the old format with integer cents",
                record=record.name,
                field="orderbook_fp",
            )
        book = {}
    sides = Record(book, record.name)
    bids = _levels(sides, "yes_dollars")
    asks = [(CC_A_DOLLAR - price, size) for price, size in _levels(sides, "no_dollars")]
    return OrderBook(
        ticker=ticker, bids=tuple(sorted(bids, reverse=True)), asks=tuple(sorted(asks))
    )


def frame_of(text: str | bytes) -> Frame | None:
    """Decode one text frame; None for a blank one.

    Raises
    ------
    MalformedAnswerError
        Not JSON, no type, or a snapshot, delta or trade without a required field.
    """
    if not text.strip():
        return None
    try:
        payload = from_json(text)
    except ValueError as error:
        raise MalformedAnswerError(f"not JSON: {error}", record="frame") from None
    record = Record(payload, "frame")
    kind = record.text("type")
    record.name = f"{kind} frame"
    sid, seq, ident = (_maybe_integer(record, name) for name in ("sid", "seq", "id"))
    message = record.payload.get("msg") or {}
    body: Body
    if kind in _BODIES:
        body = _BODIES[kind](Record(message, record.name))
    else:
        body = message if isinstance(message, dict) else {"msg": message}
    return Frame(type=kind, sid=sid, seq=seq, id=ident, body=body)


def _snapshot(message: Record) -> BookSnapshot:
    return BookSnapshot(
        ticker=message.text("market_ticker"),
        yes=_levels(message, "yes_dollars_fp"),
        no=_levels(message, "no_dollars_fp"),
    )


def _delta(message: Record) -> BookDelta:
    return BookDelta(
        ticker=message.text("market_ticker"),
        side=message.outcome("side"),
        price_cc=message.get("price_dollars", price_cc),
        change=message.get("delta_fp", amount),
        time_ms=message.maybe("ts_ms", epoch_ms),
    )


def _trade(message: Record) -> StreamTrade:
    return StreamTrade(
        trade_id=message.text("trade_id"),
        ticker=message.text("market_ticker"),
        yes_price_cc=message.get("yes_price_dollars", price_cc),
        count=message.get("count_fp", count),
        taker_side=message.outcome("taker_outcome_side", "taker_book_side", "taker_side"),
        time_ms=message.get("ts_ms", epoch_ms),
    )


_BODIES: Mapping[str, Callable[[Record], Body]] = {
    "orderbook_snapshot": _snapshot,
    "orderbook_delta": _delta,
    "trade": _trade,
}


def _levels(record: Record, field: str) -> Levels:
    levels = record.payload.get(field) or []
    try:
        return tuple((price_cc(price), count(size)) for price, size in levels)
    except (TypeError, ValueError) as error:
        raise MalformedAnswerError(str(error), record=record.name, field=field) from None


def _maybe_integer(record: Record, field: str) -> int | None:
    return None if record.payload.get(field) is None else record.integer(field)
