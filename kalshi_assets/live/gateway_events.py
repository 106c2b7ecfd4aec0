"""What the gateway tells of orders and cancels, as events of telemetry.

Here: the form of the events. Not here: when they happen (gateway), writing them (telemetry).
"""

from collections.abc import Iterator
from typing import Any

from kalshi_assets.exchange.wire_orders import (
    Accepted,
    Cancelled,
    CancelResult,
    Placed,
    Refused,
    Unknown,
)
from kalshi_assets.live.intents import OrderIntent
from kalshi_assets.live.journal_records import JournaledOrder, state_of
from kalshi_assets.live.telemetry import Event
from kalshi_assets.units import CC_A_CENT, HUNDREDTHS

SOURCE = "gateway"


def created(
    intent: OrderIntent, outcome: Placed, started_us: int, handed_us: int | None, now_us: int
) -> Iterator[Event]:
    """Intent, sent, and the answer to an order.

    Parameters
    ----------
    intent, outcome
        The order and what became of it.
    started_us, handed_us, now_us
        When the gateway was asked, when the request was handed to the socket (None: never), and
        when its answer was journaled.
    """
    ids = _ids(intent, outcome.order_id if isinstance(outcome, Accepted) else None)
    yield Event(type="intent", data=_intent_data(intent), source=SOURCE, at_us=started_us, ids=ids)
    if handed_us is not None:
        sent = {"attempt": 1, "latency_us": handed_us - started_us}
        yield Event(type="sent", data=sent, source=SOURCE, at_us=handed_us, ids=ids)
    type_, data = _answer(outcome)
    yield Event(type=type_, data=data, source=SOURCE, at_us=now_us, ids=ids)


def gate_refused(intent: OrderIntent, why: str, now_us: int) -> Event:
    """An order that the gateway did not send.

    Parameters
    ----------
    intent, why
        The order and the reason.
    now_us
        When.
    """
    data = {"http_status": None, "code": "gate", "message": why, "retriable": False, "attempt": 0}
    return Event(type="reject", data=data, source=SOURCE, at_us=now_us, ids=_ids(intent, None))


def cancelled(order: JournaledOrder, reason: str, result: CancelResult, now_us: int) -> Event:
    """The answer to a cancel.

    Parameters
    ----------
    order, reason, result
        The order, why it was cancelled, and the answer.
    now_us
        When.
    """
    ids = {
        "event_ticker": order.event_ticker,
        "market_ticker": order.market_ticker,
        "client_order_id": order.client_order_id,
        "order_id": order.order_id,
    }
    if isinstance(result, Unknown):
        data: dict[str, Any] = {"asked": "cancel", "error": result.why}
        return Event(type="unknown", data=data, source=SOURCE, at_us=now_us, ids=ids)
    confirmed = isinstance(result, Cancelled)
    remaining = result.reduced_by / HUNDREDTHS if isinstance(result, Cancelled) else None
    data = {"reason": reason, "remaining": remaining, "confirmed": confirmed}
    return Event(type="cancel", data=data, source=SOURCE, at_us=now_us, ids=ids)


def journal_failed(error: str, now_us: int) -> Event:
    """A write to the journal that failed behind a request.

    Parameters
    ----------
    error
        What failed.
    now_us
        When.
    """
    data = {"asked": "journal", "error": error}
    return Event(type="unknown", data=data, source=SOURCE, at_us=now_us)


def _answer(outcome: Placed) -> tuple[str, dict[str, Any]]:
    match outcome:
        case Accepted(filled=filled, remaining=remaining):
            state = state_of(filled, remaining)
            return "ack", {"status": state, "remaining": remaining / HUNDREDTHS}
        case Refused(status=status, code=code, message=message):
            data = {"http_status": status, "code": code, "message": message}
            return "reject", {**data, "retriable": False, "attempt": 1}
        case Unknown(why=why):
            return "unknown", {"asked": "create", "error": why}
        case _:
            return "unknown", {"asked": "create", "error": "the order already exists"}


def _ids(intent: OrderIntent, order_id: str | None) -> dict[str, str | None]:
    return {
        "event_ticker": intent.event_ticker,
        "market_ticker": intent.market_ticker,
        "client_order_id": intent.client_order_id,
        "order_id": order_id,
    }


def _intent_data(intent: OrderIntent) -> dict[str, Any]:
    evidence = intent.evidence
    edge = evidence.get("edge_cents")
    return {
        "side": intent.side,
        "price_cc": intent.price_cc,
        "contracts": intent.contracts,
        "execution": intent.execution,
        "decision_id": intent.client_order_id,
        "p_used": evidence.get("p_used"),
        "p_mkt": evidence.get("p_mkt"),
        "edge_cc": evidence.get("edge_cc", None if edge is None else edge * CC_A_CENT),
        "book": evidence.get("book"),
    }
