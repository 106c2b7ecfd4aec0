"""The venue: markets open, move, close and settle as time goes on.

Here: time, the lives of the markets, pauses, what is written to the books on disk when. Not here:
order requests (`order_entry`), matching (`matching`).
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from kalshi_assets.instants import microseconds_of
from kalshi_assets.sandbox.archive import Archive, Market
from kalshi_assets.sandbox.exchange_errors import coded, not_found
from kalshi_assets.sandbox.exchange_state import SETTLEMENT_LAG, instant
from kalshi_assets.sandbox.venue.account import Account
from kalshi_assets.sandbox.venue.background import Action, LevelSet, Print, Quote, actions_of
from kalshi_assets.sandbox.venue.books import Books
from kalshi_assets.sandbox.venue.events import (
    Event,
    Lifecycle,
    Listener,
    OrderChanged,
    PositionChanged,
    Settled,
)
from kalshi_assets.sandbox.venue.groups import Group
from kalshi_assets.sandbox.venue.levels import Book
from kalshi_assets.sandbox.venue.matching import Matching, TradedMarket
from kalshi_assets.sandbox.venue.orders import Fill, Order
from kalshi_assets.sandbox.venue.schedule import Schedule
from kalshi_assets.units import CC_A_DOLLAR, SECOND_US

CLOSE_CANCEL_US = SECOND_US
"""So long after the close resting orders are cancelled; until then cancels are refused."""
REFILL_US = 2 * SECOND_US
"""So long after a trade the background has its sizes again."""
_LAG_US = int(SETTLEMENT_LAG.total_seconds()) * SECOND_US


class Venue:
    """The exchange's books, driven by `run_until`.

    Parameters
    ----------
    archive
        The background: markets, quotes, trades, results.
    start_us
        The first instant; a later one in `books` comes first.
    initial
        Cash of a new account, micro.
    books
        Where account and orders are kept.
    """

    def __init__(self, archive: Archive, *, start_us: int, initial: int, books: Books) -> None:
        kept = books.load(initial)
        self.archive = archive
        self.books = books
        self.schedule = Schedule()
        self.account: Account = kept.account
        self.groups: dict[str, Group] = kept.groups
        self.fills: list[Fill] = kept.fills
        self.trading_active = True
        self.kill_until_us = kept.kill_until_us
        self.markets: dict[str, TradedMarket] = {}
        self.on_match: list[Callable[[Order, Fill], None]] = []
        self._listeners: list[Listener] = [self._note]
        self._loaded: set[str] = set()
        self.matching = Matching(
            self.account, publish=self.publish, on_match=self._matched, fills=len(self.fills)
        )
        self.matching.restore(kept.orders)
        self.matching.now_us = max(start_us, kept.now_us)
        for ticker, close_us in kept.closes.items():
            self._set_close(ticker, close_us)
        self._plan()
        self._return_orders()
        self.commit()

    @property
    def now_us(self) -> int:
        """The simulated present."""
        return self.matching.now_us

    @property
    def orders(self) -> dict[str, Order]:
        """Every order of the account by ID, the oldest first."""
        return self.matching.orders

    def listen(self, listener: Listener) -> None:
        """Tell someone of everything that happens from now on."""
        self._listeners.append(listener)

    def publish(self, event: Event) -> None:
        """Tell all listeners."""
        for listener in self._listeners:
            listener(event)

    def run_until(self, at_us: int, *, most: int | None = None) -> bool:
        """Do everything that is due up to an instant, in order; the time is then that instant.

        Parameters
        ----------
        at_us
            The instant; an earlier one than the present changes nothing.
        most
            Stop after so many actions.

        Returns
        -------
        Whether everything was done.
        """
        done = 0
        while (due := self.schedule.next_us) is not None and due <= at_us:
            if most is not None and done >= most:
                self.commit()
                return False
            due_us, action = self.schedule.pop()
            self.matching.now_us = max(self.now_us, due_us)
            action()
            done += 1
        self.matching.now_us = max(self.now_us, at_us)
        self.commit()
        return True

    def commit(self) -> None:
        """Write what changed to the books on disk."""
        self.books.commit(self.now_us, self.account.cash, self.kill_until_us)

    def open_market(self, ticker: str) -> TradedMarket:
        """A market in which orders may be placed.

        Raises
        ------
        WireError
            404: unknown or not yet open; 400 MARKET_INACTIVE; 409: trading is paused.
        """
        traded = self.known_market(ticker)
        if traded is None or traded.status != "active":
            raise market_inactive()
        if not self.trading_active:
            raise coded(409, "trading_is_paused", "trading is paused")
        return traded

    def known_market(self, ticker: str) -> TradedMarket | None:
        """A market that is open or was; None: it closed before the sandbox began.

        Raises
        ------
        WireError
            404: unknown or not yet open.
        """
        if not self.is_open_or_over(ticker):
            raise not_found()
        return self.markets.get(ticker)

    def is_open_or_over(self, ticker: str) -> bool:
        """Whether there is such a market and it has opened."""
        market = self.archive.markets.get(ticker)
        return market is not None and microseconds_of(market.open_time) <= self.now_us

    def book(self, ticker: str) -> Book:
        """A market's book; empty if it closed before the sandbox began."""
        traded = self.markets.get(ticker)
        return traded.book if traded is not None else Book()

    def pause(self) -> None:
        """Pause trading: nothing trades, and orders with cancel_order_on_pause go."""
        self.trading_active = False
        for order in self.matching.resting():
            if order.cancel_on_pause:
                self.matching.cancel(self.markets[order.ticker], order, "HaltCancel")

    def resume(self) -> None:
        """Resume trading."""
        self.trading_active = True
        for traded in self.markets.values():
            if traded.status == "active":
                self.matching.refresh(traded)

    def pause_market(self, ticker: str) -> None:
        """Pause one market."""
        traded = self.markets[ticker]
        traded.status = "inactive"
        for order in self.matching.resting(ticker):
            if order.cancel_on_pause:
                self.matching.cancel(traded, order, "HaltCancel")
        self._lifecycle(ticker, "deactivated", is_deactivated=True)

    def resume_market(self, ticker: str) -> None:
        """Resume one market; its resting orders are cancelled."""
        traded = self.markets[ticker]
        for order in self.matching.resting(ticker):
            self.matching.cancel(traded, order, "HaltCancel")
        traded.status = "active"
        self._lifecycle(ticker, "activated", is_deactivated=False)
        self.matching.refresh(traded)

    def close_early(self, ticker: str) -> None:
        """Close a market now."""
        self._set_close(ticker, self.now_us)
        self.books.keep_close(ticker, self.now_us)
        self.markets[ticker].market = self.archive.markets[ticker]
        self._lifecycle(ticker, "close_date_updated", close_ts=self.now_us // SECOND_US)
        self._close(ticker)
        self.schedule.add(self.now_us + _LAG_US, partial(self._settle, ticker))

    def _note(self, event: Event) -> None:
        if isinstance(event, OrderChanged):
            self.books.keep_order(event.order)
        elif isinstance(event, PositionChanged):
            self.books.keep_position(event.position)
        elif isinstance(event, Settled):
            self.books.keep_settlement(event.settlement)

    def _matched(self, order: Order, fill: Fill) -> None:
        self.fills.append(fill)
        self.books.keep_fill(fill)
        for listener in self.on_match:
            listener(order, fill)

    def _plan(self) -> None:
        """Schedule the lives of all markets that are not over; those that are open catch up."""
        open_events: dict[str, None] = {}
        for market in self.archive.markets.values():
            open_us, close_us = map(microseconds_of, (market.open_time, market.close_time))
            position = self.account.positions.get(market.ticker)
            held = position is not None and not position.settled
            if close_us > self.now_us:
                if open_us <= self.now_us:
                    self.markets[market.ticker] = TradedMarket(market=market)
                    open_events[market.event_ticker] = None
                else:
                    self.schedule.add(open_us, partial(self._open, market))
                self.schedule.add(close_us, partial(self._close, market.ticker))
            if close_us + _LAG_US > self.now_us or held:
                self.schedule.add(close_us + _LAG_US, partial(self._settle, market.ticker))
        for event_ticker in open_events:
            self._load(event_ticker)

    def _return_orders(self) -> None:
        """Orders of an earlier run rest again, behind what is displayed."""
        for order in self.matching.resting():
            traded = self.markets.get(order.ticker)
            if traded is None:
                self.matching.end(order, "CloseCancel")
                continue
            self.matching.return_order(traded, order)
            self.expire_at(order)
        for traded in self.markets.values():
            self.matching.refresh(traded)

    def expire_at(self, order: Order) -> None:
        """Schedule the end of an order that has one."""
        if order.expires_us is not None:
            self.schedule.add(order.expires_us, partial(self._expire, order, order.expires_us))

    def _expire(self, order: Order, at_us: int) -> None:
        """Cancel an order whose time has come, unless it was given another."""
        if order.status == "resting" and order.expires_us == at_us:
            self.matching.cancel(self.markets[order.ticker], order, "ExpiryCancel")

    def _open(self, market: Market) -> None:
        self.markets[market.ticker] = TradedMarket(market=market)
        self._lifecycle(
            market.ticker,
            "created",
            open_ts=microseconds_of(market.open_time) // SECOND_US,
            close_ts=microseconds_of(market.close_time) // SECOND_US,
            strike_type=market.strike_type,
            floor_strike=market.floor_strike,
            cap_strike=market.cap_strike,
            price_level_structure="linear_cent",
            exchange_index=0,
        )
        if market.event_ticker not in self._loaded:
            self._load(market.event_ticker)

    def _load(self, event_ticker: str) -> None:
        """Schedule an event's quotes and trades, and bring its open markets to the present."""
        self._loaded.add(event_ticker)
        actions = actions_of(self.archive, event_ticker)
        first = bisect_right(actions, self.now_us, key=lambda action: action.at_us)
        last: dict[tuple, Quote | LevelSet] = {}
        for action in actions[:first]:
            traded = self.markets.get(action.ticker)
            if traded is None:
                continue
            if isinstance(action, Print):
                traded.count(action.price_cc, action.size)
            elif isinstance(action, Quote):
                last[action.ticker, None, None] = action
            else:
                last[action.ticker, action.side, action.price_cc] = action
        for action in last.values():
            self._set_background(self.markets[action.ticker], action)
        if first < len(actions):
            self.schedule.add(actions[first].at_us, partial(self._play, actions, first))

    def _play(self, actions: list[Action], place: int) -> None:
        action = actions[place]
        if place + 1 < len(actions):
            self.schedule.add(actions[place + 1].at_us, partial(self._play, actions, place + 1))
        traded = self.markets.get(action.ticker)
        if traded is None or traded.status not in ("active", "inactive"):
            return
        halted = traded.status == "inactive" or not self.trading_active
        if isinstance(action, Print):
            if not halted:
                self.matching.print(traded, action)
                self.schedule.add(self.now_us + REFILL_US, partial(self._refill, traded))
        elif not halted:
            self._set_background(traded, action)
        elif isinstance(action, Quote):
            traded.bid_cc, traded.ask_cc = action.bid_cc, action.ask_cc
        elif traded.recorded is not None:
            traded.recorded[action.side][action.price_cc] = action.size

    def _set_background(self, traded: TradedMarket, action: Quote | LevelSet) -> None:
        if isinstance(action, Quote):
            self.matching.quote(traded, action)
        else:
            self.matching.level(traded, action)

    def _refill(self, traded: TradedMarket) -> None:
        if traded.status == "active" and self.trading_active:
            self.matching.refresh(traded)

    def _close(self, ticker: str) -> None:
        traded = self.markets[ticker]
        if traded.status in ("closed", "settled"):
            return
        traded.status = "closed"
        self.matching.clear(traded)
        self.schedule.add(self.now_us + CLOSE_CANCEL_US, partial(self._cancel_closed, ticker))

    def _cancel_closed(self, ticker: str) -> None:
        for order in self.matching.resting(ticker):
            self.matching.cancel(self.markets[ticker], order, "CloseCancel")

    def _settle(self, ticker: str) -> None:
        market = self.archive.markets[ticker]
        traded = self.markets.get(ticker)
        if not market.result or (traded is not None and traded.status == "settled"):
            return
        if microseconds_of(market.close_time) + _LAG_US > self.now_us:
            return
        if traded is not None:
            traded.status = "settled"
        value = f"{CC_A_DOLLAR if market.result == 'yes' else 0:05d}"
        self._lifecycle(
            ticker,
            "determined",
            result=market.result,
            determination_ts=self.now_us // SECOND_US,
            settlement_value=f"{value[0]}.{value[1:]}",
        )
        settlement = self.account.settle(ticker, market.event_ticker, market.result, self.now_us)
        if ticker in self.account.positions:
            self.publish(PositionChanged(self.account.positions[ticker]))
        if settlement is not None:
            self.publish(Settled(settlement))
        self._lifecycle(ticker, "settled", settled_ts=self.now_us // SECOND_US)

    def _set_close(self, ticker: str, close_us: int) -> None:
        market = replace(self.archive.markets[ticker], close_time=instant(close_us))
        self.archive.replace(market)

    def _lifecycle(self, ticker: str, event_type: str, **more: object) -> None:
        told = {name: value for name, value in more.items() if value is not None}
        self.publish(Lifecycle(ticker, event_type, told, self.now_us))


def market_inactive() -> Exception:
    """400 MARKET_INACTIVE."""
    return coded(400, "MARKET_INACTIVE", "market is not active")
