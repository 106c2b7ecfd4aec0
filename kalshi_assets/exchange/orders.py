"""Writes to the exchange: orders, cancels, order groups, each sent once (kalshi.md 3).

A write is never repeated here, because an answer that was lost says nothing about the order. Every
write returns what is known of its effect: `Accepted`, `Refused`, `AlreadyExists` or `Unknown`.

Here: the requests. Not here: how their answers are understood (wire_orders), reads (account), the
journal and limits (live.gateway), amending, which the platform does not do.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any
from urllib.parse import quote

import httpx
from pydantic_core import to_json

from kalshi_assets.exchange.errors import Endpoint, ExchangeError
from kalshi_assets.exchange.signing import Signer
from kalshi_assets.exchange.throttle import TokenBucket
from kalshi_assets.exchange.wire_account import EndpointCosts
from kalshi_assets.exchange.wire_orders import (
    AlreadyExists,
    Answered,
    Cancelled,
    CancelResult,
    NewOrder,
    Placed,
    Refused,
    Unknown,
    WriteResult,
    accepted_of,
    answer_of,
    batch_item_of,
    count_text,
    done_of,
    ended_of,
    understood,
)
from kalshi_assets.exchange.wire_values import Record, hundredths

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
        return understood(lambda: accepted_of(answer.json, order))

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
            understood(partial(batch_item_of, item, order))
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
        return ended_of(
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
        return ended_of(
            answer,
            lambda r: Cancelled(
                order_id=r.text("order_id"), reduced_by=r.get("reduced_by", hundredths)
            ),
        )

    def cancel_all(self) -> WriteResult:
        """Cancel every order of the account, and those placed within a minute after."""
        return done_of(self._send("DELETE", ORDERS))

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
        return understood(lambda: Record(answer.json, "order group").text("order_group_id"))

    def trigger_group(self, group_id: str) -> WriteResult:
        """Cancel all orders of a group and refuse new ones until it is reset."""
        return done_of(self._send("PUT", f"{GROUPS}/{quote(group_id, safe='')}/trigger", {}))

    def reset_group(self, group_id: str) -> WriteResult:
        """Let a triggered group take orders again."""
        return done_of(self._send("PUT", f"{GROUPS}/{quote(group_id, safe='')}/reset", {}))

    def delete_group(self, group_id: str) -> WriteResult:
        """Delete a group, which cancels its orders."""
        return done_of(self._send("DELETE", f"{GROUPS}/{quote(group_id, safe='')}"))

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        count: int = 1,
        handed: Callable[[], None] = lambda: None,
    ) -> Answered:
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
        return answer_of(response, Endpoint(method, path, params or {}))


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


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
