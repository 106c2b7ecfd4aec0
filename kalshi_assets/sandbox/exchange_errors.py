"""The services' error responses, in their formats.

Here: the exchange's error bodies, and the exception that carries an error response. Not here: when
a request is refused.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response


class WireError(Exception):
    """An error response: status and body, JSON or plain text."""

    def __init__(self, status: int, body: dict | str) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body

    def response(self) -> Response:
        """The HTTP response."""
        if isinstance(self.body, str):
            return PlainTextResponse(self.body, status_code=self.status)
        return JSONResponse(self.body, status_code=self.status)


def coded(status: int, code: str, message: str, details: str | None = None) -> WireError:
    """The usual format: ``{"error": {"code", "message", "details"?}}``."""
    error = {"code": code, "message": message}
    if details is not None:
        error["details"] = details
    return WireError(status, {"error": error})


def not_found() -> WireError:
    """404 for an unknown ticker, or one of the other tier."""
    return coded(404, "not_found", "not found")


def bad_request(details: str) -> WireError:
    """400 with the reason in `details`."""
    return coded(400, "bad_request", "bad request", details)


def bad_body(details: str) -> WireError:
    """400 for a body that does not decode: without ``error`` around it."""
    return WireError(400, {"code": "bad_request", "message": "bad request", "details": details})


def invalid_parameter(operation: str, field: str, tag: str) -> WireError:
    """400 of the parameter validation, e.g. operation GetMarkets, field Limit, tag lte."""
    return _invalid(
        operation,
        f"Key: '{operation}Params.{field}' "
        f"Error:Field validation for '{field}' failed on the '{tag}' tag",
    )


def not_a_number(operation: str, text: str) -> WireError:
    """400 for a parameter that should be an integer."""
    return _invalid(operation, f'strconv.ParseInt: parsing "{text}": invalid syntax')


def _invalid(operation: str, problem: str) -> WireError:
    return WireError(400, {"msg": f"Parameter validation failed for {operation}: {problem}"})


def too_many_requests() -> WireError:
    """429 for an empty token bucket, without Retry-After."""
    return WireError(429, {"error": "too many requests"})


async def answer_wire_error(request: Request, error: Exception) -> Response:
    """Exception handler for `WireError`."""
    assert isinstance(error, WireError)
    return error.response()
