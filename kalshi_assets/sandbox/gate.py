"""Access control of the exchange's routes: signatures, then rate limits.

Here: the middleware in front of /trade-api/v2. Not here: verifying a signature (`auth`), counting
tokens (`buckets`).
"""

from collections.abc import Callable, Mapping

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from kalshi_assets.sandbox.account_routes import request_cost
from kalshi_assets.sandbox.auth import HEADERS, PublicKey, verify
from kalshi_assets.sandbox.buckets import Buckets
from kalshi_assets.sandbox.exchange_errors import WireError, too_many_requests

API = "/trade-api/v2"
BATCHED = API + "/portfolio/events/orders/batched"
"""Charged by its route, which knows how many orders there are."""
SIGNED_ONLY = ("/portfolio/", "/account/limits", "/historical/fills", "/historical/orders")


class Gate:
    """ASGI middleware that admits the same requests as the exchange.

    Public endpoints need no signature, but a signature that is present is verified, and the request
    is charged to the bucket of its key (`signed`; `writes` for other methods than GET) instead of
    the client address (`anonymous`). `clock` gives Unix seconds. Routes find the key ID in their
    request's state as `key_id`.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: Mapping[str, PublicKey],
        signed: Buckets,
        writes: Buckets,
        anonymous: Buckets,
        clock: Callable[[], float],
    ) -> None:
        self._app = app
        self._keys = keys
        self._signed = signed
        self._writes = writes
        self._anonymous = anonymous
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or not scope["path"].startswith(API + "/"):
            await self._app(scope, receive, send)
            return
        try:
            self._admit(scope)
        except WireError as refusal:
            await refusal.response()(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _admit(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        path, method = scope["path"], scope["method"]
        cost = request_cost(method, path)
        private = path.removeprefix(API).startswith(SIGNED_ONLY)
        if private or any(name in headers for name in HEADERS):
            raw_path = scope.get("raw_path") or path.encode()
            key_id = verify(
                headers,
                method=method,
                path=raw_path.split(b"?")[0].decode("ascii"),
                keys=self._keys,
                now_ms=int(self._clock() * 1000),
            )
            scope.setdefault("state", {})["key_id"] = key_id
            buckets = self._signed if method == "GET" else self._writes
            admitted = path == BATCHED or buckets.take(key_id, cost)
        else:
            client = scope.get("client") or ("unknown", 0)
            admitted = self._anonymous.take(client[0], cost)
        if not admitted:
            raise too_many_requests()
