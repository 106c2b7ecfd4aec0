"""Trades of every minute: volume, flow, range, and the last trade so far.

They come from the tape from its first trade on, and before it, or without a tape, from the candles.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.features.facts import latest, minutes_entered
from kalshi_assets.instants import age_s, microseconds, times_at, values_at
from kalshi_assets.ladder.grid import Grid
from kalshi_assets.units import Array, Ints


@dataclass(frozen=True, kw_only=True)
class Flow:
    """Trades of every bracket and minute.

    Attributes
    ----------
    volume, signed
        Contracts traded in the minute, and contracts bought less sold by takers.
    high, low
        Highest and lowest trade of the minute, whole cc; NaN: no trade.
    last, last_age_s
        The last trade so far, cc and seconds; NaN: none yet.
    known_at
        When that trade became known, microseconds since the epoch; `NEVER`: none yet.
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
    at = latest(grid, active // minutes, active % minutes)

    def total(name: str) -> Array:
        found = np.bincount(cell, rows[name], size).reshape(grid.shape)
        return np.asarray(found, dtype=np.float64)

    def extreme(name: str, of: np.ufunc) -> Array:
        found = np.full(size, np.nan)
        found[active] = of.reduceat(rows[name], starts)
        return found.reshape(grid.shape)

    return Flow(
        volume=total("volume"),
        signed=total("signed"),
        high=extreme("high", np.maximum),
        low=extreme("low", np.minimum),
        last=values_at(at, rows["price"][last].astype(np.float64)),
        last_age_s=age_s(
            grid.minutes, times_at(at, np.maximum.reduceat(rows["event_time"], starts))
        ),
        known_at=times_at(at, rows["known_at"][last]),
    )


Columns = dict[str, NDArray]


def _of_candles(candles: pl.DataFrame, tape: pl.DataFrame) -> Columns:
    """Trades of the candles that became known before the tape begins."""
    traded = candles["price_close_cc"].is_not_null().to_numpy()
    if tape.height:
        traded = traded & (candles["known_at"] < tape["known_at"].min()).to_numpy()
    rows = candles[np.flatnonzero(traded)]
    opened, high, low, closed, volume = (
        rows[name].to_numpy()
        for name in (
            "price_open_cc",
            "price_high_cc",
            "price_low_cc",
            "price_close_cc",
            "volume",
        )
    )
    signed = np.nan_to_num(np.sign(closed - opened) * volume)
    return _times(rows) | {
        "volume": volume,
        "signed": signed,
        "high": high,
        "low": low,
        "price": closed,
    }


def _of_tape(tape: pl.DataFrame) -> Columns:
    size, price = tape["count"].to_numpy(), tape["yes_price_cc"].to_numpy()
    lifts = (tape["taker_side"] == "yes").to_numpy()
    return _times(tape) | {
        "volume": size,
        "signed": np.where(lifts, size, -size),
        "high": price,
        "low": price,
        "price": price,
    }


def _times(facts: pl.DataFrame) -> Columns:
    return {
        "market": facts["market"].to_numpy(),
        "known_at": microseconds(facts["known_at"]),
        "event_time": microseconds(facts["event_time"]),
    }


def _in_cells(grid: Grid, candles: Columns, tape: Columns) -> tuple[Ints, Columns]:
    """Position in the grid of the trades within it, ascending, and their columns.

    In the minute in which the tape begins, it replaces the candle.
    """
    minutes = len(grid.minutes)
    rows = {name: np.concatenate([candles[name], tape[name]]) for name in tape}
    minute = minutes_entered(grid, rows["known_at"])
    cell = rows["market"] * minutes + minute
    inside = np.flatnonzero((minute >= 0) & (minute < minutes))
    of_tape = inside >= candles["market"].size
    taken = np.zeros(grid.size, dtype=bool)
    taken[cell[inside[of_tape]]] = True
    kept = inside[of_tape | ~taken[cell[inside]]]
    kept = kept[np.argsort(cell[kept], kind="stable")]
    return cell[kept], {name: values[kept] for name, values in rows.items()}
