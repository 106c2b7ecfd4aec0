"""The errors of the exchange client, each with a remedy.

Here: the exceptions of this room, and decoding the exchange's four error formats (kalshi.md 3.8).
Not here: retries (rest), adding city and date to an error (ingest).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json


@dataclass(frozen=True)
class Endpoint:
    """A request: method, path and query."""

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        query = "&".join(f"{name}={value}" for name, value in self.params.items())
        return f"{self.method} {self.path}" + (f"?{query}" if query else "")


class ExchangeError(Exception):
    """The exchange refused the request, failed, or sent an unusable response.

    `message`, `code` and `details` are those of the exchange if it sent them. `endpoint` is the
    request, `status` the HTTP status (None: no response).
    """

    remedy = ""

    def __init__(
        self,
        message: str,
        *,
        endpoint: Endpoint | None = None,
        status: int | None = None,
        code: str | None = None,
        details: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.endpoint = endpoint
        self.status = status
        self.code = code
        self.details = details

    def __str__(self) -> str:
        endpoint = str(self.endpoint or "")
        where = " ".join(filter(None, [endpoint, f"[{self.status}]" if self.status else ""]))
        parts = [where, self.code, self.message, self.details]
        text = ": ".join(part for part in parts if part and part.strip())
        return f"{text} ({self.remedy})" if self.remedy else text


class AuthenticationError(ExchangeError):
    """The exchange rejected the key, the signature or the key's permissions."""

    @property
    def remedy(self) -> str:  # type: ignore[override]
        """How to fix it."""
        if self.status == 403:
            return "the key lacks the scope or is locked to one subaccount: check its permissions"
        if self.code == "header_timestamp_expired":
            return (
                "this machine's clock is off by more than the exchange accepts: set it by NTP, "
                "to within 2 s"
            )
        if self.code == "signature_is_missing_from_headers":
            return (
                "this endpoint needs a signed request: set KALSHI_API_KEY_ID and "
                "KALSHI_PRIVATE_KEY_PEM_PATH"
            )
        if self.details == "NOT_FOUND":
            return (
                "no such key ID in this environment: demo keys do not work on production and "
                "vice versa"
            )
        return (
            "the signature is wrong: key ID and private key must be a pair, made for the "
            "environment at this address"
        )


class NotFoundError(ExchangeError):
    """The exchange does not have it, or has moved it to the other tier (live or historical)."""


class RateLimitedError(ExchangeError):
    """Too many requests."""

    remedy = "lower the read rate, or run fewer backfills on this key at once"


class ServerError(ExchangeError):
    """The exchange failed to process the request."""

    remedy = "see the exchange's status page; maintenance is on Thursdays 03:00-05:00 ET"


class UnreachableError(ExchangeError):
    """No response: connection refused, lost or timed out."""

    remedy = "check the network and the address"


class MalformedAnswerError(ExchangeError):
    """A response lacks required content; the message names the record and the field."""

    def __init__(
        self,
        problem: str,
        *,
        record: str | None = None,
        field: str | None = None,
        endpoint: Endpoint | None = None,
        status: int | None = None,
    ) -> None:
        subject = ", ".join(part for part in (record, field and f"field {field}") if part)
        message = f"{subject}: {problem}" if subject else problem
        super().__init__(message, endpoint=endpoint, status=status)
        self.record = record
        self.field = field
        self.problem = problem


class UndecodableAnswerError(MalformedAnswerError):
    """The body is not JSON: truncated, or not sent by the exchange."""


class PaginationError(ExchangeError):
    """A cursor was repeated, or the pages do not end."""


_KINDS: dict[int, type[ExchangeError]] = {
    401: AuthenticationError,
    403: AuthenticationError,
    404: NotFoundError,
    429: RateLimitedError,
}


def error_of(status: int, body: bytes, endpoint: Endpoint) -> ExchangeError:
    """The error for a response with a failing `status`.

    Decodes all four formats: ``{"error": {code, message, details}}``, flat ``{code, message,
    details}``, ``{"msg": ...}`` and ``{"error": "text"}``; any other body becomes the message,
    truncated to 200 bytes.

    Parameters
    ----------
    status
        HTTP status.
    body
        Body of the response.
    endpoint
        The request.
    """
    kind = _KINDS.get(status, ServerError if status >= 500 else ExchangeError)
    try:
        payload = from_json(body)
    except ValueError:
        payload = None
    if not isinstance(payload, dict):
        text = body[:200].decode("utf-8", "replace").strip()
        return kind(text or "no body", endpoint=endpoint, status=status)
    inner = payload.get("error")
    if isinstance(inner, str):
        return kind(inner, endpoint=endpoint, status=status)
    shape = inner if isinstance(inner, dict) else payload
    code = shape.get("code")
    message = shape.get("message") or shape.get("msg") or ("" if code else str(payload)[:200])
    details = shape.get("details")
    return kind(
        str(message).replace("_", " ") if message == code else str(message),
        endpoint=endpoint,
        status=status,
        code=None if code is None else str(code),
        details=None if details is None else str(details),
    )
