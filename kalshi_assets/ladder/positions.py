"""What positions in legs are worth on each atom, in integers of 1/10,000 dollar (cc).

Here: gains by atom. Not here: how positions came about, fees, limits (`trading`).
"""

from collections.abc import Sequence
from itertools import accumulate

from kalshi_assets.units import CC_A_DOLLAR

Runs = Sequence[tuple[int, int]]
"""Of every leg the first atom on which it pays and the one after the last; `Atoms.runs`."""


def gain_by_atom(positions: Sequence[int], runs: Runs, atoms: int, cash_cc: int = 0) -> list[int]:
    """What positions and cash are worth on each atom, cc, exact.

    Parameters
    ----------
    positions
        Contracts of every leg: YES above 0, below 0 sold YES, which owes 1 dollar when the leg
        pays. A NO contract is a sold YES and 1 dollar of cash.
    runs
        Of every leg; of a partition, of thresholds, or of any other legs.
    atoms
        How many there are.
    cash_cc
        What was received less what was paid, fees included.

    Returns
    -------
    list of int
        An entry per atom; the least is the worst case.

    Raises
    ------
    ValueError
        Another number of positions than legs.
    """
    steps = [0] * (atoms + 1)
    steps[0] = cash_cc
    for position, (first, end) in zip(positions, runs, strict=True):
        steps[first] += CC_A_DOLLAR * position
        steps[end] -= CC_A_DOLLAR * position
    return list(accumulate(steps[:-1]))
