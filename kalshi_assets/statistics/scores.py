"""Proper scores of PMFs over a ladder.

Throughout, `p` has shape (..., brackets) and `winner` is the position of the bracket that paid:
one, or one per PMF. Not here: means over days (`bootstrap`).
"""

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.units import Array

Winner = int | NDArray[np.int64]

LOG_FLOOR = 1e-6


def log_loss(p: Array, winner: Winner) -> Array:
    """-ln of the probability of the bracket that paid, floored at 1e-6, nats."""
    given = np.where(np.eye(p.shape[-1], dtype=bool)[winner], p, 0.0).sum(axis=-1)
    return 0.0 - np.log(np.maximum(given, LOG_FLOOR))


def brier_score(p: Array, winner: Winner) -> Array:
    """Sum over brackets of (p - o)^2, between 0 and 2."""
    return ((p - np.eye(p.shape[-1])[winner]) ** 2).sum(axis=-1)


def ranked_probability_score(p: Array, winner: Winner) -> Array:
    """Mean squared difference of the cumulative distributions, between 0 and 1."""
    difference = np.cumsum(p - np.eye(p.shape[-1])[winner], axis=-1)[..., :-1]
    return (difference**2).mean(axis=-1)


def cross_entropy(probability: Array, outcome: NDArray[np.bool_]) -> Array:
    """-ln of the probability given to the outcome of binary forecasts, floored at 1e-6, nats."""
    given = np.where(outcome, probability, 1 - probability)
    return 0.0 - np.log(np.clip(given, LOG_FLOOR, 1.0))


def proper_scores(p: Array, winner: NDArray[np.int64]) -> Array:
    """Log loss, Brier score, RPS and mean cross-entropy: shape (4, forecasts).

    Shorter ladders in `p` are padded with NaN; a forecast of NaN only has scores of NaN.
    """
    found = np.full((4, len(p)), np.nan)
    brackets = (~np.isnan(p)).sum(axis=1)
    for n in np.unique(brackets[brackets > 0]):
        at = brackets == n
        pmf, paid = p[at, :n], winner[at]
        found[:, at] = (
            log_loss(pmf, paid),
            brier_score(pmf, paid),
            ranked_probability_score(pmf, paid),
            cross_entropy(pmf, np.eye(n, dtype=bool)[paid]).mean(axis=1),
        )
    return found
