"""Do things that happen get higher probabilities than things that do not?

Here: the area under the ROC curve with its bootstrap over days. Not here: whether the probabilities
are right (`calibration_error`).

The area is the share of pairs, one thing that happened and one that did not, in which the first had
the higher probability; ties count half. Pairs are counted once for every pair of dates, so that a
resample of dates is a weighted sum and the interval is that of the exact statistic: 2,000 resamples
of 150 dates take as long as one count.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Concordance:
    """Pairs of something that happened and something that did not, by their dates.

    Attributes
    ----------
    right
        Pairs in the right order, ties counting half: shape (dates, dates), row: the date of what
        happened, column: the date of what did not.
    happened, did_not
        How many there are, shape (dates,).
    """

    right: Array
    happened: Array
    did_not: Array

    def area(self, weights: Array) -> Array:
        """Area under the curve, each date counted as often as its weight says.

        Parameters
        ----------
        weights
            Shape (resamples, dates).

        Returns
        -------
        Array
            Shape (resamples,); NaN where nothing happened, or nothing else.
        """
        right = np.einsum("rd,rd->r", np.einsum("rc,cd->rd", weights, self.right), weights)
        pairs = (weights * self.happened).sum(axis=1) * (weights * self.did_not).sum(axis=1)
        return np.divide(right, pairs, out=np.full(len(weights), np.nan), where=pairs > 0)


def concordance(
    probability: Array, outcome: NDArray[np.bool_], date: NDArray[np.int64], dates: int
) -> Concordance:
    """Count pairs in the right order, by pairs of dates.

    Parameters
    ----------
    probability, outcome
        Forecast probabilities and what happened, shape (forecasts,).
    date
        Number of the date each belongs to, shape (forecasts,).
    dates
        How many dates there are.
    """
    p, of = probability[outcome], date[outcome]
    order = np.argsort(p, kind="stable")
    p, of = p[order], of[order]
    right = np.zeros((dates, dates))
    others, others_of = probability[~outcome], date[~outcome]
    for d in range(dates):
        there = np.sort(others[others_of == d])
        if there.size and p.size:
            below = np.searchsorted(there, p, "left") + np.searchsorted(there, p, "right")
            right[:, d] = np.bincount(of, below / 2, minlength=dates)
    return Concordance(
        right=right,
        happened=np.bincount(of, minlength=dates).astype(np.float64),
        did_not=np.bincount(others_of, minlength=dates).astype(np.float64),
    )
