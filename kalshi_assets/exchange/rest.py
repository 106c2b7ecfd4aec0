"""GET requests to the exchange: signed, throttled, retried and paginated.

Here: single requests and paginated lists. Not here: the endpoints (client), and writes: an order
must never be retried blindly.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx
import polars as pl
import stamina
from pydantic_core import from_json

from kalshi_assets.exchange.errors import (
    Endpoint,
    MalformedAnswerError,
    PaginationError,
    RateLimitedError,
    ServerError,
    UndecodableAnswerError,
    UnreachableError,
    error_of,
)
from kalshi_assets.exchange.signing import Signer
from kalshi_assets.exchange.throttle import TokenBucket
from kalshi_assets.exchange.wire_values import Record

READ_COST = 10
MAX_PAGES = 10_000
MAX_EMPTY_PAGES = 20

_TRANSIENT = (RateLimitedError, ServerError, UnreachableError, UndecodableAnswerError)

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Number of attempts per read, and the waits between them: initial * 2^n + jitter, seconds."""

    attempts: int = 5
    wait_initial_s: float = 0.5
    wait_max_s: float = 8.0
    wait_jitter_s: float = 1.0


@dataclass(frozen=True)
class Answer:
    """A complete response: decoded JSON, SHA-256 of the body, and the request.

    If a `shape` was requested and the body matches it, `payload` is a frame with one row.
    """

    payload: Any
    raw_sha256: str
    endpoint: Endpoint
    body: bytes = b""

    def objects(self) -> "Answer":
        """The answer with `payload` decoded to Python objects."""
        if not isinstance(self.payload, pl.DataFrame):
            return self
        return replace(self, payload=_json(self.body, self.endpoint))

    def record(self, name: str) -> Record:
        """The payload as a record; `decode` adds the endpoint to its errors."""
        return Record(self.payload, name)

    def decode(self, read: Callable[["Answer"], T]) -> T:
        """Apply `read` to this answer; a `MalformedAnswerError` gets the endpoint added."""
        try:
            return read(self)
        except MalformedAnswerError as error:
            error.endpoint = error.endpoint or self.endpoint
            raise


class RestReader(AbstractContextManager):
    """GET requests to the exchange. Thread-safe; as a context manager it closes its connections.

    Parameters
    ----------
    base_url
        Including /trade-api/v2.
    transport
        httpx transport, such as the store of raw responses; None: the network.
    signer, bucket
        Signs every request (public reads need none); limits the rate (None: unlimited).
    clock, as_of
        Unix seconds; the time to use as the present instead, if any.
    retry
        Applies to lost connections, timeouts, 429, 5xx and truncated JSON.
    """

    def __init__(
        self,
        base_url: str,
        *,
        transport: httpx.BaseTransport | None = None,
        signer: Signer | None = None,
        bucket: TokenBucket | None = None,
        clock: Callable[[], float] = time.time,
        as_of: datetime | None = None,
        timeout_s: float = 20.0,
        retry: RetryPolicy | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._http = httpx.Client(
            transport=transport,
            timeout=timeout_s,
            headers={"accept": "application/json", "user-agent": "kalshi-assets"},
        )
        self._signer = signer
        self._bucket = bucket
        self._clock = clock
        self._as_of = as_of
        self._retry = retry or RetryPolicy()

    def __exit__(self, *error: object) -> None:
        self._http.close()

    def now(self) -> datetime:
        """The present for this client (`as_of` if set), UTC."""
        return self._as_of or datetime.fromtimestamp(self._clock(), tz=UTC)

    def get(
        self, path: str, params: dict[str, Any] | None = None, shape: pl.Schema | None = None
    ) -> Answer:
        """Read `path`, retrying transient failures.

        Parameters
        ----------
        path
            Below the base URL.
        params
            Query.
        shape
            Expected types; a body that matches is decoded to columns, which for long lists takes
            half as long as decoding to objects.

        Raises
        ------
        ExchangeError
            The exchange refused the request, or every attempt failed.
        """
        endpoint = Endpoint("GET", path, params or {})
        for attempt in stamina.retry_context(
            on=_TRANSIENT,
            attempts=self._retry.attempts,
            timeout=None,
            wait_initial=self._retry.wait_initial_s,
            wait_max=self._retry.wait_max_s,
            wait_jitter=self._retry.wait_jitter_s,
        ):
            with attempt:
                return self._get_once(endpoint, shape)
        raise AssertionError("unreachable: stamina returns or raises")

    def _get_once(self, endpoint: Endpoint, shape: pl.Schema | None) -> Answer:
        if self._bucket is not None:
            self._bucket.take(READ_COST)
        # httpx.Client.build_request would parse every URL three times.
        request = httpx.Request(
            "GET",
            self.base_url + endpoint.path,
            params=dict(endpoint.params),
            headers=self._http.headers,
        )
        if self._signer is not None:
            path = request.url.raw_path.split(b"?")[0].decode("ascii")
            request.headers.update(self._signer.headers("GET", path, int(self._clock() * 1000)))
        try:
            response = self._http.send(request)
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise UnreachableError(
                f"{type(error).__name__}: {error}".rstrip(": "), endpoint=endpoint
            ) from error
        body = response.content
        if not response.is_success:
            raise error_of(response.status_code, body, endpoint)
        payload = None if shape is None else _columns(body, shape)
        if payload is None:
            payload = _json(body, endpoint)
        return Answer(payload, hashlib.sha256(body).hexdigest(), endpoint, body)

    def pages(self, path: str, params: dict[str, Any], rows: str) -> Iterator[Answer]:
        """All pages of a list; an empty page may not be the last.

        Parameters
        ----------
        path, params
            As in `get`.
        rows
            Field with the rows.

        Raises
        ------
        PaginationError
            A cursor was repeated, 20 consecutive pages were empty, or the list has more than
            10,000 pages.
        MalformedAnswerError
            A page lacks the rows or the cursor.
        """
        seen: set[str] = set()
        cursor = ""
        empty = 0
        for _ in range(MAX_PAGES):
            answer = self.get(path, {**params, "cursor": cursor} if cursor else params)
            cursor = answer.decode(lambda page: _next_cursor(page, rows))
            yield answer
            if not cursor:
                return
            empty = 0 if answer.payload[rows] else empty + 1
            if empty == MAX_EMPTY_PAGES:
                raise PaginationError(
                    f"{empty} empty pages in a row, each with another cursor",
                    endpoint=answer.endpoint,
                )
            if cursor in seen:
                raise PaginationError(
                    f"cursor {cursor[:40]!r} was repeated after {len(seen)} pages: the list does "
                    "not advance",
                    endpoint=answer.endpoint,
                )
            seen.add(cursor)
        raise PaginationError(f"no end after {MAX_PAGES} pages", endpoint=Endpoint("GET", path))


def _columns(body: bytes, shape: pl.Schema) -> pl.DataFrame | None:
    # Polars would also read a JSON array of objects, as rows.
    if not body.startswith(b"{"):
        return None
    try:
        return pl.read_json(body, schema=shape)
    except pl.exceptions.PolarsError:
        return None


def _json(body: bytes, endpoint: Endpoint) -> Any:
    try:
        # NaN and Infinity are accepted here; the field readers reject them and name the record.
        payload = from_json(body, cache_strings="all")
    except ValueError as error:
        raise UndecodableAnswerError(
            f"the body ({len(body)} bytes) is not JSON: {error}", endpoint=endpoint, status=200
        ) from None
    if not isinstance(payload, dict):
        raise MalformedAnswerError("the response is not an object", endpoint=endpoint, status=200)
    return payload


def _next_cursor(page: Answer, rows: str) -> str:
    record = page.record("page")
    record.rows(rows)
    if "cursor" not in page.payload:
        raise MalformedAnswerError(
            "missing: cannot tell whether the list is complete", record="page", field="cursor"
        )
    return record.maybe_text("cursor") or ""
