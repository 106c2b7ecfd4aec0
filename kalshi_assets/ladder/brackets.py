"""A ladder: ordered brackets that cover every whole number exactly once."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


class LadderError(ValueError):
    """Brackets leave a gap, overlap, or lack a tail; the message says which."""


@dataclass(frozen=True, kw_only=True)
class Bracket:
    """An interval of whole numbers that pays.

    Attributes
    ----------
    market_ticker
        Its market.
    lo, hi
        Least and greatest whole number that pays, both inclusive; None: open.
    """

    market_ticker: str
    lo: int | None
    hi: int | None

    def __post_init__(self) -> None:
        if self.lo is not None and self.hi is not None and self.lo > self.hi:
            raise LadderError(f"{self.market_ticker}: lower bound {self.lo} exceeds {self.hi}")

    def pays(self, value: int) -> bool:
        """Whether the bracket pays when the number comes out as `value`."""
        return (self.lo is None or value >= self.lo) and (self.hi is None or value <= self.hi)

    def __str__(self) -> str:
        lo = "-inf" if self.lo is None else str(self.lo)
        hi = "inf" if self.hi is None else str(self.hi)
        return f"{self.market_ticker} [{lo}, {hi}]"


@dataclass(frozen=True)
class Ladder:
    """An event's brackets, lowest first; every whole number belongs to exactly one.

    Raises
    ------
    LadderError
        A tail is missing or doubled, or neighbours leave a gap or overlap.
    """

    brackets: tuple[Bracket, ...]

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

    def __len__(self) -> int:
        return len(self.brackets)

    @property
    def upper(self) -> tuple[int, ...]:
        """Greatest whole number of every bracket but the last."""
        return tuple(b.hi for b in self.brackets if b.hi is not None)

    def index_of(self, value: int) -> int:
        """Position of the bracket that pays when the number comes out as `value`."""
        return next(i for i, b in enumerate(self.brackets) if b.pays(value))
