"""Facts on the minute grid: which minute each enters, and the latest known at every minute.

A fact enters the first minute that is not before its `known_at`. Arrays of the grid have shape
(brackets, minutes), in the tables' order of markets.
"""

import numpy as np
import polars as pl

from kalshi_assets.instants import MINUTE_US, Ints, microseconds
from kalshi_assets.ladder.grid import Grid

DOLLARS_A_CC = 1e-4


def candles_of(grid: Grid, candles: pl.DataFrame) -> pl.DataFrame:
    """Candles of the grid's markets, each market's in the order in which they became known.

    With `market`, its number in the grid, in place of the ticker.
    """
    rows = candles.select(_market(grid), *_TIMES, *_OF_CANDLES).drop_nulls("market")
    return rows.sort("market", "known_at")


def tape_of(grid: Grid, trades: pl.DataFrame) -> pl.DataFrame:
    """Trades of the grid's markets, as `candles_of`; block trades are no trades of the book."""
    rows = trades.filter(~pl.col("is_block_trade")).select(_market(grid), *_TIMES, *_OF_TRADES)
    ordered = rows.drop_nulls("market").sort("market", "known_at", "event_time", "trade_id")
    return ordered.drop("trade_id")


_TIMES = ("known_at", "event_time")
_OF_CANDLES = (
    "yes_bid_close_cc",
    "yes_ask_close_cc",
    "price_open_cc",
    "price_high_cc",
    "price_low_cc",
    "price_close_cc",
    "volume",
)
_OF_TRADES = ("trade_id", "yes_price_cc", "count", "taker_side")


def _market(grid: Grid) -> pl.Expr:
    numbers = pl.col("market_ticker").cast(pl.Enum(grid.markets), strict=False).to_physical()
    return numbers.cast(pl.Int64).alias("market")


def minutes_entered(grid: Grid, known_at: pl.Series) -> Ints:
    """Number of the minute that each fact enters; negative: before the first of the grid."""
    return -((grid.minutes[0] - microseconds(known_at)) // MINUTE_US)


def latest(grid: Grid, markets: Ints, minutes: Ints) -> Ints:
    """Number of the latest fact at every bracket and minute, -1 before the first.

    Parameters
    ----------
    markets, minutes
        Of facts in the order of `candles_of`: market and minute entered. What enters after the last
        minute is left out.
    """
    found = np.full(grid.shape, -1)
    facts = np.flatnonzero(minutes < len(grid.minutes))
    found[markets[facts], np.maximum(minutes[facts], 0)] = facts
    return np.maximum.accumulate(found, axis=1)
