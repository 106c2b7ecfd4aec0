"""The exchange's terms of trading one event: fees and tick.

Here: the event's terms bound to the exchange's fee formula. Not here: the formula itself
(`exchange.fees`), or what a trader tunes (`params`).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.exchange.fees import OrderFees, Schedule, fee_cc
from kalshi_assets.ladder.atoms import Atoms
from kalshi_assets.ladder.terms import atoms_of
from kalshi_assets.trading.orders import Execution
from kalshi_assets.trading.params import TradingParams
from kalshi_assets.units import CC_A_DOLLAR, MINUTE_US

# A day asks for the same few hundred fees thousands of times; one costs about 10 us.
_CACHED = 1 << 16

_NO_WAIVER = np.iinfo(np.int64).min


@dataclass(frozen=True, kw_only=True)
class EventTerms:
    """Terms of one event.

    Attributes
    ----------
    fee_type, fee_multiplier
        The exchange's formula and its factor, as `market.events` has them.
    schedule
        The account's fee schedule, which decides the rounding; see `exchange.fees`.
    tick_cc
        Price tick.
    fees_from
        Per bracket the first minute, since the epoch, at which fees are due; earlier ones are
        waived. None: fees are always due. Empty: no bracket has a waiver.
    ladder
        The event's legs by bracket; None: a partition.
    """

    fee_type: str
    fee_multiplier: float
    schedule: Schedule = "direct"
    tick_cc: int = 100
    fees_from: tuple[int | None, ...] = ()
    ladder: Atoms | None = None

    @classmethod
    def of(cls, events: pl.DataFrame) -> Self:
        """The terms in `market.events` of one event.

        Raises
        ------
        ValueError
            The fee is not known.
        """
        events = events.sort("bracket")
        known = events["fee_type"].is_not_null() & (events["fee_multiplier"] >= 0)
        if not known.fill_null(value=False).all():
            raise ValueError(
                f"the fee terms of {events['event_ticker'][0]} are not known; "
                "materialise market.events of the day again"
            )
        until = events["fee_waiver_until"].to_physical().to_list()
        # A minute's row stands for its first instant: within the waiver's last minute it is free.
        return cls(
            fee_type=events["fee_type"][0],
            fee_multiplier=events["fee_multiplier"][0],
            fees_from=tuple(None if at is None else -(-at // MINUTE_US) for at in until),
            ladder=atoms_of(events),
        )

    def is_waived(self, bracket: int, minute: int) -> bool:
        """Whether a fill costs no fee.

        Parameters
        ----------
        bracket
            Position in the ladder.
        minute
            Minute of the fill, since the epoch.
        """
        due = self.fees_from[bracket] if self.fees_from else None
        return due is not None and minute < due

    def free_rows(self, panel: pl.DataFrame, params: TradingParams) -> NDArray[np.bool_] | None:
        """Rows at which a new order is free however late it fills; None: nowhere.

        Where the waiver may end while the order rests, its fee is counted.

        Parameters
        ----------
        panel
            Rows with `minute` and `bracket`.
        params
            Latency and lifetime of orders.
        """
        if not any(due is not None for due in self.fees_from):
            return None
        of_bracket = np.array([_NO_WAIVER if due is None else due for due in self.fees_from])
        last_fill = params.latency_minutes + params.order_lifetime_minutes
        minute = panel["minute"].to_physical().to_numpy() // MINUTE_US
        return minute + last_fill < of_bracket[panel["bracket"].to_numpy()]

    def fee(self, price_cc: int, contracts: int, execution: Execution) -> int:
        """Fee in cc of an order that fills whole at once, without a waiver.

        Parameters
        ----------
        price_cc
            Price of YES.
        contracts
            Size.
        execution
            Maker or taker.
        """
        return _fee_cc(
            price_cc, contracts, self.fee_type, self.fee_multiplier, execution, self.schedule
        )

    def order_fee(self, price_cc: int, fills: tuple[int, ...], execution: Execution) -> int:
        """Fee in cc of an order that filled at one price in pieces.

        Parameters
        ----------
        price_cc
            Price of YES.
        fills
            Contracts of the pieces, without those whose fee was waived.
        execution
            Maker or taker.
        """
        if not fills:
            return 0
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
    return int(total * CC_A_DOLLAR)
