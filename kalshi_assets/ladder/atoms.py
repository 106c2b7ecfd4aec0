"""Atoms: the intervals between all bounds of legs; within an atom the same legs pay.

Legs that tile the grid, nested thresholds, and legs of several events over one number are all runs
of atoms, so that code on atoms needs no case for any of them. Here: atoms, which legs pay on which,
and conversion of probabilities between legs and atoms. Not here: prices (`thresholds`,
`market_pmf`), or positions (`positions`).
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.ladder.legs import LadderError, Leg
from kalshi_assets.units import Array, Ints

Shape = Literal["partition", "thresholds", "other"]


@dataclass(frozen=True)
class Atoms:
    """The atoms of a set of legs over one grid, lowest first; every number is in exactly one.

    Attributes
    ----------
    legs
        In any order; the rows of `payoff` have the same.

    Raises
    ------
    LadderError
        No legs, or two of one market.
    """

    legs: tuple[Leg, ...]

    def __post_init__(self) -> None:
        if not self.legs:
            raise LadderError("no legs, no atoms")
        ticker, times = Counter(leg.market_ticker for leg in self.legs).most_common(1)[0]
        if times > 1:
            raise LadderError(f"{ticker} is given {times} times")

    def __len__(self) -> int:
        return len(self.legs)

    @cached_property
    def cuts(self) -> tuple[int, ...]:
        """First number of every atom but the lowest, which is open below; rising."""
        starts = {leg.lo for leg in self.legs if leg.lo is not None}
        return tuple(sorted(starts | {leg.hi + 1 for leg in self.legs if leg.hi is not None}))

    @property
    def count(self) -> int:
        """Number of atoms."""
        return len(self.cuts) + 1

    @property
    def bounds(self) -> list[tuple[int | None, int | None]]:
        """Least and greatest number of every atom, both inclusive; None: open."""
        ends = (None, *self.cuts, None)
        return [(lo, None if after is None else after - 1) for lo, after in pairwise(ends)]

    @cached_property
    def runs(self) -> Ints:
        """First atom of every leg and the one after its last, shape (legs, 2)."""
        return np.array(
            [
                (
                    0 if leg.lo is None else self.index_of(leg.lo),
                    self.count if leg.hi is None else self.index_of(leg.hi) + 1,
                )
                for leg in self.legs
            ],
            dtype=np.int64,
        )

    @cached_property
    def payoff(self) -> NDArray[np.bool_]:
        """Whether a leg pays on an atom, shape (legs, atoms); read-only."""
        atoms = np.arange(self.count)
        payoff = (atoms >= self.runs[:, :1]) & (atoms < self.runs[:, 1:])
        payoff.flags.writeable = False
        return payoff

    @cached_property
    def shape(self) -> Shape:
        """How the legs fit together.

        partition: exactly one pays, whatever the number. thresholds: all are open on the same side
        and closed on the other, so that each implies the next. other: neither.
        """
        if (self.payoff.sum(axis=0) == 1).all():
            return "partition"
        open_ends = {(leg.lo is None, leg.hi is None) for leg in self.legs}
        return "thresholds" if open_ends in ({(True, False)}, {(False, True)}) else "other"

    def index_of(self, value: int) -> int:
        """Position of the atom that contains a number."""
        return bisect_right(self.cuts, value)

    def paid(self, paying: Sequence[bool]) -> int | None:
        """Position of the atom on which exactly these legs pay; None: no such atom.

        Parameters
        ----------
        paying
            Whether each leg pays.
        """
        found = np.flatnonzero((self.payoff == np.array(paying)[:, None]).all(axis=0))
        return int(found[0]) if found.size == 1 else None

    def leg_probabilities(self, atom_p: Array) -> Array:
        """Probabilities of the legs, shape (legs, ...); NaN where an atom of the leg is not known.

        Parameters
        ----------
        atom_p
            Shape (atoms, ...); NaN: not known.
        """
        atom_p = self._checked(atom_p, self.count, "atoms")
        if self.shape == "partition":
            return atom_p[self.payoff.argmax(axis=1)]
        unknown = np.isnan(atom_p)
        runs = self.payoff.astype(np.float64)
        # Rounding in a sum over atoms may exceed 1.
        p = np.minimum(np.tensordot(runs, np.where(unknown, 0.0, atom_p), axes=1), 1.0)
        p[np.tensordot(runs, unknown.astype(np.float64), axes=1) > 0] = np.nan
        return p

    def atom_probabilities(self, leg_p: Array) -> Array:
        """Probabilities of the atoms from those of the legs.

        Parameters
        ----------
        leg_p
            Shape (legs, ...); NaN: not known. Those of thresholds must fall as they rise.

        Returns
        -------
        Array
            Shape (atoms, ...), lowest atom first: of a partition the same numbers, of thresholds
            their differences, never below 0. NaN where a leg that bounds the atom is not known.

        Raises
        ------
        LadderError
            The legs are neither, so their probabilities do not determine those of the atoms.
        ValueError
            Another number of legs.
        """
        leg_p = self._checked(leg_p, len(self.legs), "legs")
        if self.shape == "partition":
            return leg_p[self.payoff.argmax(axis=0)]
        if self.shape == "other":
            raise LadderError(
                f"{', '.join(map(str, self.legs))} are neither a partition nor thresholds"
            )
        above = np.empty((self.count + 1, *leg_p.shape[1:]))
        above[0], above[-1] = 1.0, 0.0
        for (first, end), p in zip(self.runs, leg_p, strict=True):
            if end == self.count:
                above[first] = p
            else:
                above[end] = 1 - p
        return np.maximum(above[:-1] - above[1:], 0.0)

    def atom_flags(self, leg_flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether any leg that pays on the atom has the flag, shape (atoms, ...).

        Parameters
        ----------
        leg_flags
            Shape (legs, ...).
        """
        if self.shape == "partition":
            return leg_flags[self.payoff.argmax(axis=0)]
        return np.tensordot(self.payoff.T.astype(np.int64), leg_flags.astype(np.int64), axes=1) > 0

    @staticmethod
    def _checked(p: Array, many: int, what: str) -> Array:
        p = np.asarray(p, dtype=np.float64)
        if p.ndim == 0 or len(p) != many:
            raise ValueError(f"probabilities of shape {p.shape} are not those of {many} {what}")
        return p


def by_rising_lo(legs: Iterable[Leg]) -> tuple[Leg, ...]:
    """Threshold legs by rising lo, the order of a curve's rows.

    Raises
    ------
    LadderError
        A leg is not open above and closed below, or two have the same lo.
    """
    legs = tuple(legs)
    for leg in legs:
        if leg.lo is None or leg.hi is not None:
            raise LadderError(f"{leg} is not a threshold that is open above")
    ordered = tuple(sorted(legs, key=lambda leg: leg.lo or 0))
    for below, above in pairwise(ordered):
        if below.lo == above.lo:
            raise LadderError(f"{below} and {above} are the same threshold")
    return ordered
