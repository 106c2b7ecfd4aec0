"""What a journal holds, as records: the session, orders, fills, holdings; and its errors.

Sizes are 1/100 contract, cash is 1/1,000,000 dollar, prices 1/10,000 dollar. Not here: the file
(session_log, journal).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kalshi_assets.live.journal_schema import (
    ACKNOWLEDGED,
    DONE,
    OPEN,
    PARTLY_FILLED,
    REJECTED,
    TRANSITIONS,
    UNRESOLVED,
)


class JournalError(RuntimeError):
    """The journal cannot be used, or refuses a change; the message names the order."""


class DuplicateIntentError(JournalError):
    """The same decision was journaled before; its order must not be sent again."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """The session that a journal is of; `versions` names what was loaded."""

    session_id: str
    account: str
    mode: str
    started_at_us: int
    versions: Mapping[str, Any]
    opening_cash_millionths: int | None = None
    ended_at_us: int | None = None
    end_reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class JournaledOrder:
    """An order and all that is known of it; `booked` is the part of `filled` with known fees."""

    client_order_id: str
    account: str
    event_ticker: str
    strategy: str
    decided_at_us: int
    bracket: int
    market_ticker: str
    side: str
    execution: str
    price_cc: int
    size: int
    expires_at_s: int | None
    order_group_id: str
    exchange_index: int
    state: str
    order_id: str | None
    filled: int
    booked: int
    note: str
    created_at_us: int
    updated_at_us: int

    @property
    def sign(self) -> int:
        """1: buys YES; -1: sells it."""
        return 1 if self.side == "bid" else -1

    @property
    def is_open(self) -> bool:
        """Whether it may still fill."""
        return self.state in OPEN

    @property
    def is_unresolved(self) -> bool:
        """Whether nobody knows that the exchange has it."""
        return self.state in UNRESOLVED


@dataclass(frozen=True, kw_only=True)
class JournaledFill:
    """An execution with the exchange's fee."""

    trade_id: str
    client_order_id: str
    market_ticker: str
    side: str
    is_taker: bool
    price_cc: int
    size: int
    fee_millionths: int
    filled_at_us: int


@dataclass(frozen=True, kw_only=True)
class Holding:
    """A market's position: at the opening, and what the booked fills added.

    Cash counts a sale of YES as received, before the collateral of a dollar a contract.
    """

    market_ticker: str
    opening: int
    opening_cash_millionths: int
    size: int
    cash_millionths: int


def state_of(filled: int, remaining: int) -> str:
    """State of an order that the exchange has.

    Parameters
    ----------
    filled, remaining
        1/100 contract; nothing remaining: it has ended.
    """
    if remaining == 0:
        return DONE
    return PARTLY_FILLED if filled else ACKNOWLEDGED


def note_of_end(filled: int, remaining: int, size: int) -> str:
    """How an order ended; empty: it did not.

    Parameters
    ----------
    filled, remaining, size
        1/100 contract.
    """
    if remaining:
        return ""
    return "filled" if filled == size else "ended unfilled"


def check_change(before: JournaledOrder, state: str, order_id: str | None, filled: int) -> None:
    """Check that an order may change so.

    Parameters
    ----------
    before
        The order.
    state, order_id, filled
        Its new state, ID of the exchange and filled size.

    Raises
    ------
    JournalError
        It may not.
    """
    name = f"order {before.client_order_id} ({before.market_ticker})"
    if state != before.state and state not in TRANSITIONS[before.state]:
        raise JournalError(f"{name} cannot change from {before.state} to {state}")
    if not before.filled <= filled <= before.size:
        raise JournalError(
            f"{name} has {before.filled}/100 contracts filled of {before.size}/100, not {filled}"
        )
    if state == REJECTED and filled:
        raise JournalError(f"{name} has fills of {filled}/100 contracts and cannot be rejected")
    if before.order_id not in (None, order_id):
        raise JournalError(f"{name} has the exchange's ID {before.order_id}, not {order_id}")
