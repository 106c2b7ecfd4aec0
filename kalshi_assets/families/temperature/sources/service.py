"""One polite GET to a weather service: retries, back-off, and what an answer's status means.

Here: everything that the clients of this room share on the wire. Not here: what a payload says.
"""

import hashlib
import threading
from collections.abc import Callable, Mapping
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

TRIES = 3
# The provider forbids catching 429 and retrying often: few waits, long ones.
BACK_OFF_S = (30.0, 60.0, 120.0)
_TRANSIENT = (ServiceUnavailableError, TruncatedAnswerError)
_EXCERPT = 200
# With these a service says that the plan is used up, or that too much is asked at once.
_MAY_REFUSE = (
    httpx.codes.OK,
    httpx.codes.BAD_REQUEST,
    httpx.codes.FORBIDDEN,
    httpx.codes.TOO_MANY_REQUESTS,
)


@dataclass(frozen=True)
class Answer:
    """A decoded answer and the content hash of its bytes."""

    payload: dict[str, Any]
    raw_sha256: str


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One request, and for whom it is made."""

    city: str
    day: date
    path: str
    params: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Secret:
    """A query parameter that never shows: which setting holds it, and its value.

    It is added below the client, so that neither httpx's log nor its exceptions see it.
    """

    parameter: str
    value: str
    setting: str

    def redact(self, text: str) -> str:
        """`text` without the value, plain or percent-encoded."""
        for form in {self.value, quote(self.value, safe=""), quote_plus(self.value)} - {""}:
            text = text.replace(form, "***")
        return text


class WeatherService:
    """GETs JSON from one service, one request at a time.

    Parameters
    ----------
    base_url
        Scheme and host, with or without a path.
    transport
        Replaces the network.
    sleep
        Waits the given seconds when the service says that too much is asked at once.
    timeout_s
        Of connecting, and of every read.
    secret
        Added to every query.
    headers
        Sent with every request.
    """

    def __init__(
        self,
        base_url: str,
        *,
        transport: httpx.BaseTransport | None,
        sleep: Callable[[float], object],
        timeout_s: float,
        secret: Secret | None = None,
        headers: Mapping[str, str] | None = None,
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
            timeout=timeout_s,
            headers=headers,
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def get(self, ask: Ask) -> Answer:
        """The answer to `ask`.

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
        """An error about `ask`, with every secret taken out of `cause`."""
        endpoint = f"GET {self._address(ask)}"
        return kind(self._redacted(cause), city=ask.city, day=ask.day, endpoint=endpoint)

    def _address(self, ask: Ask) -> str:
        return f"{str(self._client.base_url).rstrip('/')}{ask.path}"

    def _once(self, ask: Ask) -> Answer:
        # Not by the client's own get, which parses every address three times.
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
        said = f"status {status}: {self._excerpt(response)}"
        text = response.text if status in _MAY_REFUSE else ""
        if says_plan_spent(text):
            raise self.error(DailyCostExceededError, ask, f"{said} (not asked again today, UTC)")
        if status == httpx.codes.TOO_MANY_REQUESTS or says_concurrency(text):
            raise self.error(ConcurrencyExceededError, ask, said)
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            remedy = f"; set {self._secret.setting} to a valid key" if self._secret else ""
            raise self.error(KeyRefusedError, ask, f"{said}{remedy}")
        if status >= 500:
            raise self.error(ServiceUnavailableError, ask, said)
        if status != httpx.codes.OK:
            raise self.error(RequestRefusedError, ask, said)
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
        # Redacted before it is cut, lest half a key stay at the end.
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
