"""Level 2 of the wire: order books over REST, and the frames of the WebSocket.

Books show bids only, of both outcomes; an ask is the other outcome's bid. Here: decoding one
book or one frame. Not here: keeping a book up to date or watching sequence numbers (live).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic_core import from_json

from kalshi_assets.exchange.errors import MalformedAnswerError
from kalshi_assets.exchange.wire_values import (
    CC_PER_DOLLAR,
    Record,
    amount,
    count,
    epoch_ms,
    price_cc,
)

Levels = tuple[tuple[int, float], ...]


@dataclass(frozen=True, kw_only=True)
class OrderBook:
    """A market's resting orders: bids for YES, and bids for NO seen as asks of YES.

    Attributes
    ----------
    bids, asks
        (price in 1/10,000 dollar of YES, contracts), best first; empty: that side is empty.
    """

    ticker: str
    bids: Levels
    asks: Levels


@dataclass(frozen=True, kw_only=True)
class BookDelta:
    """A change of one level. `price_cc` is as sent: see `use_yes_price` of the subscription."""

    ticker: str
    side: str
    price_cc: int
    change: Decimal
    time_ms: int | None


@dataclass(frozen=True, kw_only=True)
class BookSnapshot:
    """All levels of both sides as sent: see `use_yes_price` of the subscription."""

    ticker: str
    yes: Levels
    no: Levels


@dataclass(frozen=True, kw_only=True)
class StreamTrade:
    """A trade of the stream."""

    trade_id: str
    ticker: str
    yes_price_cc: int
    count: float
    taker_side: str
    time_ms: int


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One message: its envelope, and its body where the kind is known.

    Attributes
    ----------
    type
        The exchange's word.
    sid, seq
        Subscription, and the message's number within it; None: it has none.
    body
        Typed for snapshots, deltas and trades; the JSON for every other kind.
    """

    type: str
    sid: int | None
    seq: int | None
    id: int | None
    body: BookSnapshot | BookDelta | StreamTrade | Mapping[str, Any]


def order_book_of(payload: Any, ticker: str) -> OrderBook:
    """Decode the answer of the order-book endpoint; a missing side or book is empty.

    Raises
    ------
    MalformedAnswerError
        A level is not [price, count]; or a book of the cents era.
    """
    record = Record(payload, f"order book of {ticker}")
    book = record.payload.get("orderbook_fp")
    if book is None:
        if record.payload.get("orderbook"):
            raise MalformedAnswerError(
                "missing, but there is 'orderbook': an answer of the cents era",
                record=record.name,
                field="orderbook_fp",
            )
        book = {}
    sides = Record(book, record.name)
    bids = _levels(sides, "yes_dollars")
    asks = [(CC_PER_DOLLAR - price, size) for price, size in _levels(sides, "no_dollars")]
    return OrderBook(
        ticker=ticker,
        bids=tuple(sorted(bids, reverse=True)),
        asks=tuple(sorted(asks)),
    )


def frame_of(text: str | bytes) -> Frame | None:
    """Decode one text frame; None for a blank one.

    Raises
    ------
    MalformedAnswerError
        Not JSON, no type, or a snapshot, delta or trade that lacks what matters.
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
    body: BookSnapshot | BookDelta | StreamTrade | Mapping[str, Any]
    if kind == "orderbook_snapshot":
        body = _snapshot(Record(message, record.name))
    elif kind == "orderbook_delta":
        body = _delta(Record(message, record.name))
    elif kind == "trade":
        body = _trade(Record(message, record.name))
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
        side=_outcome(message, "side", message.text("side")),
        price_cc=message.get("price_dollars", price_cc),
        change=message.get("delta_fp", amount),
        time_ms=message.maybe("ts_ms", epoch_ms),
    )


def _trade(message: Record) -> StreamTrade:
    book_side = {"bid": "yes", "ask": "no"}.get(message.maybe_text("taker_book_side") or "")
    side = message.maybe_text("taker_outcome_side") or book_side or message.text("taker_side")
    return StreamTrade(
        trade_id=message.text("trade_id"),
        ticker=message.text("market_ticker"),
        yes_price_cc=message.get("yes_price_dollars", price_cc),
        count=message.get("count_fp", count),
        taker_side=_outcome(message, "taker_outcome_side", side),
        time_ms=message.get("ts_ms", epoch_ms),
    )


def _outcome(message: Record, field: str, side: str) -> str:
    if side not in ("yes", "no"):
        raise MalformedAnswerError(
            f"{side!r} is neither yes nor no", record=message.name, field=field
        )
    return side


def _levels(record: Record, field: str) -> Levels:
    levels = record.payload.get(field) or []
    try:
        return tuple((price_cc(price), count(size)) for price, size in levels)
    except (TypeError, ValueError) as error:
        raise MalformedAnswerError(str(error), record=record.name, field=field) from None


def _maybe_integer(record: Record, field: str) -> int | None:
    return None if record.payload.get(field) is None else record.integer(field)
