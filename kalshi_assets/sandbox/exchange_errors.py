"""The exchange's refusals, in the shapes that it sends them.

Here: the error bodies and the exception that carries one. Not here: who decides to refuse.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse


class WireError(Exception):
    """An answer that is not 200: status and body, as the exchange words them."""

    def __init__(self, status: int, body: dict) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body

    def response(self) -> JSONResponse:
        """The answer itself."""
        return JSONResponse(self.body, status_code=self.status)


def coded(status: int, code: str, message: str, details: str | None = None) -> WireError:
    """The usual shape: ``{"error": {"code", "message", "details"?}}``."""
    error = {"code": code, "message": message}
    if details is not None:
        error["details"] = details
    return WireError(status, {"error": error})


def not_found() -> WireError:
    """404 of an unknown ticker, or of one that this tier does not hold."""
    return coded(404, "not_found", "not found")


def bad_request(details: str) -> WireError:
    """400 with the reason in `details`."""
    return coded(400, "bad_request", "bad request", details)


def invalid_parameter(operation: str, field: str, tag: str) -> WireError:
    """400 of the parameter validation: ``{"msg": ...}``.

    Parameters
    ----------
    operation
        The exchange's name of the endpoint, such as GetMarkets.
    field, tag
        The field and the rule it broke, such as Limit and lte.
    """
    key = f"{operation}Params.{field}"
    return WireError(
        400,
        {
            "msg": f"Parameter validation failed for {operation}: Key: '{key}' "
            f"Error:Field validation for '{field}' failed on the '{tag}' tag"
        },
    )


def not_a_number(operation: str, text: str) -> WireError:
    """400 of a parameter that should be an integer."""
    return WireError(
        400,
        {
            "msg": f"Parameter validation failed for {operation}: strconv.ParseInt: "
            f'parsing "{text}": invalid syntax'
        },
    )


def too_many_requests() -> WireError:
    """429 of an empty token bucket; there is no Retry-After."""
    return WireError(429, {"error": "too many requests"})


async def answer_wire_error(request: Request, error: Exception) -> JSONResponse:
    """Starlette's handler for `WireError`."""
    assert isinstance(error, WireError)
    return error.response()
