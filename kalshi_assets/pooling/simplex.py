"""Operations on PMFs, each row of an array one."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Books quote whole cents. A market probability below the market's floor rests on an offer at one
# cent, or on none, and a PMF that can be wrong in ways it does not know of is nowhere surer.
MARKET_FLOOR = 0.0005
WEATHER_FLOOR = 0.0005


def floored(p: Array, floor: float) -> Array:
    """(1 - n floor) p + floor: nothing but evidence makes a bracket impossible."""
    return (1 - p.shape[-1] * floor) * p + floor


def softmax(score: Array) -> Array:
    """exp(score) / sum(exp(score)) along the last axis."""
    raised = np.exp(score - score.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def log_pool(
    market: Array,
    weather: Array,
    market_weight: float | Array,
    weather_weight: float | Array,
) -> Array:
    """softmax(w_m log p_m + w_w log p_w), both floored first.

    Parameters
    ----------
    market, weather
        Shape (..., brackets); every row a PMF.
    market_weight, weather_weight
        Exponents, of every row or of all.

    Returns
    -------
    Array
        The same shape; every row a PMF.
    """
    score = np.asarray(market_weight)[..., None] * np.log(floored(market, MARKET_FLOOR))
    score += np.asarray(weather_weight)[..., None] * np.log(floored(weather, WEATHER_FLOOR))
    return softmax(score)


def without_dead(p: Array, dead: NDArray[np.bool_]) -> Array:
    """`p` with the dead brackets at zero, renormalised; uniform over the living if they had none.

    Raises
    ------
    ValueError
        Every bracket of some row is dead: the evidence contradicts the ladder.
    """
    if dead.all(axis=-1).any():
        raise ValueError("every bracket is dead: the evidence contradicts the ladder")
    alive = np.where(dead, 0.0, p)
    total = alive.sum(axis=-1, keepdims=True)
    uniform = (~dead) / (~dead).sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        renormalised = np.where(total > 0, alive / total, uniform)
    return np.where(dead.any(axis=-1, keepdims=True), renormalised, p)
