"""Everybody else's quotes and trades in a market, from an archive.

Here: when the best quotes change, how much stands at a price, when somebody trades. Not here: the
effect on the book (`matching`).

Where the archive has recorded depth (`book_changes`), the background is that. Otherwise it is made
from candles, which have only a minute's open, low, high and close. They are reached in this order
(high before low if the minute falls): the open as the minute begins, the others at seconds drawn
from a hash of market and minute. The last one stands until the next candle. Where an event has no
candles, quotes are inferred from its trades: one that lifted the offer sets the ask, one that hit
the bid sets the bid, and the other side yields by a cent if it would cross. `level_size` draws the
sizes.
"""

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import polars as pl

from kalshi_assets.sandbox.archive import Archive
from kalshi_assets.sandbox.exchange_state import EMPTY_ASK, EMPTY_BID
from kalshi_assets.sandbox.venue.levels import Side
from kalshi_assets.sandbox.venue.numbers import A_CONTRACT
from kalshi_assets.units import CC_A_CENT, MINUTE_US, SECOND_US

DEPTH = 5
"""Price levels of the background on each side."""
RESIZED_US = 15 * MINUTE_US
"""For so long a level has the same size."""
LOWEST_CC, HIGHEST_CC = CC_A_CENT, 99 * CC_A_CENT

# Seconds of a minute between which open, first extreme, second extreme and close are reached.
_SECONDS = ((0.0, 0.0), (8.0, 20.0), (26.0, 40.0), (46.0, 58.0))


class Quote(NamedTuple):
    """The background's best bid and ask from an instant on, cc; 0, 10,000: none.

    `open_interest` is in hundredths of contracts; None: not recorded.
    """

    at_us: int
    ticker: str
    bid_cc: int
    ask_cc: int
    open_interest: int | None


class LevelSet(NamedTuple):
    """A recorded size of one level of the background, hundredths of contracts; 0: none."""

    at_us: int
    ticker: str
    side: Side
    price_cc: int
    size: int


class Print(NamedTuple):
    """A trade between others; `size` in hundredths of contracts."""

    at_us: int
    ticker: str
    trade_id: str
    price_cc: int
    size: int
    taker: Literal["yes", "no"]


Action = Quote | LevelSet | Print


def actions_of(archive: Archive, event_ticker: str) -> list[Action]:
    """Quotes or levels and trades of an event in time order.

    At one instant a quote comes before a trade that shows it, and a trade before the level that it
    leaves behind.
    """
    tape = archive.trades(event_ticker).sort("created_us", "trade_id")
    prints = [
        Print(us, ticker, trade_id, price, round(count * A_CONTRACT), taker)
        for us, ticker, trade_id, price, count, taker in tape.select(
            "created_us", "market_ticker", "trade_id", "yes_price", "count", "taker_side"
        ).iter_rows()
    ]
    candles, changes = archive.candles(event_ticker), archive.book_changes(event_ticker)
    actions: list[Action]
    if changes.height:
        columns = changes.select("at_us", "market_ticker", "side", "price_cc", "size")
        actions = [*prints, *(LevelSet(*row) for row in columns.iter_rows())]
    elif candles.height:
        actions = [*_recorded(candles), *prints]
    else:
        actions = list(_inferred(prints))
    return sorted(actions, key=lambda action: action.at_us)


@lru_cache(maxsize=65_536)
def level_size(ticker: str, side: Side, price_cc: int, period: int) -> int:
    """Hundredths of contracts of the background at a price: 5 to 305 contracts, mostly few.

    Parameters
    ----------
    ticker, side, price_cc
        The level.
    period
        Number of the quarter of an hour since the epoch (`RESIZED_US`).
    """
    share = _drawn(f"{ticker} {side} {price_cc} {period}")
    return (5 + int(300 * share**3)) * A_CONTRACT


def ladder(ticker: str, side: Side, best_cc: int, at_us: int) -> dict[int, int]:
    """The background's levels of a side, size by price; empty without a quote.

    Parameters
    ----------
    ticker, side
        Market and side.
    best_cc
        The best price; 0 or 10,000: none.
    at_us
        The instant, which selects the sizes.
    """
    if best_cc in (EMPTY_BID, EMPTY_ASK):
        return {}
    step = -CC_A_CENT if side == "bid" else CC_A_CENT
    prices = [best_cc + k * step for k in range(DEPTH)]
    return {
        price: level_size(ticker, side, price, at_us // RESIZED_US)
        for price in prices
        if LOWEST_CC <= price <= HIGHEST_CC
    }


def _recorded(candles: pl.DataFrame) -> Iterator[Quote]:
    for (ticker,), rows in candles.group_by("market_ticker", maintain_order=True):
        before: tuple[int, int] | None = None
        for row in rows.iter_rows(named=True):
            interest = row["open_interest"]
            size = None if interest is None else round(interest * A_CONTRACT)
            for at_us, bid, ask in _path(str(ticker), row):
                if (bid, ask) != before:
                    yield Quote(at_us, str(ticker), bid, ask, size)
                before = bid, ask


def _path(ticker: str, row: dict[str, Any]) -> Iterator[tuple[int, int, int]]:
    end_ts = row["end_ts"]
    rises = row["yes_bid_close"] + row["yes_ask_close"] >= row["yes_bid_open"] + row["yes_ask_open"]
    extremes = ("low", "high") if rises else ("high", "low")
    start_us = (end_ts - 60) * SECOND_US
    for place, point in enumerate(("open", *extremes, "close")):
        earliest, latest = _SECONDS[place]
        share = _drawn(f"{ticker} {end_ts} {place}")
        # A minute includes its end, so the next begins a microsecond later.
        at_us = start_us + max(int((earliest + (latest - earliest) * share) * SECOND_US), 1)
        bid, ask = row[f"yes_bid_{point}"], row[f"yes_ask_{point}"]
        if bid >= ask:  # The two extremes were not reached together.
            bid, ask = (bid, bid + CC_A_CENT) if point == "high" else (ask - CC_A_CENT, ask)
        yield at_us, max(bid, EMPTY_BID), min(ask, EMPTY_ASK)


def _inferred(prints: list[Print]) -> Iterator[Action]:
    """The trades, each after the quote that it shows."""
    standing: dict[str, tuple[int, int]] = {}
    for trade in prints:
        bid, ask = standing.get(trade.ticker, (EMPTY_BID, EMPTY_ASK))
        if trade.taker == "yes":
            after = min(bid, trade.price_cc - CC_A_CENT), trade.price_cc
        else:
            after = trade.price_cc, max(ask, trade.price_cc + CC_A_CENT)
        if after != (bid, ask):
            yield Quote(trade.at_us, trade.ticker, *after, None)
        standing[trade.ticker] = after
        yield trade


def _drawn(text: str) -> float:
    """A number from 0 to 1 that depends on the text alone."""
    digest = hashlib.blake2b(text.encode(), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48
