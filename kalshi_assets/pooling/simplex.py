"""Operations on PMFs, one per row of an array."""

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.units import Array

# Books quote whole cents. A market probability below the market's floor rests on an offer at one
# cent or on none, and a model that can be wrong in unknown ways must not be surer than that.
MARKET_FLOOR = 0.0005
MODEL_FLOOR = 0.0005


# Brackets that a floor is given in full. Of more it gives the same total, so that the floor of a
# ladder of many legs does not outweigh what the book says about one of them.
_FULL_FLOOR = 6


def floor_of(floor: float, brackets: int) -> float:
    """The least probability of one of so many brackets: `floor` up to six, then less.

    Parameters
    ----------
    floor
        Least probability of one of six brackets.
    brackets
        Number of brackets in the ladder.
    """
    return floor if brackets <= _FULL_FLOOR else floor * _FULL_FLOOR / brackets


def floored(p: Array, floor: float) -> Array:
    """(1 - n floor) p + floor: no PMF alone rules out a bracket.

    Parameters
    ----------
    p
        Shape (..., brackets); every row a PMF.
    floor
        Least probability of one of six brackets; see `floor_of`.
    """
    least = floor_of(floor, p.shape[-1])
    return (1 - p.shape[-1] * least) * p + least


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
        Exponents, per row or one for all.
    """
    score = np.asarray(market_weight)[..., None] * np.log(floored(market, MARKET_FLOOR))
    score += np.asarray(model_weight)[..., None] * np.log(floored(model, MODEL_FLOOR))
    return softmax(score)


def without_impossible(p: Array, impossible: NDArray[np.bool_]) -> Array:
    """`p` with impossible brackets at zero, renormalised; uniform over the rest if that had none.

    Parameters
    ----------
    p
        Shape (..., brackets); every row a PMF.
    impossible
        The same shape: the bracket can no longer pay.

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
