"""The exchange's fees, exact (kalshi.md 5, methods.md 8): one formula, three roundings.

Here: the fee of a fill or an order. Not here: the fee terms of an event (contract), whether a
trade is worth its fee (trading).
"""

from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Literal

from kalshi_assets.units import CC_A_DOLLAR

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


class UnknownFeeTypeError(ValueError):
    """The exchange names an unknown fee formula; the message lists the known ones."""

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
    """Fee of an order that is filled completely in one fill, in 1/10,000 dollar.

    Parameters
    ----------
    price_cc
        1/10,000 dollar, 0 to 10,000; the fee is the same for YES and NO.
    contracts
        Size of the fill.
    fee_type, multiplier
        The exchange's formula and its factor.
    liquidity
        Maker or taker.
    schedule
        Rounding. "direct": cost plus fee to 1/10,000 dollar, for direct members; "broker": cost
        plus fee to the cent; "conservative": the fee itself up to the cent, as before 2026.
    """
    order = OrderFees(fee_type=fee_type, multiplier=multiplier, schedule=schedule)
    return int(order.fill(price_cc, contracts, "buy", liquidity) * CC_A_DOLLAR)


def model_fee(
    price_cc: int,
    contracts: Decimal | int,
    fee_type: str,
    multiplier: Decimal | float,
    liquidity: Liquidity,
) -> Decimal:
    """The fee before rounding, in dollars: M * k * 0.07 * C * P * (1 - P).

    Parameters
    ----------
    price_cc, contracts, fee_type, multiplier, liquidity
        As in `fee_cc`; fractional contracts are allowed.

    Raises
    ------
    UnknownFeeTypeError
        The formula is unknown.
    ValueError
        Price, number of contracts or multiplier out of range.
    """
    if not 0 <= price_cc <= CC_A_DOLLAR:
        raise ValueError(f"price {price_cc} cc is not within 0 and {CC_A_DOLLAR}")
    if contracts < 0:
        raise ValueError(f"the number of contracts is negative: {contracts}")
    price = Decimal(price_cc) / CC_A_DOLLAR
    rate = _factor(multiplier) * _share(fee_type, liquidity) * RATE
    return rate * contracts * price * (1 - price)


@dataclass(kw_only=True)
class OrderFees:
    """Fees of one order, fill by fill, including the exchange's rebate of rounding.

    Per fill: trade_fee = ceil(model_fee, 1e-6); the cash flow is rounded down to the grain g; the
    amounts lost to rounding are accumulated per order and refunded in units of g.

    For `schedule` see `fee_cc`; `accumulated` is rounding not yet refunded, in dollars.
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
            Price of the outcome bought or sold, 1/10,000 dollar.
        contracts
            Size of the fill.
        action
            Whether the outcome is bought or sold.
        liquidity
            Maker or taker.
        """
        model = model_fee(price_cc, contracts, self.fee_type, self.multiplier, liquidity)
        if self.schedule == "conservative":
            before = _rounded(self._model_total, _CENT, ROUND_CEILING)
            self._model_total += model
            return _rounded(self._model_total, _CENT, ROUND_CEILING) - before
        cash = contracts * Decimal(price_cc) / CC_A_DOLLAR
        trade_fee = _rounded(model, _MICRO, ROUND_CEILING)
        return self.charge(cash if action == "sell" else -cash, trade_fee)

    def charge(self, revenue: Decimal, trade_fee: Decimal) -> Decimal:
        """Net fee of a fill, in dollars.

        Parameters
        ----------
        revenue
            Cash flow before fees, dollars; negative: paid.
        trade_fee
            Fee before rounding of the cash flow, dollars.
        """
        grain = _GRAIN[self.schedule]
        before = revenue - trade_fee
        rounding = before - _rounded(before, grain, ROUND_FLOOR)
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
        raise ValueError(f"fee multiplier {multiplier} is not a finite number of at least 0")
    return factor


def _rounded(value: Decimal, grain: Decimal, rounding: str) -> Decimal:
    return (value / grain).to_integral_value(rounding) * grain
