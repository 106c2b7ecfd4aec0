"""Equity and drawdowns of daily gains, in exact integers.

Here: the path of equity from a start of 0, its distance from the highest equity so far, the worst
drawdowns. Not here: the gains, the dates of the days, ratios to a capital.
"""

from dataclasses import dataclass

import numpy as np

from kalshi_assets.units import Ints

MOST = 10


@dataclass(frozen=True, kw_only=True)
class Drawdown:
    """Consecutive days on which equity is below its high.

    Attributes
    ----------
    start, trough
        Positions of the first day below the high, and of the first day of lowest equity.
    recovery
        Position of the first day after them at or above the high; None: there is none yet.
    depth
        High minus lowest equity, cc, above 0.
    length
        Days below the high: from `start` to the day before `recovery`, or to the last day.
    """

    start: int
    trough: int
    recovery: int | None
    depth: int
    length: int


def equity(gains: Ints) -> Ints:
    """Sum of the gains up to and including each day, cc, shape (days,).

    Parameters
    ----------
    gains
        Of days in order, cc, shape (days,).
    """
    if gains.ndim != 1 or not np.issubdtype(gains.dtype, np.signedinteger):
        raise ValueError(
            f"gains must be whole cc of shape (days,), got {gains.dtype} of shape {gains.shape}"
        )
    if np.abs(gains.astype(np.float64)).sum() >= 2.0**62:
        raise ValueError("gains are too large for sums of 64 bits")
    return np.cumsum(gains, dtype=np.int64)


def drawdown(gains: Ints) -> Ints:
    """Highest equity so far minus equity, cc, shape (days,); the start at 0 counts as a high.

    Parameters
    ----------
    gains
        As in `equity`.
    """
    reached = equity(gains)
    return np.maximum(np.maximum.accumulate(reached), 0) - reached


def worst_drawdowns(gains: Ints, *, most: int = MOST) -> list[Drawdown]:
    """The deepest drawdowns, deepest first, earlier first if equally deep.

    Parameters
    ----------
    gains
        As in `equity`.
    most
        Greatest number of drawdowns returned.
    """
    if most < 0:
        raise ValueError(f"most must not be negative, got {most}")
    depths = drawdown(gains)
    turns = np.diff((depths > 0).astype(np.int8), prepend=0, append=0)
    spans = zip(np.flatnonzero(turns == 1), np.flatnonzero(turns == -1), strict=True)
    found = [_between(depths, int(start), int(end)) for start, end in spans]
    return sorted(found, key=lambda one: (-one.depth, one.start))[:most]


def _between(depths: Ints, start: int, end: int) -> Drawdown:
    trough = start + int(depths[start:end].argmax())
    return Drawdown(
        start=start,
        trough=trough,
        recovery=end if end < len(depths) else None,
        depth=int(depths[trough]),
        length=end - start,
    )
