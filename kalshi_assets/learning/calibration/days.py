"""A settled day as input of the calibrators, and the lead blocks of its instants.

Here: PMFs of one day at half-hour instants with the bracket that paid, and their sufficient
statistics, which callers compute once per day and not once per partition. Not here: fits
(`rolling`), which days count (`calibrators`).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.ladder.atoms import Atoms
from kalshi_assets.ladder.terms import atoms_of
from kalshi_assets.learning.calibration.maps import (
    CELL_WIDTH,
    CELLS,
    EXPONENTS,
    cumulatives,
    log_odds,
)
from kalshi_assets.settlement.rule import fair_price, outcomes
from kalshi_assets.statistics.scores import LOG_FLOOR
from kalshi_assets.tables.calibration import BLOCK_NAMES
from kalshi_assets.units import Array

EVERY_US = 30 * 60_000_000
# Hours of standard time. The day's maximum is decided in the afternoon, so uncertainty falls
# fastest between 9 and 18 and blocks are shortest there; every traded day has instants in each.
LEAD_BLOCKS = tuple(BLOCK_NAMES)
_BLOCK_STARTS_H = np.array([0, 9, 12, 15, 18])
SEASONS = ("djf", "mam", "jja", "son")
# A market opens 15 hours before its climate day in New York, 18 in Los Angeles, and the calibrators
# of the day must be known then.
OPENS_BEFORE = timedelta(hours=24)


def as_of(day_start: datetime) -> datetime:
    """When the calibrators of a climate day are made: a day before it, before its market opens.

    The outcome of the day before last is known some hours later, so the last day that counts is
    usually three days back; this is also the purge of methods, section 10.
    """
    return day_start - OPENS_BEFORE


def season_of(day_start: datetime) -> str:
    """The meteorological season of a climate day."""
    return SEASONS[day_start.month % 12 // 3]


def lead_block(hours: Array) -> NDArray[np.int8]:
    """Index into `LEAD_BLOCKS` of hours of standard time since the climate day's start."""
    return np.searchsorted(_BLOCK_STARTS_H, hours, side="right").astype(np.int8)


@dataclass(frozen=True, kw_only=True, eq=False)
class CalibrationDay:
    """One settled day.

    Attributes
    ----------
    day_start
        Start of the day.
    known_at
        When the outcome was known.
    left_out_from
        Time from which the day is left out: the exchange stated that it paid a fair price and no
        bracket won, whatever publishers had stated before; None: it did not.
    winner
        Position of the atom that contains the settlement value, of a partition the bracket that
        paid.
    p
        PMFs over the atoms in order of time, shape (instants, atoms).
    block
        Lead block of every instant, ascending, shape (instants,).
    counts, hits
        Per block and cell of log odds of P(V <= u_k): number of pairs of instant and threshold in
        the cell, and of those whose event happened; shape (blocks, cells).
    losses
        Summed log loss of p^T / sum p^T per block and exponent, shape (blocks, exponents).
    """

    day_start: datetime
    known_at: datetime
    winner: int
    p: Array
    block: NDArray[np.int8]
    counts: Array
    hits: Array
    losses: Array
    left_out_from: datetime | None = None

    def counts_at(self, at: datetime) -> bool:
        """Whether at `at` its outcome was known, and not yet that no bracket won."""
        left_out = self.left_out_from is not None and self.left_out_from <= at
        return self.known_at <= at and not left_out

    @classmethod
    def of(
        cls,
        day_start: datetime,
        fused: pl.DataFrame,
        *,
        winner: int,
        known_at: datetime,
        ladder: Atoms | None = None,
    ) -> "CalibrationDay":
        """The day of `probability.fused_pmf` of one event.

        Parameters
        ----------
        day_start
            Start of the day.
        fused
            `probability.fused_pmf`, all minutes or fewer; those on the half hour count.
        winner, known_at
            As in the attributes.
        ladder
            The event's legs by bracket; None: a partition.

        Raises
        ------
        ValueError
            The winner is not an atom of the event.
        """
        minute = fused["minute"].to_physical().to_numpy()
        rows = np.flatnonzero(minute % EVERY_US == 0)
        bracket = fused["bracket"].to_numpy()[rows]
        rows = rows[np.lexsort((bracket, minute[rows]))]
        n = max(len(np.unique(bracket)), 1)
        p = fused["p_fused"].to_numpy()[rows].reshape(-1, n)
        if len(p) and ladder is not None and ladder.shape != "partition":
            p = ladder.atom_probabilities(p.T).T
        return cls.of_arrays(
            day_start,
            p,
            (minute[rows[::n]] - day_start.timestamp() * 1e6) / 3.6e9,
            winner=winner,
            known_at=known_at,
        )

    @classmethod
    def of_arrays(
        cls, day_start: datetime, p: Array, hours: Array, *, winner: int, known_at: datetime
    ) -> "CalibrationDay":
        """The day of PMFs at given hours.

        Parameters
        ----------
        day_start, winner, known_at
            As in the attributes.
        p
            PMFs, shape (instants, atoms).
        hours
            Hours since the start of the day, ascending, shape (instants,).
        """
        if len(p) and not 0 <= winner < p.shape[1]:
            raise ValueError(
                f"{day_start:%Y-%m-%d}: bracket {winner} cannot have paid, there are "
                f"{p.shape[1]}; give the position of a bracket, the lowest is 0"
            )
        block = lead_block(hours)
        counts, hits = _cells(p, block, winner)
        return cls(
            day_start=day_start,
            known_at=known_at,
            winner=winner,
            p=p,
            block=block,
            counts=counts,
            hits=hits,
            losses=_losses(p, block, winner),
        )


def as_settled(
    day_start: datetime, fused: pl.DataFrame, events: pl.DataFrame, settlements: pl.DataFrame
) -> list[CalibrationDay]:
    """A day once per final statement of its outcome, in order of time; empty: it never settled.

    If the exchange paid a fair price, earlier statements of publishers count until then.

    Parameters
    ----------
    day_start
        Start of the climate day.
    fused, events, settlements
        `probability.fused_pmf`, `market.events` and `weather.settlements` of the day.
    """
    paid = fair_price(settlements)
    left_out_from = None if paid is None else paid.known_at
    days: dict[int, CalibrationDay] = {}
    found = []
    for each in outcomes(settlements, events):
        if each.winner is not None:
            if each.winner not in days:
                days[each.winner] = CalibrationDay.of(
                    day_start,
                    fused,
                    winner=each.winner,
                    known_at=each.known_at,
                    ladder=atoms_of(events),
                )
            day = days[each.winner]
            found.append(replace(day, known_at=each.known_at, left_out_from=left_out_from))
    return found


def _cells(p: Array, block: NDArray[np.int8], winner: int) -> tuple[Array, Array]:
    below, above = cumulatives(p)
    # No map changes 0 or 1, so these do not inform any.
    open_ = (below > 0) & (above > 0)
    odds = log_odds(np.where(open_, below, 0.5), np.where(open_, above, 0.5))
    cell = np.clip(np.rint((odds - CELLS[0]) / CELL_WIDTH), 0, len(CELLS) - 1).astype(np.int64)
    place = (block[:, None].astype(np.int64) * len(CELLS) + cell)[open_]
    happened = np.broadcast_to(np.arange(below.shape[1]) >= winner, below.shape)[open_]
    size = len(LEAD_BLOCKS) * len(CELLS)
    shape = (len(LEAD_BLOCKS), len(CELLS))
    counts = np.bincount(place, minlength=size).reshape(shape).astype(np.float64)
    return counts, np.bincount(place[happened], minlength=size).reshape(shape).astype(np.float64)


def _losses(p: Array, block: NDArray[np.int8], winner: int) -> Array:
    """Log loss of every exponent, floored where the winner has no probability."""
    losses = np.zeros((len(LEAD_BLOCKS), len(EXPONENTS)))
    if not len(p):
        return losses
    alive = p > 0
    logs = np.log(np.where(alive, p, 1.0))
    powered = np.exp(logs[..., None] * EXPONENTS) * alive[..., None]
    share = powered[:, winner] / powered.sum(axis=1)
    np.add.at(losses, block, -np.log(np.maximum(share, LOG_FLOOR)))
    return losses
