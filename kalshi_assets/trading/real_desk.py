"""A desk whose orders go to an exchange: the backtest's decisions, the exchange's fills.

Here: what is decided at a minute, and taking over what became of orders. Not here: sending them
(`live`), simulated fills (`stepping`).
"""

from dataclasses import dataclass

import numpy as np

from kalshi_assets.trading.calling import Asked
from kalshi_assets.trading.day import TradingDay
from kalshi_assets.trading.desk_kernels import (
    BRACKET,
    CANCELLED,
    CASH,
    CONTRACTS,
    END,
    ENDED_AT,
    FILLED_SO_FAR,
    IS_CANCELLED,
    OPEN,
    ORDERS,
    PRICE,
    SIGN,
    TAKES,
    WORKING,
    Decided,
    book,
    decide,
    new_desk,
    new_scratch,
)
from kalshi_assets.trading.engine import Run, limits_of
from kalshi_assets.trading.stepping import nothing_decided
from kalshi_assets.trading.strategies import MinuteStrategy, Strategy, Wanted
from kalshi_assets.units import Ints

REAL = "exchange"
"""What stands for the fill model of orders that the exchange fills."""

_ROOM = 4096


@dataclass(frozen=True, kw_only=True)
class SentOrder:
    """An order that the desk wants sent.

    Attributes
    ----------
    number
        Of the order on the desk.
    bracket, sign, takes, price_cc, contracts
        Position in the ladder; +1 buys YES; immediate or resting; limit; whole contracts.
    p_used, p_mkt
        Probabilities that it rests on.
    """

    number: int
    bracket: int
    sign: int
    takes: bool
    price_cc: int
    contracts: int
    p_used: float
    p_mkt: float


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a desk wants of the exchange at a minute: cancels first."""

    cancel: tuple[int, ...]
    send: tuple[SentOrder, ...]


class RealDesk:
    """One strategy's desk on a ladder.

    Parameters
    ----------
    strategy
        Whose orders they are.
    day
        The day at its start.
    position
        YES contracts held by bracket; negative: NO.
    cash_cc
        Cash received less paid for them, fees included.
    """

    def __init__(
        self, strategy: Strategy | MinuteStrategy, day: TradingDay, position: Ints, cash_cc: int
    ) -> None:
        self.strategy, self._of = strategy, Asked(strategy)
        self._desk = new_desk(
            len(day.first),
            orders=_ROOM,
            fills=2 * _ROOM,
            open_orders=day.params.max_open_orders,
        )
        self._desk.position[:] = position
        self._desk.counts[CASH] = cash_cc
        self._scratch = new_scratch(len(day.first), day.terms.kernel.atoms)
        self._decided: Decided = nothing_decided(day)
        self._asked: set[int] = set()
        self._wanted: Wanted | None = None

    @property
    def position(self) -> Ints:
        """YES contracts by bracket; negative: NO."""
        return self._desk.position

    @property
    def working(self) -> tuple[int, ...]:
        """Numbers of the orders that may still fill."""
        return tuple(self._desk.working[: self._desk.counts[OPEN]].tolist())

    def decide(self, day: TradingDay, minute: int) -> Wishes:
        """What the strategy wants at a minute, within all limits.

        Parameters
        ----------
        day
            The day so far.
        minute
            Position in the day.

        Raises
        ------
        RuntimeError
            There is no room for more orders: the desk stops.
        """
        desk = self._desk
        if desk.counts[ORDERS] + len(day.first) > len(desk.orders):
            raise RuntimeError(f"{self.strategy.name} sent {desk.counts[ORDERS]} orders: it stops")
        if len(self._decided.reason) != day.panel.height:
            self._decided = nothing_decided(day)
        wanted = self._of.wanted(day, minute, desk.position)
        self._wanted = wanted
        rows, before = day.first + minute, int(desk.counts[ORDERS])
        self._decided.reason[rows] = wanted.wants.reason[rows]
        decide(
            desk,
            int(day.instants[minute]),
            minute,
            day.first,
            day.rows,
            wanted.wants,
            day.terms.kernel,
            limits_of(day, wanted),
            day.terms.prices,
            self._scratch,
            True,
            self._decided,
        )
        self._decided.position[rows] = desk.position
        cancel = [n for n in self.working if desk.orders[n, IS_CANCELLED] and n not in self._asked]
        self._asked.update(cancel)
        send = [self._sent(n, day, minute, wanted) for n in range(before, int(desk.counts[ORDERS]))]
        return Wishes(cancel=tuple(cancel), send=tuple(send))

    def _sent(self, n: int, day: TradingDay, minute: int, wanted: Wanted) -> SentOrder:
        order = self._desk.orders[n]
        row = int(day.first[order[BRACKET]]) + minute
        return SentOrder(
            number=n,
            bracket=int(order[BRACKET]),
            sign=int(order[SIGN]),
            takes=bool(order[TAKES]),
            price_cc=int(order[PRICE]),
            contracts=int(order[CONTRACTS]),
            p_used=float(wanted.wants.used[row]),
            p_mkt=float(day.rows.market[row]),
        )

    def filled(self, number: int, contracts: int, at_us: int, day: TradingDay) -> None:
        """Take over what an order filled; at its limit, which is the worst price that it may get.

        Parameters
        ----------
        number
            The order.
        contracts
            Whole contracts filled in all.
        at_us
            When it was known, microseconds.
        day
            For the fees.
        """
        orders = self._desk.orders
        more = contracts - int(orders[number, FILLED_SO_FAR])
        if more > 0:
            book(self._desk, number, more, int(orders[number, PRICE]), at_us, day.terms.kernel)

    def ended(self, number: int, at_us: int) -> None:
        """Take over that an order can no longer fill.

        Parameters
        ----------
        number, at_us
            The order, and when that was known.
        """
        desk, counts = self._desk, self._desk.counts
        if desk.orders[number, END] != WORKING:
            return
        desk.orders[number, END], desk.orders[number, ENDED_AT] = CANCELLED, at_us
        left = [n for n in self.working if n != number]
        desk.working[: len(left)] = left
        counts[OPEN] = len(left)

    def run(self) -> Run:
        """Decisions and orders so far, for the records."""
        assert self._wanted is not None, "before the first decision"
        desk = self._desk._replace(
            orders=self._desk.orders[: self._desk.counts[ORDERS]], fills=self._desk.fills[:0]
        )
        return Run(
            strategy=self.strategy.name,
            fill_model=REAL,
            desk=desk,
            wanted=self._wanted,
            decided=self._decided,
        )


def whole_contracts(hundredths: int) -> int:
    """Contracts from 1/100 contract, rounded towards none."""
    return int(np.fix(hundredths / 100))
