"""What positions in legs are worth on each atom, in integers of 1/10,000 dollar (cc).

Here: gains by atom, their worst case. Not here: how positions came about, fees, limits (`trading`).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.units import CC_A_DOLLAR, Ints

# Below it no sum of int64 can have wrapped.
_MOST_CC = 2**62


def gain_by_atom(
    positions: Sequence[int] | Ints, payoff: NDArray[np.bool_], cash_cc: int = 0
) -> Ints:
    """What positions and cash are worth on each atom.

    Parameters
    ----------
    positions
        Contracts of every leg, shape (legs,): YES above 0, below 0 sold YES, which owes 1 dollar
        when the leg pays. A NO contract is a sold YES and 1 dollar of cash.
    payoff
        `Atoms.payoff`, shape (legs, atoms), of a partition, of thresholds, or of any other legs.
    cash_cc
        What was received less what was paid, fees included, cc.

    Returns
    -------
    Ints
        cc, shape (atoms,), exact.

    Raises
    ------
    TypeError
        Positions that are no integers.
    ValueError
        Another number of positions than legs, or amounts that 64 bits do not hold.
    """
    held = np.asarray(positions)
    if held.size and held.dtype.kind not in "iu":
        raise TypeError(f"positions are whole contracts, not {held.dtype}: {positions}")
    if held.shape != payoff.shape[:1]:
        raise ValueError(f"positions of shape {held.shape} are not those of {len(payoff)} legs")
    contracts = [int(position) for position in held]
    if abs(cash_cc) + CC_A_DOLLAR * sum(map(abs, contracts)) > _MOST_CC:
        raise ValueError(f"{contracts} contracts and {cash_cc} cc are too many for 64 bits")
    return cash_cc + CC_A_DOLLAR * (np.array(contracts, dtype=np.int64) @ payoff.astype(np.int64))


def worst_case(positions: Sequence[int] | Ints, payoff: NDArray[np.bool_], cash_cc: int = 0) -> int:
    """What positions and cash are worth on the atom where they are worth least, cc.

    Parameters
    ----------
    positions, payoff, cash_cc
        As in `gain_by_atom`.
    """
    return int(gain_by_atom(positions, payoff, cash_cc).min())
