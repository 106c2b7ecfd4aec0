"""Matching: the account's orders against the background of the books.

Here: price-time priority, self-trade prevention, what a recorded quote or trade does to own orders.
Not here: whether a request is allowed (`venue`), time (`schedule`).

A quote of the background that reaches an own order trades with it, at the own order's price and up
to the size that arrives. A recorded trade fills own orders with a better price first, then what
stands before them at its price, then those. It is shown as it was recorded, whoever took part.
After it the background refills its best level to one contract at least, and soon to its size.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal
from uuid import NAMESPACE_URL, uuid5

from kalshi_assets.sandbox.archive import Market
from kalshi_assets.sandbox.exchange_state import EMPTY_ASK, EMPTY_BID
from kalshi_assets.sandbox.venue.account import Account
from kalshi_assets.sandbox.venue.background import LevelSet, Print, Quote, ladder
from kalshi_assets.sandbox.venue.events import (
    Filled,
    LevelChanged,
    Listener,
    OrderChanged,
    PositionChanged,
    Top,
    Traded,
)
from kalshi_assets.sandbox.venue.levels import SIDES, Book, Entry, Side, other
from kalshi_assets.sandbox.venue.numbers import A_CONTRACT
from kalshi_assets.sandbox.venue.orders import Fill, Order

TAKER_AT_CROSS = "taker_at_cross"
MarketStatus = Literal["active", "inactive", "closed", "settled"]


@dataclass(kw_only=True)
class TradedMarket:
    """A market that is open or was: its book, quotes of the background, totals.

    Sizes in hundredths of contracts, `money` in micro. `recorded` is the background's depth where
    the archive has it, in place of the quotes.
    """

    market: Market
    status: MarketStatus = "active"
    book: Book = field(default_factory=Book)
    bid_cc: int = EMPTY_BID
    ask_cc: int = EMPTY_ASK
    last_cc: int | None = None
    last_size: int = 0
    volume: int = 0
    money: int = 0
    open_interest: int = 0
    recorded: dict[Side, dict[int, int]] | None = None

    @property
    def ticker(self) -> str:
        """The market's ticker."""
        return self.market.ticker

    def count(self, price_cc: int, size: int) -> None:
        """Count a trade."""
        self.last_cc, self.last_size = price_cc, size
        self.volume += size
        self.money += price_cc * size


class Matching:
    """The books and the account's orders.

    Parameters
    ----------
    account
        Pays and is paid.
    publish
        Told of everything that happens.
    on_match
        Told of every own order's fill; an order group may be exhausted by it.
    """

    def __init__(
        self,
        account: Account,
        *,
        publish: Listener,
        on_match: Callable[[Order, Fill], None],
        fills: int = 0,
    ) -> None:
        self.account = account
        self.orders: dict[str, Order] = {}
        self.now_us = 0
        self._publish = publish
        self._on_match = on_match
        self._fills = fills
        self._rested: dict[str, Order] = {}

    def resting(self, ticker: str | None = None) -> list[Order]:
        """The orders in the books, of one market or all, in the order of coming to rest."""
        self._rested = {i: o for i, o in self._rested.items() if o.status == "resting"}
        return [o for o in self._rested.values() if ticker is None or o.ticker == ticker]

    def take(self, traded: TradedMarket, order: Order) -> None:
        """Match a new order with what rests; what remains neither rests nor is cancelled yet."""
        book = traded.book
        makers = other(order.side)
        for price, entry in book.makers(order.side, order.price_cc):
            if order.remaining == 0:
                break
            if entry.order_id is not None:
                if order.self_trade_prevention == TAKER_AT_CROSS:
                    self.end(order, "SelfTradeCancel")
                    break
                self.cancel(traded, self.orders[entry.order_id], "SelfTradeCancel")
                continue
            size = min(order.remaining, entry.size)
            book.reduce(makers, price, entry, size)
            self._fill(traded, order, price, size, is_taker=True)
            self._show_trade(traded, price, size, taker=order.side)
        self.flush(traded)

    def available(self, traded: TradedMarket, order: Order) -> tuple[int, bool]:
        """Contracts that an order could take, and whether it would meet an own order first."""
        total = 0
        for _, entry in traded.book.makers(order.side, order.price_cc):
            if total >= order.remaining:
                break
            if entry.order_id is not None:
                return total, True
            total += entry.size
        return total, False

    def rest(self, traded: TradedMarket, order: Order) -> None:
        """Put what remains of an order at the back of its level."""
        self._rested[order.order_id] = order
        traded.book.rest(order.side, order.price_cc, order.remaining, order.order_id)
        self.flush(traded)

    def cancel(self, traded: TradedMarket, order: Order, reason: str | None) -> int:
        """Take an order out of its book; returns the contracts that it still had, hundredths."""
        self.lift(traded, order)
        left = order.remaining
        self.end(order, reason)
        self.flush(traded)
        return left

    def lift(self, traded: TradedMarket, order: Order, by: int | None = None) -> None:
        """Take an order, or a part of its size, out of its level."""
        entry = traded.book.entry(order.side, order.price_cc, order.order_id)
        size = 0 if entry is None else entry.size if by is None else by
        if entry is not None and size:
            traded.book.reduce(order.side, order.price_cc, entry, size)

    def end(self, order: Order, reason: str | None) -> None:
        """Mark an order as cancelled."""
        order.remaining, order.status = 0, "canceled"
        order.updated_us, order.reason = self.now_us, reason
        self._publish(OrderChanged(order))

    def quote(self, traded: TradedMarket, quote: Quote) -> None:
        """Move the background to new best quotes: first what leaves, then what arrives."""
        traded.bid_cc, traded.ask_cc = quote.bid_cc, quote.ask_cc
        if quote.open_interest is not None:
            traded.open_interest = quote.open_interest
        self.refresh(traded)

    def level(self, traded: TradedMarket, level: LevelSet) -> None:
        """A recorded level of the background has another size."""
        if traded.recorded is None:
            traded.recorded = {"bid": {}, "ask": {}}
        traded.recorded[level.side][level.price_cc] = level.size
        excess = traded.book.background(level.side, level.price_cc) - level.size
        if excess > 0:
            traded.book.withdraw(level.side, level.price_cc, excess)
        elif excess < 0:
            self._arrive(traded, level.side, level.price_cc, -excess)
        self.flush(traded)

    def refresh(self, traded: TradedMarket) -> None:
        """Bring the background to its quotes, with the sizes of the present quarter of an hour."""
        book = traded.book
        best = {"bid": traded.bid_cc, "ask": traded.ask_cc}
        wanted = traded.recorded or {
            side: ladder(traded.ticker, side, best[side], self.now_us) for side in SIDES
        }
        for side in SIDES:
            for price in book.prices(side):
                excess = book.background(side, price) - wanted[side].get(price, 0)
                if excess > 0:
                    book.withdraw(side, price, excess)
        for side in SIDES:
            for price, size in wanted[side].items():
                missing = size - book.background(side, price)
                if missing > 0:
                    self._arrive(traded, side, price, missing)
        self.flush(traded)

    def clear(self, traded: TradedMarket) -> None:
        """Withdraw the background."""
        traded.bid_cc, traded.ask_cc, traded.recorded = EMPTY_BID, EMPTY_ASK, None
        self.refresh(traded)

    def print(self, traded: TradedMarket, trade: Print) -> None:
        """A recorded trade."""
        taker: Side = "bid" if trade.taker == "yes" else "ask"
        makers, left = other(taker), trade.size
        for price, entry in traded.book.makers(taker, trade.price_cc):
            if left == 0:
                break
            own = entry.order_id is not None
            if not own and price != trade.price_cc:
                continue
            size = min(left, entry.size)
            left -= size
            self._meet(traded, makers, price, entry, size)
        self._show(traded, trade.trade_id, trade.price_cc, trade.size, taker=trade.taker)
        best = traded.ask_cc if makers == "ask" else traded.bid_cc
        missing = A_CONTRACT - traded.book.background(makers, best)
        if best == trade.price_cc and missing > 0:
            self._arrive(traded, makers, best, missing)
        self.flush(traded)

    def flush(self, traded: TradedMarket) -> None:
        """Publish the changes of a book, then its best quotes if they changed."""
        changes = traded.book.taken_changes()
        for change in changes:
            order = self.orders.get(change.order_id) if change.order_id else None
            client_id = order.client_order_id if order else None
            self._publish(
                LevelChanged(
                    traded.ticker, change.side, change.price_cc, change.by, client_id, self.now_us
                )
            )
        if changes:
            self._publish(self.top(traded))

    def top(self, traded: TradedMarket) -> Top:
        """A market's best quotes and totals."""
        book = traded.book
        bid, ask = book.best("bid"), book.best("ask")
        return Top(
            ticker=traded.ticker,
            last_cc=traded.last_cc,
            bid_cc=bid,
            ask_cc=ask,
            bid_size=book.size("bid", bid) if bid is not None else 0,
            ask_size=book.size("ask", ask) if ask is not None else 0,
            last_size=traded.last_size,
            volume=traded.volume,
            open_interest=traded.open_interest,
            money=traded.money,
            at_us=self.now_us,
        )

    def return_order(self, traded: TradedMarket, order: Order) -> None:
        """Let an order of an earlier run rest again, behind the background of its level.

        Background that it would cross leaves; when it comes back (`refresh`) it trades.
        """
        book, against = traded.book, other(order.side)
        for price in book.prices(against):
            if book.crosses(order.side, order.price_cc, price):
                book.withdraw(against, price, book.background(against, price))
        self.rest(traded, order)

    def restore(self, orders: Iterable[Order]) -> None:
        """Take over orders of an earlier run; they come back to the books by `return_order`."""
        self.orders.update((order.order_id, order) for order in orders)
        self._rested.update(self.orders)

    def _arrive(self, traded: TradedMarket, side: Side, price: int, size: int) -> None:
        """Background of a size arrives at a price; it trades with own orders that it reaches."""
        for own_price, entry in traded.book.makers(side, price):
            if size == 0:
                return
            part = min(size, entry.size)
            self._meet(traded, other(side), own_price, entry, part)
            self._show_trade(traded, own_price, part, taker=side)
            size -= part
        if size:
            traded.book.rest(side, price, size, None)

    def _meet(
        self, traded: TradedMarket, makers: Side, price: int, entry: Entry, size: int
    ) -> None:
        """Something trades with one entry of a queue."""
        traded.book.reduce(makers, price, entry, size)
        if entry.order_id is not None:
            self._fill(traded, self.orders[entry.order_id], price, size, is_taker=False)

    def _fill(
        self, traded: TradedMarket, order: Order, price: int, size: int, *, is_taker: bool
    ) -> None:
        fee = order.execute(price, size, is_taker=is_taker, at_us=self.now_us)
        position = self.account.fill(
            order.ticker, order.side, price, size, fee=fee, at_us=self.now_us
        )
        self._fills += 1
        fill = Fill(
            number=self._fills,
            trade_id=_own_trade_id(self._fills),
            order_id=order.order_id,
            client_order_id=order.client_order_id,
            ticker=order.ticker,
            side=order.side,
            price_cc=price,
            size=size,
            is_taker=is_taker,
            fee=fee,
            at_us=self.now_us,
            position_after=position.contracts,
        )
        self._publish(Filled(fill))
        self._publish(OrderChanged(order))
        self._publish(PositionChanged(position))
        self._on_match(order, fill)

    def _show_trade(self, traded: TradedMarket, price: int, size: int, *, taker: Side) -> None:
        """A trade of an own order that no recording has; it carries the ID of the last fill."""
        outcome: Literal["yes", "no"] = "yes" if taker == "bid" else "no"
        self._show(traded, _own_trade_id(self._fills), price, size, taker=outcome)

    def _show(
        self,
        traded: TradedMarket,
        trade_id: str,
        price: int,
        size: int,
        *,
        taker: Literal["yes", "no"],
    ) -> None:
        traded.count(price, size)
        self._publish(Traded(traded.ticker, trade_id, price, size, taker, self.now_us))
        if not traded.book.changes:
            self._publish(self.top(traded))


def _own_trade_id(number: int) -> str:
    return str(uuid5(NAMESPACE_URL, f"kalshi-assets sandbox fill {number}"))
