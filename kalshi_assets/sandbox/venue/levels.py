"""The order book of one market: price levels, each a queue in time order.

Here: sizes and their order, and every change of a level, in the order in which it happened. Not
here: who pays whom (`matching`), where the background comes from (`background`).

The background is everybody else. At a level it joins behind what stands there, and leaves from the
back: an own order advances only when what stands before it trades or when nothing stands behind it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Side = Literal["bid", "ask"]
SIDES: tuple[Side, Side] = ("bid", "ask")


def other(side: Side) -> Side:
    """The opposite side."""
    return "ask" if side == "bid" else "bid"


class Change(NamedTuple):
    """A change of one level: price of YES in cc, hundredths of contracts, the own order if any."""

    side: Side
    price_cc: int
    by: int
    order_id: str | None


@dataclass(slots=True)
class Entry:
    """A part of a level's queue; `order_id` is None for the background."""

    size: int
    order_id: str | None


@dataclass(slots=True)
class Level:
    """The queue at one price."""

    queue: list[Entry] = field(default_factory=list)
    total: int = 0
    background: int = 0


class Book:
    """Both sides of one market; `changes` holds what happened since it was last taken."""

    def __init__(self) -> None:
        self._sides: dict[Side, dict[int, Level]] = {"bid": {}, "ask": {}}
        self.changes: list[Change] = []

    def taken_changes(self) -> list[Change]:
        """The changes so far, and forget them."""
        changes, self.changes = self.changes, []
        return changes

    def best(self, side: Side) -> int | None:
        """The best price of a side; None if it is empty."""
        prices = self._sides[side]
        if not prices:
            return None
        return max(prices) if side == "bid" else min(prices)

    def size(self, side: Side, price_cc: int) -> int:
        """Everything at one price."""
        level = self._sides[side].get(price_cc)
        return level.total if level else 0

    def background(self, side: Side, price_cc: int) -> int:
        """The background at one price."""
        level = self._sides[side].get(price_cc)
        return level.background if level else 0

    def prices(self, side: Side) -> list[int]:
        """The prices of a side, best first."""
        return sorted(self._sides[side], reverse=side == "bid")

    def depth(self, side: Side) -> list[tuple[int, int]]:
        """(price, size) of a side, ascending prices."""
        return [(price, level.total) for price, level in sorted(self._sides[side].items())]

    def crosses(self, side: Side, price_cc: int, other_price_cc: int) -> bool:
        """Whether an order of `side` at `price_cc` reaches the other side's price."""
        return price_cc >= other_price_cc if side == "bid" else price_cc <= other_price_cc

    def makers(self, taker: Side, limit_cc: int) -> Iterator[tuple[int, Entry]]:
        """What a taker with this limit meets: (price, entry), best price first, then by time.

        The queue may be changed between two entries.
        """
        side = other(taker)
        for price in self.prices(side):
            if not self.crosses(taker, limit_cc, price):
                return
            level = self._sides[side].get(price)
            for entry in list(level.queue) if level else ():
                if entry.size:
                    yield price, entry

    def rest(self, side: Side, price_cc: int, size: int, order_id: str | None) -> None:
        """Append to the queue of a level."""
        level = self._sides[side].setdefault(price_cc, Level())
        if order_id is None and level.queue and level.queue[-1].order_id is None:
            level.queue[-1].size += size
        else:
            level.queue.append(Entry(size, order_id))
        level.total += size
        if order_id is None:
            level.background += size
        self.changes.append(Change(side, price_cc, size, order_id))

    def reduce(self, side: Side, price_cc: int, entry: Entry, by: int) -> None:
        """Take from one entry of a queue; it keeps its place, or goes when it is empty."""
        level = self._sides[side][price_cc]
        entry.size -= by
        level.total -= by
        if entry.order_id is None:
            level.background -= by
        if entry.size == 0:
            level.queue = [e for e in level.queue if e is not entry]
        if level.total == 0:
            del self._sides[side][price_cc]
        self.changes.append(Change(side, price_cc, -by, entry.order_id))

    def entry(self, side: Side, price_cc: int, order_id: str) -> Entry | None:
        """An own order's place in the queue; None if it does not rest there."""
        level = self._sides[side].get(price_cc)
        queue = level.queue if level else ()
        return next((e for e in queue if e.order_id == order_id), None)

    def ahead(self, side: Side, price_cc: int, order_id: str) -> int:
        """Hundredths of contracts at the same price that trade before an own order."""
        total = 0
        for entry in self._sides[side][price_cc].queue:
            if entry.order_id == order_id:
                break
            total += entry.size
        return total

    def withdraw(self, side: Side, price_cc: int, size: int) -> None:
        """Take background from a level, the latest first."""
        level = self._sides[side][price_cc]
        for entry in reversed(list(level.queue)):
            if size == 0:
                return
            if entry.order_id is None:
                part = min(size, entry.size)
                self.reduce(side, price_cc, entry, part)
                size -= part
