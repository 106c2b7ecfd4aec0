"""What a pool would have said of days that it had not learnt from, origin by origin.

Origins lie on a fixed calendar, so that the prediction of a day is the same in every later fit.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.ladder.pools.inputs import Training
from kalshi_assets.ladder.pools.protocol import Pool
from kalshi_assets.ladder.pools.simplex import without_dead

Array = NDArray[np.float64]

# A day's outcome is official on the next morning, and fronts last over midnight: between the last
# day learnt from and the first one predicted lies one that is neither.
PURGE_DAYS = 1
ORIGIN_EVERY_DAYS = 15


def out_of_sample(training: Training, pool: Pool) -> Array:
    """The pool's PMF of every row, fitted on days before the row's origin only.

    Parameters
    ----------
    training
        Rows in order of time.
    pool
        Its prior speaks for days with too few before them.

    Returns
    -------
    Array
        Shape (rows, brackets); dead brackets at zero.
    """
    pooled = np.empty(training.inputs.market.shape)
    for earlier, rows in _origins(training):
        fitted = pool.fit(training.where(earlier))
        pooled[rows] = without_dead(fitted.pool(training.inputs.where(rows)), training.dead[rows])
    return pooled


def _origins(training: Training) -> Iterator[tuple[slice, slice]]:
    """Rows to learn from and rows to predict, block by block of the calendar."""
    first_days = np.unique(training.day // ORIGIN_EVERY_DAYS) * ORIGIN_EVERY_DAYS
    for first in first_days:
        last_learnt, begin, end = np.searchsorted(
            training.day, [first - PURGE_DAYS, first, first + ORIGIN_EVERY_DAYS]
        )
        yield slice(0, last_learnt), slice(begin, end)
