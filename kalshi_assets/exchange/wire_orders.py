"""Orders on the wire: the request, and what its answer says of its effect.

An answer that cannot be understood is `Unknown`, never an error: the write may have had its effect.
Here: values and decoding. Not here: sending (orders), decoding reads (wire_account).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import httpx
from pydantic_core import from_json

from kalshi_assets.exchange.errors import Endpoint, MalformedAnswerError, error_of
from kalshi_assets.exchange.wire_values import Record, epoch_ms, hundredths
from kalshi_assets.units import CC_A_DOLLAR, HUNDREDTHS


@dataclass(frozen=True, kw_only=True)
class NewOrder:
    """An order as it is sent, in YES terms.

    Attributes
    ----------
    ticker, side
        The market; bid buys YES, ask sells it, which is to buy NO.
    client_order_id
        Ours; the exchange accepts each once, for ever.
    price_cc, size
        Limit price in 1/10,000 dollar; size in 1/100 contract.
    expires_at_s
        Unix second at which the exchange ends it; None: immediate or cancel.
    order_group_id, exchange_index
        The group that cancels it, and the shard of the market.
    """

    ticker: str
    side: Literal["bid", "ask"]
    client_order_id: str
    price_cc: int
    size: int
    expires_at_s: int | None
    order_group_id: str
    exchange_index: int

    def wire(self) -> dict[str, Any]:
        """The body of the request: what rests is post-only, what takes is immediate."""
        rests = self.expires_at_s is not None
        body: dict[str, Any] = {
            "ticker": self.ticker,
            "client_order_id": self.client_order_id,
            "side": self.side,
            "count": count_text(self.size),
            "price": price_text(self.price_cc),
            "time_in_force": "good_till_canceled" if rests else "immediate_or_cancel",
            "post_only": rests,
            "self_trade_prevention_type": "taker_at_cross",
            "cancel_order_on_pause": True,
            "reduce_only": False,
            "order_group_id": self.order_group_id,
            "exchange_index": self.exchange_index,
        }
        return body | ({"expiration_time": self.expires_at_s} if rests else {})


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """The exchange has the order; sizes in 1/100 contract."""

    order_id: str
    filled: int
    remaining: int
    ts_ms: int


@dataclass(frozen=True, kw_only=True)
class Cancelled:
    """The order was cancelled, or decreased, by so many 1/100 contracts; earlier fills count."""

    order_id: str
    reduced_by: int


@dataclass(frozen=True, kw_only=True)
class Done:
    """A write without a result, such as cancel-all, was carried out."""


@dataclass(frozen=True, kw_only=True)
class Refused:
    """The exchange refused the write, or it was never sent (code ``not_sent``): no effect."""

    code: str
    message: str
    status: int | None = None


@dataclass(frozen=True, kw_only=True)
class AlreadyExists:
    """The client order ID was used before: that order got in. Its state must be read."""


@dataclass(frozen=True, kw_only=True)
class Gone:
    """404 to a cancel: cancelled, executed or unknown. Its fills must be read."""


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """Nobody knows whether the write had its effect: it must be read, never repeated."""

    why: str


Placed = Accepted | Refused | AlreadyExists | Unknown
CancelResult = Cancelled | Gone | Refused | Unknown
WriteResult = Done | Refused | Unknown


@dataclass(frozen=True)
class Payload:
    """The JSON of an answer below 300."""

    json: Any


Answered = Payload | Refused | Unknown


def price_text(price_cc: int) -> str:
    """A price as the wire has it, such as ``"0.5600"``; strictly between 0 and a dollar.

    Raises
    ------
    ValueError
        No order has such a price.
    """
    if not 0 < price_cc < CC_A_DOLLAR:
        raise ValueError(f"the price {price_cc} cc is not between 0 and {CC_A_DOLLAR}")
    return f"0.{price_cc:04d}"


def count_text(size: int) -> str:
    """A size in 1/100 contract as the wire has it, such as ``"10.00"``.

    Raises
    ------
    ValueError
        The size is not positive.
    """
    if size <= 0:
        raise ValueError(f"the size {size}/100 contracts is not positive")
    return f"{size // HUNDREDTHS}.{size % HUNDREDTHS:02d}"


def answer_of(response: httpx.Response, endpoint: Endpoint) -> Answered:
    """What an answer says at first sight, by its status and whether it is JSON.

    Parameters
    ----------
    response, endpoint
        The answer, and the request for the message.
    """
    if response.status_code >= 500 or response.status_code in (408, 425):
        return Unknown(why=f"HTTP {response.status_code}: {response.text[:200]}")
    if response.status_code >= 400:
        error = error_of(response.status_code, response.content, endpoint)
        return Refused(
            code=error.code or f"http_{response.status_code}",
            message=str(error.details or error.message),
            status=response.status_code,
        )
    if response.status_code >= 300:
        return Unknown(why=f"HTTP {response.status_code}, a redirection")
    if not response.content:
        return Payload({})
    try:
        return Payload(from_json(response.content))
    except ValueError:
        return Unknown(why=f"the answer ({len(response.content)} bytes) is not JSON")


def understood(read: Callable[[], Any]) -> Any:
    """What `read` returns; `Unknown` if the answer lacks what it needs."""
    try:
        return read()
    except (MalformedAnswerError, ValueError) as error:
        return Unknown(why=str(error))


def accepted_of(payload: Any, order: NewOrder) -> Accepted | Unknown:
    """Decode the acceptance of an order.

    Parameters
    ----------
    payload, order
        The answer, and the order it must be about.

    Raises
    ------
    MalformedAnswerError
        A required field is missing, such as order_id.
    """
    record = Record(payload, f"created order {order.client_order_id}")
    accepted = Accepted(
        order_id=record.text("order_id"),
        filled=record.get("fill_count", hundredths),
        remaining=record.get("remaining_count", hundredths),
        ts_ms=record.get("ts_ms", epoch_ms),
    )
    if record.maybe_text("client_order_id") not in (None, order.client_order_id):
        return Unknown(why="the answer is about another client_order_id")
    least = min(accepted.filled, accepted.remaining)
    if least < 0 or accepted.filled + accepted.remaining > order.size:
        return Unknown(
            why=f"filled {accepted.filled} and remaining {accepted.remaining} do not fit the "
            f"ordered {order.size}, all in 1/100 contract"
        )
    return accepted


def batch_item_of(item: Any, order: NewOrder) -> Placed:
    """Decode the answer to one order of a batch.

    Parameters
    ----------
    item, order
        The answer's item, and the order it must be about.

    Raises
    ------
    MalformedAnswerError
        A required field is missing.
    """
    record = Record(item, f"created order {order.client_order_id}")
    error = item.get("error")
    if error is None:
        return accepted_of(item, order)
    refusal = Record(error, f"error of {order.client_order_id}")
    code = refusal.text("code")
    if code == "order_already_exists":
        return AlreadyExists()
    if record.maybe_text("order_id") is not None:
        return Unknown(why=f"an order ID and an error: {code}")
    text = refusal.maybe_text("details") or refusal.maybe_text("message") or code
    return Refused(code=code, message=text)


def ended_of(answer: Answered, read: Callable[[Record], CancelResult]) -> CancelResult:
    """Understand the answer to a cancel or a decrease.

    Parameters
    ----------
    answer
        As of `answer_of`.
    read
        Decodes the record of an answer below 300.
    """
    if isinstance(answer, Refused) and answer.status == 404:
        return Gone()
    if isinstance(answer, Refused | Unknown):
        return answer
    return understood(lambda: read(Record(answer.json, "cancelled order")))


def done_of(answer: Answered) -> WriteResult:
    """Understand the answer to a write without a result."""
    return answer if isinstance(answer, Refused | Unknown) else Done()
