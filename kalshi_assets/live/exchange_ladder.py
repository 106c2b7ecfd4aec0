"""One ladder-day of a session that trades at an exchange.

At every minute the desk decides on what is known then; its orders go through the gateway, and what
becomes of them comes from the journal, which the stream and reconciliation keep. A minute that was
missed is not made up for: its quotes are gone.

Here: the minutes of a ladder. Not here: the session around it (`exchange_session`), sending
(`gateway`), decisions (`trading`).
"""

from collections.abc import Mapping

import numpy as np
import polars as pl

from kalshi_assets.exchange.wire_orders import Accepted, AlreadyExists, Unknown
from kalshi_assets.ladder.terms import atoms_of
from kalshi_assets.live.day_so_far import DaySoFar
from kalshi_assets.live.facts import LadderFacts
from kalshi_assets.live.gate import Ladder
from kalshi_assets.live.gateway import Gateway
from kalshi_assets.live.intents import OrderIntent
from kalshi_assets.live.journal import Journal
from kalshi_assets.tables import EVENTS
from kalshi_assets.trading import records
from kalshi_assets.trading.day import TradingDay
from kalshi_assets.trading.real_desk import RealDesk, SentOrder, whole_contracts
from kalshi_assets.trading.strategies import MinuteStrategy, Strategy
from kalshi_assets.units import CC_A_DOLLAR, MILLIONTHS

_MILLIONTHS_A_CC = MILLIONTHS // CC_A_DOLLAR


class ExchangeLadder:
    """A ladder-day.

    Parameters
    ----------
    day, facts
        The day, and what fetches its facts.
    strategy
        Whose orders are sent.
    journal
        The session's.
    account
        Whose orders they are.
    """

    def __init__(
        self,
        day: DaySoFar,
        facts: LadderFacts,
        strategy: Strategy | MinuteStrategy,
        journal: Journal,
        account: str,
    ) -> None:
        self.day, self.facts = day, facts
        self._strategy, self._journal, self._account = strategy, journal, account
        self._desk: RealDesk | None = None
        self._ids: dict[int, str] = {}
        self.latest: TradingDay | None = None
        self.decided = -1
        self.is_over = False

    @property
    def event_ticker(self) -> str | None:
        """The event; None: not known yet."""
        events = self.day.known(EVENTS)
        return None if events is None else str(events["event_ticker"][0])

    @property
    def deadline_us(self) -> int:
        """When a session gives it up, if it has not ended by then."""
        return self.day.deadline_us

    @property
    def minutes(self) -> int:
        """Minutes of the whole day; 0: not known yet."""
        return 0 if self.latest is None else len(self.latest.instants)

    @property
    def markets(self) -> tuple[str, ...]:
        """Its markets in ladder order; none if they are not known yet."""
        events = self.day.known(EVENTS)
        if events is None:
            return ()
        return tuple(leg.market_ticker for leg in atoms_of(events).legs)

    def ladder(self) -> Ladder:
        """The markets and which of them pay together, for the gate."""
        events = self.day.known(EVENTS)
        assert events is not None, "before the contract was read"
        atoms = atoms_of(events)
        pays = [
            frozenset(np.array(self.markets)[atoms.payoff[:, atom] > 0].tolist())
            for atom in range(atoms.count)
        ]
        return Ladder(markets=self.markets, outcomes=tuple(pays))

    def advance(self, now_us: int, gateway: Gateway) -> pl.DataFrame | None:
        """Decide the present minute and send what follows; None: decided already, or not known.

        Parameters
        ----------
        now_us
            The present.
        gateway
            Sends and cancels.

        Returns
        -------
        DataFrame
            Rows of `backtest.decisions`.
        """
        self.facts.refresh(now_us)
        if self.day.known(EVENTS) is None:
            return None
        day = self.latest = self.day.trading_day(now_us)
        minute = int(np.searchsorted(day.instants, now_us, side="right")) - 1
        self.is_over = now_us >= day.terms.close
        if minute <= self.decided or self.is_over:
            return None
        if self._desk is None:
            self._desk = RealDesk(self._strategy, day, *self._held())
        self.decided = minute
        self._follow(day, now_us)
        wishes = self._desk.decide(day, minute)
        for number in wishes.cancel:
            gateway.cancel(self._ids[number], "the engine")
        for order in wishes.send:
            self._send(order, day, minute, now_us, gateway)
        return records.decisions(day, [self._desk.run()], range(minute, minute + 1))

    def _held(self) -> tuple[np.ndarray, int]:
        """Positions and the cash paid for them, from the journal."""
        held, markets = self._journal.positions(), self.markets
        position = np.array([whole_contracts(held.get(m, 0)) for m in markets], np.int64)
        millionths = sum(
            each.cash_millionths + each.opening_cash_millionths
            for each in self._journal.holdings()
            if each.market_ticker in markets
        )
        return position, int(millionths // _MILLIONTHS_A_CC)

    def _follow(self, day: TradingDay, now_us: int) -> None:
        """Take over from the journal what became of working orders."""
        assert self._desk is not None
        for number in self._desk.working:
            order = self._journal.order(self._ids[number])
            if order is None:
                self._desk.ended(number, now_us)
                continue
            self._desk.filled(number, whole_contracts(order.filled), now_us, day)
            if not order.is_open:
                self._desk.ended(number, now_us)

    def _send(
        self, order: SentOrder, day: TradingDay, minute: int, now_us: int, gateway: Gateway
    ) -> None:
        assert self._desk is not None
        intent = OrderIntent(
            account=self._account,
            event_ticker=day.terms.event,
            strategy=self._strategy.name,
            decided_at_us=int(day.instants[minute]),
            bracket=order.bracket,
            market_ticker=day.markets[order.bracket],
            side="bid" if order.sign > 0 else "ask",
            execution="taker" if order.takes else "maker",
            price_cc=order.price_cc,
            contracts=order.contracts,
            evidence=_evidence(order),
        )
        self._ids[order.number] = intent.client_order_id
        # An order whose outcome is not known still counts as working.
        if not isinstance(gateway.place(intent), Accepted | AlreadyExists | Unknown):
            self._desk.ended(order.number, now_us)


def _evidence(order: SentOrder) -> Mapping[str, float]:
    return {"p_used": order.p_used, "p_mkt": order.p_mkt}
