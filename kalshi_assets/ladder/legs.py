"""Legs: the numbers that one market pays on, as an interval of the grid of settlement values.

A settlement value is a whole number of ticks: an index with two decimals is a number of hundredths.
Here: grids, legs, and reading a leg's bounds from strikes. Not here: sets of legs (`atoms`,
`brackets`), or what titles and rules say (the families' contracts).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType


class LadderError(ValueError):
    """Legs are invalid, alone or together; the message names them."""


@dataclass(frozen=True)
class ValueGrid:
    """The possible settlement values: value = ticks / scale.

    Attributes
    ----------
    unit
        Unit of a value: point, %, person, F.
    scale
        Ticks in one unit, a power of ten: 100 for values of two decimals.

    Raises
    ------
    ValueError
        The scale is not a power of ten.
    """

    unit: str
    scale: int

    def __post_init__(self) -> None:
        if self.scale < 1 or self.scale != 10**self.decimals:
            raise ValueError(f"the scale of a grid is a power of ten, not {self.scale}")

    @property
    def decimals(self) -> int:
        """Decimals of a value."""
        return len(str(self.scale)) - 1

    def ticks(self, value: Decimal) -> int:
        """A value as a whole number of ticks.

        Raises
        ------
        LadderError
            The value is not on the grid.
        """
        scaled = Fraction(value) * self.scale if value.is_finite() else None
        if scaled is None or scaled.denominator != 1:
            raise LadderError(
                f"{value} {self.unit} is not on a grid of {self.decimals} decimals; a value of it "
                f"is a whole number of 1/{self.scale} {self.unit}"
            )
        return scaled.numerator

    def value(self, ticks: int) -> Decimal:
        """A whole number of ticks as a value, with the decimals of the grid."""
        return Decimal(ticks).scaleb(-self.decimals)


@dataclass(frozen=True, kw_only=True)
class Leg:
    """The interval of whole numbers on which a market pays.

    Attributes
    ----------
    market_ticker
        Ticker of the market.
    lo, hi
        Least and greatest number that pays, both inclusive, in ticks of the grid; None: open.

    Raises
    ------
    LadderError
        No number pays.
    """

    market_ticker: str
    lo: int | None
    hi: int | None

    def __post_init__(self) -> None:
        if self.lo is not None and self.hi is not None and self.lo > self.hi:
            raise LadderError(f"{self.market_ticker}: lower bound {self.lo} exceeds {self.hi}")

    def pays(self, value: int) -> bool:
        """Whether the leg pays when the number comes out as `value`."""
        return (self.lo is None or value >= self.lo) and (self.hi is None or value <= self.hi)

    def __str__(self) -> str:
        lo = "-inf" if self.lo is None else str(self.lo)
        hi = "inf" if self.hi is None else str(self.hi)
        return f"{self.market_ticker} [{lo}, {hi}]"


# Bounds are stored as Int64; one more is added to them.
_GREATEST = 2**63 - 2

STRIKES_THAT_PAY: Mapping[str, tuple[int | None, int | None]] = MappingProxyType(
    {
        "less": (None, -1),
        "less_or_equal": (None, 0),
        "between": (0, 0),
        "greater_or_equal": (0, None),
        "greater": (1, None),
    }
)
"""By strike type, for floor and cap. 0: the strike pays; 1, -1: only beyond it; None: no bound."""


def read_leg(
    market_ticker: str,
    strike_type: str | None,
    *,
    floor: Decimal | None,
    cap: Decimal | None,
    grid: ValueGrid,
) -> Leg:
    """A market's leg, from its strike type and strikes.

    A strike may lie between two numbers of the grid: the leg has the numbers that pay, so that
    ``greater_or_equal`` 7224.9999 on a grid of two decimals starts at 7225.00.

    Parameters
    ----------
    market_ticker
        Ticker of the market.
    strike_type
        A key of `STRIKES_THAT_PAY`; any other is an error.
    floor, cap
        The strikes in units of the grid, as Decimal of the text that the exchange sent. A strike
        that the type does not use is ignored.
    grid
        The possible settlement values.

    Raises
    ------
    LadderError
        The strike type is unknown, a strike is missing or not a number, or no number of the grid
        pays; the message names the market.
    TypeError
        A strike is a float, which may not be the number that was sent.
    """
    if strike_type is None or strike_type not in STRIKES_THAT_PAY:
        raise LadderError(
            f"{market_ticker} has strike_type {strike_type!r}; legs are read from "
            f"{', '.join(STRIKES_THAT_PAY)}"
        )
    above, below = STRIKES_THAT_PAY[strike_type]
    lo = hi = None
    if above is not None:
        scaled = _exact(market_ticker, strike_type, "floor", floor) * grid.scale
        lo = math.floor(scaled) + 1 if above else math.ceil(scaled)
    if below is not None:
        scaled = _exact(market_ticker, strike_type, "cap", cap) * grid.scale
        hi = math.ceil(scaled) - 1 if below else math.floor(scaled)
    if lo is not None and hi is not None and lo > hi:
        raise LadderError(
            f"{market_ticker} is {strike_type!r} {floor} and {cap}: no number of "
            f"{grid.decimals} decimals lies there"
        )
    if any(bound is not None and abs(bound) > _GREATEST for bound in (lo, hi)):
        raise LadderError(f"{market_ticker} is {strike_type!r} {floor} and {cap}: out of range")
    return Leg(market_ticker=market_ticker, lo=lo, hi=hi)


def _exact(market_ticker: str, strike_type: str, name: str, strike: Decimal | None) -> Fraction:
    """A strike as a fraction, which is exact whatever its digits."""
    if strike is None:
        raise LadderError(f"{market_ticker} is {strike_type!r} but has no {name} strike")
    if not isinstance(strike, Decimal):
        raise TypeError(
            f"the {name} strike of {market_ticker} is the {type(strike).__name__} {strike}; "
            "it must be the Decimal of the text that the exchange sent"
        )
    if not strike.is_finite():
        raise LadderError(f"{market_ticker} is {strike_type!r} but its {name} strike is {strike}")
    return Fraction(strike)
