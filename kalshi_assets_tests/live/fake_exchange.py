"""A small, strict exchange with orders: what tests of the live room ask, and nothing more.

It keeps the exchange's own books, which tests compare with the journal. Wire shapes are those of
the recorded samples. Served as an httpx transport, or over a socket (`serving`).
"""

import json
import logging
import math
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import httpx
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kalshi_assets.exchange.signing import Signer
from kalshi_assets.sandbox.auth import verify
from kalshi_assets.sandbox.exchange_errors import WireError

API = "/trade-api/v2"
BASE_URL = "https://exchange.test" + API
KEY_ID = "11111111-2222-3333-4444-555555555555"
PRIVATE_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNER = Signer(KEY_ID, PRIVATE_KEY)
FIELDS = {
    "ticker": str,
    "client_order_id": str,
    "side": str,
    "count": str,
    "price": str,
    "time_in_force": str,
    "expiration_time": int,
    "post_only": bool,
    "self_trade_prevention_type": str,
    "cancel_order_on_pause": bool,
    "reduce_only": bool,
    "order_group_id": str,
    "exchange_index": int,
}


class AnswerError(Exception):
    """An answer with a failing status."""

    def __init__(self, status: int, code: str, details: str | None = None) -> None:
        super().__init__(code)
        error = {"code": code, "message": code.replace("_", " "), "service": "exchange"}
        self.status = status
        self.body = {"error": error | ({"details": details} if details else {})}


@dataclass(kw_only=True)
class FakeOrder:
    """An order in the exchange's books; sizes in 1/100 contract."""

    order_id: str
    client_order_id: str
    ticker: str
    side: str
    price_cc: int
    size: int
    group: str
    expires_at_s: int | None
    created_us: int
    filled: int = 0
    status: str = "resting"

    @property
    def remaining(self) -> int:
        return self.size - self.filled if self.status == "resting" else 0


@dataclass(kw_only=True)
class Fault:
    """What goes wrong with the next matching request.

    `kind`: 500_before, 500_after, timeout_before, timeout_after, lost_after, garbage_after,
    nameless_after (an answer without order_id), 429, refuse_connection, ignored (204, no effect).
    """

    method: str
    path: str
    kind: str
    times: int = 1


@dataclass
class FakeExchange:
    """The exchange's books and how it answers."""

    clock_us: Callable[[], int] = lambda: 1_790_000_000_000_000
    cash: int = 1_000_000_000
    page: int = 1000
    orders: dict[str, FakeOrder] = field(default_factory=dict)
    fills: list[dict[str, Any]] = field(default_factory=list)
    groups: dict[str, bool] = field(default_factory=dict)
    positions: Counter[str] = field(default_factory=Counter)
    settlements: list[dict[str, Any]] = field(default_factory=list)
    quotes: dict[str, tuple[int, int]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    lie: str = ""
    eager: dict[str, int] = field(default_factory=dict)
    stale_reads: int = 0
    _stale: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    # What happens at the exchange without us.

    def match(self, order_id: str, size: int) -> None:
        """A taker fills a resting order."""
        with self._lock:
            order = self.orders[order_id]
            assert order.status == "resting"
            self._fill(order, size, order.price_cc, taker=False)

    def expire(self) -> None:
        """Orders past their expiry end."""
        with self._lock:
            for order in self.orders.values():
                if order.expires_at_s and order.expires_at_s * 1_000_000 <= self.clock_us():
                    self._end(order)

    def rest(self, client_order_id: str, *, ticker: str = "M-1", size: int = 100) -> FakeOrder:
        """Somebody else's order rests in the account."""
        with self._lock:
            order = FakeOrder(
                order_id=f"order-{len(self.orders) + 1}",
                client_order_id=client_order_id,
                ticker=ticker,
                side="bid",
                price_cc=1000,
                size=size,
                group="",
                expires_at_s=None,
                created_us=self.clock_us(),
            )
            self.orders[order.order_id] = order
            return order

    def freeze(self, reads: int) -> None:
        """The next lists are as now, whatever happens meanwhile."""
        with self._lock:
            self._stale = {name: self._rows(name, {}) for name in ("orders", "fills")}
            self._stale["market_positions"] = self._rows("market_positions", {})
            self.stale_reads = reads

    def resting(self) -> list[FakeOrder]:
        return [order for order in self.orders.values() if order.status == "resting"]

    # Answers.

    def respond(
        self, method: str, path: str, query: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, Any]:
        """Status and JSON; a fault may raise TimeoutError or ConnectionError."""
        with self._lock:
            params = {name: values[-1] for name, values in parse_qs(query).items()}
            try:
                verify(
                    headers,
                    method=method,
                    path=path,
                    keys={KEY_ID: PRIVATE_KEY.public_key()},
                    now_ms=self.clock_us() // 1000,
                )
            except WireError as error:
                return error.status, error.body
            path = path.removeprefix(API)
            sent = json.loads(body) if body else {}
            self.requests.append((method, path, sent))
            fault = self._fault(method, path)
            kind = fault.kind if fault else ""
            _fail(kind, "before")
            if kind == "500_before":
                return 500, {"error": {"code": "internal", "message": "internal"}}
            if kind == "ignored":
                return 204, None
            if kind == "429":
                return 429, {"error": "too many requests"}
            try:
                status, answer = self._route(method, path, params, sent)
            except AnswerError as error:
                return error.status, error.body
            _fail(kind, "after")
            if kind == "500_after":
                return 500, {"error": {"code": "internal", "message": "internal"}}
            if kind == "garbage_after":
                return 201, b'{"order_id": "trunc'
            if kind == "nameless_after":
                return 201, {"fill_count": "0.00", "remaining_count": "0.00"}
            return status, answer

    def _fault(self, method: str, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.times and fault.method == method and path.startswith(fault.path):
                fault.times -= 1
                return fault
        return None

    def _route(
        self, method: str, path: str, params: dict[str, str], sent: dict[str, Any]
    ) -> tuple[int, Any]:
        match (method, *path.strip("/").split("/")):
            case ("GET", *_):
                return 200, self._read(path, params)
            case (_, "portfolio", "events", "orders", *rest):
                return self._write(method, rest, params, sent)
            case (_, "portfolio", "order_groups", name, *rest):
                return self._group(method, name, rest, sent)
            case _:
                raise AnswerError(404, "not_found")

    def _write(
        self, method: str, rest: list[str], params: dict[str, str], sent: dict[str, Any]
    ) -> tuple[int, Any]:
        match (method, *rest):
            case ("POST",):
                return 201, self._create(sent)
            case ("POST", "batched"):
                return 201, {"orders": [self._batched(each) for each in sent["orders"]]}
            case ("POST", order_id, "decrease"):
                return 200, self._decrease(order_id, sent)
            case ("DELETE",):
                for order in self.resting():
                    self._end(order)
                return 204, None
            case ("DELETE", order_id):
                return 200, self._cancel(order_id, params)
            case _:
                raise AnswerError(404, "not_found")

    def _group(
        self, method: str, name: str, rest: list[str], sent: dict[str, Any]
    ) -> tuple[int, Any]:
        if (method, name) == ("POST", "create"):
            if set(sent) != {"contracts_limit", "exchange_index"}:
                raise AnswerError(400, "bad_request", f"fields {sorted(sent)}")
            name = f"group-{len(self.groups) + 1}"
            self.groups[name] = True
            return 201, {"order_group_id": name, "subaccount": 0, "exchange_index": 0}
        if name not in self.groups:
            raise AnswerError(404, "not_found")
        if method == "DELETE":
            del self.groups[name]
            return 200, {}
        self.groups[name] = rest == ["reset"]
        for order in self.resting():
            if order.group == name and rest == ["trigger"]:
                self._end(order)
        return 200, {}

    def _read(self, path: str, params: dict[str, str]) -> dict[str, Any]:
        parts = path.strip("/").split("/")
        match parts:
            case ["portfolio", "balance"]:
                return {
                    "balance": self.cash // 10_000,
                    "balance_dollars": f"{self.cash / 1e6:.6f}",
                    "portfolio_value": 0,
                    "updated_ts": self.clock_us() // 1_000_000,
                }
            case ["portfolio", "orders"]:
                return self._listed("orders", params)
            case ["portfolio", "orders", order_id]:
                if order_id not in self.orders:
                    raise AnswerError(404, "not_found")
                return {"order": self._order(self.orders[order_id])}
            case ["portfolio", "orders", order_id, "queue_position"]:
                return {"queue_position_fp": "12.00"}
            case ["portfolio", "fills"]:
                return self._listed("fills", params)
            case ["portfolio", "positions"]:
                return self._listed("market_positions", params) | {"event_positions": []}
            case ["portfolio", "settlements"]:
                return self._listed("settlements", params)
            case ["portfolio", "order_groups"]:
                groups = [
                    {"id": name, "contracts_limit_fp": "100.00", "is_auto_cancel_enabled": True}
                    for name in self.groups
                ]
                return {"order_groups": groups} if groups else {}
            case _:
                raise AnswerError(404, "not_found")

    def _listed(self, name: str, params: dict[str, str]) -> dict[str, Any]:
        if int(params.get("limit", 100)) > 1000:
            raise AnswerError(400, "bad_request", "limit")
        rows = self._rows(name, params)
        if self.stale_reads and name in self._stale and "cursor" not in params:
            self.stale_reads -= 1
            rows = self._stale[name]
        size = min(self.page, int(params.get("limit", 100)))
        start = int(params.get("cursor", "0").removeprefix("page-"))
        if self.lie == f"endless {name}":
            return {name: [], "cursor": f"page-{start + 1}"}
        if self.lie == f"repeated {name}" and start:
            return {name: rows[:size], "cursor": f"page-{start}"}
        if self.lie == f"same rows {name}":
            return {name: rows[:size], "cursor": f"page-{start + size}"}
        if self.lie == f"no cursor {name}":
            return {name: rows}
        if self.lie == f"empty {name}":
            return {name: [], "cursor": ""}
        if self.lie == f"short {name}":
            return {name: rows[: len(rows) // 2], "cursor": ""}
        end = start + size
        return {name: rows[start:end], "cursor": f"page-{end}" if end < len(rows) else ""}

    def _rows(self, name: str, params: dict[str, str]) -> list[dict[str, Any]]:
        if name == "orders":
            wanted = params.get("status")
            rows = [self._order(each) for each in reversed(self.orders.values())]
            return [row for row in rows if wanted in (None, row["status"])]
        if name == "fills":
            since = int(params.get("min_ts", 0))
            return [fill for fill in reversed(self.fills) if fill["ts"] >= since]
        if name == "settlements":
            return self.settlements
        return [
            {
                "ticker": ticker,
                "total_traded_dollars": "1.000000",
                "position_fp": _fp(size),
                "market_exposure_dollars": f"{abs(size) * 0.005:.6f}",
                "realized_pnl_dollars": "0.000000",
                "fees_paid_dollars": "0.000000",
                "last_updated_ts": _rfc3339(self.clock_us()),
            }
            for ticker, size in self.positions.items()
            if size
        ]

    def _batched(self, sent: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._create(sent)
        except AnswerError as error:
            return {"client_order_id": sent["client_order_id"], **error.body}

    def _create(self, sent: dict[str, Any]) -> dict[str, Any]:
        for name, value in sent.items():
            if name not in FIELDS or not isinstance(value, FIELDS[name]):
                raise AnswerError(400, "bad_request", f"field {name}")
        if missing := FIELDS.keys() - sent.keys() - {"expiration_time"}:
            raise AnswerError(400, "bad_request", f"missing {sorted(missing)}")
        if any(o.client_order_id == sent["client_order_id"] for o in self.orders.values()):
            raise AnswerError(409, "order_already_exists")
        immediate = sent["time_in_force"] == "immediate_or_cancel"
        expires = sent.get("expiration_time")
        if immediate and (expires is not None or sent["post_only"]):
            raise AnswerError(400, "invalid_order", "immediate orders do not rest")
        if not immediate and (expires is None or expires * 1_000_000 <= self.clock_us()):
            raise AnswerError(400, "invalid_order", "expiration in the past")
        if self.groups.get(sent["order_group_id"]) is not True:
            raise AnswerError(400, "invalid_order", "order group not found or triggered")
        order = FakeOrder(
            order_id=f"order-{len(self.orders) + 1}",
            client_order_id=sent["client_order_id"],
            ticker=sent["ticker"],
            side=sent["side"],
            price_cc=round(float(sent["price"]) * 10_000),
            size=round(float(sent["count"]) * 100),
            group=sent["order_group_id"],
            expires_at_s=expires,
            created_us=self.clock_us(),
        )
        bid, ask = self.quotes.get(order.ticker, (0, 10_000))
        crosses = order.price_cc >= ask if order.side == "bid" else order.price_cc <= bid
        if crosses and not immediate:
            raise AnswerError(400, "invalid_order", "post only cross")
        self.orders[order.order_id] = order
        if immediate:
            if crosses:
                self._fill(order, order.size, ask if order.side == "bid" else bid, taker=True)
            else:
                self._end(order)
        answer = {
            "order_id": order.order_id,
            "client_order_id": order.client_order_id,
            "fill_count": _fp(order.filled),
            "remaining_count": _fp(order.remaining),
            "ts_ms": self.clock_us() // 1000,
        }
        if not immediate and order.ticker in self.eager:
            self._fill(order, self.eager[order.ticker], order.price_cc, taker=False)
        return answer

    def _decrease(self, order_id: str, sent: dict[str, Any]) -> dict[str, Any]:
        order = self._resting(order_id)
        order.size = order.filled + round(float(sent["reduce_to"]) * 100)
        return {
            "order_id": order_id,
            "remaining_count": _fp(order.remaining),
            "ts_ms": self.clock_us() // 1000,
        }

    def _cancel(self, order_id: str, params: dict[str, str]) -> dict[str, Any]:
        order = self._resting(order_id)
        if params.get("market_ticker") != order.ticker or "exchange_index" not in params:
            raise AnswerError(400, "bad_request", "market_ticker and exchange_index")
        reduced = order.remaining
        self._end(order)
        return {
            "order_id": order_id,
            "client_order_id": order.client_order_id,
            "reduced_by": _fp(reduced),
            "ts_ms": self.clock_us() // 1000,
        }

    def _resting(self, order_id: str) -> FakeOrder:
        order = self.orders.get(order_id)
        if order is None or order.status != "resting":
            raise AnswerError(404, "not_found")
        return order

    def _end(self, order: FakeOrder) -> None:
        order.status = "executed" if order.filled == order.size else "canceled"

    def _fill(self, order: FakeOrder, size: int, price_cc: int, *, taker: bool) -> None:
        order.filled += size
        assert order.filled <= order.size
        if order.filled == order.size:
            order.status = "executed"
        sign = 1 if order.side == "bid" else -1
        price = price_cc / 10_000
        fee = math.ceil(0.07 * size / 100 * price * (1 - price) * 10_000) * 100 if taker else 0
        short = max(0, -self.positions[order.ticker])
        self.positions[order.ticker] += sign * size
        collateral = (max(0, -self.positions[order.ticker]) - short) * 10_000
        self.cash -= sign * price_cc * size + fee + collateral
        number = len(self.fills) + 1
        self.fills.append(
            {
                "fill_id": f"trade-{number}",
                "trade_id": f"trade-{number}",
                "order_id": order.order_id,
                "ticker": order.ticker,
                "market_ticker": order.ticker,
                "outcome_side": "yes" if order.side == "bid" else "no",
                "book_side": order.side,
                "count_fp": _fp(size),
                "yes_price_dollars": f"{price:.4f}",
                "no_price_dollars": f"{1 - price:.4f}",
                "is_taker": taker,
                "created_time": _rfc3339(self.clock_us()),
                "ts": self.clock_us() // 1_000_000,
                "fee_cost": f"{fee / 1e6:.6f}",
                "subaccount_number": 0,
            }
        )

    def _order(self, order: FakeOrder) -> dict[str, Any]:
        return {
            "order_id": order.order_id,
            "client_order_id": order.client_order_id,
            "ticker": order.ticker,
            "outcome_side": "yes" if order.side == "bid" else "no",
            "book_side": order.side,
            "type": "limit",
            "status": order.status,
            "yes_price_dollars": f"{order.price_cc / 10_000:.4f}",
            "no_price_dollars": f"{1 - order.price_cc / 10_000:.4f}",
            "initial_count_fp": _fp(order.size),
            "fill_count_fp": _fp(order.filled),
            "remaining_count_fp": _fp(order.remaining),
            "created_time": _rfc3339(order.created_us),
            "subaccount_number": 0,
        }


class FakeTransport(httpx.BaseTransport):
    """The exchange as an httpx transport."""

    def __init__(self, exchange: FakeExchange) -> None:
        self.exchange = exchange

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            status, answer = self.exchange.respond(
                request.method,
                request.url.raw_path.split(b"?")[0].decode(),
                request.url.query.decode(),
                {name.lower(): value for name, value in request.headers.items()},
                request.read(),
            )
        except TimeoutError as error:
            raise httpx.ReadTimeout(str(error), request=request) from error
        except ConnectionRefusedError as error:
            raise httpx.ConnectError(str(error), request=request) from error
        except ConnectionError as error:
            raise httpx.RemoteProtocolError(str(error), request=request) from error
        return httpx.Response(status, content=_bytes(answer), request=request)


@contextmanager
def serving(exchange: FakeExchange) -> Iterator[str]:
    """The exchange over a socket of this machine; yields its base URL."""

    async def answer(request: Request) -> Response:
        body = await request.body()
        headers = {name.lower(): value for name, value in request.headers.items()}
        status, answer = await run_in_threadpool(
            exchange.respond, request.method, request.url.path, request.url.query, headers, body
        )
        return Response(_bytes(answer), status, media_type="application/json")

    methods = ["GET", "POST", "PUT", "DELETE"]
    app = Starlette(routes=[Route("/{path:path}", answer, methods=methods)])
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    config = uvicorn.Config(
        app, log_config=None, log_level=logging.CRITICAL, lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}{API}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def _fail(kind: str, when: str) -> None:
    if kind == f"timeout_{when}":
        raise TimeoutError("timed out")
    if kind == f"lost_{when}":
        raise ConnectionResetError("connection lost")
    if kind == "refuse_connection":
        raise ConnectionRefusedError("refused")


def _bytes(answer: Any) -> bytes:
    if answer is None:
        return b""
    return answer if isinstance(answer, bytes) else json.dumps(answer).encode()


def _fp(size: int) -> str:
    return f"{size / 100:.2f}"


def _rfc3339(us: int) -> str:
    return datetime.fromtimestamp(us / 1e6, UTC).isoformat().replace("+00:00", "Z")
