"""p_mkt of a threshold ladder: the table `probability.market_pmf` from its coherent curve.

Here: what holds where the curve does not, and the columns of the table. Not here: the curve
(`thresholds`), or partitions (`market_pmf`).
"""

import numpy as np
import polars as pl

from kalshi_assets.instants import as_times
from kalshi_assets.ladder.grid import KEY, gridded
from kalshi_assets.ladder.market_pmf import DEFAULTS, HALF_CC, MarketPmfParams, books_of
from kalshi_assets.ladder.thresholds import market_curve, well_quoted
from kalshi_assets.tables import MARKET_PMF
from kalshi_assets.units import Array


def threshold_market_pmf(panel: pl.DataFrame, params: MarketPmfParams = DEFAULTS) -> pl.DataFrame:
    """The probability that each threshold pays, by its event's books, at every minute.

    A leg that the curve does not know lies between its neighbours. An instant without a curve
    (no quote, or arbitrage) has the last one; before the first, all atoms are equally likely.

    Parameters
    ----------
    panel
        `panel.minute_panel` of one event: thresholds x minutes rows, brackets by rising bound.
    params
        Rules of the centres and of what is valid: the share of legs that are quoted on both sides
        within 10 cents, of which none lies beyond another.

    Returns
    -------
    DataFrame
        `probability.market_pmf`, the same rows. Sums of bids and asks say nothing of nested legs:
        both overrounds are 0.
    """
    panel, grid = gridded(panel)
    *books, stale = books_of(panel, grid, params)
    bid, ask, last, age = (np.ascontiguousarray(side.T) for side in books)
    curve = market_curve(bid, ask, last, age, params=params)
    p = _filled(curve.survival)
    quoted = well_quoted(bid, ask) | (ask <= params.tail_width + HALF_CC)
    quoted |= bid >= 1 - params.tail_width - HALF_CC
    coverage = quoted.mean(axis=0)
    valid = (coverage >= params.min_coverage - 1e-12) & ~curve.arbitrage
    known_at = grid.matrix(panel["known_at"]).max(axis=0).view(np.int64)
    centre = np.where(np.isnan(curve.centre), p, curve.centre)
    of_legs = {"p_mkt": p, "centre": centre, "thin": curve.thin}
    of_minutes = {
        "overround_bid": np.zeros(p.shape[1]),
        "overround_ask": np.zeros(p.shape[1]),
        "coverage": coverage,
        "arbitrage": curve.arbitrage.astype(np.int8),
        "valid": valid,
    }
    columns = [pl.Series(name, grid.in_table(values).ravel()) for name, values in of_legs.items()]
    columns += [pl.Series(name, grid.of_minutes(values)) for name, values in of_minutes.items()]
    columns.append(pl.Series("stale", stale.ravel()))
    columns.append(as_times(grid.of_minutes(known_at)).alias("known_at"))
    return MARKET_PMF.arranged(panel[[*KEY, "bracket"]].hstack(columns))


def _filled(survival: Array) -> Array:
    """The curve with its gaps closed, shape (legs, instants): it falls from leg to leg."""
    legs, instants = survival.shape
    filled = np.empty_like(survival)
    last = 1 - np.arange(1, legs + 1) / (legs + 1)
    place = np.arange(legs + 2)
    for instant in range(instants):
        at = survival[:, instant]
        known = ~np.isnan(at)
        if known.any():
            ends = np.concatenate([[0], np.flatnonzero(known) + 1, [legs + 1]])
            last = np.interp(place, ends, np.concatenate([[1.0], at[known], [0.0]]))[1:-1]
        filled[:, instant] = last
    return filled
