"""What the pool would have said of days that it had not learnt from, origin by origin.

Origins lie on a fixed calendar, so that the prediction of a day is the same in every later fit.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.pooling.conditional_logit import conditional_logit
from kalshi_assets.pooling.inputs import Training
from kalshi_assets.pooling.simplex import without_impossible
from kalshi_assets.units import MINUTE_US, MINUTES_A_DAY, Array

# Fronts last over midnight: between the last day learnt from and the first one predicted lies one
# that is neither. When an outcome was known is said by its day (`Training.known_at`).
PURGE_DAYS = 1
ORIGIN_EVERY_DAYS = 15


def out_of_sample(training: Training) -> Array:
    """The pool's PMF of every row, fitted on days before the row's origin only.

    The prior speaks for days with too few before them.

    Parameters
    ----------
    training
        Rows in order of time.

    Returns
    -------
    Array
        Shape (rows, brackets); impossible brackets at zero.
    """
    pooled = np.empty(training.inputs.market.shape)
    for earlier, rows in _origins(training):
        fitted = conditional_logit(training.where(earlier))
        pmf = fitted.pool(training.inputs.where(rows))
        pooled[rows] = without_impossible(pmf, training.impossible[rows])
    return pooled


def _origins(training: Training) -> Iterator[tuple[NDArray[np.bool_], slice]]:
    """Rows to learn from and rows to predict, block by block of the calendar.

    An outcome that was not known when a block began is not learnt from in it.
    """
    number = np.arange(len(training.day))
    first_days = np.unique(training.day // ORIGIN_EVERY_DAYS) * ORIGIN_EVERY_DAYS
    for first in first_days:
        last_learnt, begin, end = np.searchsorted(
            training.day, [first - PURGE_DAYS, first, first + ORIGIN_EVERY_DAYS]
        )
        began = training.inputs.start[begin] - (training.day[begin] - first) * MINUTES_A_DAY
        known = training.known_at <= began * MINUTE_US
        yield (number < last_learnt) & known, slice(begin, end)
