"""What was traded in every minute: volume, flow, range, and the last trade so far.

From the tape from the first trade on, before and without one from the candles.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.features.facts import DOLLARS_A_CC, latest, minutes_entered
from kalshi_assets.instants import Array, Ints, age_s, times_at, values_at
from kalshi_assets.ladder.grid import Grid


@dataclass(frozen=True, kw_only=True)
class Flow:
    """Trades of every bracket and minute.

    Attributes
    ----------
    volume, signed
        Contracts of the minute; bought less sold by takers.
    high, low
        Of the minute, dollars; NaN: no trade.
    last, last_age_s
        The last trade so far; NaN: none yet.
    known_at
        Of that trade's minute, microseconds since the epoch; `NEVER`: none yet.
    """

    volume: Array
    signed: Array
    high: Array
    low: Array
    last: Array
    last_age_s: Array
    known_at: Ints


def flow_of(grid: Grid, candles: pl.DataFrame, tape: pl.DataFrame) -> Flow:
    """Trades of every bracket and minute.

    Parameters
    ----------
    grid
        Markets and minutes.
    candles, tape
        `facts.candles_of` and `facts.tape_of`; either may be empty.
    """
    cell, rows = _in_cells(grid, _of_candles(candles, tape), _of_tape(tape))
    size, minutes = grid.size, len(grid.minutes)
    starts = np.flatnonzero(np.diff(cell, prepend=-1))
    last = np.append(starts, len(cell))[1:] - 1
    active = cell[starts]
    times = {name: rows[name].view(np.int64) for name in ("event_time", "known_at")}
    at = latest(grid, active // minutes, active % minutes)

    def total(name: str) -> Array:
        return np.bincount(cell, rows[name], size).reshape(grid.shape)

    def extreme(name: str, of: np.ufunc) -> Array:
        found = np.full(size, np.nan)
        found[active] = of.reduceat(rows[name], starts) * DOLLARS_A_CC
        return found.reshape(grid.shape)

    return Flow(
        volume=total("volume"),
        signed=total("signed"),
        high=extreme("high", np.maximum),
        low=extreme("low", np.minimum),
        last=values_at(at, rows["price"][last] * DOLLARS_A_CC),
        last_age_s=age_s(grid.minutes, times_at(at, np.maximum.reduceat(times["event_time"], starts))),
        known_at=times_at(at, times["known_at"][last]),
    )


def _of_candles(candles: pl.DataFrame, tape: pl.DataFrame) -> pl.DataFrame:
    direction = (pl.col("price_close_cc") - pl.col("price_open_cc")).sign()
    return candles.filter(
        pl.col("price_close_cc").is_not_null(),
        pl.col("known_at") < tape["known_at"].min() if tape.height else True,
    ).select(
        *_OF_BOTH,
        "volume",
        signed=(direction * pl.col("volume")).fill_null(0.0),
        high="price_high_cc",
        low="price_low_cc",
        price="price_close_cc",
    )


def _of_tape(tape: pl.DataFrame) -> pl.DataFrame:
    size, price = pl.col("count"), pl.col("yes_price_cc")
    return tape.select(
        *_OF_BOTH,
        volume=size,
        signed=pl.when(pl.col("taker_side") == "yes").then(size).otherwise(-size),
        high=price,
        low=price,
        price=price,
    )


_OF_BOTH = ("market", "known_at", "event_time")


def _in_cells(
    grid: Grid, candles: pl.DataFrame, tape: pl.DataFrame
) -> tuple[Ints, dict[str, NDArray]]:
    """Position in the grid of what was traded within it, rising, and its columns.

    In the minute in which the tape begins it takes the candle's place.
    """
    minutes = len(grid.minutes)
    rows = pl.concat([candles, tape])
    minute = minutes_entered(grid, rows["known_at"])
    cell = rows["market"].to_numpy() * minutes + minute
    inside = np.flatnonzero((minute >= 0) & (minute < minutes))
    of_tape = inside >= candles.height
    taken = np.zeros(grid.size, dtype=bool)
    taken[cell[inside[of_tape]]] = True
    kept = inside[of_tape | ~taken[cell[inside]]]
    kept = kept[np.argsort(cell[kept], kind="stable")]
    return cell[kept], {name: rows[name].to_numpy()[kept] for name in rows.columns}
