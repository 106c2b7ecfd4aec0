"""PMFs over ladders and what came, as arrays: what calibration and discrimination are judged on.

Here: the arrays. Not here: what is said about them (`calibration_error`, `discrimination`, `corp`).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class LadderForecasts:
    """PMFs at instants, the brackets that paid, and which days they belong to.

    Attributes
    ----------
    p
        Shape (instants, brackets), coldest first; a ladder with fewer brackets than the longest is
        filled up with NaN.
    winner
        Position of the bracket that paid, shape (instants,).
    day
        Number of the city-day, 0, 1, ..., shape (instants,): its instants share one outcome.
    date
        Number of the date, 0, 1, ..., shape (instants,): its cities share their weather.
    """

    p: Array
    winner: Whole
    day: Whole
    date: Whole

    @classmethod
    def of(cls, rows: pl.DataFrame) -> "LadderForecasts":
        """From rows with columns city, date, p (list, coldest first) and winner.

        A row without p has NaN for all brackets and must be left out by `at`.
        """
        p = padded(rows["p"])
        day = rows.select(pl.struct("date", "city").rank("dense")).to_series()
        return cls(
            p=p,
            winner=rows["winner"].to_numpy().astype(np.int64),
            day=day.to_numpy().astype(np.int64) - 1,
            date=rows["date"].rank("dense").to_numpy().astype(np.int64) - 1,
        )

    def at(self, instants: NDArray[np.bool_]) -> "LadderForecasts":
        """Those at some instants, shape (instants,); days and dates are numbered anew."""
        return LadderForecasts(
            p=self.p[instants],
            winner=self.winner[instants],
            day=np.unique(self.day[instants], return_inverse=True)[1],
            date=np.unique(self.date[instants], return_inverse=True)[1],
        )

    @property
    def dates(self) -> int:
        """How many dates there are."""
        return int(self.date.max(initial=-1)) + 1

    @property
    def days(self) -> int:
        """How many city-days there are."""
        return int(self.day.max(initial=-1)) + 1

    @cached_property
    def date_of_day(self) -> Whole:
        """Number of the date of every city-day, shape (days,)."""
        found = np.zeros(self.days, dtype=np.int64)
        found[self.day] = self.date
        return found

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Where there is a bracket, shape (instants, brackets)."""
        return ~np.isnan(self.p)

    @cached_property
    def probability(self) -> Array:
        """Probabilities of all brackets at all instants, shape (pairs,)."""
        return self.p[self.known]

    @cached_property
    def outcome(self) -> NDArray[np.bool_]:
        """Whether the bracket paid, shape (pairs,)."""
        return (np.arange(self.p.shape[1]) == self.winner[:, None])[self.known]

    @property
    def date_of_pair(self) -> Whole:
        """Number of the date, shape (pairs,)."""
        return self._of_pair(self.date)

    @property
    def day_of_pair(self) -> Whole:
        """Number of the city-day, shape (pairs,)."""
        return self._of_pair(self.day)

    def _of_pair(self, of_instant: Whole) -> Whole:
        return np.broadcast_to(of_instant[:, None], self.p.shape)[self.known]


def padded(pmfs: pl.Series) -> Array:
    """PMFs as an array of shape (n, most brackets), filled up with NaN; null: all NaN."""
    brackets = pmfs.list.len().fill_null(0).to_numpy().astype(np.int64)
    p = np.full((len(pmfs), int(brackets.max(initial=0))), np.nan)
    p[np.arange(p.shape[1]) < brackets[:, None]] = pmfs.drop_nulls().explode().to_numpy()
    return p
