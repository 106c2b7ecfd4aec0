"""Relations between legs over one number: ranges that are differences of thresholds.

Where two events settle on the same number, a range leg [lo, hi] pays exactly when the threshold at
lo pays and the one at hi + 1 does not. Whether two events do is for the caller to know. Here: which
legs are related, and how far prices deviate. Not here: trading on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.ladder.legs import Leg
from kalshi_assets.ladder.thresholds import envelopes
from kalshi_assets.units import Array


@dataclass(frozen=True, kw_only=True)
class RangeRelation:
    """A range leg that is the difference of two listed thresholds.

    Attributes
    ----------
    leg
        Position of the range among the ranges.
    lower, upper
        Positions among the thresholds, by rising lo, of the ones at lo and at hi + 1; None: the
        range is open there.
    """

    leg: int
    lower: int | None
    upper: int | None


def falls(survival: Array) -> NDArray[np.bool_]:
    """Whether s_i >= s_(i + 1) for all known legs; shape (...).

    Parameters
    ----------
    survival
        Shape (legs, ...), legs by rising lo; NaN: not known.
    """
    least_before = np.fmin.accumulate(survival, axis=0)[:-1]
    return np.asarray(~(survival[1:] > least_before).any(axis=0))


def range_relations(thresholds: Sequence[Leg], ranges: Sequence[Leg]) -> list[RangeRelation]:
    """The ranges whose ends are all listed as thresholds.

    Parameters
    ----------
    thresholds
        By rising lo, of an event that settles on the same number.
    ranges
        Legs of the other event, any order.
    """
    positions = {leg.lo: i for i, leg in enumerate(thresholds)}
    found = []
    for i, leg in enumerate(ranges):
        lower = None if leg.lo is None else positions.get(leg.lo)
        upper = None if leg.hi is None else positions.get(leg.hi + 1)
        if (leg.lo is None or lower is not None) and (leg.hi is None or upper is not None):
            found.append(RangeRelation(leg=i, lower=lower, upper=upper))
    return found


def residuals(relations: Sequence[RangeRelation], survival: Array, range_p: Array) -> Array:
    """Probability of each related range less the difference of its thresholds.

    Parameters
    ----------
    relations
        From `range_relations`.
    survival
        Survival of the thresholds, shape (thresholds, ...).
    range_p
        Probabilities of the ranges, shape (ranges, ...).

    Returns
    -------
    Array
        Shape (relations, ...): 0 where they agree, NaN where one is not known.
    """
    one = np.ones(survival.shape[1:])
    out = [
        range_p[relation.leg]
        - (one if relation.lower is None else survival[relation.lower])
        + (0 * one if relation.upper is None else survival[relation.upper])
        for relation in relations
    ]
    return np.array(out).reshape(len(relations), *survival.shape[1:])


def range_bounds(
    thresholds: Sequence[Leg], bid: Array, ask: Array, ranges: Sequence[Leg]
) -> tuple[Array, Array]:
    """Bounds that the books of thresholds put on ranges, listed ends or not.

    A threshold at or below lo pays whenever the range does, and one above hi never: the range is
    worth at most U(lo) - L(hi + 1), and at least L(lo) - U(hi + 1). A bid above the first, or an
    ask below the second, makes a package that gains before fees for every settlement value; with
    nothing sold above, the first is YES(threshold <= lo) + NO(range), which pays at least 1.

    Parameters
    ----------
    thresholds
        By rising lo.
    bid, ask
        Quotes of the thresholds, dollars, shape (thresholds, ...); NaN, 0 and 1: no quote.
    ranges
        Legs of an event that settles on the same value.

    Returns
    -------
    tuple
        Least and greatest value of each range, shape (ranges, ...); always within 0 and 1.
    """
    lower, upper = envelopes(bid, ask)
    los = np.array([leg.lo for leg in thresholds], dtype=np.int64)
    shape = lower.shape[1:]
    nothing, certain = np.zeros(shape), np.ones(shape)
    bids = np.concatenate([np.nan_to_num(lower, nan=0.0), nothing[None]])
    asks = np.concatenate([certain[None], np.nan_to_num(upper, nan=1.0)])
    least, greatest = np.empty((2, len(ranges), *shape))
    for i, leg in enumerate(ranges):
        at_lo = certain, certain
        beyond = nothing, nothing
        if leg.lo is not None:
            at_lo = _bounds_at(leg.lo, los, bids, asks)
        if leg.hi is not None:
            beyond = _bounds_at(leg.hi + 1, los, bids, asks)
        least[i] = np.maximum(at_lo[0] - beyond[1], 0.0)
        greatest[i] = np.minimum(at_lo[1] - beyond[0], 1.0)
    return least, greatest


def _bounds_at(
    number: int, los: NDArray[np.int64], bids: Array, asks: Array
) -> tuple[Array, Array]:
    """Bounds on the probability that the value is at least `number`.

    The greatest bid of the thresholds at or above it, the least ask of those at or below it.
    """
    first_from = np.searchsorted(los, number, side="left")
    many_to = np.searchsorted(los, number, side="right")
    return bids[first_from], asks[many_to]
