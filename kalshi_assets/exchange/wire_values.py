"""Decoding single values: prices, counts, instants, and the fields of named records.

Functions for values raise `ValueError` for another type or format and for values out of range.

Here: exact conversion of the exchange's strings, with range checks, so that no reader overflows
later. Not here: whole responses (wire, wire_account, wire_stream).
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from kalshi_assets.exchange.errors import MalformedAnswerError
from kalshi_assets.units import CC_A_DOLLAR, HUNDREDTHS, MILLIONTHS

SIDE_OF_BOOK = {"bid": "yes", "ask": "no"}
# Above any number of contracts or dollars, but two decimals are still exact in a float.
MOST = 10**12
MOST_INTEGER = 2**63 - 1
# From before the exchange existed, so that 0 is not taken for an instant, until a day before the
# end of Python's calendar, since lags are added.
FIRST_INSTANT = datetime(2000, 1, 1, tzinfo=UTC)
LAST_INSTANT = datetime(9999, 12, 31, tzinfo=UTC)
FIRST_SECOND, LAST_SECOND = int(FIRST_INSTANT.timestamp()), int(LAST_INSTANT.timestamp())

_PRICE = re.compile(r"([0-9]+)(?:\.([0-9]{1,6}))?", re.ASCII)
_COUNT = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)
_HUNDREDTHS = re.compile(r"(-?)([0-9]+)(?:\.([0-9]{1,2})0*)?", re.ASCII)
_AMOUNT = re.compile(r"-?[0-9]+(?:\.[0-9]+)?", re.ASCII)
_NUMBER_FIRST = re.compile(
    r"\s*([-−]?[0-9]{1,3})(?:\.0+)?"
    r"(?:\s*(?:[°º]|degrees?\b|F\b)(?!\s*C)|[.,;:!)]?(?=\s*$)|[.,;!)](?=\s))",
    re.ASCII | re.IGNORECASE,
)

T = TypeVar("T")


def price_cc(text: object) -> int:
    """A price such as ``"0.5600"``, up to one dollar, exactly in 1/10,000 dollar."""
    match = _PRICE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{_shown(text)} is not a dollar string such as '0.5600'")
    fraction = (match[2] or "").ljust(6, "0")
    if fraction[4:] != "00":
        raise ValueError(f"{_shown(text)} is finer than 1/10,000 dollar")
    return _at_most_one_dollar(int(match[1]) * CC_A_DOLLAR + int(fraction[:4]), text)


def mean_price_cc(text: object) -> int:
    """A mean of prices, which may lie between two ticks, to the nearest 1/10,000 dollar."""
    if not isinstance(text, str) or _PRICE.fullmatch(text) is None:
        raise ValueError(f"{_shown(text)} is not a dollar string such as '0.5600'")
    return _at_most_one_dollar(round(Decimal(text) * CC_A_DOLLAR), text)


def count(text: object) -> float:
    """A number of contracts such as ``"7.77"``, at most `MOST`."""
    if not isinstance(text, str) or _COUNT.fullmatch(text) is None:
        raise ValueError(f"{_shown(text)} is not a count string such as '7.77'")
    value = float(text)
    if value > MOST:
        raise ValueError(f"{_shown(text)} exceeds the greatest possible number of contracts")
    return value


def hundredths(text: object) -> int:
    """A signed number of contracts such as ``"-54.00"``, exactly in 1/100 contract."""
    match = _HUNDREDTHS.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(
            f"{_shown(text)} is not a count string such as '-54.00', in whole hundredths"
        )
    sign, whole, fraction = match.groups()
    value = int(whole) * HUNDREDTHS + int((fraction or "").ljust(2, "0"))
    if value > MOST * HUNDREDTHS:
        raise ValueError(f"{_shown(text)} exceeds the greatest possible number of contracts")
    return -value if sign else value


def size(text: object) -> int:
    """A number of contracts such as ``"7.77"``, not negative, exactly in 1/100 contract."""
    value = hundredths(text)
    if value < 0:
        raise ValueError(f"{_shown(text)} is a negative number of contracts")
    return value


def amount(text: object) -> Decimal:
    """A signed amount of dollars or contracts such as ``"-54.00"``, exact, within `MOST`."""
    if not isinstance(text, str) or _AMOUNT.fullmatch(text) is None:
        raise ValueError(f"{_shown(text)} is not a decimal string such as '-54.00'")
    value = Decimal(text)
    if abs(value) > MOST:
        raise ValueError(f"{_shown(text)} exceeds the greatest possible amount")
    return value


def millionths(text: object) -> int:
    """A signed amount of dollars such as ``"0.017500"``, exactly in 1/1,000,000 dollar."""
    scaled = amount(text) * MILLIONTHS
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{_shown(text)} is finer than 1/1,000,000 dollar")
    return int(scaled)


def utc(text: object) -> datetime:
    """An instant such as ``"2026-06-11T05:39:31.28563Z"``, to the microsecond, from 2000 on."""
    try:
        instant = datetime.fromisoformat(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError(
            f"{_shown(text)} is not an instant such as '2026-06-11T05:39:31Z'"
        ) from None
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    try:
        instant = instant.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} lies outside the calendar") from None
    if not FIRST_INSTANT <= instant < LAST_INSTANT:
        raise ValueError(f"{text!r} is not between the years 2000 and 9999")
    return instant


def epoch_s(value: object) -> int:
    """An instant in Unix seconds, from 2000 on."""
    return _within_calendar(value, 1)


def epoch_ms(value: object) -> int:
    """An instant in Unix milliseconds, from 2000 on."""
    return _within_calendar(value, 1000)


def leading_number(words: str) -> Decimal | None:
    """The whole number at the start of a text, such as 84 in ``"84. As reported."``; else None.

    The start of a date, time, range or fraction does not count (``"16 January"``, ``"11:59"``,
    ``"84-85"``, ``"84.5"``).
    """
    match = _NUMBER_FIRST.match(words)
    return None if match is None else Decimal(match[1].replace("−", "-"))


def _at_most_one_dollar(cc: int, text: object) -> int:
    if cc > CC_A_DOLLAR:
        raise ValueError(f"{_shown(text)} is above one dollar")
    return cc


def _within_calendar(value: object, per_second: int) -> int:
    instant = _integer(value)
    if not FIRST_SECOND * per_second <= instant < LAST_SECOND * per_second:
        raise ValueError(f"{_shown(instant)} is not between the years 2000 and 9999")
    return instant


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{_shown(value)} is not a non-empty string")
    return value


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{_shown(value)} is not an integer")
    if abs(value) > MOST_INTEGER:
        raise ValueError(f"{_shown(value)} does not fit into 64 bits")
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"{_shown(value)} is not a number")
    if not abs(value) <= MOST_INTEGER or not math.isfinite(value):
        raise ValueError(f"{_shown(value)} is out of range")
    return float(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{_shown(value)} is not true or false")
    return value


def _shown(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return repr(value)[:80]
    if isinstance(value, int) and value.bit_length() > 200:
        # Python refuses to format integers of more than 4,300 digits.
        return f"a number of {value.bit_length()} bits"
    return f"the number {value!r}"


class Record:
    """A JSON object, read field by field; errors name it, e.g. ``market KXHIGHNY-26JUN15-T78``.

    Parameters
    ----------
    id_field
        Required field whose text is appended to `name`.
    """

    def __init__(self, payload: Any, name: str, id_field: str | None = None) -> None:
        if not isinstance(payload, dict):
            raise MalformedAnswerError(f"{_shown(payload)} is not an object", record=name)
        self.payload = payload
        self.name = name
        if id_field is not None:
            self.name = f"{name} {self.text(id_field)}"

    def get(self, field: str, read: Callable[[object], T]) -> T:
        """A required field, decoded by `read`.

        Parameters
        ----------
        field
            Name of the field.
        read
            Decoder; raises ValueError for a bad value.

        Raises
        ------
        MalformedAnswerError
            The field is missing, null, or rejected by `read`.
        """
        value = self.payload.get(field)
        if value is None:
            raise self._missing(field)
        return self._read(field, value, read)

    def maybe(self, field: str, read: Callable[[object], T]) -> T | None:
        """An optional field; None if it is missing, null or empty.

        Parameters
        ----------
        field, read
            As in `get`.
        """
        value = self.payload.get(field)
        return None if value is None or value == "" else self._read(field, value, read)

    def text(self, field: str) -> str:
        """A required, non-empty string."""
        return self.get(field, _text)

    def word(self, field: str) -> str:
        """A required string that may be empty."""
        value = self.payload.get(field)
        if not isinstance(value, str):
            raise self._missing(field)
        return value

    def integer(self, field: str) -> int:
        """A required integer."""
        return self.get(field, _integer)

    def number(self, field: str) -> float:
        """A required number."""
        return self.get(field, _number)

    def maybe_number(self, field: str) -> float | None:
        """A number; None if it is missing."""
        return self.maybe(field, _number)

    def maybe_text(self, field: str) -> str | None:
        """A string; None if it is missing or empty."""
        return self.maybe(field, _text)

    def outcome(self, field: str, book_field: str = "", old_field: str = "") -> str:
        """Outcome, yes or no.

        Parameters
        ----------
        field
            Field with the outcome.
        book_field
            Used if that is missing: field with the side of the book, bid is yes.
        old_field
            Used if both are missing.
        """
        side = (
            self.maybe_text(field)
            or SIDE_OF_BOOK.get(self.maybe_text(book_field) or "")
            or self.maybe_text(old_field)
        )
        if side not in ("yes", "no"):
            raise MalformedAnswerError(
                f"{side!r} is neither yes nor no", record=self.name, field=field
            )
        return side

    def flag(self, field: str) -> bool:
        """A required boolean."""
        return self.get(field, _flag)

    def rows(self, field: str) -> list[Any]:
        """A required array."""
        value = self.payload.get(field)
        if not isinstance(value, list):
            raise self._missing(field)
        return value

    def _read(self, field: str, value: object, read: Callable[[object], T]) -> T:
        try:
            return read(value)
        except (ValueError, ArithmeticError) as error:
            raise MalformedAnswerError(str(error), record=self.name, field=field) from None

    def _missing(self, field: str) -> MalformedAnswerError:
        bare = field.removesuffix("_dollars").removesuffix("_fp")
        if bare != field and bare in self.payload:
            problem = (
                f"missing, but {bare!r} is present: a response in the old format with integer "
                "cents, which the exchange removed in March 2026"
            )
        else:
            problem = "missing"
        return MalformedAnswerError(problem, record=self.name, field=field)
