"""Proper scores of PMFs over a ladder."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LOG_FLOOR = 1e-6


def log_loss(p: Array, winner: int) -> Array:
    """-ln of the probability of the bracket that paid, floored at 1e-6, nats.

    Parameters
    ----------
    p
        Shape (..., brackets).
    winner
        Position of the bracket that paid.
    """
    return 0.0 - np.log(np.maximum(p[..., winner], LOG_FLOOR))


def brier_score(p: Array, winner: int) -> Array:
    """Sum over brackets of (p - o)^2, between 0 and 2."""
    outcome = np.eye(p.shape[-1])[winner]
    return ((p - outcome) ** 2).sum(axis=-1)


def ranked_probability_score(p: Array, winner: int) -> Array:
    """Mean squared difference of the cumulative distributions, between 0 and 1."""
    outcome = np.eye(p.shape[-1])[winner]
    difference = np.cumsum(p - outcome, axis=-1)[..., :-1]
    return (difference**2).mean(axis=-1)
