"""Facts on the minute grid: which minute each enters, and the latest known at every minute.

A fact enters the first minute that is not before its `known_at`. Arrays of the grid have shape
(brackets, minutes), in the tables' order of markets.
"""

import numpy as np
import polars as pl

from kalshi_assets.instants import microseconds
from kalshi_assets.ladder.grid import Grid
from kalshi_assets.units import MINUTE_US, Ints


def candles_of(grid: Grid, candles: pl.DataFrame) -> pl.DataFrame:
    """Candles of the grid's markets, each market's in the order in which they became known.

    With `market`, its number in the grid.
    """
    return _by_market(grid, candles)


def tape_of(grid: Grid, trades: pl.DataFrame) -> pl.DataFrame:
    """Trades of the grid's markets, as `candles_of`; block trades are no trades of the book."""
    blocks = trades["is_block_trade"]
    if blocks.any():
        trades = trades.filter(~blocks)
    if not trades["trade_id"].is_sorted():
        trades = trades.sort("trade_id")
    return _by_market(grid, trades)


def _by_market(grid: Grid, facts: pl.DataFrame) -> pl.DataFrame:
    """Facts by market, `known_at` and `event_time`; of equal ones the order stays."""
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
    """Number of the minute that each fact enters; negative: before the first of the grid."""
    return -((grid.minutes[0] - known_at) // MINUTE_US)


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
