"""GET requests to a weather service: retries, back-off, and the meaning of a response's status.

Here: everything that the clients of this room share. Not here: the requests of one service, and the
content of its responses.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote, quote_plus

import httpx
import stamina
from pydantic_core import from_json

from kalshi_assets.families.temperature.sources.errors import (
    ConcurrencyExceededError,
    DailyCostExceededError,
    E,
    KeyRefusedError,
    MalformedAnswerError,
    RequestRefusedError,
    ServiceUnavailableError,
    TruncatedAnswerError,
)
from kalshi_assets.families.temperature.sources.plan import says_concurrency, says_plan_spent

TIMEOUT_S = 30.0
TRIES = 3
# The provider forbids catching 429 and retrying often: few waits, long ones.
BACK_OFF_S = (30.0, 60.0, 120.0)
_TRANSIENT = (ServiceUnavailableError, TruncatedAnswerError)
_EXCERPT = 200
# The statuses with which services report a used-up plan or too many concurrent requests.
_MAY_REFUSE = (
    httpx.codes.OK,
    httpx.codes.BAD_REQUEST,
    httpx.codes.FORBIDDEN,
    httpx.codes.TOO_MANY_REQUESTS,
)


@dataclass(frozen=True)
class Answer:
    """A decoded response and the SHA-256 of its bytes."""

    payload: dict[str, Any]
    raw_sha256: str


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A request, and the city-day for which it is made."""

    city: str
    day: date
    path: str
    params: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Secret:
    """A secret query parameter: the setting that contains it, and its value.

    It is added by the transport, so that neither httpx's log nor its exceptions contain it.
    """

    parameter: str
    value: str
    setting: str

    def redact(self, text: str) -> str:
        """`text` without the value, plain or percent-encoded."""
        for form in {self.value, quote(self.value, safe=""), quote_plus(self.value)} - {""}:
            text = text.replace(form, "***")
        return text


class WeatherClient(AbstractContextManager):
    """GETs JSON from one service, one request at a time; as a context manager it closes itself.

    Parameters
    ----------
    base_url
        Scheme and host, with or without a path.
    transport
        Replaces the network.
    sleep
        Waits the given seconds when the service reports too many concurrent requests.
    secret
        Added to every query.
    """

    def __init__(
        self,
        base_url: str,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], object] = time.sleep,
        secret: Secret | None = None,
    ) -> None:
        inner = transport if transport is not None else httpx.HTTPTransport()
        self._secret = secret
        self._sleep = sleep
        self._one_at_a_time = threading.Lock()
        self._retrying = stamina.RetryingCaller(
            attempts=TRIES, timeout=None, wait_initial=0.5, wait_max=10.0, wait_jitter=1.0
        )
        self._client = httpx.Client(
            base_url=base_url,
            transport=_WithSecret(secret, inner) if secret is not None else inner,
            timeout=TIMEOUT_S,
        )

    def __exit__(self, *error: object) -> None:
        self._client.close()

    def get(self, ask: Ask) -> Answer:
        """The response to `ask`.

        Raises
        ------
        WeatherError
            One of its subclasses; see `errors`.
        """
        with self._one_at_a_time:
            for wait_s in BACK_OFF_S:
                try:
                    return self._retrying(_TRANSIENT, self._once, ask)
                except ConcurrencyExceededError:
                    self._sleep(wait_s)
            return self._retrying(_TRANSIENT, self._once, ask)

    def error(self, kind: type[E], ask: Ask, cause: str) -> E:
        """An error about `ask`, with every secret removed from `cause`."""
        endpoint = f"GET {self._address(ask)}"
        return kind(self._redacted(cause), city=ask.city, day=ask.day, endpoint=endpoint)

    @contextmanager
    def reading(self, ask: Ask) -> Iterator[None]:
        """Convert a `ValueError` in the block into the error that the response is malformed.

        Raises
        ------
        MalformedAnswerError
            It names city, day and endpoint.
        """
        try:
            yield
        except ValueError as error:
            raise self.error(MalformedAnswerError, ask, str(error)) from error

    def _address(self, ask: Ask) -> str:
        return f"{str(self._client.base_url).rstrip('/')}{ask.path}"

    def _once(self, ask: Ask) -> Answer:
        # httpx.Client.get would parse every address three times.
        request = httpx.Request(
            "GET", self._address(ask), params=dict(ask.params), headers=self._client.headers
        )
        try:
            response = self._client.send(request)
        except httpx.RequestError as error:
            cause = f"{type(error).__name__}: {error}"
            raise self.error(ServiceUnavailableError, ask, cause) from error
        self._check_status(ask, response)
        return self._decode(ask, response)

    def _check_status(self, ask: Ask, response: httpx.Response) -> None:
        status = response.status_code
        if status == httpx.codes.OK and _is_json(response):
            return
        cause = f"status {status}: {self._excerpt(response)}"
        text = response.text if status in _MAY_REFUSE else ""
        if says_plan_spent(text):
            raise self.error(DailyCostExceededError, ask, f"{cause} (not asked again today, UTC)")
        if status == httpx.codes.TOO_MANY_REQUESTS or says_concurrency(text):
            raise self.error(ConcurrencyExceededError, ask, cause)
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            remedy = f"; set {self._secret.setting} to a valid key" if self._secret else ""
            raise self.error(KeyRefusedError, ask, f"{cause}{remedy}")
        if status >= 500:
            raise self.error(ServiceUnavailableError, ask, cause)
        if status != httpx.codes.OK:
            raise self.error(RequestRefusedError, ask, cause)
        raise self.error(
            MalformedAnswerError,
            ask,
            f"JSON expected, got {response.headers.get('content-type', 'no content type')!r}: "
            f"{self._excerpt(response)}",
        )

    def _decode(self, ask: Ask, response: httpx.Response) -> Answer:
        try:
            payload = from_json(response.content, allow_inf_nan=False)
        except ValueError as error:
            cause = f"not whole JSON after {len(response.content)} bytes: {error}"
            raise self.error(TruncatedAnswerError, ask, cause) from None
        if not isinstance(payload, dict):
            cause = f"a JSON object expected, got {type(payload).__name__}"
            raise self.error(MalformedAnswerError, ask, cause)
        return Answer(payload, hashlib.sha256(response.content).hexdigest())

    def _excerpt(self, response: httpx.Response) -> str:
        # Redact before cutting, so that no part of a key is left at the end.
        text = self._redacted(" ".join(response.text.split()))
        return text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]} ..."

    def _redacted(self, text: str) -> str:
        return text if self._secret is None else self._secret.redact(text)


class _WithSecret(httpx.BaseTransport):
    def __init__(self, secret: Secret, inner: httpx.BaseTransport) -> None:
        self.secret = secret
        self.inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not self.secret.value:
            return self.inner.handle_request(request)
        return self.inner.handle_request(
            httpx.Request(
                request.method,
                request.url.copy_set_param(self.secret.parameter, self.secret.value),
                headers=request.headers,
                extensions=request.extensions,
            )
        )

    def close(self) -> None:
        self.inner.close()


def _is_json(response: httpx.Response) -> bool:
    return "json" in response.headers.get("content-type", "").lower()
