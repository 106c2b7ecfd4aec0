"""Operations on PMFs, each row of an array one."""

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.units import Array

# Books quote whole cents. A market probability below the market's floor rests on an offer at one
# cent, or on none, and a PMF that can be wrong in ways it does not know of is nowhere surer.
MARKET_FLOOR = 0.0005
MODEL_FLOOR = 0.0005


def floored(p: Array, floor: float) -> Array:
    """(1 - n floor) p + floor: no bracket is ruled out by a PMF alone."""
    return (1 - p.shape[-1] * floor) * p + floor


def softmax(score: Array) -> Array:
    """exp(score) / sum(exp(score)) along the last axis."""
    raised = np.exp(score - score.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def log_pool(
    market: Array,
    model: Array,
    market_weight: float | Array,
    model_weight: float | Array,
) -> Array:
    """softmax(w_m log p_market + w_x log p_model), both floored first.

    Parameters
    ----------
    market, model
        Shape (..., brackets); every row a PMF.
    market_weight, model_weight
        Exponents, of every row or of all.

    Returns
    -------
    Array
        The same shape; every row a PMF.
    """
    score = np.asarray(market_weight)[..., None] * np.log(floored(market, MARKET_FLOOR))
    score += np.asarray(model_weight)[..., None] * np.log(floored(model, MODEL_FLOOR))
    return softmax(score)


def without_impossible(p: Array, impossible: NDArray[np.bool_]) -> Array:
    """`p` with impossible brackets at zero, renormalised; uniform over the rest if that had none.

    Raises
    ------
    ValueError
        Every bracket of some row is impossible: the evidence contradicts the ladder.
    """
    if impossible.all(axis=-1).any():
        raise ValueError("every bracket is impossible: the evidence contradicts the ladder")
    possible = np.where(impossible, 0.0, p)
    total = possible.sum(axis=-1, keepdims=True)
    uniform = (~impossible) / (~impossible).sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        renormalised = np.where(total > 0, possible / total, uniform)
    return np.where(impossible.any(axis=-1, keepdims=True), renormalised, p)
