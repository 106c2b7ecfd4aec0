"""The exchange's fees, exact (kalshi.md 5, methods.md 8): one formula, three roundings.

Here: what one fill or one order costs. Not here: which terms an event has (contract) and whether
a trade is worth its fee (trading).
"""

from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Literal, TypeVar

import numpy as np
import polars as pl

from kalshi_assets.exchange.wire_values import CC_PER_DOLLAR

Liquidity = Literal["maker", "taker"]
Schedule = Literal["direct", "broker", "conservative"]

RATE = Decimal("0.07")
SHARES: dict[str, dict[Liquidity, Decimal]] = {
    "quadratic": {"taker": Decimal(1), "maker": Decimal(0)},
    "quadratic_with_maker_fees": {"taker": Decimal(1), "maker": Decimal("0.25")},
    "quadratic_with_combo_maker_fees": {"taker": Decimal(1), "maker": Decimal("0.5")},
}

_MICRO = Decimal("0.000001")
_CENTICENT = Decimal("0.0001")
_CENT = Decimal("0.01")
_GRAIN: dict[Schedule, Decimal] = {"direct": _CENTICENT, "broker": _CENT}

P = TypeVar("P", float, np.ndarray, pl.Expr)


class UnknownFeeTypeError(ValueError):
    """The exchange names a fee formula that is not known here; lists those that are."""

    def __init__(self, fee_type: str) -> None:
        super().__init__(
            f"unknown fee_type {fee_type!r}; known: {', '.join(SHARES)}. Read the fee schedule "
            "and add its formula before trading this series"
        )


def fee_cc(
    price_cc: int,
    contracts: int,
    fee_type: str,
    multiplier: Decimal | float,
    liquidity: Liquidity,
    schedule: Schedule = "direct",
) -> int:
    """Fee of an order that fills at once and whole, in 1/10,000 dollar.

    Parameters
    ----------
    price_cc
        1/10,000 dollar, 0 to 10,000; YES and NO cost the same.
    contracts
        Whole contracts.
    fee_type, multiplier
        The exchange's formula and its factor.
    schedule
        "direct": cost plus fee on 1/10,000 dollar, as direct members pay; "broker": on the cent;
        "conservative": the fee itself up to the cent, the schedule before 2026.

    Raises
    ------
    UnknownFeeTypeError
        The formula is not known.
    """
    order = OrderFees(fee_type=fee_type, multiplier=multiplier, schedule=schedule)
    return int(order.fill(price_cc, contracts, "buy", liquidity) * CC_PER_DOLLAR)


def model_fee(
    price_cc: int,
    contracts: Decimal | int,
    fee_type: str,
    multiplier: Decimal | float,
    liquidity: Liquidity,
) -> Decimal:
    """The formula before any rounding, in dollars: M * k * 0.07 * C * P * (1 - P).

    Raises
    ------
    UnknownFeeTypeError
        The formula is not known.
    ValueError
        Price, size or factor out of range.
    """
    if not 0 <= price_cc <= CC_PER_DOLLAR:
        raise ValueError(f"price {price_cc} cc is not within 0 and {CC_PER_DOLLAR}")
    if contracts < 0:
        raise ValueError(f"{contracts} contracts")
    price = Decimal(price_cc) / CC_PER_DOLLAR
    rate = _factor(multiplier) * _share(fee_type, liquidity) * RATE
    return rate * contracts * price * (1 - price)


def fee_per_contract(price: P, fee_type: str, multiplier: float, liquidity: Liquidity) -> P:
    """The formula per contract without rounding, for expected values over whole columns.

    Parameters
    ----------
    price
        Dollars: a float, an array or a Polars expression.

    Returns
    -------
    Dollars, of the same kind as `price`. A fill pays up to 1/10,000 dollar more.
    """
    rate = float(_factor(multiplier) * _share(fee_type, liquidity) * RATE)
    return price * (1.0 - price) * rate


@dataclass(kw_only=True)
class OrderFees:
    """Fees of one order, fill by fill, with the exchange's running rebate of its rounding.

    Per fill: trade_fee = ceil(model_fee, 1e-6); the cash that moves is floored to the grain g;
    what that takes is accumulated per order and given back in units of g.

    Attributes
    ----------
    schedule
        See `fee_cc`.
    accumulated
        Rounding taken and not yet given back, dollars.
    """

    fee_type: str
    multiplier: Decimal | float
    schedule: Schedule = "direct"
    accumulated: Decimal = field(default=Decimal(0), init=False)
    _model_total: Decimal = field(default=Decimal(0), init=False)

    def fill(
        self,
        price_cc: int,
        contracts: Decimal | int,
        action: Literal["buy", "sell"],
        liquidity: Liquidity,
    ) -> Decimal:
        """Fee of the next fill, in dollars.

        Parameters
        ----------
        price_cc
            Of the outcome bought or sold, 1/10,000 dollar.
        contracts
            May be fractional.
        """
        model = model_fee(price_cc, contracts, self.fee_type, self.multiplier, liquidity)
        if self.schedule == "conservative":
            before = _up(self._model_total, _CENT)
            self._model_total += model
            return _up(self._model_total, _CENT) - before
        cash = contracts * Decimal(price_cc) / CC_PER_DOLLAR
        return self.charge(cash if action == "sell" else -cash, _up(model, _MICRO))

    def charge(self, revenue: Decimal, trade_fee: Decimal) -> Decimal:
        """Net fee of a fill whose cash before fees is `revenue` (negative: paid), in dollars."""
        grain = _GRAIN[self.schedule]
        before = revenue - trade_fee
        rounding = before - _down(before, grain)
        self.accumulated += rounding
        gross = trade_fee + rounding
        rebate = grain * min(self.accumulated // grain, gross // grain)
        self.accumulated -= rebate
        return gross - rebate


def _share(fee_type: str, liquidity: Liquidity) -> Decimal:
    if fee_type not in SHARES:
        raise UnknownFeeTypeError(fee_type)
    return SHARES[fee_type][liquidity]


def _factor(multiplier: Decimal | float) -> Decimal:
    factor = multiplier if isinstance(multiplier, Decimal) else Decimal(str(multiplier))
    if not factor.is_finite() or factor < 0:
        raise ValueError(f"fee multiplier {multiplier} is not a finite, positive number")
    return factor


def _up(value: Decimal, grain: Decimal) -> Decimal:
    return (value / grain).to_integral_value(ROUND_CEILING) * grain


def _down(value: Decimal, grain: Decimal) -> Decimal:
    return (value / grain).to_integral_value(ROUND_FLOOR) * grain
