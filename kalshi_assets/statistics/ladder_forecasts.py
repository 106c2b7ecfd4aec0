"""PMFs over ladders and their outcomes as arrays.

Here: the arrays. Not here: what is computed from them (`calibration_error`, `discrimination`,
`corp`).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.statistics.bootstrap import Whole
from kalshi_assets.units import Array


@dataclass(frozen=True, kw_only=True)
class LadderForecasts:
    """PMFs at instants, the brackets that paid, and the days of the instants.

    `p` has shape (instants, brackets), lowest first, with shorter ladders padded with NaN. The
    other arrays have shape (instants,): the position of the bracket that paid, the index of the
    city-day, whose instants share one outcome, and of the date, whose cities share the weather.
    """

    p: Array
    winner: Whole
    day: Whole
    date: Whole

    @classmethod
    def of(cls, rows: pl.DataFrame) -> "LadderForecasts":
        """From rows with columns city, date, p (list, lowest first) and winner.

        A row without p becomes a row of NaN, which must be removed with `at`.
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
        """The subset given by a mask of shape (instants,); days and dates are renumbered."""
        return LadderForecasts(
            p=self.p[instants],
            winner=self.winner[instants],
            day=np.unique(self.day[instants], return_inverse=True)[1],
            date=np.unique(self.date[instants], return_inverse=True)[1],
        )

    @property
    def dates(self) -> int:
        """Number of dates."""
        return int(self.date.max(initial=-1)) + 1

    @property
    def days(self) -> int:
        """Number of city-days."""
        return int(self.day.max(initial=-1)) + 1

    @cached_property
    def date_of_day(self) -> Whole:
        """Index of each city-day's date, shape (days,)."""
        found = np.zeros(self.days, dtype=np.int64)
        found[self.day] = self.date
        return found

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Whether the ladder has the bracket, shape (instants, brackets)."""
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
        """Index of the date, shape (pairs,)."""
        return np.broadcast_to(self.date[:, None], self.p.shape)[self.known]

    @property
    def day_of_pair(self) -> Whole:
        """Index of the city-day, shape (pairs,)."""
        return np.broadcast_to(self.day[:, None], self.p.shape)[self.known]


def padded(pmfs: pl.Series) -> Array:
    """PMFs as an array of shape (n, most brackets), padded with NaN; null becomes all NaN."""
    brackets = pmfs.list.len().fill_null(0).to_numpy().astype(np.int64)
    p = np.full((len(pmfs), int(brackets.max(initial=0))), np.nan)
    p[np.arange(p.shape[1]) < brackets[:, None]] = pmfs.drop_nulls().explode().to_numpy()
    return p
