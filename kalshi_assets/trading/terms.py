"""What the exchange says about trading one event: fee terms and tick.

Here: the event's terms bound to the exchange's fee formula. Not here: the formula itself
(`exchange.fees`), or what a trader tunes (`params`).
"""

from dataclasses import dataclass
from functools import lru_cache

from kalshi_assets.exchange.fees import OrderFees, Schedule, fee_cc
from kalshi_assets.exchange.wire_values import CC_PER_DOLLAR
from kalshi_assets.trading.orders import Execution

# A day asks for the same few hundred fees thousands of times; one costs about 10 us.
_CACHED = 1 << 16


@dataclass(frozen=True, kw_only=True)
class EventTerms:
    """Terms of one event.

    Attributes
    ----------
    fee_type, fee_multiplier
        The exchange's formula and its factor, as `market.events` has them.
    schedule
        Who we are to the exchange, which decides the rounding; see `exchange.fees`.
    tick_cc
        Least step of price.
    """

    fee_type: str
    fee_multiplier: float
    schedule: Schedule = "direct"
    tick_cc: int = 100

    def fee(self, price_cc: int, contracts: int, execution: Execution) -> int:
        """Fee in cc of an order that fills whole at once."""
        return _fee_cc(
            price_cc, contracts, self.fee_type, self.fee_multiplier, execution, self.schedule
        )

    def order_fee(self, price_cc: int, fills: tuple[int, ...], execution: Execution) -> int:
        """Fee in cc of an order that filled at one price in pieces of these sizes."""
        if len(fills) == 1:
            return self.fee(price_cc, fills[0], execution)
        return _order_fee_cc(
            price_cc, fills, self.fee_type, self.fee_multiplier, execution, self.schedule
        )


_fee_cc = lru_cache(maxsize=_CACHED)(fee_cc)


@lru_cache(maxsize=_CACHED)
def _order_fee_cc(
    price_cc: int,
    fills: tuple[int, ...],
    fee_type: str,
    multiplier: float,
    execution: Execution,
    schedule: Schedule,
) -> int:
    order = OrderFees(fee_type=fee_type, multiplier=multiplier, schedule=schedule)
    # Selling YES at p moves a whole number of dollars more than buying NO at 1 - p, and whole
    # dollars do not change the rounding: one action stands for all.
    total = sum(order.fill(price_cc, contracts, "buy", execution) for contracts in fills)
    return int(total * CC_PER_DOLLAR)
