"""A ladder: ordered brackets that cover every whole number exactly once.

A bracket is a leg of a partition. Here: what makes legs a partition. Not here: legs (`legs`), and
what holds for any set of them (`atoms`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from kalshi_assets.ladder.atoms import Atoms, Shape, by_rising_lo
from kalshi_assets.ladder.legs import LadderError, Leg

__all__ = ["Bracket", "Ladder", "LadderError", "ladder_of"]

Bracket = Leg


@dataclass(frozen=True)
class Ladder(Atoms):
    """An event's brackets, lowest first; every whole number belongs to exactly one.

    Atoms of which each is a bracket: positions of atoms are positions of brackets.

    Raises
    ------
    LadderError
        A tail is missing or doubled, or neighbours leave a gap or overlap.
    """

    @classmethod
    def of(cls, brackets: Sequence[Bracket]) -> "Ladder":
        """The ladder of `brackets`, given in any order."""
        ordered = sorted(
            brackets,
            key=lambda b: (b.lo is not None, b.lo if b.lo is not None else 0, b.hi is None),
        )
        return cls(tuple(ordered))

    def __post_init__(self) -> None:
        names = ", ".join(map(str, self.brackets)) or "no brackets"
        if len(self.brackets) < 2:
            raise LadderError(f"a ladder needs at least two brackets, got {names}")
        if self.brackets[0].lo is not None:
            raise LadderError(f"the lower tail is missing: {names}")
        if self.brackets[-1].hi is not None:
            raise LadderError(f"the upper tail is missing: {names}")
        for below, above in pairwise(self.brackets):
            if below.hi is None or above.lo is None:
                raise LadderError(f"two tails on one side: {below} and {above}")
            if above.lo > below.hi + 1:
                raise LadderError(f"gap between {below} and {above}")
            if above.lo <= below.hi:
                raise LadderError(f"overlap of {below} and {above}")
        super().__post_init__()

    @property
    def brackets(self) -> tuple[Bracket, ...]:
        """The legs, lowest first."""
        return self.legs

    @property
    def upper(self) -> tuple[int, ...]:
        """Greatest whole number of every bracket but the last."""
        return tuple(cut - 1 for cut in self.cuts)


def ladder_of(legs: Sequence[Leg], shape: Shape) -> Atoms:
    """The legs of an event in their order, which is that of `market.events`.

    Parameters
    ----------
    legs
        In any order.
    shape
        What they have to be together: a partition, lowest first, or thresholds that are open
        above, by rising bound.

    Raises
    ------
    LadderError
        They are something else, or the shape is none that an event may have.
    """
    if shape == "partition":
        return Ladder.of(legs)
    if shape == "thresholds":
        return Atoms(by_rising_lo(legs))
    raise LadderError(f"an event of shape {shape!r} has no order of legs")
