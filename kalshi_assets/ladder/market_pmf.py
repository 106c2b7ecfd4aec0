"""p_mkt: the PMF that the two-sided book implies, every minute.

The default is the box-constrained multiplicative projection: the PMF closest to the books'
centres in Kullback-Leibler divergence that lies between every bid and ask and sums to one. Where
no bound binds it is plain normalisation. Classic rules of normalisation stand beside it.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.ladder.normalisation import normalised
from kalshi_assets.tables import MARKET_PMF

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class MarketPmfParams:
    """Rules of the projection.

    Attributes
    ----------
    method
        box: the projection. multiplicative, power, shin: the rules of `normalisation` on the same
        centres; they may leave the box.
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
        Dollars. An ask so near to 0, or a bid so near to 1, needs no other side: nobody bids for
        a bracket that is all but dead, and the book still says so.
    min_coverage
        Share of brackets that are quoted for the PMF to be valid.
    max_total_spread
        Largest sum of asks less sum of bids for the PMF to be valid, dollars.
    """

    method: Literal["box", "multiplicative", "power", "shin"] = "box"
    tight_spread: float = 0.05
    wide_spread: float = 0.15
    last_trade_memory_min: float = 15.0
    inferred_quote_life_min: float = 10.0
    stale_min: float = 10.0
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

    rows = panel.select(_READ).sort("market_ticker", "minute")
    bid, ask, last, last_age, stale = _books(rows, params)
    p, centre = np.empty(bid.shape), np.empty(bid.shape)
    limits = np.array(
        [
            params.tight_spread,
            params.wide_spread,
            params.last_trade_memory_min,
            params.tail_width,
        ]
    )
    thin, arbitrage = market_implied(bid, ask, last, last_age, limits, p, centre)
    if params.method != "box":
        p = normalised(centre, params.method)

    quoted = (bid > 0) & (ask < 1)
    quoted |= (bid == 0) & (ask <= params.tail_width) | (ask == 1) & (bid >= 1 - params.tail_width)
    coverage = quoted.mean(axis=1)
    # Rounded so that a sum of cents compares as cents, not as its floating-point residue.
    bids, asks = bid.sum(axis=1).round(9), ask.sum(axis=1).round(9)
    valid = (coverage >= params.min_coverage - 1e-12) & (asks - bids <= params.max_total_spread)
    known_at = rows["known_at"].to_numpy().reshape(bid.shape[::-1]).max(axis=0)

    def per_bracket(values: NDArray) -> NDArray:
        return _in_rows(values, rows).ravel()

    def per_event(values: NDArray) -> NDArray:
        return np.tile(values, bid.shape[1])

    return MARKET_PMF.arranged(
        rows.select(
            "market_ticker",
            "bracket",
            "minute",
            # A PMF knows what its whole event's books knew.
            known_at=pl.Series(per_event(known_at)).cast(pl.Datetime("us", "UTC")),
            p_mkt=per_bracket(p),
            centre=per_bracket(centre),
            thin=per_bracket(thin),
            stale=per_bracket(stale),
            overround_bid=per_event(bids - 1),
            overround_ask=per_event(asks - 1),
            coverage=per_event(coverage),
            arbitrage=per_event(arbitrage),
            valid=per_event(valid),
        )
    )


_READ = (
    "market_ticker",
    "bracket",
    "minute",
    "known_at",
    "bid",
    "ask",
    "quote_source",
    "quote_age_s",
    "last_price",
    "last_trade_age_s",
)


def _books(
    rows: pl.DataFrame, params: MarketPmfParams
) -> tuple[Array, Array, Array, Array, NDArray[np.bool_]]:
    """Bid, ask, last trade, its age in minutes, staleness; each of shape (minutes, brackets).

    Of a crossed pair the older side is out already where quotes are inferred. The sides of a
    recorded quote are of one age: a book that is crossed all the same loses both.
    """
    inferred_ends = params.inferred_quote_life_min * 60
    unusable = (pl.col("quote_source") == "inferred") & (pl.col("quote_age_s") > inferred_ends)
    unusable |= (pl.col("bid") > pl.col("ask")).fill_null(value=False)
    long_ago = params.stale_min * 60
    book = rows.select(
        bid=pl.when(~unusable).then(pl.col("bid")).fill_null(0.0),
        ask=pl.when(~unusable).then(pl.col("ask")).fill_null(1.0),
        last="last_price",
        last_age_min=pl.col("last_trade_age_s") / 60,
        stale=(pl.col("quote_age_s") > long_ago).fill_null(value=False)
        & (pl.col("last_trade_age_s") > long_ago).fill_null(value=True),
    )
    names = ("bid", "ask", "last", "last_age_min")
    bid, ask, last, last_age = (_in_minutes(book[name].to_numpy(), rows) for name in names)
    return bid, ask, last, last_age, _in_minutes(book["stale"].to_numpy(), rows)


def _brackets(rows: pl.DataFrame) -> NDArray[np.int64]:
    """Of every market, in the order of the rows, its bracket."""
    return rows["bracket"].to_numpy().reshape(rows["bracket"].n_unique(), -1)[:, 0].astype(int)


def _in_minutes(values: NDArray, rows: pl.DataFrame) -> NDArray:
    """From a value per row, by market, to shape (minutes, brackets)."""
    order = np.argsort(_brackets(rows))
    return np.ascontiguousarray(values.reshape(len(order), -1)[order].T)


def _in_rows(values: NDArray, rows: pl.DataFrame) -> NDArray:
    """From shape (minutes, brackets) back to the order of the rows."""
    return values.T[_brackets(rows)]
