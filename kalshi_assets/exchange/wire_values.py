"""Single values of the wire: prices, counts, instants, and records that know their name.

Here: what one string of the exchange means, exactly. Not here: whole answers (wire,
wire_account, wire_stream).
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from kalshi_assets.exchange.errors import MalformedAnswerError

CC_PER_DOLLAR = 10_000

_PRICE = re.compile(r"([0-9]+)(?:\.([0-9]{1,6}))?", re.ASCII)
_COUNT = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)
_AMOUNT = re.compile(r"-?[0-9]+(?:\.[0-9]+)?", re.ASCII)

T = TypeVar("T")


def price_cc(text: object) -> int:
    """A price such as ``"0.5600"`` in 1/10,000 dollar, exactly.

    Raises
    ------
    ValueError
        Not a decimal string of at most six places, above one dollar, or finer than 1/10,000.
    """
    if not isinstance(text, str):
        raise ValueError(f"{_shown(text)} is not a dollar string such as '0.5600'")
    match = _PRICE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a dollar string such as '0.5600'")
    fraction = (match[2] or "").ljust(6, "0")
    if fraction[4:] != "00":
        raise ValueError(f"{text!r} is finer than 1/10,000 dollar")
    value = int(match[1]) * CC_PER_DOLLAR + int(fraction[:4])
    if value > CC_PER_DOLLAR:
        raise ValueError(f"{text!r} is above one dollar")
    return value


def mean_price_cc(text: object) -> int:
    """A mean of prices, which may fall between two ticks, to the nearest 1/10,000 dollar."""
    if not isinstance(text, str) or _PRICE.fullmatch(text) is None:
        raise ValueError(f"{_shown(text)} is not a dollar string such as '0.5600'")
    return round(Decimal(text) * CC_PER_DOLLAR)


def count(text: object) -> float:
    """A number of contracts such as ``"7.77"``."""
    if not isinstance(text, str) or _COUNT.fullmatch(text) is None:
        raise ValueError(f"{_shown(text)} is not a count string such as '7.77'")
    return float(text)


def amount(text: object) -> Decimal:
    """A signed sum of dollars or contracts such as ``"-54.00"``, exact."""
    if not isinstance(text, str) or _AMOUNT.fullmatch(text) is None:
        raise ValueError(f"{_shown(text)} is not a decimal string such as '-54.00'")
    return Decimal(text)


def utc(text: object) -> datetime:
    """An instant such as ``"2026-06-11T05:39:31.28563Z"``, to the microsecond."""
    if not isinstance(text, str):
        raise ValueError(f"{_shown(text)} is not an instant such as '2026-06-11T05:39:31Z'")
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an instant such as '2026-06-11T05:39:31Z'") from None
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} does not say its zone")
    return instant.astimezone(UTC)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{_shown(value)} is not a text")
    return value


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{_shown(value)} is not an integer")
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"{_shown(value)} is not a number")
    return float(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{_shown(value)} is not true or false")
    return value


def _shown(value: object) -> str:
    kind = "the number " if isinstance(value, int | float) and not isinstance(value, bool) else ""
    return f"{kind}{value!r}"[:80]


class Record:
    """One JSON object of an answer, read field by field; every complaint names it.

    Parameters
    ----------
    payload
        The object.
    name
        What people call it, such as ``market KXHIGHNY-26JUN15-T78``.
    """

    def __init__(self, payload: Any, name: str) -> None:
        if not isinstance(payload, dict):
            raise MalformedAnswerError(f"{_shown(payload)} is not an object", record=name)
        self.payload = payload
        self.name = name

    def get(self, field: str, read: Callable[[object], T]) -> T:
        """The field `field`, which must be there, read by `read`.

        Raises
        ------
        MalformedAnswerError
            It is absent, null or not what `read` takes.
        """
        value = self.payload.get(field)
        if value is None:
            raise self._missing(field)
        return self._read(field, value, read)

    def maybe(self, field: str, read: Callable[[object], T]) -> T | None:
        """The field `field` read by `read`; None where it is absent, null or empty."""
        value = self.payload.get(field)
        return None if value is None or value == "" else self._read(field, value, read)

    def text(self, field: str) -> str:
        """A text that must be there and not be empty."""
        return self.get(field, _text)

    def word(self, field: str) -> str:
        """A text that must be there and may be empty."""
        value = self.payload.get(field)
        if not isinstance(value, str):
            raise self._missing(field)
        return value

    def integer(self, field: str) -> int:
        """A JSON integer."""
        return self.get(field, _integer)

    def number(self, field: str) -> float:
        """A JSON number."""
        return self.get(field, _number)

    def maybe_number(self, field: str) -> float | None:
        """A JSON number; None where it is absent."""
        return self.maybe(field, _number)

    def maybe_text(self, field: str) -> str | None:
        """A text; None where it is absent or empty."""
        return self.maybe(field, _text)

    def flag(self, field: str) -> bool:
        """A JSON true or false."""
        return self.get(field, _flag)

    def rows(self, field: str) -> list[Any]:
        """A JSON array that must be there."""
        value = self.payload.get(field)
        if not isinstance(value, list):
            raise self._missing(field)
        return value

    def _read(self, field: str, value: object, read: Callable[[object], T]) -> T:
        try:
            return read(value)
        except (ValueError, InvalidOperation) as error:
            raise MalformedAnswerError(str(error), record=self.name, field=field) from None

    def _missing(self, field: str) -> MalformedAnswerError:
        bare = field.removesuffix("_dollars").removesuffix("_fp")
        if bare != field and bare in self.payload:
            problem = (
                f"missing, but there is {bare!r}: an answer of the cents era, whose integer "
                "fields the exchange removed in March 2026"
            )
        else:
            problem = "missing"
        return MalformedAnswerError(problem, record=self.name, field=field)
