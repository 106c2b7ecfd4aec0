"""GET requests to the exchange: signed, throttled, retried, paged; every answer whole.

Here: one request and one list. Not here: which endpoints there are (client) and writes: an order
is never retried blindly.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypeVar

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
    """How often a read is tried, and the waits between: initial * 2^n + jitter, seconds."""

    attempts: int = 5
    wait_initial_s: float = 0.5
    wait_max_s: float = 8.0
    wait_jitter_s: float = 1.0


@dataclass(frozen=True)
class Answer:
    """One whole answer: its JSON, the hash of its bytes, and what was asked.

    Where it was asked for in columns and has the shape, `payload` is a frame of one row.
    """

    payload: Any
    raw_sha256: str
    endpoint: Endpoint
    body: bytes = b""

    def objects(self) -> "Answer":
        """The same answer, surely with its JSON as objects."""
        if not isinstance(self.payload, pl.DataFrame):
            return self
        return replace(self, payload=_json(self.body, self.endpoint))

    def record(self, name: str) -> Record:
        """The answer as a record; its complaints name the endpoint through `decode`."""
        return Record(self.payload, name)

    def decode(self, read: Callable[["Answer"], T]) -> T:
        """`read` of this answer; a malformed one names the endpoint."""
        try:
            return read(self)
        except MalformedAnswerError as error:
            error.endpoint = error.endpoint or self.endpoint
            raise


class RestReader:
    """GET requests to the exchange. Safe to use from several threads.

    Parameters
    ----------
    base_url
        With /trade-api/v2.
    transport
        httpx transport; None: the network. A store of raw answers wraps it.
    signer
        Signs every request where given; public reads need none.
    bucket
        The read budget; None: unlimited.
    clock
        Unix seconds.
    as_of
        What counts as the present where an answer is cut off at it; None: the clock's.
    timeout_s
        Per request.
    retry
        How reads are retried: on lost connections, timeouts, 429, 5xx and cut-off JSON.
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def now(self) -> datetime:
        """What counts as the present, UTC."""
        if self._as_of is not None:
            return self._as_of
        return datetime.fromtimestamp(self._clock(), tz=UTC)

    def get(
        self, path: str, params: dict[str, Any] | None = None, shape: pl.Schema | None = None
    ) -> Answer:
        """Read `path`, retrying what a second try may cure.

        Parameters
        ----------
        path, params
            What is asked.
        shape
            Types of what is read of the answer, to read it in columns where it has them: long
            lists cost half as much as in objects.

        Raises
        ------
        ExchangeError
            The exchange refused, or failed on every attempt.
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
        raise AssertionError("stamina ends with a value or an error")

    def _get_once(self, endpoint: Endpoint, shape: pl.Schema | None) -> Answer:
        if self._bucket is not None:
            self._bucket.take(READ_COST)
        # Not by the client's own build_request, which parses every address three times.
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
        """Every page of a list, whose rows lie under `rows`; empty pages are not the end.

        Raises
        ------
        PaginationError
            A cursor came back that was already used, twenty pages in a row were empty, or there
            is no end.
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
                    f"cursor {cursor[:40]!r} came back after {len(seen)} pages: the list does "
                    "not advance",
                    endpoint=answer.endpoint,
                )
            seen.add(cursor)
        raise PaginationError(f"no end after {MAX_PAGES} pages", endpoint=Endpoint("GET", path))


def _columns(body: bytes, shape: pl.Schema) -> pl.DataFrame | None:
    # Polars reads a list of objects, too, as rows.
    if not body.startswith(b"{"):
        return None
    try:
        return pl.read_json(body, schema=shape)
    except pl.exceptions.PolarsError:
        return None


def _json(body: bytes, endpoint: Endpoint) -> Any:
    try:
        # NaN and Infinity pass, for the readers to refuse where they matter, by record and field.
        payload = from_json(body, cache_strings="all")
    except ValueError as error:
        raise UndecodableAnswerError(
            f"the body ({len(body)} bytes) is not JSON: {error}", endpoint=endpoint, status=200
        ) from None
    if not isinstance(payload, dict):
        raise MalformedAnswerError("the answer is not an object", endpoint=endpoint, status=200)
    return payload


def _next_cursor(page: Answer, rows: str) -> str:
    record = page.record("page")
    record.rows(rows)
    if "cursor" not in page.payload:
        raise MalformedAnswerError(
            "missing: cannot tell whether the list is whole", record="page", field="cursor"
        )
    return record.maybe_text("cursor") or ""
