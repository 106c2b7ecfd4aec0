"""Faults that can be switched on: failures between a client and a real service.

Here: selecting requests by counting, and spoiling their responses. Not here: regular refusals by a
service (`gate`, the routes).
"""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from threading import Lock
from urllib.parse import parse_qs

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kalshi_assets.sandbox.exchange_errors import WireError, coded, too_many_requests
from kalshi_assets.sandbox.exchange_params import AGAIN
from kalshi_assets.sandbox.gate import API

KINDS = (
    "latency",
    "http_429",
    "http_500",
    "cut",
    "truncated_json",
    "empty_page",
    "repeated_cursor",
    "short_page",
    "timeout_before",
    "timeout_after",
    "error_after",
)
TIMEOUTS = ("timeout_before", "timeout_after")
AFTER = ("timeout_after", "error_after")
REFUSALS = ("http_429", "http_500", *TIMEOUTS, "error_after")
PAGE_KINDS = frozenset({"empty_page", "repeated_cursor", "short_page"})
LISTS = (
    "/events",
    "/markets",
    "/markets/trades",
    "/historical/markets",
    "/historical/trades",
)
ACCOUNT_LISTS = (
    "/portfolio/orders",
    "/portfolio/fills",
    "/portfolio/positions",
    "/portfolio/settlements",
)
ACCOUNT_PAGED = frozenset(API + path for path in ACCOUNT_LISTS)
PAGED = frozenset(API + path for path in LISTS) | ACCOUNT_PAGED
OWN = "/sandbox/"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault.

    It affects every n-th request whose path begins with `path`: with `every` 2 the second, the
    fourth ... `kind` is one of `KINDS`, `seconds` the delay of `latency` and of the time-outs.
    `method` restricts it to one method, `times` to so many requests. `timeout_before` does not
    execute the request; `timeout_after` and `error_after` execute it and lose the response.
    `short_page` affects lists of the account only: nothing in a short list of markets or trades
    shows that it is short.
    """

    kind: str
    every: int = 1
    path: str = "/"
    seconds: float = 0.2
    method: str | None = None
    times: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; known: {', '.join(KINDS)}")
        if not isinstance(self.every, int) or self.every < 1:
            raise ValueError(f"{self.kind}: every must be a whole number from 1, got {self.every}")
        if self.seconds < 0:
            raise ValueError(f"{self.kind}: seconds must not be negative, got {self.seconds}")

    def matches(self, path: str, method: str) -> bool:
        """Whether the fault applies to requests to `path`."""
        return (
            path.startswith(self.path)
            and self.method in (None, method)
            and (self.kind not in PAGE_KINDS or path in PAGED)
            and (self.kind != "short_page" or path in ACCOUNT_PAGED)
        )

    def strikes(self, seen: int) -> bool:
        """Whether it affects the request that is the `seen`-th to match."""
        nth, rest = divmod(seen, self.every)
        return rest == 0 and (self.times is None or nth <= self.times)


class Faults:
    """The active faults, and counts of requests; shared by all connections."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._lock = Lock()
        self._requests: Counter[str] = Counter()
        self._faults: tuple[Fault, ...] = ()
        self._seen: list[int] = []
        self.set(faults)

    def set(self, faults: Iterable[Fault]) -> None:
        """Replace the faults and reset their counts."""
        with self._lock:
            self._faults = tuple(faults)
            self._seen = [0] * len(self._faults)

    def clear(self) -> None:
        """Switch off all faults."""
        self.set(())

    @property
    def active(self) -> tuple[Fault, ...]:
        """The active faults."""
        return self._faults

    @property
    def requests(self) -> dict[str, int]:
        """Number of requests by path."""
        with self._lock:
            return dict(self._requests)

    def hit(self, path: str, method: str = "GET") -> list[Fault]:
        """Count a request to `path`, and return the faults that affect it."""
        with self._lock:
            self._requests[path] += 1
            struck = []
            for position, fault in enumerate(self._faults):
                if fault.matches(path, method):
                    self._seen[position] += 1
                    if fault.strikes(self._seen[position]):
                        struck.append(fault)
            return struck

    def routes(self) -> list[Route]:
        """GET and POST /sandbox/faults, GET /sandbox/requests."""

        async def count(request: Request) -> JSONResponse:
            return JSONResponse({"requests": self.requests})

        return [
            *switch_routes(
                "faults",
                lambda: [asdict(fault) for fault in self.active],
                lambda given: self.set([Fault(**fault) for fault in given]),
            ),
            Route(OWN + "requests", count, methods=["GET"]),
        ]


def switch_routes(
    name: str, show: Callable[[], list[dict]], switch: Callable[[list[dict]], None]
) -> list[Route]:
    """GET and POST /sandbox/`name`, which show and set a list of switches."""

    async def get(request: Request) -> JSONResponse:
        return JSONResponse({name: show()})

    async def post(request: Request) -> JSONResponse:
        try:
            switch((await request.json())[name])
        except (ValueError, TypeError, KeyError) as error:
            return JSONResponse({"error": f"{name}: {error}"}, status_code=400)
        return await get(request)

    return [Route(OWN + name, get, methods=["GET"]), Route(OWN + name, post, methods=["POST"])]


class FaultLayer:
    """ASGI middleware that applies the active faults; `sleep` waits for `latency` and time-outs."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        faults: Faults,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._app = app
        self._faults = faults
        self._sleep = sleep

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, possibly late or with a spoilt response, or refuse it."""
        if scope["type"] != "http" or scope["path"].startswith(OWN):
            await self._app(scope, receive, send)
            return
        hits = self._faults.hit(scope["path"], scope["method"])
        struck = {fault.kind: fault for fault in hits}
        if "latency" in struck:
            await self._sleep(struck["latency"].seconds)
        refused = next((kind for kind in REFUSALS if kind in struck), None)
        if refused is not None:
            if refused in AFTER:
                await captured(self._app, scope, receive)
            if refused in TIMEOUTS:
                await self._sleep(struck[refused].seconds)
            await _refusal(refused, scope["path"])(scope, receive, send)
            return
        spoiling = struck.keys() - {"latency"}
        if not spoiling:
            await self._app(scope, receive, send)
            return
        start, body = await captured(self._app, scope, receive)
        await _spoilt(start, body, spoiling, scope, send)


async def captured(app: ASGIApp, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
    """The buffered response of `app`: its start message and its body."""
    start: Message = {}
    body = bytearray()

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            body.extend(message.get("body", b""))

    await app(scope, receive, keep)
    return start, bytes(body)


async def send_whole(start: Message, body: bytes, send: Send) -> None:
    """Send a buffered response, with the content length of `body`."""
    MutableHeaders(raw=start["headers"])["content-length"] = str(len(body))
    await send(start)
    await send({"type": "http.response.body", "body": body})


async def _spoilt(start: Message, body: bytes, kinds: set[str], scope: Scope, send: Send) -> None:
    for kind in sorted(PAGE_KINDS & kinds):
        body = _repaged(body, scope, kind)
    if "truncated_json" in kinds:
        body = body[: len(body) // 2]
    if "cut" in kinds:
        MutableHeaders(raw=start["headers"])["content-length"] = str(len(body))
        await send(start)
        await send(
            {"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True}
        )
        return
    await send_whole(start, body, send)


def _repaged(body: bytes, scope: Scope, kind: str) -> bytes:
    """The page empty and with a cursor to itself, with the request's cursor, or cut as the last."""
    try:
        page = json.loads(body)
    except ValueError:
        return body
    if "cursor" not in page:
        return body
    asked = parse_qs(scope["query_string"].decode("ascii")).get("cursor", [""])[0]
    if kind == "short_page":
        page["cursor"] = ""
        page |= {name: rows[: len(rows) // 2] for name, rows in _lists(page)}
    elif kind == "empty_page":
        page["cursor"] = AGAIN + asked
        page |= {name: [] for name, _ in _lists(page)}
    else:
        page["cursor"] = asked or AGAIN
    return json.dumps(page, separators=(",", ":")).encode()


def _lists(page: dict) -> list[tuple[str, list]]:
    return [(name, value) for name, value in page.items() if isinstance(value, list)]


def _refusal(kind: str, path: str) -> Response:
    at_the_exchange = path.startswith(API)
    if kind == "http_429" and at_the_exchange:
        error = too_many_requests()
    elif kind == "http_429":
        error = WireError(429, "Maximum concurrent jobs has been exceeded")
    elif kind in TIMEOUTS:
        error = coded(504, "gateway_timeout", "gateway timeout")
    elif at_the_exchange:
        error = coded(500, "internal_server_error", "internal server error")
    else:
        error = WireError(500, "Internal server error")
    return error.response()
