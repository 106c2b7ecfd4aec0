"""Do things that happen get higher probabilities than things that do not?

Here: the area under the ROC curve with its bootstrap over days. Not here: whether the probabilities
are right (`calibration_error`).

The area is the share of pairs, one thing that happened and one that did not, in which the first had
the higher probability; ties count half. Pairs are counted once for every pair of dates, so that a
resample of dates is a weighted sum and the interval is that of the exact statistic: 2,000 resamples
of 150 dates take as long as one count.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def areas_under_curve(
    probability: Array, outcome: NDArray[np.bool_], date: NDArray[np.int64], weights: Array
) -> Array:
    """Areas under the ROC curve, each date counted as often as its weight says.

    Parameters
    ----------
    probability, outcome
        Forecast probabilities and what happened, shape (forecasts,).
    date
        Number of the date each belongs to, shape (forecasts,).
    weights
        Shape (resamples, dates).

    Returns
    -------
    Array
        Shape (resamples,); NaN where nothing happened, or nothing else.
    """
    dates = weights.shape[1]
    p, of = probability[outcome], date[outcome]
    order = np.argsort(p, kind="stable")
    p, of = p[order], of[order]
    # Pairs in the right order; row: date of what happened, column: date of what did not.
    right = np.zeros((dates, dates))
    others, others_of = probability[~outcome], date[~outcome]
    for d in range(dates):
        there = np.sort(others[others_of == d])
        if there.size and p.size:
            below = np.searchsorted(there, p, "left") + np.searchsorted(there, p, "right")
            right[:, d] = np.bincount(of, below / 2, minlength=dates)
    happened, did_not = (
        (weights * np.bincount(dates_of, minlength=dates)).sum(axis=1)
        for dates_of in (of, others_of)
    )
    found = np.einsum("rd,rd->r", np.einsum("rc,cd->rd", weights, right), weights)
    pairs = happened * did_not
    return np.divide(found, pairs, out=np.full(len(weights), np.nan), where=pairs > 0)
