"""Whether the best of many strategies is good, or only the best (methods.md 10).

Here: the deflated Sharpe ratio, the probability of backtest overfitting, the effective number of
trials, the step-down test of many strategies. Not here: the false discovery rate of many tests
(`significance.discoveries`). Sharpe ratios are per day, not annualised.
"""

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from kalshi_assets.statistics.bootstrap import SINGLE_DAYS, Bootstrap
from kalshi_assets.units import Array

BLOCKS = 16
MOST_BLOCKS = 18
# Less than this share of a sum of squares is rounding error.
ROUNDING = 1e-12


def sharpe(returns: Array) -> float | None:
    """Mean over sample standard deviation; None for fewer than two days or equal returns.

    Parameters
    ----------
    returns
        Daily gains in any unit, shape (days,), no NaN.
    """
    return float(returns.mean() / returns.std(ddof=1)) if _varies(returns) else None


def moments(returns: Array) -> tuple[float, float] | None:
    """Skewness and raw kurtosis (3 for a normal distribution) of the days; None as in `sharpe`.

    Both without correction for bias, so that they are moments of one distribution.

    Parameters
    ----------
    returns
        As in `sharpe`.
    """
    if not _varies(returns):
        return None
    standardised = (returns - returns.mean()) / returns.std()
    return float((standardised**3).mean()), float((standardised**4).mean())


def expected_best_sharpe(variance: float, trials: float) -> float:
    """Expected greatest Sharpe ratio of independent trials none of which has an edge, SR0.

    Bailey and Lopez de Prado (2014, Journal of Portfolio Management 40(5), 94-107). One trial has
    0; the approximation, which would be negative for less than about 1.3 trials, is at least 0.

    Parameters
    ----------
    variance
        Variance of the Sharpe ratios of all trials, above 0. Not used for one trial.
    trials
        Number of independent trials, at least 1 (`effective_trials`).
    """
    if not (math.isfinite(trials) and trials >= 1):
        raise ValueError(f"there must be at least one trial, got {trials}")
    if trials == 1:
        return 0.0
    if not (math.isfinite(variance) and variance > 0):
        raise ValueError(f"the variance of the trials' Sharpe ratios must be above 0: {variance}")
    from scipy.special import ndtri

    best = (1 - np.euler_gamma) * ndtri(1 - 1 / trials)
    best += np.euler_gamma * ndtri(1 - 1 / (trials * math.e))
    return max(0.0, float(math.sqrt(variance) * best))


def deflated_sharpe(
    observed: float, by_chance: float, *, days: int, skewness: float, kurtosis: float
) -> float:
    """Probability that the true Sharpe ratio exceeds what selection alone would reach.

    Bailey and Lopez de Prado (2014). With `by_chance` = 0 it is the probabilistic Sharpe ratio.

    Parameters
    ----------
    observed
        Sharpe ratio of the selected strategy, per day.
    by_chance
        Benchmark, per day (`expected_best_sharpe`).
    days
        Number of days behind `observed`, at least 2.
    skewness, kurtosis
        Of the daily returns (`moments`); raw kurtosis, at least 1 + skewness^2.
    """
    if days < 2:
        raise ValueError(f"a Sharpe ratio needs at least two days, got {days}")
    if not np.isfinite([observed, by_chance, skewness, kurtosis]).all():
        raise ValueError("Sharpe ratios, skewness and kurtosis must be finite numbers")
    if kurtosis < (1 + skewness**2) * (1 - 1e-9):
        raise ValueError(
            f"no distribution has skewness {skewness} and raw kurtosis {kurtosis}; "
            "excess kurtosis lacks 3"
        )
    variance = 1 - skewness * observed + (kurtosis - 1) / 4 * observed**2
    if variance <= ROUNDING:
        raise ValueError("the Sharpe ratio has no standard error with these moments")
    from scipy.special import ndtr

    return float(ndtr((observed - by_chance) * math.sqrt((days - 1) / variance)))


def effective_trials(correlation: Array) -> float:
    """Number of independent trials from the eigenvalues of their correlation matrix.

    (sum of square roots)^2 / sum, by Galwey (2009, Genetic Epidemiology 33, 559-568): n for n
    independent trials, k for k groups of identical ones. In simulations of groups, and of a factor
    that all trials share, `expected_best_sharpe` of it is within 5 % of the mean maximum, since a
    shared factor does not spread Sharpe ratios; but it is 27 % too low for 100 trials that all have
    correlations of 0.9. Estimated from few days the number is too small: by about 5 % for five
    times as many days as trials, by about 28 % for as many days as trials.

    Parameters
    ----------
    correlation
        Of the daily returns of the trials, shape (trials, trials), positive semidefinite.
    """
    n = len(correlation)
    if n == 0 or correlation.shape != (n, n) or not np.isfinite(correlation).all():
        raise ValueError(f"not a correlation matrix: shape {correlation.shape}, or not finite")
    if np.abs(np.diag(correlation) - 1).max() > 1e-9:
        raise ValueError("not a correlation matrix: the diagonal is not 1")
    if np.abs(correlation - correlation.T).max() > 1e-9:
        raise ValueError("not a correlation matrix: it is not symmetric")
    eigenvalues = np.linalg.eigvalsh(correlation)
    if eigenvalues[0] < -1e-8 * n:
        raise ValueError("not positive semidefinite: correlate all trials over the same days")
    # The root of a rounding error would count.
    kept = eigenvalues[eigenvalues > 1e-10 * n]
    return float(np.sqrt(kept).sum() ** 2 / kept.sum())


@dataclass(frozen=True, kw_only=True)
class Overfitting:
    """How the configuration that is best in one half of the days does in the other half.

    Attributes
    ----------
    probability
        Share of splits in which it is at or below the median of the other half, logit <= 0.
    logits
        ln(w / (1 - w)) for every split, shape (splits,), with its relative rank w = rank /
        (configurations + 1) in the other half; ties have their mean rank.
    slope
        Of its Sharpe ratio in the other half by that in the selecting half, over splits; None if
        the latter does not vary. The halves share their total, so it is near -1 if one
        configuration is selected in all splits, however good it is.
    """

    probability: float
    logits: Array
    slope: float | None


def overfitting_probability(returns: Array, blocks: int = BLOCKS) -> Overfitting:
    """Probability of backtest overfitting by combinatorially symmetric cross-validation.

    Bailey, Borwein, Lopez de Prado and Zhu (2017, Journal of Computational Finance 20(4), 39-69):
    every half of the blocks selects the configuration of greatest Sharpe ratio, the first one if
    equal, and the other half ranks it. If the days are not a multiple of the blocks, the first
    blocks are one day longer.

    Parameters
    ----------
    returns
        Daily gains in any unit, shape (days, configurations), no NaN, at least two configurations.
        In every half of the blocks every configuration must have different returns.
    blocks
        Even, from 2 to 18: 16 give 12,870 splits.
    """
    _check_strategies(returns, least=2)
    days, configurations = returns.shape
    if blocks % 2 or not 2 <= blocks <= MOST_BLOCKS:
        raise ValueError(f"blocks must be even and from 2 to {MOST_BLOCKS}, got {blocks}")
    if days < max(blocks, 4):
        raise ValueError(f"{blocks} blocks need at least {max(blocks, 4)} days, got {days}")

    halves = np.array(list(combinations(range(blocks), blocks // 2)))
    drawn = np.zeros((len(halves), blocks))
    np.put_along_axis(drawn, halves, 1.0, axis=1)
    starts = np.cumsum([0] + [days // blocks + (b < days % blocks) for b in range(blocks)])
    centre = returns.mean(axis=0)
    around = returns - centre
    # Unlike @, einsum gives the same bits on any number of cores.
    total = np.einsum("sb,bc->sc", drawn, np.add.reduceat(around, starts[:-1]))
    squares = np.einsum("sb,bc->sc", drawn, np.add.reduceat(around**2, starts[:-1]))
    count = np.einsum("sb,b->s", drawn, np.diff(starts).astype(np.float64))[:, None]
    variance = _variance(total, squares, count)
    if (flat := (variance == 0).any(axis=0)).any():
        raise ValueError(
            f"configurations {np.flatnonzero(flat).tolist()} have equal returns on half of the days"
        )
    selecting = (centre + total / count) / np.sqrt(variance)
    # Combinations in lexicographic order: the complement of the first is the last.
    other = selecting[::-1]

    best = selecting.argmax(axis=1)[:, None]
    before = np.take_along_axis(selecting, best, axis=1)
    after = np.take_along_axis(other, best, axis=1)
    rank = (other < after).sum(axis=1) + ((other == after).sum(axis=1) + 1) / 2
    logits = np.log(rank / (configurations + 1 - rank))
    return Overfitting(
        probability=float((logits <= 0).mean()),
        logits=logits,
        slope=_slope(before[:, 0], after[:, 0]),
    )


def romano_wolf(returns: Array, bootstrap: Bootstrap = SINGLE_DAYS) -> Array:
    """Adjusted one-sided p-values of mean returns above zero, shape (strategies,).

    Those at most a are significant with a probability of at most a that any of them has no mean
    above zero. Studentised step-down bootstrap of Romano and Wolf (2005, Econometrica 73,
    1237-1282), with p-values as in Romano and Wolf (2016, Statistics and Probability Letters 113,
    38-40). Unlike `significance.discoveries` it uses the dependence of the strategies.

    Parameters
    ----------
    returns
        Daily gains in any unit, shape (days, strategies), no NaN, in calendar order.
    bootstrap
        How the days are resampled; the least p-value is 1 / (resamples + 1).
    """
    _check_strategies(returns, least=1)
    days, strategies = returns.shape
    mean = returns.mean(axis=0)
    around = returns - mean
    variance = (around**2).sum(axis=0) / (days - 1)
    if (flat := np.ptp(returns, axis=0) <= ROUNDING * np.abs(returns).max(axis=0)).any():
        raise ValueError(f"strategies {np.flatnonzero(flat).tolist()} have equal returns")
    observed = mean / np.sqrt(variance / days)

    weights = bootstrap.weights(days)
    total = np.einsum("rd,ds->rs", weights, around)
    squares = np.einsum("rd,ds->rs", weights, around**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = total / days / np.sqrt(_variance(total, squares, days) / days)
    # A resample of one value equal to the mean has no statistic: it counts against the strategy.
    drawn[np.isnan(drawn)] = np.inf

    order = np.argsort(-observed, kind="stable")
    # Greatest statistic among the strategies that are not yet rejected.
    greatest = np.maximum.accumulate(drawn[:, order[::-1]], axis=1)[:, ::-1]
    exceeded = (greatest >= observed[order]).sum(axis=0)
    p_values = np.empty(strategies)
    p_values[order] = np.maximum.accumulate((exceeded + 1) / (len(weights) + 1))
    return p_values


def _varies(returns: Array) -> bool:
    if returns.ndim != 1 or not np.isfinite(returns).all():
        raise ValueError("returns must be finite numbers of shape (days,)")
    return len(returns) >= 2 and bool(np.ptp(returns) > ROUNDING * np.abs(returns).max())


def _check_strategies(returns: Array, *, least: int) -> None:
    if returns.ndim != 2 or not np.isfinite(returns).all():
        raise ValueError("returns must be finite numbers of shape (days, strategies)")
    if len(returns) < 2 or returns.shape[1] < least:
        raise ValueError(
            f"there must be at least two days and {least} strategies, got shape {returns.shape}"
        )


def _variance(total: Array, squares: Array, count: Array | int) -> Array:
    """Sample variance from sums of values and of their squares; 0 if it is rounding error."""
    around = squares - total**2 / count
    return np.where(around > ROUNDING * squares, around, 0.0) / (count - 1)


def _slope(x: Array, y: Array) -> float | None:
    if np.ptp(x) <= ROUNDING * np.abs(x).max():
        return None
    around = x - x.mean()
    return float((around * (y - y.mean())).sum() / (around**2).sum())
