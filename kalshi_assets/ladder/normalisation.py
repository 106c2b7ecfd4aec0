"""From prices that do not sum to one to probabilities that do, without regard to bids and asks.

Three classic rules, for comparison with the projection into the no-arbitrage box that the market
PMF is by default. Mids of an exchange sum to about one, so the choice moves half a cent; what is
left of a favourite-longshot bias belongs to calibration, where it can be tested.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rule = Literal["multiplicative", "power", "shin"]

# A price of 1 has no power that sums to one with the others.
LEAST_PRICE, GREATEST_PRICE = 1e-6, 1 - 1e-6
_NEWTON_STEPS = 60


def normalised(prices: Array, rule: Rule) -> Array:
    """Every row of `prices` as a PMF.

    Parameters
    ----------
    prices
        Shape (..., brackets), dollars; clipped to within a ten-thousandth of a cent of 0 and 1.
    rule
        See `multiplicative`, `power` and `shin`.

    Returns
    -------
    Array
        The same shape; every row sums to one.

    Raises
    ------
    ValueError
        An unknown rule; the message lists the known ones.
    """
    rules = {"multiplicative": multiplicative, "power": power, "shin": shin}
    if rule not in rules:
        raise ValueError(f"unknown rule {rule!r} of normalisation; known: {', '.join(rules)}")
    return rules[rule](np.clip(prices, LEAST_PRICE, GREATEST_PRICE))


def multiplicative(prices: Array) -> Array:
    """p = m / sum(m): the margin is a share of every price."""
    return prices / prices.sum(axis=-1, keepdims=True)


def power(prices: Array) -> Array:
    """p = m^k with k such that the sum is one: dear brackets are believed more than cheap ones.

    Parameters
    ----------
    prices
        Shape (..., brackets), each strictly between 0 and 1.

    Notes
    -----
    The sum of m^k falls and is convex in k, so that Newton's method from k = 0, where the sum is
    the number of brackets, climbs to the root without passing it.
    """
    logs = np.log(prices)
    exponent = np.zeros((*prices.shape[:-1], 1))
    for _ in range(_NEWTON_STEPS):
        raised = np.exp(exponent * logs)
        excess = raised.sum(axis=-1, keepdims=True) - 1
        if excess.max(initial=0.0) < 1e-13:
            break
        exponent -= excess / (raised * logs).sum(axis=-1, keepdims=True)
    return multiplicative(np.exp(exponent * logs))


def shin(prices: Array) -> Array:
    """Shin's rule: the margin guards against a share z of insiders, who know the outcome.

    p = (sqrt(z^2 + 4 (1 - z) m^2 / B) - z) / (2 (1 - z)), B the sum of prices, z such that the
    sum is one. Prices that sum to one or less leave no room for insiders: z = 0, which is plain
    normalisation.

    Parameters
    ----------
    prices
        Shape (..., brackets), each strictly between 0 and 1.

    Notes
    -----
    With s = sqrt(z^2 + 4 (1 - z) m^2 / B) the condition is sum(s) - (n - 2) z = 2. The left side is
    convex in z and z = 1 solves it always, so that Newton's method from z = 0 climbs to the other
    root without passing it.
    """
    n = prices.shape[-1]
    total = prices.sum(axis=-1, keepdims=True)
    squares = 4 * prices**2 / total
    insiders = np.zeros_like(total)
    for _ in range(_NEWTON_STEPS):
        roots = np.sqrt(insiders**2 + (1 - insiders) * squares)
        excess = np.where(total > 1, roots.sum(axis=-1, keepdims=True) - (n - 2) * insiders - 2, 0)
        if excess.max(initial=0.0) < 1e-13:
            break
        slope = ((insiders - squares / 2) / roots).sum(axis=-1, keepdims=True) - (n - 2)
        insiders -= excess / slope
    free = 1 - insiders
    return multiplicative((np.sqrt(insiders**2 + free * squares) - insiders) / (2 * free))
