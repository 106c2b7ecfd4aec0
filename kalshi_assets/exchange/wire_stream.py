"""Decoding order books (REST) and WebSocket frames.

Books contain only bids, for both outcomes; an ask is a bid for the other outcome. Here: decoding
one book or one frame. Not here: maintaining a book, checking sequence numbers (`live`).

Quantities are whole hundredths of a contract, prices 1/10,000 dollar.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from kalshi_assets.exchange.errors import MalformedAnswerError
from kalshi_assets.exchange.wire_values import (
    Record,
    epoch_ms,
    hundredths,
    millionths,
    price_cc,
    size,
)
from kalshi_assets.units import CC_A_DOLLAR

Levels = tuple[tuple[int, int], ...]
"""Price in 1/10,000 dollar and size in 1/100 contract, per level."""


@dataclass(frozen=True, kw_only=True)
class OrderBook:
    """A market's resting orders; bids for NO are shown as asks of YES.

    Prices are those of YES; the best level is first.
    """

    ticker: str
    bids: Levels
    asks: Levels


@dataclass(frozen=True, kw_only=True)
class BookDelta:
    """A change of one level.

    Attributes
    ----------
    side
        Whose bids: yes or no.
    price_cc
        As sent: see `use_yes_price` of the subscription.
    change
        Added to the level's size, 1/100 contract.
    time_ms
        When the exchange made the change; None: not stated.
    """

    ticker: str
    side: str
    price_cc: int
    change: int
    time_ms: int | None


@dataclass(frozen=True, kw_only=True)
class BookSnapshot:
    """All levels of both sides as sent; prices depend on the subscription's `use_yes_price`."""

    ticker: str
    yes: Levels
    no: Levels


@dataclass(frozen=True, kw_only=True)
class StreamTrade:
    """A trade message; `taker_side` is what the taker bought, `size` in 1/100 contract."""

    trade_id: str
    ticker: str
    yes_price_cc: int
    size: int
    taker_side: str
    is_block_trade: bool
    time_ms: int


@dataclass(frozen=True, kw_only=True)
class StreamFill:
    """An execution of one of our orders.

    Attributes
    ----------
    outcome_side
        What was bought: yes or no.
    size
        1/100 contract.
    fee_millionths
        The fee charged, 1/1,000,000 dollar.
    position
        Held in the market after the fill, 1/100 contract, NO negative; None: not stated.
    """

    trade_id: str
    order_id: str
    client_order_id: str | None
    ticker: str
    outcome_side: str
    yes_price_cc: int
    size: int
    fee_millionths: int
    is_taker: bool
    position: int | None
    time_ms: int


@dataclass(frozen=True, kw_only=True)
class StreamOrder:
    """The state of one of our orders after a change.

    Attributes
    ----------
    status
        resting, canceled, executed, unknown, or a value added later.
    initial, filled, remaining
        1/100 contract.
    reason
        Why it changed, such as ExpiryCancel; None: not stated.
    """

    order_id: str
    client_order_id: str | None
    ticker: str
    outcome_side: str
    status: str
    yes_price_cc: int
    initial: int
    filled: int
    remaining: int
    reason: str | None
    time_ms: int | None


@dataclass(frozen=True, kw_only=True)
class Subscribed:
    """The reply that names a channel's subscription ID."""

    channel: str
    sid: int


@dataclass(frozen=True, kw_only=True)
class StreamError:
    """A refusal, or the end of a subscription (codes 10 and 25)."""

    code: int
    message: str


Body = (
    BookSnapshot
    | BookDelta
    | StreamTrade
    | StreamFill
    | StreamOrder
    | Subscribed
    | StreamError
    | Mapping[str, Any]
)


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One message of the stream.

    Attributes
    ----------
    type
        Such as ``orderbook_delta``.
    sid, seq
        Subscription ID, and the sequence number in the subscription; None: not stated.
    id
        Of the command that it replies to; None: not a reply.
    sending_ms
        When the exchange sent it; None: not stated.
    body
        Decoded for the types above, the raw object for every other type.
    """

    type: str
    sid: int | None
    seq: int | None
    id: int | None
    sending_ms: int | None
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
        Not JSON, no type, or a body of a known type without a required field.
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
    sending_ms = record.maybe("sending_ts_ms", epoch_ms)
    return Frame(type=kind, sid=sid, seq=seq, id=ident, sending_ms=sending_ms, body=body)


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
        change=message.get("delta_fp", hundredths),
        time_ms=message.maybe("ts_ms", epoch_ms),
    )


def _trade(message: Record) -> StreamTrade:
    return StreamTrade(
        trade_id=message.text("trade_id"),
        ticker=message.text("market_ticker"),
        yes_price_cc=message.get("yes_price_dollars", price_cc),
        size=message.get("count_fp", size),
        taker_side=message.outcome("taker_outcome_side", "taker_book_side", "taker_side"),
        is_block_trade=_maybe_flag(message, "is_block_trade"),
        time_ms=message.get("ts_ms", epoch_ms),
    )


def _fill(message: Record) -> StreamFill:
    return StreamFill(
        trade_id=message.text("trade_id"),
        order_id=message.text("order_id"),
        client_order_id=message.maybe_text("client_order_id"),
        ticker=message.text("market_ticker"),
        outcome_side=message.outcome("outcome_side", "book_side"),
        yes_price_cc=message.get("yes_price_dollars", price_cc),
        size=message.get("count_fp", size),
        fee_millionths=message.get("fee_cost", millionths),
        is_taker=message.flag("is_taker"),
        position=message.maybe("post_position_fp", hundredths),
        time_ms=message.get("ts_ms", epoch_ms),
    )


def _order(message: Record) -> StreamOrder:
    return StreamOrder(
        order_id=message.text("order_id"),
        client_order_id=message.maybe_text("client_order_id"),
        ticker=message.text("ticker"),
        outcome_side=message.outcome("outcome_side", "book_side"),
        status=message.text("status"),
        yes_price_cc=message.get("yes_price_dollars", price_cc),
        initial=message.get("initial_count_fp", size),
        filled=message.get("fill_count_fp", size),
        remaining=message.get("remaining_count_fp", size),
        reason=message.maybe_text("last_update_reason"),
        time_ms=message.maybe("last_updated_ts_ms", epoch_ms),
    )


def _subscribed(message: Record) -> Subscribed:
    return Subscribed(channel=message.text("channel"), sid=message.integer("sid"))


def _error(message: Record) -> StreamError:
    return StreamError(code=message.integer("code"), message=message.maybe_text("msg") or "")


_BODIES: Mapping[str, Callable[[Record], Body]] = {
    "orderbook_snapshot": _snapshot,
    "orderbook_delta": _delta,
    "trade": _trade,
    "fill": _fill,
    "user_order": _order,
    "subscribed": _subscribed,
    "error": _error,
}


def _maybe_flag(record: Record, field: str) -> bool:
    return record.payload.get(field) is not None and record.flag(field)


def _levels(record: Record, field: str) -> Levels:
    levels = record.payload.get(field) or []
    try:
        return tuple((price_cc(price), size(contracts)) for price, contracts in levels)
    except (TypeError, ValueError) as error:
        raise MalformedAnswerError(str(error), record=record.name, field=field) from None


def _maybe_integer(record: Record, field: str) -> int | None:
    return None if record.payload.get(field) is None else record.integer(field)
