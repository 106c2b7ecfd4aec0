"""What happens at the venue, for whoever listens: streams, books on disk, reads.

Here: the messages between the venue and its listeners. Not here: their JSON (`frames`).
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from kalshi_assets.sandbox.venue.account import Position, Settlement
from kalshi_assets.sandbox.venue.levels import Side
from kalshi_assets.sandbox.venue.orders import Fill, Order


class LevelChanged(NamedTuple):
    """A level of a book changed; price of YES in cc, hundredths of contracts."""

    ticker: str
    side: Side
    price_cc: int
    by: int
    client_order_id: str | None
    at_us: int


class Top(NamedTuple):
    """A market's best quotes and totals changed; contracts in hundredths, money in micro."""

    ticker: str
    last_cc: int | None
    bid_cc: int | None
    ask_cc: int | None
    bid_size: int
    ask_size: int
    last_size: int
    volume: int
    open_interest: int
    money: int
    at_us: int


class Traded(NamedTuple):
    """A trade of anybody."""

    ticker: str
    trade_id: str
    price_cc: int
    size: int
    taker: Literal["yes", "no"]
    at_us: int


class OrderChanged(NamedTuple):
    """An own order has a new state."""

    order: Order


class Filled(NamedTuple):
    """An own order traded."""

    fill: Fill


class PositionChanged(NamedTuple):
    """A position has a new state."""

    position: Position


class Settled(NamedTuple):
    """A position was paid out."""

    settlement: Settlement


class Lifecycle(NamedTuple):
    """A market changed; `more` has the fields of the event, as sent."""

    ticker: str
    event_type: str
    more: dict[str, Any]
    at_us: int


class GroupChanged(NamedTuple):
    """An order group changed; the limit is in hundredths of contracts."""

    group_id: str
    event_type: str
    limit: int
    at_us: int


Event = (
    LevelChanged
    | Top
    | Traded
    | OrderChanged
    | Filled
    | PositionChanged
    | Settled
    | Lifecycle
    | GroupChanged
)
Listener = Callable[[Event], None]
