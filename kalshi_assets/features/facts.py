"""Facts on the minute grid: the minute that each enters, and the latest known at every minute.

A fact enters the first minute that is not before its `known_at`. Arrays of the grid have shape
(brackets, minutes), in the tables' order of markets.
"""

import numpy as np
import polars as pl

from kalshi_assets.instants import microseconds
from kalshi_assets.ladder.grid import Grid
from kalshi_assets.units import MINUTE_US, Ints


def candles_of(grid: Grid, candles: pl.DataFrame) -> pl.DataFrame:
    """Candles of the grid's markets, sorted by market and by when they became known.

    With column `market`, the index in the grid.

    Parameters
    ----------
    grid
        Markets and minutes.
    candles
        `market.candles`, any markets.
    """
    return _by_market(grid, candles)


def tape_of(grid: Grid, trades: pl.DataFrame) -> pl.DataFrame:
    """Trades of the grid's markets, as `candles_of`, without block trades, which bypass the book.

    Parameters
    ----------
    grid
        Markets and minutes.
    trades
        `market.trades`, any markets.
    """
    blocks = trades["is_block_trade"]
    if blocks.any():
        trades = trades.filter(~blocks)
    if not trades["trade_id"].is_sorted():
        trades = trades.sort("trade_id")
    return _by_market(grid, trades)


def _by_market(grid: Grid, facts: pl.DataFrame) -> pl.DataFrame:
    """Facts sorted by market, `known_at` and `event_time`; the sort is stable."""
    tickers = facts["market_ticker"].cast(pl.Enum(grid.markets), strict=False)
    if tickers.null_count():
        tickers, facts = tickers.drop_nulls(), facts.filter(tickers.is_not_null())
    market = tickers.to_physical().to_numpy().astype(np.int64)
    times = (microseconds(facts[name]) for name in ("event_time", "known_at"))
    order = np.lexsort((*times, market))
    rows = facts[[name for name in facts.columns if name not in _UNREAD]]
    return rows[order].with_columns(pl.Series("market", market[order]))


_UNREAD = ("market_ticker", "trade_id", "raw_sha256")


def minutes_entered(grid: Grid, known_at: Ints) -> Ints:
    """Index of the minute that each fact enters; negative: before the first of the grid.

    Parameters
    ----------
    grid
        Markets and minutes.
    known_at
        When each fact became known, microseconds, shape (facts,).
    """
    return -((grid.minutes[0] - known_at) // MINUTE_US)


def latest(grid: Grid, markets: Ints, minutes: Ints) -> Ints:
    """Index of the latest fact at every bracket and minute, -1 before the first.

    Parameters
    ----------
    grid
        Markets and minutes.
    markets, minutes
        Market and minute entered of each fact, in the order of `candles_of`. Facts that enter after
        the last minute are left out.
    """
    found = np.full(grid.shape, -1)
    facts = np.flatnonzero(minutes < len(grid.minutes))
    found[markets[facts], np.maximum(minutes[facts], 0)] = facts
    return np.maximum.accumulate(found, axis=1)
