"""Minute candles and trades from the stream, as the exchange reports them for the day afterwards.

A session computes its panel from them with the functions of batch runs. Here: what a candle of a
minute holds, when it is made, and when it is not known. Not here: the panel (`features`).

- A quote opens where it stood at the end of the minute before, as in all 3,692 candles recorded of
  Chicago on 2025-05-05.
- A minute includes its end. Changes and trades are of the minute in which the exchange made them,
  or of the next one that is not made yet if they arrive too late.
- Changes of the same millisecond are one: a quote that moves is taken away and put elsewhere, and
  nobody could have traded in between.
- A candle is made when it can be read at the exchange (`CANDLE_LAG`), if anything happened to the
  book or a trade was made, and if both are known: the book at the minute's end, the trades for the
  whole minute. Otherwise there is none for the minute, and the next one states the quotes whatever
  happens.
- Open interest is not part of the stream: null.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import polars as pl

from kalshi_assets.exchange.wire import CANDLE_LAG, OHLC, TRADE_LAG, times_of
from kalshi_assets.exchange.wire_stream import StreamTrade
from kalshi_assets.instants import NEVER
from kalshi_assets.stream.books import Top
from kalshi_assets.stream.events import (
    BookLost,
    BookReplaced,
    Closed,
    Event,
    LevelChanged,
    Missed,
    Opened,
    Traded,
)
from kalshi_assets.stream.subscriptions import TRADES as TRADE_CHANNEL
from kalshi_assets.tables import CANDLES, TRADES
from kalshi_assets.units import HUNDREDTHS, MINUTE_US

_LAG_US = CANDLE_LAG // timedelta(microseconds=1)
_TRADE_LAG_US = TRADE_LAG // timedelta(microseconds=1)


def minute_of(at_us: int) -> int:
    """End of the minute that contains an instant, microseconds; the end belongs to it."""
    return -(-at_us // MINUTE_US) * MINUTE_US


@dataclass
class _Range:
    """First, highest, lowest and last of some prices."""

    open: int
    high: int
    low: int
    close: int

    @classmethod
    def of(cls, price: int) -> "_Range":
        return cls(price, price, price, price)

    def add(self, price: int) -> None:
        self.high, self.low = max(self.high, price), min(self.low, price)
        self.close = price


@dataclass
class _Minute:
    """What happened in a minute of a market.

    Attributes
    ----------
    bid, ask
        None: the book was not known in the minute so far.
    known
        Whether the book is known at the end of what happened.
    """

    bid: _Range | None = None
    ask: _Range | None = None
    known: bool = False
    price: _Range | None = None
    paid: int = 0
    size: int = 0

    @classmethod
    def after(cls, quote: tuple[int, int] | None) -> "_Minute":
        """A minute that begins with the bid and ask that stand."""
        minute = cls()
        if quote is not None:
            minute.quote(quote)
        return minute

    def quote(self, quote: tuple[int, int]) -> None:
        bid, ask = quote
        if self.bid is None or self.ask is None:
            self.bid, self.ask = _Range.of(bid), _Range.of(ask)
        self.bid.add(bid)
        self.ask.add(ask)
        self.known = True

    def trade(self, trade: StreamTrade) -> None:
        if self.price is None:
            self.price = _Range.of(trade.yes_price_cc)
        self.price.add(trade.yes_price_cc)
        self.paid += trade.yes_price_cc * trade.size
        self.size += trade.size


@dataclass
class _Market:
    """A market between candles.

    Attributes
    ----------
    quote
        Bid and ask that stand; None: not known.
    whole_from_us
        All trades from then on are known.
    last_price
        Of the last trade before the minutes that are not made yet.
    minutes
        Those not made yet, by their end.
    changing
        Time of the last changes, and the quotes after them: more of the same time may follow.
    trade_ids
        Minute of each trade, so that none counts twice.
    """

    whole_from_us: int
    last_price: int | None
    quote: tuple[int, int] | None = None
    changing: tuple[int, Top] | None = None
    minutes: dict[int, _Minute] = field(default_factory=dict)
    trade_ids: dict[str, int] = field(default_factory=dict)


class Candles:
    """Candles and trades of the markets of a feed, from its events.

    Parameters
    ----------
    source
        What the rows are decoded from, for `raw_sha256`, such as the name of a recording.
    last_prices
        Last trade of each market before the feed began, 1/10,000 dollar, where it is known.
    """

    def __init__(self, source: str, last_prices: Mapping[str, int] | None = None) -> None:
        self._source = source
        self._last_prices = dict(last_prices or {})
        self._markets: dict[str, _Market] = {}
        self._made_us = NEVER
        self._trades: list[dict[str, Any]] = []

    def take(self, events: Iterable[Event]) -> None:
        """Add events, in their order."""
        for event in events:
            match event:
                case LevelChanged():
                    self._quoted(event.book.ticker, event.time_us, event.at_us, event.top)
                case BookReplaced():
                    self._quoted(event.book.ticker, event.at_us, event.at_us, event.top)
                case BookLost():
                    self._lost(event.book.ticker, event.at_us)
                case Traded():
                    self._traded(event.trade, event.at_us)
                case Opened() | Closed():
                    self._missed(event.at_us)
                case Missed() if event.channel == TRADE_CHANNEL:
                    self._missed(event.at_us)

    def candles(self, now_us: int) -> pl.DataFrame:
        """The candles that became known since the last call: `tables.CANDLES`.

        Parameters
        ----------
        now_us
            The present, microseconds.
        """
        for market in self._markets.values():
            self._settle(market)
        self._made_us = max((now_us - _LAG_US) // MINUTE_US * MINUTE_US, self._made_us)
        rows = [row for ticker in self._markets for row in self._made(ticker)]
        if not rows:
            return CANDLES.empty()
        schema = {n: t for n, t in CANDLES.dtypes.items() if n not in ("event_time", "known_at")}
        frame = pl.DataFrame(rows, schema={"end_us": pl.Int64(), **schema})
        return CANDLES.conform(
            frame.with_columns(**times_of(frame["end_us"], CANDLE_LAG)).drop("end_us")
        )

    def trades(self, now_us: int) -> pl.DataFrame:
        """The trades that became known since the last call: `tables.TRADES`.

        A trade is known when it could have been read at the exchange, or when it arrived if that
        was later. The stream states milliseconds, the exchange's list microseconds.

        Parameters
        ----------
        now_us
            The present, microseconds.
        """
        known = [row for row in self._trades if row["known_at"] <= now_us]
        self._trades = [row for row in self._trades if row["known_at"] > now_us]
        times = dict.fromkeys(("event_time", "known_at"), pl.Int64())
        frame = pl.DataFrame(known, schema={**TRADES.dtypes, **times})
        moments = [pl.col(name).cast(TRADES.dtypes[name]) for name in times]
        return TRADES.conform(frame.with_columns(moments))

    def _market(self, ticker: str, at_us: int) -> _Market:
        found = self._markets.get(ticker)
        if found is None:
            found = self._markets[ticker] = _Market(at_us, self._last_prices.get(ticker))
        return found

    def _minute(self, market: _Market, time_us: int) -> _Minute:
        """The minute of an instant; a later one if that is made or something came after it."""
        end = max(minute_of(time_us), self._made_us + MINUTE_US, *market.minutes)
        if end not in market.minutes:
            market.minutes[end] = _Minute.after(market.quote)
        return market.minutes[end]

    def _quoted(self, ticker: str, time_us: int, at_us: int, top: Top) -> None:
        market = self._market(ticker, at_us)
        self._settle(market, time_us)
        market.changing = time_us, top

    def _settle(self, market: _Market, next_us: int | None = None) -> None:
        """The quotes after the last changes stood, unless more of the same time may follow."""
        if market.changing is None or market.changing[0] == next_us:
            return
        time_us, top = market.changing
        market.changing = None
        if not top.crossed:
            self._minute(market, time_us).quote((top.bid, top.ask))
            market.quote = top.bid, top.ask

    def _lost(self, ticker: str, at_us: int) -> None:
        market = self._market(ticker, at_us)
        self._settle(market)
        self._minute(market, at_us).known = False
        market.quote = None

    def _traded(self, trade: StreamTrade, at_us: int) -> None:
        market, time_us = self._market(trade.ticker, at_us), trade.time_ms * 1000
        if trade.trade_id in market.trade_ids:
            return
        market.trade_ids[trade.trade_id] = minute_of(time_us)
        self._trades.append(
            {
                "trade_id": trade.trade_id,
                "market_ticker": trade.ticker,
                "event_time": time_us,
                "known_at": max(time_us + _TRADE_LAG_US, at_us),
                "yes_price_cc": trade.yes_price_cc,
                "count": trade.size / HUNDREDTHS,
                "taker_side": trade.taker_side,
                "is_block_trade": trade.is_block_trade,
                "raw_sha256": self._source,
            }
        )
        if not trade.is_block_trade:
            self._settle(market, time_us)
            self._minute(market, time_us).trade(trade)

    def _missed(self, at_us: int) -> None:
        for market in self._markets.values():
            market.whole_from_us = max(at_us, market.whole_from_us)
            market.last_price = None

    def _made(self, ticker: str) -> Iterator[dict[str, Any]]:
        market = self._markets[ticker]
        while (end := min(market.minutes, default=self._made_us + 1)) <= self._made_us:
            minute = market.minutes.pop(end)
            bid, ask = minute.bid, minute.ask
            if minute.known and bid is not None and ask is not None:
                if market.whole_from_us <= end - MINUTE_US:
                    yield {
                        "end_us": end,
                        "market_ticker": ticker,
                        **_columns("yes_bid", bid),
                        **_columns("yes_ask", ask),
                        **_columns("price", minute.price),
                        "price_mean_cc": _mean(minute),
                        "price_previous_cc": market.last_price,
                        "volume": minute.size / HUNDREDTHS,
                        "open_interest": None,
                        "raw_sha256": self._source,
                    }
                else:
                    market.minutes.setdefault(
                        end + MINUTE_US, _Minute.after((bid.close, ask.close))
                    )
            if minute.price is not None:
                market.last_price = minute.price.close
        kept = self._made_us - MINUTE_US
        market.trade_ids = {t: end for t, end in market.trade_ids.items() if end > kept}


def _columns(name: str, prices: _Range | None) -> dict[str, int | None]:
    return {f"{name}_{part}_cc": getattr(prices, part, None) for part in OHLC}


def _mean(minute: _Minute) -> int | None:
    """Mean price by volume, to the nearest 1/10,000 dollar."""
    return (2 * minute.paid + minute.size) // (2 * minute.size) if minute.size else None
