"""Events of the stream, as a session takes them: books, trades, own orders, the connection.

Here: the types. Not here: how they follow from messages (`stream`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kalshi_assets.exchange.wire_stream import StreamFill, StreamOrder, StreamTrade
from kalshi_assets.stream.books import Book, Top


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection was made; every book is unknown until its snapshot.

    Attributes
    ----------
    number
        Counts the connections of a feed from 1.
    name
        What a sandbox calls the connection; empty at the exchange.
    """

    at_us: int
    number: int
    name: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection ended or could not be made; every book is unknown.

    Attributes
    ----------
    status
        HTTP status if the handshake was refused, else None.
    """

    at_us: int
    cause: str
    status: int | None


@dataclass(frozen=True, slots=True)
class BookReplaced:
    """A book was replaced by a snapshot."""

    at_us: int
    book: Book
    top: Top


@dataclass(frozen=True, slots=True)
class LevelChanged:
    """One level of a book changed.

    Attributes
    ----------
    time_us
        When the exchange changed it, else when it arrived, microseconds.
    side, price_cc, size
        The level, and its size from now on; 0: removed.
    top
        Best prices and sizes after the change.
    """

    at_us: int
    time_us: int
    book: Book
    side: str
    price_cc: int
    size: int
    top: Top


@dataclass(frozen=True, slots=True)
class BookLost:
    """A book is not known from now on, until `BookReplaced`."""

    at_us: int
    book: Book
    cause: str


@dataclass(frozen=True, slots=True)
class Missed:
    """Messages of a channel were lost: trades are missing if it is the channel of trades."""

    at_us: int
    channel: str
    cause: str


@dataclass(frozen=True, slots=True)
class Traded:
    """A trade."""

    at_us: int
    trade: StreamTrade


@dataclass(frozen=True, slots=True)
class Filled:
    """An execution of one of our orders."""

    at_us: int
    fill: StreamFill


@dataclass(frozen=True, slots=True)
class OrderChanged:
    """One of our orders changed."""

    at_us: int
    order: StreamOrder


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """A market or event changed: created, paused, close moved, settled ...

    Attributes
    ----------
    type
        ``market_lifecycle_v2``, ``event_lifecycle`` or ``event_fee_update``.
    """

    at_us: int
    type: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """The exchange refused a command, or ended a subscription (codes 10 and 25)."""

    at_us: int
    code: int
    message: str
    command: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A frame that cannot be decoded; every book is unknown until its next snapshot."""

    at_us: int
    problem: str


Event = (
    Opened
    | Closed
    | BookReplaced
    | LevelChanged
    | BookLost
    | Missed
    | Traded
    | Filled
    | OrderChanged
    | Lifecycle
    | Refused
    | Unreadable
)
