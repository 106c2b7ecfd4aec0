"""Compiled rules of what fills a resting order of one contract; used by `virtual_makers` alone."""

import numpy as np

from kalshi_assets.kernel_cache import njit
from kalshi_assets.units import Bools, Ints

CONTRACT = 100
"""Hundredths of a contract, the unit of sizes."""
TOUCH_PERCENT = 20
"""Share of a trade at the price that the model `touch` fills."""


@njit(cache=True)
def followed(
    tape: tuple[Ints, Ints, Ints, Bools],
    begin: Ints,
    stop: Ints,
    limit: Ints,
    sign: Ints,
    placed: Ints,
    judged: Ints,
    first: Bools,
    ahead: Ints,
) -> tuple[Ints, Ints, Bools, Ints]:
    """What trades do to resting orders of one contract.

    Parameters
    ----------
    tape
        Times, prices, sizes in hundredths, and whether the taker bought, of the trades.
    begin, stop
        The first trade of each order and the one after its last.
    limit, sign, placed, judged
        Price of each order, 1 for a bid and -1 for an ask, and times.
    first
        Whether nobody is ahead of the order, whatever the model.
    ahead
        Hundredths ahead, one for each queue model.

    Returns
    -------
    taking
        Microseconds to the fill by touch, through and each queue model, -1: none.
    volume
        Hundredths that takers of the other side traded at the price until judged.
    flags
        Whether there was a trade at the price or beyond it until judged, one beyond it until
        judged, and one beyond it at all.
    before
        As `volume`, until the first trade beyond the price, or the end.
    """
    at, price, size, lifts = tape
    taking = np.full((limit.size, 2 + ahead.size), -1, np.int64)
    volume, before = np.zeros(limit.size, np.int64), np.zeros(limit.size, np.int64)
    flags = np.zeros((limit.size, 3), np.bool_)
    left, got = np.empty(ahead.size, np.int64), np.empty(ahead.size, np.int64)
    for j in range(limit.size):
        left[:] = ahead
        if first[j]:
            left[:] = 0
        got[:] = 0
        touch = through = 0
        for i in range(begin[j], stop[j]):
            beyond = (limit[j] - price[i]) * sign[j]  # above zero: beyond the price
            if beyond < 0:
                continue
            early = at[i] <= judged[j]
            flags[j, 0] |= early
            if beyond > 0:
                flags[j, 1] |= early
                flags[j, 2] = True
                touch += 100 * size[i]
                through += size[i]
                left[:] = 0
                _take(left, got, size[i])
            else:
                touch += TOUCH_PERCENT * size[i]
                if lifts[i] == (sign[j] < 0):
                    volume[j] += size[i] if early else 0
                    before[j] += 0 if flags[j, 2] else size[i]
                    _take(left, got, size[i])
            _note(taking[j], touch // 100, through, got, at[i] - placed[j])
            if taking[j, 1] >= 0:
                break
    return taking, volume, flags, before


@njit(cache=True)
def _take(left: Ints, got: Ints, size: int) -> None:
    """A trade takes from those ahead first; what is left of it is the order's."""
    for k in range(left.size):
        taken = min(left[k], size)
        left[k] -= taken
        got[k] += size - taken


@njit(cache=True)
def _note(taking: Ints, touch: int, through: int, got: Ints, since: int) -> None:
    """Note the time of the models that have a contract now and had none before."""
    if taking[0] < 0 and touch >= CONTRACT:
        taking[0] = since
    if taking[1] < 0 and through >= CONTRACT:
        taking[1] = since
    for k in range(got.size):
        if taking[2 + k] < 0 and got[k] >= CONTRACT:
            taking[2 + k] = since
