"""Data types passed between the parts of trading: candidates, orders, fills.

Here: values, without behaviour beyond arithmetic on themselves. Not here: making, refusing or
filling them.

Prices are integers of 1/10,000 dollar of a YES contract. Times are whole minutes since the epoch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

Side = Literal["bid", "ask"]
Execution = Literal["maker", "taker"]

FeeOf = Callable[[int, int, Execution], int]
"""Fee in cc of filling (price_cc, contracts, execution) in one order."""


def sign_of(side: Side) -> int:
    """+1 for a bid, which buys YES; -1 for an ask, which sells it."""
    return 1 if side == "bid" else -1


class Candidate(NamedTuple):
    """An order that the signal wants, before positions and limits are checked."""

    bracket: int
    side: Side
    execution: Execution
    price_cc: int


class Order(NamedTuple):
    """An order as sent; it never changes.

    Attributes
    ----------
    order_id
        Number within the day.
    price_cc
        Limit price. A maker order is post-only; a taker order is immediate-or-cancel.
    decided_at, placed_at
        Minute of the row that it was decided on; minute when it reaches the book.
    expires_at
        Minute when the exchange removes it.
    """

    order_id: int
    bracket: int
    side: Side
    execution: Execution
    price_cc: int
    contracts: int
    decided_at: int
    placed_at: int
    expires_at: int


class Fill(NamedTuple):
    """Contracts that changed hands in one minute."""

    bracket: int
    side: Side
    price_cc: int
    contracts: int
    fee_cc: int


@dataclass(kw_only=True, slots=True)
class WorkingOrder:
    """An order that may still fill, and its state so far.

    Attributes
    ----------
    dies_at
        Last minute in which it can fill: its expiry, or earlier once a cancel is under way.
    fills
        Contracts of each fill; all are at one price.
    charged
        Those of them whose fee was not waived.
    filled_price_cc
        Price of its fills; None: nothing filled yet.
    filled_at
        Minute of its last fill.
    ended_at
        Minute when it filled in full, expired or was cancelled; None: still working.
    """

    order: Order
    dies_at: int
    fills: tuple[int, ...] = ()
    charged: tuple[int, ...] = ()
    fee_cc: int = 0
    filled_price_cc: int | None = None
    filled_at: int | None = None
    ended_at: int | None = None

    @property
    def filled(self) -> int:
        """Contracts filled."""
        return sum(self.fills)

    @property
    def remaining(self) -> int:
        """Contracts not filled."""
        return self.order.contracts - self.filled

    @property
    def outcome(self) -> str:
        """filled, partial or cancelled, as in `backtest.fills`."""
        if self.filled == self.order.contracts:
            return "filled"
        return "partial" if self.filled else "cancelled"
