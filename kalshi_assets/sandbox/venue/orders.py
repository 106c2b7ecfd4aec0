"""The account's orders and fills.

Here: their state. Not here: reading requests (`order_requests`), matching (`matching`), JSON
(`account_wire`).
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from kalshi_assets.exchange.fees import OrderFees
from kalshi_assets.sandbox.venue.levels import Side
from kalshi_assets.sandbox.venue.numbers import A_CONTRACT, MICRO_A_DOLLAR
from kalshi_assets.units import CC_A_DOLLAR

Status = Literal["resting", "canceled", "executed"]
FEE_TYPE, FEE_MULTIPLIER = "quadratic", 1


@dataclass(kw_only=True)
class Order:
    """An order; amounts in micro, contracts in hundredths, prices in cc of YES.

    `number` counts the account's orders from 1; `reason` is the last_update_reason.
    """

    order_id: str
    number: int
    client_order_id: str | None
    ticker: str
    side: Side
    price_cc: int
    initial: int
    remaining: int
    time_in_force: str
    self_trade_prevention: str
    post_only: bool
    cancel_on_pause: bool
    group_id: str | None
    expires_us: int | None
    created_us: int
    updated_us: int
    filled: int = 0
    status: Status = "resting"
    reason: str | None = None
    taker_cost: int = 0
    maker_cost: int = 0
    taker_fees: int = 0
    maker_fees: int = 0
    fees: OrderFees = field(
        default_factory=lambda: OrderFees(fee_type=FEE_TYPE, multiplier=FEE_MULTIPLIER)
    )

    @property
    def unit_cost_cc(self) -> int:
        """Price of the outcome bought: YES for a bid, NO for an ask."""
        return unit_cost_cc(self.side, self.price_cc)

    def execute(self, price_cc: int, size: int, *, is_taker: bool, at_us: int) -> int:
        """Count a fill; returns its fee in micro.

        Parameters
        ----------
        price_cc, size
            The fill.
        is_taker
            Whether this order took.
        at_us
            The instant.
        """
        action: Literal["buy", "sell"] = "buy" if self.side == "bid" else "sell"
        charged = self.fees.fill(
            price_cc, Decimal(size) / A_CONTRACT, action, "taker" if is_taker else "maker"
        )
        fee = int(charged * MICRO_A_DOLLAR)
        cost = unit_cost_cc(self.side, price_cc) * size
        self.filled += size
        self.remaining -= size
        if is_taker:
            self.taker_cost += cost
            self.taker_fees += fee
        else:
            self.maker_cost += cost
            self.maker_fees += fee
        self.updated_us, self.reason = at_us, "Trade"
        if self.remaining == 0:
            self.status = "executed"
        return fee


@dataclass(frozen=True, kw_only=True)
class Fill:
    """One execution of an own order; `number` counts the account's fills from 1."""

    number: int
    trade_id: str
    order_id: str
    client_order_id: str | None
    ticker: str
    side: Side
    price_cc: int
    size: int
    is_taker: bool
    fee: int
    at_us: int
    position_after: int


def unit_cost_cc(side: Side, price_cc: int) -> int:
    """Price of the outcome that a side buys."""
    return price_cc if side == "bid" else CC_A_DOLLAR - price_cc
