"""The dense grid of an event: every bracket at every minute.

Tables are sorted by market, then by minute, so that the position of a row follows from its market
and minute: arithmetic replaces joins and sorts. Arrays have shape (brackets, minutes), with
brackets in the tables' order of markets unless ladder order is stated.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.instants import as_times, known_by, microseconds
from kalshi_assets.units import Ints

KEY = ("market_ticker", "minute")


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Markets and minutes of an event's rows.

    Attributes
    ----------
    markets
        Tickers, sorted.
    brackets
        Position of every market in the ladder.
    minutes
        Microseconds since the epoch, rising.
    """

    markets: pl.Series
    brackets: Ints
    minutes: Ints

    @property
    def shape(self) -> tuple[int, int]:
        """Brackets, minutes."""
        return len(self.markets), len(self.minutes)

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self.markets) * len(self.minutes)

    @property
    def key(self) -> list[pl.Series]:
        """The columns `market_ticker`, `bracket` and `minute` of every row."""
        brackets, minutes = self.shape
        return [
            self.markets[np.repeat(np.arange(brackets), minutes)].alias(KEY[0]),
            pl.Series("bracket", self.brackets.repeat(minutes)).cast(pl.Int8),
            as_times(self.of_minutes(self.minutes)).alias(KEY[1]),
        ]

    def matrix(self, column: pl.Series) -> NDArray:
        """A column of the rows; null numbers are NaN."""
        return column.to_numpy().reshape(self.shape)

    def of_minutes(self, values: NDArray) -> NDArray:
        """Values per minute, repeated for every row."""
        return np.tile(values, len(self.markets))

    def in_ladder(self, values: NDArray) -> NDArray:
        """Reorder (brackets, ...) from the tables' order to ladder order."""
        return values[self._in_ladder]

    def in_table(self, values: NDArray) -> NDArray:
        """Reorder (brackets, ...) from ladder order to the tables'."""
        return values[np.argsort(self._in_ladder)]

    @cached_property
    def _in_ladder(self) -> NDArray[np.intp]:
        return np.argsort(self.brackets, kind="stable")

    def at(self, minutes: NDArray) -> "Grid":
        """The grid of some of the minutes, by mask or position."""
        return replace(self, minutes=self.minutes[minutes])

    def equals(self, other: "Grid") -> bool:
        """Whether the rows of both have the same keys."""
        return self.markets.equals(other.markets) and np.array_equal(self.minutes, other.minutes)

    def rows_as_of(self, other: "Grid") -> pl.Series:
        """Indices of the rows of this grid that are in force at the rows of another.

        For each market the latest row whose minute is not later; null before the first.

        Raises
        ------
        ValueError
            The grid has rows, but of other markets.
        """
        if self.minutes.size and not self.markets.equals(other.markets):
            raise ValueError(
                f"rows of {', '.join(self.markets)} do not apply to {', '.join(other.markets)}"
            )
        latest = known_by(other.minutes, self.minutes).astype(np.float64)
        latest[latest < 0] = np.nan
        first = np.arange(len(other.markets)) * len(self.minutes)
        return pl.Series((first[:, None] + latest).ravel(), nan_to_null=True).cast(pl.UInt32)


def gridded(frame: pl.DataFrame) -> tuple[pl.DataFrame, Grid]:
    """A frame sorted as in its table, and the grid of its rows.

    Parameters
    ----------
    frame
        `KEY` and ``bracket``, rows of one event in any order.

    Raises
    ------
    ValueError
        Some bracket lacks a minute that another has.
    """
    grid = _grid_of(frame)
    if grid is None:
        frame = frame.sort(KEY)
        grid = _grid_of(frame)
    if grid is None:
        brackets, minutes = (frame[name].n_unique() for name in KEY)
        raise ValueError(
            f"{frame.height} rows are not each of {brackets} brackets at each of {minutes} minutes"
        )
    return frame, grid


def aligned(*frames: pl.DataFrame) -> tuple[Grid, list[pl.DataFrame]]:
    """Frames of the same rows, sorted as in their tables, and the grid of the rows.

    Raises
    ------
    ValueError
        The rows are not a grid, or differ in markets or minutes.
    """
    ordered, grids = zip(*map(gridded, frames), strict=True)
    for grid in grids[1:]:
        if not grid.equals(grids[0]):
            raise ValueError(
                f"{grids[0].size} and {grid.size} rows are not of the same event and minutes"
            )
    return grids[0], list(ordered)


def in_force(grid: Grid, frame: pl.DataFrame, *columns: str | pl.Expr) -> pl.DataFrame:
    """Columns of a table of the same markets, as of every row of the grid.

    Parameters
    ----------
    grid
        Rows wanted.
    frame
        Rows of a grid. For each market the latest that is not after the minute counts; before the
        first, columns are null.
    columns
        Columns or expressions to select from `frame`.
    """
    rows, own = gridded(frame)
    return rows.select(columns).select(pl.all().gather(own.rows_as_of(grid)))


def _grid_of(frame: pl.DataFrame) -> Grid | None:
    minutes = microseconds(frame["minute"])
    breaks = np.flatnonzero(minutes[1:] <= minutes[:-1]) + 1
    many = int(breaks[0]) if breaks.size else max(len(minutes), 1)
    if len(minutes) % many or (minutes.reshape(-1, many) != minutes[:many]).any():
        return None
    tickers, firsts = frame["market_ticker"], range(0, len(minutes), many)
    names = [tickers[row] for row in firsts]
    if names != sorted(set(names)) or names != [tickers[row + many - 1] for row in firsts]:
        return None
    return Grid(
        markets=pl.Series(tickers.name, names, pl.String),
        brackets=frame["bracket"].to_numpy()[::many].astype(np.int64),
        minutes=minutes[:many],
    )
