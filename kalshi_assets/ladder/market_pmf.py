"""p_mkt: the PMF that the two-sided book implies, every minute.

The default is the box-constrained multiplicative projection: the PMF closest to the books'
centres in Kullback-Leibler divergence that lies between every bid and ask and sums to one. Where
no bound binds it is plain normalisation.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.tables import MARKET_PMF


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
    tail_width
        Dollars. An ask so near to 0, or a bid so near to 1, needs no other side: nobody bids for
        a bracket that is all but dead, and the book still says so.
    min_coverage
        Share of brackets that are quoted for the PMF to be valid.
    max_total_spread
        Largest sum of asks less sum of bids for the PMF to be valid, dollars.
    """

    tight_spread: float = 0.05
    wide_spread: float = 0.15
    last_trade_memory_min: float = 15.0
    inferred_quote_life_min: float = 10.0
    tail_width: float = 0.02
    min_coverage: float = 4 / 6
    max_total_spread: float = 0.50


DEFAULTS = MarketPmfParams()


def market_pmf(panel: pl.DataFrame, params: MarketPmfParams = DEFAULTS) -> pl.DataFrame:
    """The market-implied PMF of one event at every minute of its panel.

    Parameters
    ----------
    panel
        `panel.minute_panel` of one event: brackets x minutes rows.

    Returns
    -------
    DataFrame
        `probability.market_pmf`, the same rows.
    """
    from kalshi_assets.ladder.kernels import market_implied

    rows = panel.sort("minute", "bracket")
    shape = (rows["minute"].n_unique(), rows["bracket"].n_unique())
    too_old = (pl.col("quote_source") == "inferred") & (
        pl.col("quote_age_s") > params.inferred_quote_life_min * 60
    )
    book = rows.select(
        bid=pl.when(~too_old).then(pl.col("bid")).fill_null(0.0),
        ask=pl.when(~too_old).then(pl.col("ask")).fill_null(1.0),
        last="last_price",
        last_age_min=pl.col("last_trade_age_s") / 60,
    )
    bid, ask, last, last_age = (
        np.ascontiguousarray(book[name].to_numpy().astype(np.float64).reshape(shape))
        for name in ("bid", "ask", "last", "last_age_min")
    )
    p, centre = np.empty(shape), np.empty(shape)
    limits = np.array(
        [
            params.tight_spread,
            params.wide_spread,
            params.last_trade_memory_min,
            params.tail_width,
        ]
    )
    thin, arbitrage = market_implied(bid, ask, last, last_age, limits, p, centre)

    quoted = (bid > 0) & (ask < 1)
    quoted |= (bid == 0) & (ask <= params.tail_width) | (ask == 1) & (bid >= 1 - params.tail_width)
    coverage = quoted.mean(axis=1)
    # Rounded so that a sum of cents compares as cents, not as its floating-point residue.
    bids, asks = bid.sum(axis=1).round(9), ask.sum(axis=1).round(9)
    valid = (coverage >= params.min_coverage - 1e-12) & (asks - bids <= params.max_total_spread)

    def per_event(values: NDArray) -> NDArray:
        return np.repeat(values, shape[1])

    return MARKET_PMF.arranged(
        rows.select(
            "market_ticker",
            "bracket",
            "minute",
            # A PMF knows what its whole event's books knew.
            known_at=pl.col("known_at").max().over("minute"),
            p_mkt=p.ravel(),
            centre=centre.ravel(),
            thin=thin.ravel(),
            overround_bid=per_event(bids - 1),
            overround_ask=per_event(asks - 1),
            coverage=per_event(coverage),
            arbitrage=per_event(arbitrage),
            valid=per_event(valid),
        )
    )
