"""The exchange's terms of trading one event: fees, price grid, close, payoffs.

Here: the event's terms in the form of the kernels. Not here: the fee formula itself
(`exchange.fees`), or what a trader tunes (`params`).
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Self

import numpy as np
import polars as pl

from kalshi_assets.exchange.contract import round_to_tick, tick_ranges
from kalshi_assets.exchange.fees import SHARES as FEE_SHARES
from kalshi_assets.exchange.fees import Schedule, UnknownFeeTypeError
from kalshi_assets.instants import microseconds, microseconds_of
from kalshi_assets.ladder.atoms import Atoms
from kalshi_assets.ladder.terms import atoms_of, terms_at, trading_end
from kalshi_assets.trading.desk_kernels import Terms
from kalshi_assets.trading.fee_kernels import SCHEDULES, SHARES, FeeTerms, fees_by_price
from kalshi_assets.trading.signal_kernels import PriceGrid
from kalshi_assets.units import CC_A_DOLLAR, Array

WHOLE_CENTS = "[[0, 10000, 100]]"


@dataclass(frozen=True, kw_only=True)
class EventTerms:
    """Terms of one event.

    Attributes
    ----------
    event
        Its ticker, which orders are named after.
    ladder
        The event's legs by bracket.
    fee_type, fee_multiplier
        The exchange's formula and its factor, as `market.events` has them.
    close
        When trading ends, microseconds.
    schedule
        The account's fee schedule, which decides the rounding; see `exchange.fees`.
    fee_from
        Per bracket from when fees are due, microseconds; `NEVER`: always.
    tick_grids
        Per bracket its price grid, as text of `market.events`.

    Raises
    ------
    ValueError
        The legs are neither a partition nor nested thresholds.
    """

    event: str
    ladder: Atoms
    fee_type: str
    fee_multiplier: float
    close: int
    schedule: Schedule = "direct"
    fee_from: tuple[int, ...]
    tick_grids: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.ladder.shape == "other":
            raise ValueError(
                f"the legs of {self.event} are neither a partition nor nested: they are not traded"
            )

    @classmethod
    def of(cls, events: pl.DataFrame) -> Self:
        """The terms in `market.events` of one event: those stated at the open, and the last close.

        Raises
        ------
        ValueError
            The fee is not known.
        """
        stated = terms_at(events).sort("bracket")
        known = stated["fee_type"].is_not_null() & (stated["fee_multiplier"] >= 0)
        if not known.fill_null(value=False).all():
            raise ValueError(
                f"the fee terms of {stated['event_ticker'][0]} are not known; "
                "materialise market.events of the day again"
            )
        return cls(
            event=stated["event_ticker"][0],
            ladder=atoms_of(events),
            fee_type=stated["fee_type"][0],
            fee_multiplier=stated["fee_multiplier"][0],
            close=microseconds_of(trading_end(events)),
            fee_from=tuple(microseconds(stated["fee_waiver_until"]).tolist()),
            tick_grids=tuple(stated["tick_grid"].to_list()),
        )

    @cached_property
    def fee(self) -> FeeTerms:
        """The fee's terms.

        Raises
        ------
        UnknownFeeTypeError
            The formula is unknown.
        ValueError
            The multiplier is finer than a ten-thousandth.
        """
        if self.fee_type not in FEE_SHARES:
            raise UnknownFeeTypeError(self.fee_type)
        shares = FEE_SHARES[self.fee_type]
        multiplier = Fraction(str(self.fee_multiplier)) * SHARES
        maker, taker = (multiplier * Fraction(shares[of]) for of in ("maker", "taker"))
        if maker.denominator != 1 or taker.denominator != 1:
            raise ValueError(
                f"the fee multiplier {self.fee_multiplier} of {self.event} is finer than "
                f"1/{SHARES}: fees would not be exact"
            )
        return FeeTerms(
            maker=maker.numerator, taker=taker.numerator, schedule=SCHEDULES[self.schedule]
        )

    @cached_property
    def prices(self) -> PriceGrid:
        """The price grids of the brackets."""
        grids = sorted(set(self.tick_grids))
        down, up = zip(*map(_rounded, grids), strict=True)
        return PriceGrid(
            of=np.array([grids.index(grid) for grid in self.tick_grids]),
            down=np.stack(down),
            up=np.stack(up),
        )

    @cached_property
    def kernel(self) -> Terms:
        """The terms for the kernels."""
        return Terms(
            runs=self.ladder.runs,
            atoms=self.ladder.count,
            partition=self.ladder.shape == "partition",
            fee=self.fee,
            fee_from=np.array(self.fee_from, np.int64),
            close=self.close,
        )

    def fees_a_contract(self, contracts: int) -> tuple[Array, Array]:
        """Fees per contract by price in cc, cents, of orders of a size: maker's and taker's."""
        return fees_by_price(self.fee, contracts)


@lru_cache(maxsize=64)
def _rounded(grid: str) -> tuple[Array, Array]:
    """By price in cc the nearest of a grid that is not above, and not below."""
    ranges, prices = tick_ranges(grid), range(CC_A_DOLLAR + 1)
    down = np.array([round_to_tick(ranges, price, "bid") for price in prices], dtype=np.float64)
    up = np.array([round_to_tick(ranges, price, "ask") for price in prices], dtype=np.float64)
    return down, up
