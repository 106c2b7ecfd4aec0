"""What can go wrong with the exchange, each kind with what to do about it.

Here: the exceptions of this room and the reading of the exchange's four error shapes
(kalshi.md 3.8). Not here: retrying (client) and naming the city and date (ingest).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json


@dataclass(frozen=True)
class Endpoint:
    """One request as people write it: method, path and query."""

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        query = "&".join(f"{name}={value}" for name, value in self.params.items())
        return f"{self.method} {self.path}" + (f"?{query}" if query else "")


class ExchangeError(Exception):
    """The exchange refused, failed, or answered what cannot be used.

    Attributes
    ----------
    message
        The exchange's words, or ours where it had none.
    endpoint
        What was asked; None where a payload was decoded without a request.
    status
        HTTP status; None: there was no answer.
    code, details
        The exchange's error code and details, where it gave them.
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
        what = ": ".join(
            part for part in (self.code, self.message, self.details) if part and part.strip()
        )
        where = " ".join(
            part
            for part in (
                str(self.endpoint) if self.endpoint else "",
                f"[{self.status}]" if self.status else "",
            )
            if part
        )
        return ": ".join(part for part in (where, what) if part) + (
            f" ({self.remedy})" if self.remedy else ""
        )


class AuthenticationError(ExchangeError):
    """The exchange did not accept the key, the signature or the key's rights."""

    @property
    def remedy(self) -> str:  # type: ignore[override]
        """What to do about it."""
        if self.status == 403:
            return "the key lacks the scope or is locked to one subaccount: check its rights"
        known = {
            "header_timestamp_expired": "this machine's clock is off by more than the exchange "
            "accepts: set it by NTP, to within 2 s",
            "signature_is_missing_from_headers": "this endpoint needs a signed request: set "
            "KALSHI_API_KEY_ID and KALSHI_PRIVATE_KEY_PEM_PATH",
        }
        if self.code in known:
            return known[self.code]
        if self.details == "NOT_FOUND":
            return (
                "no such key id in this environment: demo keys do not work on production and "
                "the other way round"
            )
        return (
            "the signature is wrong: key id and private key must be one pair, of the environment "
            "that is asked"
        )


class NotFoundError(ExchangeError):
    """The exchange does not have it, or has moved it to the other tier."""


class RateLimitedError(ExchangeError):
    """Too many requests."""

    remedy = "lower the read rate, or run fewer backfills on this key at once"


class ServerError(ExchangeError):
    """The exchange failed on its side."""

    remedy = "see the exchange's status page; Thursdays 03:00-05:00 ET are maintenance"


class UnreachableError(ExchangeError):
    """No answer: connection refused, cut, or too slow."""

    remedy = "check the network and the address"


class MalformedAnswerError(ExchangeError):
    """An answer lacks something that matters; names the record and the field."""

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
    """The body is not JSON: cut short, or not the exchange's."""


class PaginationError(ExchangeError):
    """A cursor came back that was already used, or the pages do not end."""


def error_of(status: int, body: bytes, endpoint: Endpoint) -> ExchangeError:
    """The error that an answer with a failing `status` stands for.

    Reads all four shapes: ``{"error": {code, message, details}}``, flat ``{code, message,
    details}``, ``{"msg": ...}`` and ``{"error": "text"}``; a body in none of them becomes the
    message, cut short.
    """
    kind = _kind(status)
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


def _kind(status: int) -> type[ExchangeError]:
    if status in (401, 403):
        return AuthenticationError
    if status == 404:
        return NotFoundError
    if status == 429:
        return RateLimitedError
    if status >= 500:
        return ServerError
    return ExchangeError
