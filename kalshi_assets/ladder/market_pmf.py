"""p_mkt: the PMF that the two-sided books imply, at every minute.

It is the box-constrained multiplicative projection: the PMF closest to the books' centres in
Kullback-Leibler divergence that is between every bid and ask and sums to one. Where no bound binds
it is plain normalisation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.config import method_section
from kalshi_assets.instants import as_times
from kalshi_assets.ladder.grid import KEY, Grid, gridded
from kalshi_assets.tables import MARKET_PMF
from kalshi_assets.units import CC_A_DOLLAR, Array

MINUTES_A_SECOND = 1 / 60
# Prices are whole hundredths of a cent: room for a limit's last bit, and for no other price.
HALF_CC = 0.5e-4


@dataclass(frozen=True, kw_only=True)
class MarketPmfParams:
    """Rules of the projection.

    Attributes
    ----------
    tight_spread, wide_spread
        Dollars. Up to the first the centre is the mid; up to the second the mid and the last
        trade, weighted by its age; beyond, the previous PMF.
    last_trade_memory_min
        Minutes in which the weight of the last trade falls to 1/e.
    inferred_quote_life_min
        Minutes for which a quote inferred from a trade bounds the probability. A recorded quote
        stands until it changes.
    stale_min
        Minutes without a new quote and without a trade after which a bracket is called stale.
    tail_width
        Dollars. An ask this near to 0, or a bid this near to 1, counts without the other side:
        nobody bids for a bracket that almost surely does not pay.
    min_coverage
        Least share of quoted brackets for the PMF to be valid.
    max_total_spread
        Largest sum of asks less sum of bids for the PMF to be valid, dollars.
    """

    tight_spread: float = 0.05
    wide_spread: float = 0.15
    last_trade_memory_min: float = 15.0
    inferred_quote_life_min: float = 10.0
    stale_min: float = 10.0
    tail_width: float = 0.02
    min_coverage: float = 4 / 6
    max_total_spread: float = 0.50

    def __post_init__(self) -> None:
        if not 0 < self.tight_spread <= self.wide_spread < 1:
            raise ValueError(
                f"spreads must rise from above 0 to below 1 dollar: tight {self.tight_spread}, "
                f"wide {self.wide_spread}"
            )

    @property
    def limits(self) -> Array:
        """For the kernels: tight and wide spread, dollars; memory, minutes; tails, dollars."""
        return np.array(
            [
                self.tight_spread + HALF_CC,
                self.wide_spread + HALF_CC,
                self.last_trade_memory_min,
                self.tail_width + HALF_CC,
            ]
        )


DEFAULTS = MarketPmfParams()


def load_market_pmf_params(document: Mapping[str, Any] | None = None) -> MarketPmfParams:
    """The rules from methods.toml, or from another parsed document.

    Raises
    ------
    ValueError
        A key is missing or unknown, or a value is out of range; the message names it.
    """
    return MarketPmfParams(**method_section("market_pmf", MarketPmfParams, document))


def market_pmf(panel: pl.DataFrame, params: MarketPmfParams = DEFAULTS) -> pl.DataFrame:
    """`probability.market_pmf` of one event: the market-implied PMF at every minute of its panel.

    Parameters
    ----------
    panel
        `panel.minute_panel` of one event: brackets x minutes rows.
    params
        Rules of the projection.
    """
    from kalshi_assets.ladder.kernels import market_implied

    panel, grid = gridded(panel)
    bid, ask, last, last_age, stale = books_of(panel, grid, params)
    p, centre = np.empty(bid.shape), np.empty(bid.shape)
    thin, arbitrage = market_implied(bid, ask, last, last_age, params.limits, p, centre)

    quoted = (bid > 0) & (ask < 1)
    tail = params.tail_width + HALF_CC
    quoted |= (bid == 0) & (ask <= tail) | (ask == 1) & (bid >= 1 - tail)
    coverage = quoted.mean(axis=1)
    # Rounded so that a sum of cents compares as cents, not as its floating-point residue.
    bids, asks = bid.sum(axis=1).round(9), ask.sum(axis=1).round(9)
    valid = coverage >= params.min_coverage - 1e-12
    valid &= asks - bids <= params.max_total_spread + HALF_CC
    # A PMF depends on the books of all brackets.
    known_at = grid.matrix(panel["known_at"]).max(axis=0).view(np.int64)
    of_rows = {"p_mkt": p, "centre": centre, "thin": thin}
    of_minutes = {
        "overround_bid": bids - 1,
        "overround_ask": asks - 1,
        "coverage": coverage,
        "arbitrage": arbitrage,
        "valid": valid,
    }
    said = [pl.Series(name, grid.in_table(values.T).ravel()) for name, values in of_rows.items()]
    said += [pl.Series(name, grid.of_minutes(values)) for name, values in of_minutes.items()]
    said.append(pl.Series("stale", stale.ravel()))
    said.append(as_times(grid.of_minutes(known_at)).alias("known_at"))
    return MARKET_PMF.arranged(panel[[*KEY, "bracket"]].hstack(said))


def books_of(
    panel: pl.DataFrame, grid: Grid, params: MarketPmfParams
) -> tuple[Array, Array, Array, Array, NDArray[np.bool_]]:
    """Bid, ask, last trade, its age in minutes, and staleness.

    The first four have shape (minutes, brackets), in ladder order; staleness has the shape of the
    grid. For inferred quotes, the older side of a crossed pair was already removed. Both sides of
    a recorded quote have the same age: if they are crossed, both are dropped.

    Parameters
    ----------
    panel, grid
        From `gridded`.
    params
        As in `market_pmf`.
    """

    def matrix(name: str) -> Array:
        return grid.matrix(panel[name])

    def by_minute(values: Array) -> Array:
        return np.ascontiguousarray(grid.in_ladder(values).T)

    bid, ask, last = (matrix(f"{name}_cc") / CC_A_DOLLAR for name in ("bid", "ask", "last_price"))
    quote_age, trade_age = matrix("quote_age_s"), matrix("last_trade_age_s")
    inferred = grid.matrix(panel["quote_source"] == "inferred")
    unusable = (inferred & (quote_age > params.inferred_quote_life_min * 60)) | (bid > ask)
    long_ago = params.stale_min * 60
    return (
        by_minute(np.where(unusable | np.isnan(bid), 0.0, bid)),
        by_minute(np.where(unusable | np.isnan(ask), 1.0, ask)),
        by_minute(last),
        by_minute(trade_age * MINUTES_A_SECOND),
        (quote_age > long_ago) & ~(trade_age <= long_ago),
    )
