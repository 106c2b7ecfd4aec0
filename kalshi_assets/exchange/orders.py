"""Writes to the exchange: orders, cancels, order groups, each sent once (kalshi.md 3).

A write is never repeated here, because an answer that was lost says nothing about the order. Every
write returns what is known of its effect: `Accepted`, `Refused`, `AlreadyExists` or `Unknown`.

Here: the requests and how their answers are understood. Not here: reads (account), the journal and
limits (live.gateway), amending, which the platform does not do.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal
from urllib.parse import quote

import httpx
from pydantic_core import from_json, to_json

from kalshi_assets.exchange.errors import Endpoint, ExchangeError, MalformedAnswerError, error_of
from kalshi_assets.exchange.signing import Signer
from kalshi_assets.exchange.throttle import TokenBucket
from kalshi_assets.exchange.wire_account import EndpointCosts
from kalshi_assets.exchange.wire_values import Record, epoch_ms, hundredths
from kalshi_assets.units import CC_A_DOLLAR, HUNDREDTHS

API = "/trade-api/v2"
ORDERS = "/portfolio/events/orders"
GROUPS = "/portfolio/order_groups"
SENT_EVENT = "http11.send_request_body.complete"
"""httpx's trace event: the whole request was handed to the socket."""

PUBLISHED_COSTS = EndpointCosts(
    default=10,
    exceptions={("DELETE", f"{API}{ORDERS}/:order_id"): 2, ("DELETE", f"{API}{ORDERS}"): 2},
)
"""Tokens per write, unless the exchange's own list is passed in."""


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
class _Payload:
    """The JSON of an answer below 300."""

    json: Any


_Answer = _Payload | Refused | Unknown


class OrderWriter(AbstractContextManager):
    """Writes to the exchange. Thread-safe; as a context manager it closes its connections.

    Parameters
    ----------
    base_url
        Including /trade-api/v2.
    signer
        Signs every request immediately before it is sent.
    transport
        httpx transport; None: the network.
    bucket, costs
        Limits the rate (None: unlimited), by the published tokens per write.
    clock
        Unix seconds.
    timeout_s
        For each phase of a request; an answer that takes longer is `Unknown`.
    """

    def __init__(
        self,
        base_url: str,
        *,
        signer: Signer,
        transport: httpx.BaseTransport | None = None,
        bucket: TokenBucket | None = None,
        costs: EndpointCosts = PUBLISHED_COSTS,
        clock: Callable[[], float] = time.time,
        timeout_s: float = 5.0,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._signer = signer
        self._bucket = bucket
        self._costs = costs
        self._clock = clock
        self._http = httpx.Client(
            transport=transport,
            timeout=timeout_s,
            headers={"accept": "application/json", "user-agent": "kalshi-assets"},
        )

    def __exit__(self, *error: object) -> None:
        self._http.close()

    def create(self, order: NewOrder, handed: Callable[[], None] = lambda: None) -> Placed:
        """Place an order.

        Parameters
        ----------
        order
            The order.
        handed
            Called once the request was handed to the socket, before the answer; must not raise.
        """
        answer = self._send("POST", ORDERS, order.wire(), handed=handed)
        if isinstance(answer, Refused) and answer.status == 409:
            return AlreadyExists() if answer.code == "order_already_exists" else answer
        if isinstance(answer, Refused | Unknown):
            return answer
        return _understood(lambda: _accepted(answer.json, order))

    def create_batch(self, orders: Sequence[NewOrder]) -> list[Placed]:
        """Place several orders in one request; the whole batch must fit into the write budget.

        An answer that cannot be matched with the orders is unknown for all of them.
        """
        answer = self._send(
            "POST", f"{ORDERS}/batched", {"orders": [o.wire() for o in orders]}, count=len(orders)
        )
        if isinstance(answer, Refused | Unknown):
            return [answer] * len(orders)
        try:
            items = Record(answer.json, "batch").rows("orders")
        except ExchangeError as error:
            return [Unknown(why=str(error))] * len(orders)
        if len(items) != len(orders):
            return [Unknown(why=f"{len(items)} answers to {len(orders)} orders")] * len(orders)
        return [
            _understood(partial(_batch_item, item, order))
            for item, order in zip(items, orders, strict=True)
        ]

    def decrease(self, order_id: str, *, to_size: int, ticker: str) -> CancelResult:
        """Reduce what remains of an order; it keeps its place in the queue.

        Parameters
        ----------
        order_id, ticker
            The order and its market.
        to_size
            What is to remain, in 1/100 contract.
        """
        body = {"reduce_to": count_text(to_size), "market_ticker": ticker}
        answer = self._send("POST", f"{ORDERS}/{quote(order_id, safe='')}/decrease", body)
        return _ended(
            answer,
            lambda r: (
                Cancelled(order_id=r.text("order_id"), reduced_by=0)
                if r.get("remaining_count", hundredths) == to_size
                else Unknown(why="the order's remaining size is not the one asked for")
            ),
        )

    def cancel(self, order_id: str, *, ticker: str, exchange_index: int) -> CancelResult:
        """Cancel an order.

        Parameters
        ----------
        order_id, ticker, exchange_index
            The order, its market and the market's shard.
        """
        answer = self._send(
            "DELETE",
            f"{ORDERS}/{quote(order_id, safe='')}",
            params={"exchange_index": exchange_index, "market_ticker": ticker},
        )
        return _ended(
            answer,
            lambda r: Cancelled(
                order_id=r.text("order_id"), reduced_by=r.get("reduced_by", hundredths)
            ),
        )

    def cancel_all(self) -> WriteResult:
        """Cancel every order of the account, and those placed within a minute after."""
        return _done(self._send("DELETE", ORDERS))

    def create_group(self, *, contracts_limit: int, exchange_index: int) -> str | Refused | Unknown:
        """Create an order group; its ID.

        Parameters
        ----------
        contracts_limit
            Contracts matched within 15 seconds above which the exchange cancels the group.
        exchange_index
            The shard of its orders.
        """
        body = {"contracts_limit": contracts_limit, "exchange_index": exchange_index}
        answer = self._send("POST", f"{GROUPS}/create", body)
        if isinstance(answer, Refused | Unknown):
            return answer
        return _understood(lambda: Record(answer.json, "order group").text("order_group_id"))

    def trigger_group(self, group_id: str) -> WriteResult:
        """Cancel all orders of a group and refuse new ones until it is reset."""
        return _done(self._send("PUT", f"{GROUPS}/{quote(group_id, safe='')}/trigger", {}))

    def reset_group(self, group_id: str) -> WriteResult:
        """Let a triggered group take orders again."""
        return _done(self._send("PUT", f"{GROUPS}/{quote(group_id, safe='')}/reset", {}))

    def delete_group(self, group_id: str) -> WriteResult:
        """Delete a group, which cancels its orders."""
        return _done(self._send("DELETE", f"{GROUPS}/{quote(group_id, safe='')}"))

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        count: int = 1,
        handed: Callable[[], None] = lambda: None,
    ) -> _Answer:
        """The answer to one request, sent once."""
        url = httpx.URL(self.base_url + path, params=dict(params or {}))
        signed = url.raw_path.split(b"?")[0].decode("ascii")
        if self._bucket is not None:
            self._bucket.take(count * cost_of(self._costs, method, signed))
        once = _Once(handed)
        request = httpx.Request(
            method,
            url,
            headers=dict(self._http.headers)
            | self._signer.headers(method, signed, int(self._clock() * 1000))
            | ({} if body is None else {"content-type": "application/json"}),
            content=None if body is None else to_json(body),
            extensions={"trace": once.trace, "timeout": self._http.timeout.as_dict()},
        )
        try:
            response = self._http.send(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return Refused(code="not_sent", message=f"no connection: {_named(error)}")
        except (httpx.TransportError, httpx.DecodingError) as error:
            once.call()
            return Unknown(why=_named(error))
        once.call()
        return _answered(response, Endpoint(method, path, params or {}))


class _Once:
    """Calls a function once, when the request was handed over or else when the answer is there."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._function: Callable[[], None] | None = function

    def trace(self, name: str, info: Mapping[str, Any]) -> None:
        if name == SENT_EVENT:
            self.call()

    def call(self) -> None:
        function, self._function = self._function, None
        if function is not None:
            function()


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


def cost_of(costs: EndpointCosts, method: str, path: str) -> float:
    """Tokens of a request.

    Parameters
    ----------
    costs
        Published costs, whose paths have parts such as ``:order_id``.
    method, path
        The request, with /trade-api/v2, without query.
    """
    for (its_method, pattern), cost in costs.exceptions.items():
        if its_method == method and re.fullmatch(re.sub(r"[:*]\w+", "[^/]+", pattern), path):
            return cost
    return costs.default


def _answered(response: httpx.Response, endpoint: Endpoint) -> _Answer:
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
        return _Payload({})
    try:
        return _Payload(from_json(response.content))
    except ValueError:
        return Unknown(why=f"the answer ({len(response.content)} bytes) is not JSON")


def _understood(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (MalformedAnswerError, ValueError) as error:
        return Unknown(why=str(error))


def _accepted(payload: Any, order: NewOrder) -> Accepted | Unknown:
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


def _batch_item(item: Any, order: NewOrder) -> Placed:
    record = Record(item, f"created order {order.client_order_id}")
    error = item.get("error")
    if error is None:
        return _accepted(item, order)
    refusal = Record(error, f"error of {order.client_order_id}")
    code = refusal.text("code")
    if code == "order_already_exists":
        return AlreadyExists()
    if record.maybe_text("order_id") is not None:
        return Unknown(why=f"an order ID and an error: {code}")
    text = refusal.maybe_text("details") or refusal.maybe_text("message") or code
    return Refused(code=code, message=text)


def _ended(answer: _Answer, read: Callable[[Record], CancelResult]) -> CancelResult:
    if isinstance(answer, Refused) and answer.status == 404:
        return Gone()
    if isinstance(answer, Refused | Unknown):
        return answer
    return _understood(lambda: read(Record(answer.json, "cancelled order")))


def _done(answer: _Answer) -> WriteResult:
    return answer if isinstance(answer, Refused | Unknown) else Done()


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
