"""Compiled recursions over minutes; imported only by the functions that run them."""

import numpy as np

from kalshi_assets.kernel_cache import njit
from kalshi_assets.units import Array, Ints


@njit(cache=True)
def strongest_lag(change: Array, lags: Ints, window: int, least_pairs: int) -> Array:
    """Lag of the greatest correlation with a neighbour; see `lead_lag.lead_lag`.

    Parameters
    ----------
    change
        Shape (brackets, minutes), whole numbers, so that sums over a window are exact; NaN unknown.
    lags, window, least_pairs
        The lags and the length of the window, minutes; fewer pairs tell nothing.
    """
    brackets, minutes = change.shape
    lead = np.full((brackets, minutes), np.nan)
    strength = np.zeros((brackets, minutes))
    colder_leads = np.empty((brackets, minutes))  # of the pair of a bracket and the next warmer one
    warmer_leads = np.empty((brackets, minutes))
    for lag in lags:
        for i in range(brackets - 1):
            _correlation(change[i], change[i + 1], lag, window, least_pairs, colder_leads[i])
            _correlation(change[i + 1], change[i], lag, window, least_pairs, warmer_leads[i])
        for i in range(brackets):
            if i > 0:
                _keep_stronger(warmer_leads[i - 1], lag, strength[i], lead[i])
            if i < brackets - 1:
                _keep_stronger(colder_leads[i], lag, strength[i], lead[i])
            if i > 0:
                _keep_stronger(colder_leads[i - 1], -lag, strength[i], lead[i])
            if i < brackets - 1:
                _keep_stronger(warmer_leads[i], -lag, strength[i], lead[i])
    return lead


@njit(cache=True)
def _keep_stronger(found: Array, lag: int, strength: Array, lead: Array) -> None:
    """Write `lag` into `lead` where `found` is stronger than what stands there."""
    for t in range(found.size):
        if found[t] > strength[t]:
            strength[t] = found[t]
            lead[t] = lag
        elif np.isnan(lead[t]) and not np.isnan(found[t]):
            lead[t] = 0.0


@njit(cache=True)
def _correlation(
    first: Array, then: Array, lag: int, window: int, least_pairs: int, out: Array
) -> None:
    """|rho| of `first` a lag ago and `then` where above 2/sqrt(n), else 0; NaN: n too small."""
    n = sx = sy = sxy = sxx = syy = 0.0
    out[:lag] = np.nan
    for t in range(lag, out.size):
        x, y = first[t - lag], then[t]
        if not np.isnan(x + y):
            n += 1.0
            sx += x
            sy += y
            sxy += x * y
            sxx += x * x
            syy += y * y
        if t - window >= lag:
            x, y = first[t - window - lag], then[t - window]
            if not np.isnan(x + y):
                n -= 1.0
                sx -= x
                sy -= y
                sxy -= x * y
                sxx -= x * x
                syy -= y * y
        if n < least_pairs:
            out[t] = np.nan
            continue
        out[t] = 0.0
        squares = (n * sxx - sx * sx) * (n * syy - sy * sy)
        if squares > 0.0:
            common = n * sxy - sx * sy
            squared = common * common / squares
            if squared * n > 4.0:
                out[t] = np.sqrt(squared)


@njit(cache=True)
def mid_ranks(values: Array, hour: Ints, knots: Array, known: Ints) -> Array:
    """Mid-rank of every value among the knots of its measure and hour, in [0, 1].

    Parameters
    ----------
    values
        Shape (measures, brackets, minutes); NaN unknown.
    hour
        Shape (minutes,): position of the minute's hour among those of `knots`.
    knots
        Shape (measures, hours, knots), those that are known first and rising.
    known
        Shape (measures, hours): how many are known; 0: no rank.
    """
    ranks = np.full(values.shape, np.nan)
    measures, brackets, minutes = values.shape
    for m in range(measures):
        for b in range(brackets):
            for t in range(minutes):
                value = values[m, b, t]
                many = known[m, hour[t]]
                if np.isnan(value) or many == 0:
                    continue
                if t > 0 and value == values[m, b, t - 1] and hour[t] == hour[t - 1]:
                    ranks[m, b, t] = ranks[m, b, t - 1]  # most minutes repeat the one before
                    continue
                pool = knots[m, hour[t], :many]
                below = np.searchsorted(pool, value)
                upto = below
                while upto < many and pool[upto] == value:
                    upto += 1
                ranks[m, b, t] = (below + upto) / (2 * many)
    return ranks
