"""The sandbox's one account: cash, positions, settlements.

Here: what a fill or a settlement does to them, what resting orders lock. Not here: when a fill
happens (`matching`). Amounts are in micro (millionths of a dollar), prices in cc, contracts in
hundredths.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from kalshi_assets.sandbox.venue.levels import Side
from kalshi_assets.sandbox.venue.orders import Order
from kalshi_assets.units import CC_A_DOLLAR


class ConservationError(AssertionError):
    """Money appeared or vanished; the message has the figures."""


@dataclass(kw_only=True)
class Position:
    """Contracts held in one market; positive: YES, negative: NO.

    `cost` is what the held contracts cost without fees; `traded` and `volume` are money and
    contracts of everything bought.
    """

    ticker: str
    contracts: int = 0
    cost: int = 0
    realized: int = 0
    fees: int = 0
    traded: int = 0
    volume: int = 0
    updated_us: int = 0
    settled: bool = False


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """What a settled market paid; `value_cc` is the payoff of a YES contract."""

    ticker: str
    event_ticker: str
    result: str
    contracts: int
    cost: int
    revenue: int
    fees: int
    value_cc: int
    settled_us: int


@dataclass(kw_only=True)
class Account:
    """Cash in micro, and the positions by ticker."""

    initial: int
    cash: int
    positions: dict[str, Position] = field(default_factory=dict)
    settlements: list[Settlement] = field(default_factory=list)

    def position(self, ticker: str) -> Position:
        """The position in a market, new if there is none."""
        return self.positions.setdefault(ticker, Position(ticker=ticker))

    def fill(
        self, ticker: str, side: Side, price_cc: int, size: int, *, fee: int, at_us: int
    ) -> Position:
        """Book a fill: close what is held of the other outcome, then open.

        Parameters
        ----------
        ticker, side, price_cc, size
            The fill; the price is of YES.
        fee
            Micro.
        at_us
            The instant.
        """
        position = self.position(ticker)
        held = position.contracts
        signed = size if side == "bid" else -size
        closing = min(size, abs(held)) if held * signed < 0 else 0
        opening = size - closing
        bought = price_cc if side == "bid" else CC_A_DOLLAR - price_cc
        proceeds = (CC_A_DOLLAR - bought) * closing
        released = position.cost * closing // abs(held) if closing else 0
        position.contracts += signed
        position.cost += bought * opening - released
        position.realized += proceeds - released
        position.fees += fee
        position.traded += bought * size
        position.volume += size
        position.updated_us = at_us
        self.cash += proceeds - bought * opening - fee
        return position

    def settle(self, ticker: str, event_ticker: str, result: str, at_us: int) -> Settlement | None:
        """Pay out a position; None if nothing was held.

        Parameters
        ----------
        ticker, event_ticker
            The market.
        result
            "yes" or "no".
        at_us
            The instant.
        """
        position = self.positions.get(ticker)
        if position is None or position.settled:
            return None
        position.settled, position.updated_us = True, at_us
        if position.contracts == 0:
            return None
        wins = (position.contracts > 0) == (result == "yes")
        revenue = CC_A_DOLLAR * abs(position.contracts) if wins else 0
        settlement = Settlement(
            ticker=ticker,
            event_ticker=event_ticker,
            result=result,
            contracts=position.contracts,
            cost=position.cost,
            revenue=revenue,
            fees=position.fees,
            value_cc=CC_A_DOLLAR if result == "yes" else 0,
            settled_us=at_us,
        )
        self.cash += revenue
        position.realized += revenue - position.cost
        position.contracts = position.cost = 0
        self.settlements.append(settlement)
        return settlement

    def locked(self, resting: Iterable[Order]) -> int:
        """Collateral of resting orders: a bid locks its price, an ask one dollar less its price.

        Orders that reduce a position lock nothing, up to the contracts held, the oldest first.
        """
        free: dict[tuple[str, str], int] = {}
        total = 0
        for order in sorted(resting, key=lambda o: o.number):
            key = order.ticker, order.side
            if key not in free:
                free[key] = self.reducible(order.ticker, order.side)
            covered = min(free[key], order.remaining)
            free[key] -= covered
            total += order.unit_cost_cc * (order.remaining - covered)
        return total

    def reducible(self, ticker: str, side: Side) -> int:
        """Contracts of a side that would reduce the position, hundredths."""
        position = self.positions.get(ticker)
        held = position.contracts if position else 0
        return max(held, 0) if side == "ask" else max(-held, 0)

    def check_conservation(self) -> None:
        """Cash + fees + cost of positions - realised profit = the initial cash, exactly.

        Raises
        ------
        ConservationError
            It is not so.
        """
        fees = sum(p.fees for p in self.positions.values())
        cost = sum(p.cost for p in self.positions.values())
        realized = sum(p.realized for p in self.positions.values())
        total = self.cash + fees + cost - realized
        if total != self.initial:
            raise ConservationError(
                f"cash {self.cash} + fees {fees} + cost {cost} - realised {realized} = {total} "
                f"micro, but the account began with {self.initial}"
            )
