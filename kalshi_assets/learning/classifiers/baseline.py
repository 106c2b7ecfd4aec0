"""Baselines without features: the references that trees start from and have to beat.

A probability is always baseline plus trees on the scale of log odds, so that without trees there is
exactly no skill.

Skill must come from the day's own features. After an exchange of labels between days at the same
minute and bracket (`controls`) a forecast still knows the position in the ladder and the time of
day; what these predict of the leader on any day belongs in the baseline.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.learning.classifiers.targets import Prices, Sample, Target
from kalshi_assets.statistics.scores import LOG_FLOOR
from kalshi_assets.units import Array

# Relative to the mean loss of a row: keeps values finite where the leader never changed.
RIDGE = 1e-3
# Sixty days have about sixty leaders, whatever their number of minutes. A third of this or three
# times as much is worse on labels of other days: 1.695 and 1.696 nats against 1.689.
POSITION_RIDGE = 3e-3
_RATES = (1e-4, 1 - 1e-4)


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """Score without features: a constant, the price, the leader, the position in the ladder.

    intercept + slope * log price + leader_bonus * (has the lead) + position_bonus[bracket]

    Attributes
    ----------
    intercept
        Log odds of the base rate; for binary targets, which have no other term.
    slope, leader_bonus
        For winner targets. pays: 1 and 0, the market itself. lead: both fitted, since the leader
        mostly stays: on Chicago's days of early 2025 p_mkt has 0.54 nats for the leader a minute
        ahead, the price with the present leader 0.12. Any model would look good against the former.
    position_bonus
        For lead, an entry per bracket, coldest first: middle ones lead more often on any day. A
        position without training days gets nothing. On labels of other days, five cities of early
        2025, prices alone have 1.770 nats, with positions 1.689, with positions by quarter of the
        day 1.693: the hour adds noise. On true labels positions cost .0003 nats of .14.
    """

    intercept: float = 0.0
    slope: float = 0.0
    leader_bonus: float = 0.0
    position_bonus: tuple[float, ...] = ()

    def score(self, prices: Prices) -> Array:
        """Log odds, or for winner targets log weights within the minute, shape (rows,)."""
        bonus = np.array([*self.position_bonus, 0.0])
        place = np.minimum(prices.bracket, len(self.position_bonus))
        return (
            self.intercept
            + self.slope * prices.log_price
            + self.leader_bonus * prices.leads
            + bonus[place]
        )

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> "Baseline":
        """The baseline in a row of `learning.classifiers`, or in a fit as JSON.

        Raises
        ------
        KeyError
            A part is missing.
        """
        numbers = {name: stored[name] for name in ("intercept", "slope", "leader_bonus")}
        return cls(**numbers, position_bonus=tuple(stored["position_bonus"]))


MARKET = Baseline(slope=1.0)


def baseline_of(target: Target, train: Sample) -> Baseline:
    """The baseline of a target, from training days.

    Parameters
    ----------
    target
        The target.
    train
        Labelled training rows; every day has the same weight.
    """
    if target.kind == "binary":
        rate = np.clip(np.average(train.y, weights=train.weight), *_RATES)
        return Baseline(intercept=float(np.log(rate / (1 - rate))))
    return MARKET if target.name == "pays" else _persistence(train)


def _persistence(train: Sample) -> Baseline:
    """Conditional logit of the next leader, given the prices, the present leader, and positions."""
    from scipy.optimize import minimize

    known = train.prices
    weight = train.weight / train.weight.sum()
    won = train.y == 1
    positions = int(known.bracket.max()) + 1
    prior = np.array([MARKET.slope, MARKET.leader_bonus, *np.zeros(positions)])
    ridge = np.array([RIDGE, RIDGE, *np.full(positions, POSITION_RIDGE)])

    def loss(parameters: Array) -> tuple[float, Array]:
        p = softmax(_baseline(parameters).score(known), train.starts)
        excess = weight * (p - train.y)
        slopes = [excess @ known.log_price, excess @ known.leads]
        slopes += [*np.bincount(known.bracket, excess, positions)]
        away = parameters - prior
        value = -np.sum(weight[won] * np.log(np.maximum(p[won], LOG_FLOOR)))
        return value + np.sum(ridge * away**2), np.array(slopes) + 2 * ridge * away

    bounds = [(0, None), *[(None, None)] * (1 + positions)]
    return _baseline(minimize(loss, prior, jac=True, method="L-BFGS-B", bounds=bounds).x)


def _baseline(parameters: Array) -> Baseline:
    slope, leader_bonus, *positions = parameters.tolist()
    return Baseline(slope=slope, leader_bonus=leader_bonus, position_bonus=tuple(positions))


def softmax(score: Array, starts: NDArray[np.int64]) -> Array:
    """Probabilities within each event and minute, shape (rows,); -inf becomes 0.

    Parameters
    ----------
    score
        Log weights, shape (rows,), at least one of a minute finite.
    starts
        First row of each minute.
    """
    sizes = np.diff(starts, append=len(score))
    weight = np.exp(score - np.repeat(np.maximum.reduceat(score, starts), sizes))
    return weight / np.repeat(np.add.reduceat(weight, starts), sizes)


def probabilities(target: Target, score: Array, starts: NDArray[np.int64]) -> Array:
    """From scores to P(y = 1), shape (rows,); for winner targets they sum to 1 per minute.

    Parameters
    ----------
    target
        The target.
    score, starts
        As in `softmax`; log odds for binary targets.
    """
    return softmax(score, starts) if target.kind == "winner" else 1 / (1 + np.exp(-score))


def daily_cross_entropy(
    target: Target, p: Array, y: Array, day: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Daily mean of -ln of the probability of what happened, nats, shape (days,).

    Over rows for a binary target, over minutes for a winner target; floored at 1e-6.

    Parameters
    ----------
    target
        The target.
    p, y
        P(y = 1) and the label, shape (rows,).
    day
        Index of the day, shape (rows,).
    """
    given = np.where(y == 1, p, 1 - p)
    counts = y == 1 if target.kind == "winner" else np.ones(len(y), dtype=np.bool_)
    loss = -np.log(np.maximum(given[counts], LOG_FLOOR))
    return np.bincount(day[counts], loss) / np.bincount(day[counts])
