"""Query parameters, validated as strictly as by the exchange.

Here: converting a query to checked values or a refusal, cursors, and pagination. Not here: what the
values select.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterable
from typing import TypeVar

from starlette.datastructures import QueryParams

from kalshi_assets.sandbox.exchange_errors import bad_request, invalid_parameter, not_a_number

AGAIN = "~"
"""Prefix of a cursor, added by the fault `empty_page`: a different cursor for the same place."""

_Row = TypeVar("_Row")


class Query:
    """The query of a request; `operation` is the endpoint's name in validation errors."""

    def __init__(self, params: QueryParams, operation: str) -> None:
        self.params = params
        self.operation = operation

    def text(self, name: str) -> str | None:
        """A string; None if it is missing or empty."""
        return self.params.get(name) or None

    def words(self, name: str) -> tuple[str, ...] | None:
        """A comma-separated list; None if it is missing or empty."""
        value = self.text(name)
        return tuple(w for w in value.split(",") if w) if value else None

    def flag(self, name: str) -> bool | None:
        """A boolean; None if it is missing."""
        value = self.text(name)
        if value is None:
            return None
        if value not in ("true", "false", "1", "0"):
            raise bad_request(f'{name}: strconv.ParseBool: parsing "{value}": invalid syntax')
        return value in ("true", "1")

    def integer(self, name: str) -> int | None:
        """An integer; None if it is missing."""
        value = self.text(name)
        if value is None:
            return None
        try:
            return int(value)
        except ValueError:
            raise not_a_number(self.operation, value) from None

    def required_integer(self, name: str) -> int:
        """A required integer."""
        value = self.integer(name)
        if value is None:
            field = "".join(part.capitalize() for part in name.split("_"))
            raise invalid_parameter(self.operation, field, "required")
        return value

    def limit(self, *, default: int, most: int) -> int:
        """The page size; values above `most` are refused, not clamped."""
        value = self.integer("limit")
        if value is None or value == 0:
            return default
        if value < 0:
            raise invalid_parameter(self.operation, "Limit", "gte")
        if value > most:
            raise invalid_parameter(self.operation, "Limit", "lte")
        return value

    def cursor(self) -> list | None:
        """The decoded cursor; None if it is missing or invalid."""
        return decode_cursor(self.text("cursor"))


def encode_cursor(place: Iterable) -> str:
    """An opaque cursor for a place in a list."""
    raw = json.dumps(list(place), separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> list | None:
    """The place in the list; None if invalid, since the exchange then returns the first page."""
    text = (cursor or "").lstrip(AGAIN)
    try:
        place = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        return None
    return place if isinstance(place, list) else None


def page(
    rows: list[_Row], key: Callable[[_Row], tuple], limit: int, after: list | None
) -> tuple[list[_Row], str]:
    """One page of `rows` and the cursor of the next page, empty at the end.

    The rows are in ascending order of `key`, which is unique; `after` is the key of the last row of
    the previous page. None, or a key of another type, means the first page.
    """
    if after and rows and [type(v) for v in after] == [type(v) for v in key(rows[0])]:
        rows = [row for row in rows if key(row) > tuple(after)]
    cut = rows[:limit]
    return cut, encode_cursor(key(cut[-1])) if len(rows) > limit else ""
