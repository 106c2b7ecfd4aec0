"""Discrimination: whether events that occur had higher probabilities than events that do not.

Here: the area under the ROC curve with its bootstrap over dates. Not here: calibration
(`calibration_error`).

The area is the share of pairs of an event that occurred and one that did not in which the first had
the higher probability; ties count half. Pairs are counted once per pair of dates, so that each
resample of dates is a weighted sum and the interval is exact: 2,000 resamples of 150 dates take as
long as one count.
"""

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.units import Array


def areas_under_curve(
    probability: Array, outcome: NDArray[np.bool_], date: NDArray[np.int64], weights: Array
) -> Array:
    """Areas under the ROC curve, shape (resamples,); NaN if all events occurred or none did.

    Parameters
    ----------
    probability, outcome, date
        Forecasts, whether the event occurred, and the index of the date, shape (forecasts,).
    weights
        Of the dates, shape (resamples, dates).
    """
    dates = weights.shape[1]
    p, of = probability[outcome], date[outcome]
    order = np.argsort(p, kind="stable")
    p, of = p[order], of[order]
    # Correctly ordered pairs; row: date of the event that occurred, column: of the other one.
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
