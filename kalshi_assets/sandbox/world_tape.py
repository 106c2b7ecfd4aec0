"""The generated world's trades, and the candles derived from quotes and trades.

Here: noise and informed takers, sizes, one-minute candles aggregated as by the exchange. Not here:
quotes (`world_market`).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.sandbox import world_layout
from kalshi_assets.sandbox.world_market import Event, Quotes
from kalshi_assets.units import Array, Ints

INFORMED_SHARE = 0.3
LONGEST_SWEEP = 4


@dataclass(frozen=True, kw_only=True)
class Tape:
    """Trades in time order, with one array entry per trade.

    Time is given as the minute since the open and the second within it, price in cents of YES;
    `opened` is the number of contracts added to the open interest, 0 to `count`.
    """

    minute: Ints
    second: Array
    bracket: Ints
    price: Ints
    count: Ints
    bought_yes: NDArray[np.bool_]
    opened: Ints

    def take(self, rows: NDArray[Any]) -> "Tape":
        """The trades at `rows`, an index or a mask."""
        return Tape(**{name: getattr(self, name)[rows] for name in self.__dataclass_fields__})


def tape(
    rng: np.random.Generator, book: Quotes, informed_pmf: Array, lively: Array, *, expected: float
) -> Tape:
    """Trades of takers who hit the bid or lift the ask in force at their time.

    `informed_pmf`, shape (minutes, 6), is the belief of takers who see the weather earlier than the
    market maker, `lively` the relative activity, shape (minutes,), `expected` the mean number of
    orders. A sweeping order results in several trades at one instant.
    """
    fair = (book.bid + book.ask) / 200
    intensity = lively[:, None] * (0.02 + fair * (1 - fair))
    intensity[:1] = 0
    cumulative = np.cumsum(intensity)
    cells = np.searchsorted(
        cumulative, rng.random(rng.poisson(expected)) * cumulative[-1], side="right"
    )
    minute, bracket = np.divmod(cells, book.bid.shape[1])
    second = rng.uniform(0.001, 59.999, cells.size)
    standing = np.where(second >= book.changed_at_s[minute], minute, minute - 1)
    bid = book.bid[standing, bracket].astype(np.int64)
    ask = book.ask[standing, bracket].astype(np.int64)
    knows = 100 * informed_pmf[minute, bracket]
    informed = rng.random(cells.size) < INFORMED_SHARE
    buys = np.where(informed, knows > (bid + ask) / 2, rng.random(cells.size) < 0.5)
    buys = np.where(ask >= 100, False, np.where(bid <= 0, True, buys))
    worth_it = ~informed | (knows > ask) | (knows < bid)
    possible = ((bid > 0) | (ask < 100)) & worth_it
    count = np.clip(np.exp(rng.normal(3.0, 1.5, cells.size)), 1, 5000).astype(np.int64)
    orders = Tape(
        minute=minute,
        second=second,
        bracket=bracket,
        price=np.where(buys, ask, bid),
        count=count,
        bought_yes=buys,
        opened=np.floor(count * rng.beta(4, 1.2, cells.size)).astype(np.int64),
    ).take(possible)
    swept = np.minimum(rng.geometric(0.75, orders.minute.size), LONGEST_SWEEP)
    trades = orders.take(np.repeat(np.arange(orders.minute.size), swept))
    return trades.take(np.lexsort((trades.bracket, trades.second, trades.minute)))


def trades_frame(rng: np.random.Generator, market: Event, trades: Tape) -> pl.DataFrame:
    """The trades in the archive's schema, in time order."""
    n = trades.minute.size
    digits = rng.bytes(16 * n).hex()
    ids = [
        f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"
        for h in (digits[i : i + 32] for i in range(0, 32 * n, 32))
    ]
    offset = trades.minute * 60_000_000 + np.round(trades.second * 1e6).astype(np.int64)
    return pl.DataFrame(
        {
            "trade_id": ids,
            "market_ticker": _tickers(market, trades.bracket),
            "created_time": _epoch_us(market.open_time) + offset,
            "yes_price": trades.price,
            "count": trades.count,
            "taker_side": pl.Series(["no", "yes"]).gather(trades.bought_yes.astype(np.uint32)),
        }
    ).cast(world_layout.TRADES)


def candles_frame(
    rng: np.random.Generator, market: Event, book: Quotes, trades: Tape
) -> pl.DataFrame:
    """One-minute candles of the minutes in which the book changed or a trade occurred.

    A quote opens where the previous minute closed. After a trade the quote that was hit may be
    withdrawn briefly, which shows in the low of the bid or the high of the ask.
    """
    n, brackets = book.bid.shape
    traded = np.zeros((n, brackets), dtype=bool)
    traded[trades.minute, trades.bracket] = True
    minute, bracket = np.nonzero(book.touched | traded)
    stepped = rng.geometric(0.6, minute.size) * (rng.random(minute.size) < 0.3)
    stepped *= traded[minute, bracket]
    frame = pl.DataFrame(
        {
            "minute": minute,
            "bracket": bracket,
            **_quote_columns("yes_bid", book.bid, minute, bracket, down=stepped),
            **_quote_columns("yes_ask", book.ask, minute, bracket, up=stepped),
        }
    ).join(_traded_minutes(trades), on=["minute", "bracket"], how="left", maintain_order="left")
    end_us = _epoch_us(market.open_time) + (pl.col("minute") + 1) * 60_000_000
    return (
        frame.with_columns(
            pl.col("volume").fill_null(0),
            market_ticker=_tickers(market, bracket),
            end_period_ts=end_us.cast(pl.Datetime("us", "UTC")),
            open_interest=pl.col("opened").fill_null(0).cum_sum().over("bracket"),
            price_previous=pl.col("price_close").forward_fill().shift(1).over("bracket"),
        )
        .select(*world_layout.CANDLES)
        .cast(world_layout.CANDLES)
    )


def _quote_columns(
    side: str,
    quote: NDArray[np.int16],
    minute: Ints,
    bracket: Ints,
    *,
    down: Ints | int = 0,
    up: Ints | int = 0,
) -> dict[str, NDArray[Any]]:
    opened = quote[np.maximum(minute - 1, 0), bracket].astype(np.int64)
    closed = quote[minute, bracket].astype(np.int64)
    return {
        f"{side}_open": opened,
        f"{side}_low": np.clip(np.minimum(opened, closed) - down, 0, 100),
        f"{side}_high": np.clip(np.maximum(opened, closed) + up, 0, 100),
        f"{side}_close": closed,
    }


def _traded_minutes(trades: Tape) -> pl.DataFrame:
    """First, lowest, highest, last and volume-weighted mean price in whole cents, by minute."""
    price = pl.col("price").cast(pl.Float64)
    return (
        pl.DataFrame(
            {
                "minute": trades.minute,
                "bracket": trades.bracket,
                "price": trades.price,
                "count": trades.count,
                "opened": trades.opened,
            }
        )
        .group_by("minute", "bracket", maintain_order=True)
        .agg(
            price_open=price.first(),
            price_low=price.min(),
            price_high=price.max(),
            price_close=price.last(),
            price_mean=((price * pl.col("count")).sum() / pl.col("count").sum()).round(0),
            volume=pl.col("count").sum(),
            opened=pl.col("opened").sum(),
        )
    )


def _tickers(market: Event, bracket: Ints) -> pl.Series:
    names = pl.Series([m.bracket.market_ticker for m in market.markets])
    return names.gather(bracket.astype(np.uint32))


def _epoch_us(instant: datetime) -> int:
    return int(instant.timestamp()) * 1_000_000
