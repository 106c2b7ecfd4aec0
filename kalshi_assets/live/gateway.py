"""The only way from a decision to the exchange: checked, journaled, sent once, answer journaled.

An order whose answer is unknown blocks its market until reconciliation has read what became of it;
it is never sent again, under no other ID. Whatever cannot be checked refuses the order.

Here: orders and cancels, one request each. Not here: the limits (gate), reading the exchange
(reconciliation), the guards (kill_switch, lease).
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

from kalshi_assets.exchange.orders import OrderWriter
from kalshi_assets.exchange.wire_orders import (
    Accepted,
    AlreadyExists,
    Cancelled,
    CancelResult,
    Done,
    NewOrder,
    Placed,
    Refused,
    Unknown,
    WriteResult,
)
from kalshi_assets.live.gate import AccountState, GateLimits, refusal
from kalshi_assets.live.gateway_events import cancelled, created, gate_refused, journal_failed
from kalshi_assets.live.intents import OrderIntent
from kalshi_assets.live.journal import Journal
from kalshi_assets.live.journal_records import (
    DuplicateIntentError,
    JournaledOrder,
    JournalError,
    note_of_end,
    state_of,
)
from kalshi_assets.live.journal_schema import (
    DONE,
    OPEN,
    REJECTED,
    SENT,
    UNKNOWN,
)
from kalshi_assets.live.telemetry import Emit, Event, silent
from kalshi_assets.units import SECOND_US

Guard = Callable[[str], str | None]
"""Why no order of a market may be sent now; None: it may."""

_TRIES = 3
_FAILURES = (OSError, RuntimeError, ValueError, httpx.HTTPError)


@dataclass(frozen=True, kw_only=True)
class Blocked:
    """The gateway sent nothing."""

    why: str


@dataclass(frozen=True, kw_only=True)
class GatewayParams:
    """How orders are sent.

    Attributes
    ----------
    limits
        What no order may exceed.
    order_group_id, exchange_index
        The group of all orders of the session, and the shard of its markets.
    lifetime_us
        After which the exchange ends an order that rests: what a dead session can lose.
    """

    limits: GateLimits
    order_group_id: str
    exchange_index: int
    lifetime_us: int


class Gateway:
    """Places and cancels orders. Thread-safe.

    Parameters
    ----------
    journal, writer, params
        Where orders are recorded, what sends them, and how.
    clock_us
        Microseconds since the epoch.
    guards
        All are asked before every order; a guard that fails refuses it.
    emit
        Takes telemetry.
    on_step
        Called with ``handed`` once a request was handed to the socket and ``answered`` before its
        answer is journaled; for drills.
    """

    def __init__(
        self,
        journal: Journal,
        writer: OrderWriter,
        params: GatewayParams,
        *,
        clock_us: Callable[[], int],
        guards: Sequence[Guard],
        emit: Emit = silent,
        on_step: Callable[[str], None] = lambda name: None,
    ) -> None:
        self._journal = journal
        self._writer = writer
        self._params = params
        self._clock = clock_us
        self._guards = tuple(guards)
        self._emit = emit
        self._on_step = on_step
        self._lock = threading.Lock()
        self._in_flight: set[str] = set()

    def in_flight(self) -> frozenset[str]:
        """Client order IDs whose request is on its way: not to be judged by reading."""
        with self._lock:
            return frozenset(self._in_flight)

    def place(self, intent: OrderIntent) -> Placed | Blocked:
        """Send an order, unless a guard, a limit or the journal forbids it.

        On return its outcome is in the journal; if that could not be written, the order stays
        unresolved there, which blocks its market.
        """
        started = self._clock()
        with self._lock:
            try:
                order = self._checked(intent)
            except _FAILURES as error:
                order = Blocked(why=f"{type(error).__name__}: {error}")
            if isinstance(order, JournaledOrder):
                self._in_flight.add(order.client_order_id)
        if isinstance(order, Blocked):
            self._note_blocked(intent, order)
            return order
        try:
            return self._sent(order, intent, started)
        finally:
            with self._lock:
                self._in_flight.discard(order.client_order_id)

    def cancel(self, client_order_id: str, reason: str) -> CancelResult | Blocked:
        """Cancel an order; a cancel that cannot be journaled is sent all the same.

        Parameters
        ----------
        client_order_id
            The order.
        reason
            Why, for the journal.
        """
        order = self._journal.order(client_order_id)
        if order is None or not order.is_open:
            return Blocked(why=f"order {client_order_id} is not open")
        if order.order_id is None:
            return Blocked(why=f"order {client_order_id} is {order.state}: reconcile first")
        with self._lock:
            self._in_flight.add(client_order_id)
        try:
            return self._cancelled(order, order.order_id, reason)
        finally:
            with self._lock:
                self._in_flight.discard(client_order_id)

    def cancel_all(self, reason: str) -> WriteResult:
        """Cancel every order of the account, for the end of a session.

        The exchange also cancels what is placed within the next minute. The answer says nothing
        about fills: reconcile afterwards.
        """
        number = self._noted(lambda: self._journal.ask_cancel(None, reason))
        try:
            result = self._writer.cancel_all()
        except _FAILURES as error:
            result = Unknown(why=f"{type(error).__name__}: {error}")
        self._on_step("answered")
        if number is not None:
            self._noted(lambda: self._journal.cancel_answered(number, repr(result)))
        return result

    def _checked(self, intent: OrderIntent) -> JournaledOrder | Blocked:
        """The order with its intent on disk, or why there is none."""
        for guard in self._guards:
            if (why := guard(intent.market_ticker)) is not None:
                return Blocked(why=why)
        orders = self._journal.orders(OPEN)
        unresolved = [
            order.client_order_id
            for order in orders
            if order.market_ticker == intent.market_ticker
            and order.is_unresolved
            and order.client_order_id not in self._in_flight
        ]
        if unresolved:
            return Blocked(why=f"order {unresolved[0]} of that market is not resolved: reconcile")
        params = self._params
        now = self._clock()
        expires_at_s = None
        if intent.execution == "maker":
            expires_at_s = (now + params.lifetime_us) // SECOND_US
        closed = [order for order in self._journal.unbooked() if not order.is_open]
        state = AccountState(holdings=self._journal.holdings(), orders=[*orders, *closed])
        lifetime_us = 0 if expires_at_s is None else expires_at_s * SECOND_US - now
        why = refusal(intent, state, params.limits, lifetime_us)
        if why is not None:
            return Blocked(why=why)
        try:
            return self._journal.intend(
                intent,
                expires_at_s=expires_at_s,
                order_group_id=params.order_group_id,
                exchange_index=params.exchange_index,
            )
        except DuplicateIntentError as error:
            return Blocked(why=str(error))

    def _sent(self, order: JournaledOrder, intent: OrderIntent, started: int) -> Placed:
        handed_at: list[int] = []

        def handed() -> None:
            handed_at.append(self._clock())
            self._on_step("handed")
            self._noted(lambda: self._journal.advance(order.client_order_id, SENT))

        try:
            outcome = self._writer.create(_new(order), handed)
        except _FAILURES as error:
            outcome = Unknown(why=f"{type(error).__name__}: {error}")
        self._on_step("answered")
        try:
            self._after_create(order, outcome)
        except JournalError as error:
            outcome = Unknown(why=f"the answer {outcome} could not be journaled: {error}")
        handed_us = handed_at[0] if handed_at else None
        self._tell(created(intent, outcome, started, handed_us, self._clock()))
        return outcome

    def _cancelled(self, order: JournaledOrder, order_id: str, reason: str) -> CancelResult:
        name = order.client_order_id
        number = self._noted(lambda: self._journal.ask_cancel(name, reason))
        result: CancelResult
        try:
            result = self._writer.cancel(
                order_id, ticker=order.market_ticker, exchange_index=order.exchange_index
            )
        except _FAILURES as error:
            result = Unknown(why=f"{type(error).__name__}: {error}")
        self._on_step("answered")
        if number is not None:
            self._noted(lambda: self._journal.cancel_answered(number, repr(result)))
        self._noted(lambda: self._after_cancel(name, result))
        self._tell([cancelled(order, reason, result, self._clock())])
        return result

    def _after_create(self, order: JournaledOrder, outcome: Placed) -> None:
        journal, name = self._journal, order.client_order_id
        match outcome:
            case Accepted(order_id=order_id, filled=filled, remaining=remaining):
                known = journal.order(name) or order
                if not known.is_open:
                    return
                # A fill may have arrived by the stream before the answer.
                filled = max(filled, known.filled)
                journal.advance(
                    name,
                    state_of(filled, remaining),
                    order_id=order_id,
                    filled=filled,
                    note=note_of_end(filled, remaining, order.size),
                )
            case Refused(code=code, message=message):
                journal.advance(name, REJECTED, note=f"{code}: {message}")
            case AlreadyExists():
                journal.advance(name, UNKNOWN, note="already exists: read what became of it")
            case Unknown(why=why):
                journal.advance(name, UNKNOWN, note=why)

    def _after_cancel(self, client_order_id: str, result: CancelResult) -> None:
        journal = self._journal
        order = journal.order(client_order_id)
        if order is None or not order.is_open:
            return
        match result:
            case Cancelled(reduced_by=reduced_by) if order.size - reduced_by >= order.filled:
                journal.advance(
                    client_order_id, DONE, filled=order.size - reduced_by, note="cancelled"
                )
            case Refused():
                return
            case _:
                journal.advance(client_order_id, UNKNOWN, note=f"cancel: {result}")

    def _noted(self, write: Callable[[], Any]) -> Any:
        """The result of a write to the journal; None, and a line of telemetry, if it failed."""
        try:
            return write()
        except JournalError as error:
            self._tell([journal_failed(str(error), self._clock())])
            return None

    def _note_blocked(self, intent: OrderIntent, blocked: Blocked) -> None:
        data = {"client_order_id": intent.client_order_id, "why": blocked.why}
        self._noted(lambda: self._journal.event("gate_refused", data))
        self._tell([gate_refused(intent, blocked.why, self._clock())])

    def _tell(self, events: Iterable[Event]) -> None:
        """Telemetry drives nothing: a full disk is noted, and the order goes its way."""
        try:
            for event in events:
                self._emit(event)
        except OSError as error:
            with suppress(JournalError):
                self._journal.event("telemetry_failed", {"error": str(error)})


def open_order_group(
    journal: Journal, writer: OrderWriter, *, contracts_limit: int, exchange_index: int
) -> str:
    """Create and journal the order group of a session; a new one at every start.

    Groups of earlier starts are triggered first: if a process of the session that was taken for
    dead wakes up, the exchange itself refuses what it sends. A group whose answer was lost holds no
    orders.

    Parameters
    ----------
    journal, writer
        The session's.
    contracts_limit
        Contracts matched within 15 seconds above which the exchange cancels the group.
    exchange_index
        Shard of the session's markets.

    Raises
    ------
    RuntimeError
        An earlier group could not be triggered, or no new one was created.
    """
    for earlier in journal.events("order_group"):
        _triggered(writer, earlier["order_group_id"])
    group = writer.create_group(contracts_limit=contracts_limit, exchange_index=exchange_index)
    if not isinstance(group, str):
        raise RuntimeError(f"no order group was created, so no order can be sent: {group}")
    journal.event("order_group", {"order_group_id": group, "contracts_limit": contracts_limit})
    return group


def _triggered(writer: OrderWriter, group: str) -> None:
    """Trigger a group, which may be repeated; one that is gone holds no orders."""
    result: WriteResult = Unknown(why="not tried")
    for _ in range(_TRIES):
        result = writer.trigger_group(group)
        if isinstance(result, Done) or (isinstance(result, Refused) and result.status == 404):
            return
    raise RuntimeError(
        f"order group {group} of an earlier start could not be triggered, so that an order of its "
        f"process might still arrive: {result}"
    )


def _new(order: JournaledOrder) -> NewOrder:
    return NewOrder(
        ticker=order.market_ticker,
        side="bid" if order.side == "bid" else "ask",
        client_order_id=order.client_order_id,
        price_cc=order.price_cc,
        size=order.size,
        expires_at_s=order.expires_at_s,
        order_group_id=order.order_group_id,
        exchange_index=order.exchange_index,
    )
