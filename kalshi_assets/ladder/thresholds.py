"""The coherent market curve of a threshold ladder: the probability that each leg pays.

Legs are open above and sorted by rising lo. A value that reaches a leg reaches all legs below it,
so that a bid on a leg is a lower bound for all legs below it, and an ask an upper bound for all
legs above it; the curve is the falling one nearest to the centres of the books within those bounds.
Here: that curve, its arbitrage and its quality. Not here: ranges beside thresholds (`relations`),
partitions (`market_pmf`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kalshi_assets.ladder.legs import Leg
from kalshi_assets.ladder.market_pmf import DEFAULTS, HALF_CC, MarketPmfParams
from kalshi_assets.units import CC_A_DOLLAR, Array, Bools

TICK = 0.01


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """Market curves of a threshold ladder; arrays have shape (legs, instants), legs by rising lo.

    Attributes
    ----------
    survival
        Probability that the leg pays; NaN: not known. It falls from leg to leg.
    lower, upper
        Envelopes: greatest bid of the leg and those above it, least ask of the leg and those below
        it. NaN: none, so that only 0 or 1 bounds the leg.
    centre
        Price that the curve was fitted to; NaN: none.
    thin
        Whether the leg's own book has no centre.
    arbitrage
        Whether a lower envelope exceeds its upper one, shape (instants,); `crossings` names legs.
    """

    survival: Array
    lower: Array
    upper: Array
    centre: Array
    thin: Bools
    arbitrage: Bools

    @property
    def atoms(self) -> Array:
        """Probabilities of the atoms, shape (legs + 1, instants)."""
        return atoms_of(self.survival)


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """Two legs that together gain before fees for every settlement value.

    Attributes
    ----------
    buy, sell
        Tickers: the leg whose ask is bought, and one at or above it whose bid is sold to.
    ask_cc, bid_cc
        Their prices, 1/10,000 dollar; the bid is greater.
    """

    buy: str
    ask_cc: int
    sell: str
    bid_cc: int

    def __str__(self) -> str:
        return f"{self.sell} is bid {self.bid_cc} cc, {self.buy} is asked {self.ask_cc} cc"


def envelopes(bid: Array, ask: Array) -> tuple[Array, Array]:
    """Bounds that all books together put on each leg.

    L_i is the greatest bid of the legs from i up, U_i the least ask of the legs from i down.

    Parameters
    ----------
    bid, ask
        Shape (legs, ...), dollars, legs by rising lo; NaN, 0 and 1: no quote.

    Returns
    -------
    tuple
        L and U, the same shape. A leg without a quote gets the bounds of its neighbours; NaN where
        there is no bid at the leg or above, no ask at the leg or below.
    """
    bid, ask = _sides(bid, ask)
    lower = np.fmax.accumulate(bid[::-1], axis=0)[::-1]
    return lower, np.fmin.accumulate(ask, axis=0)


def coherent_curve(bid: Array, ask: Array, centre: Array, tick: float | Array = TICK) -> Curve:
    """The falling curve nearest to given centres, within the envelopes of the books.

    A decreasing isotonic fit with weights 1 / max(ask - bid, tick)^2, then clipped: both envelopes
    fall, so that the clipped curve falls. A side without a quote counts as 0 or 1 in the weight.
    Instants are fitted independently.

    Parameters
    ----------
    bid, ask
        Shape (legs, instants), dollars, legs by rising lo; NaN, 0 and 1: no quote. A crossed book
        counts as arbitrage, as between legs.
    centre
        Dollars, the same shape; NaN: the leg has none. It then takes no part in the fit and its
        survival is NaN, whatever its envelopes.
    tick
        Least width of a book, dollars: one number, or an array that broadcasts to the shape.

    Returns
    -------
    Curve
        Survival is NaN throughout at an instant where no leg has a quote, and at one with
        arbitrage.

    Raises
    ------
    ValueError
        Shapes differ.
    """
    from kalshi_assets.ladder.threshold_kernels import falling_fits

    bid, ask, centre = _alike(bid=bid, ask=ask, centre=centre)
    bid, ask = _sides(bid, ask)
    lower, upper = envelopes(bid, ask)
    quoted, arbitrage = _quoted(bid, ask), _crossed(lower, upper)
    survival = np.empty_like(centre.T, order="C")
    falling_fits(
        _by_instant(centre),
        _by_instant(_weights(bid, ask, tick)),
        _by_instant(lower, none=0.0),
        _by_instant(upper, none=1.0),
        quoted & ~arbitrage,
        survival,
    )
    return Curve(
        survival=survival.T,
        lower=lower,
        upper=upper,
        centre=centre,
        thin=np.isnan(centre),
        arbitrage=arbitrage,
    )


def market_curve(
    bid: Array,
    ask: Array,
    last: Array,
    last_age_min: Array,
    *,
    tick: float | Array = TICK,
    params: MarketPmfParams = DEFAULTS,
) -> Curve:
    """The curve that the books of a threshold ladder imply, instant by instant.

    Centres follow the rules of the market PMF. A leg whose book is too thin for a centre keeps its
    last value, within its own quotes; before its first centre its survival is NaN, even if its
    neighbours bound it. A crossed book loses both sides. An instant without any quote, or with
    arbitrage, has no curve (NaN throughout), and later curves continue from the one before.

    Parameters
    ----------
    bid, ask
        Shape (legs, instants), dollars, legs by rising lo, instants rising; NaN, 0 and 1: no quote.
    last, last_age_min
        Last trade, dollars (NaN: none yet), and its age in minutes; the same shape.
    tick
        Least width of a book, dollars: one number, or an array that broadcasts to the shape.
    params
        `tight_spread`, `wide_spread`, `last_trade_memory_min` and `tail_width` are used.

    Raises
    ------
    ValueError
        Shapes differ.
    """
    from kalshi_assets.ladder.threshold_kernels import market_fits

    bid, ask, last, age = _alike(bid=bid, ask=ask, last=last, last_age_min=last_age_min)
    bid, ask = _sides(bid, ask)
    crossed = _crossed_books(bid, ask)
    bid, ask = np.where(crossed, np.nan, bid), np.where(crossed, np.nan, ask)
    lower, upper = envelopes(bid, ask)
    arbitrage = _crossed(lower, upper)
    centre, survival = np.empty(bid.T.shape), np.empty(bid.T.shape)
    thin = market_fits(
        _by_instant(bid, none=0.0),
        _by_instant(ask, none=1.0),
        _by_instant(last),
        _by_instant(age),
        params.limits,
        _by_instant(_weights(bid, ask, tick)),
        _by_instant(lower, none=0.0),
        _by_instant(upper, none=1.0),
        _quoted(bid, ask),
        arbitrage,
        centre,
        survival,
    )
    return Curve(
        survival=survival.T,
        lower=lower,
        upper=upper,
        centre=centre.T,
        thin=thin.T,
        arbitrage=arbitrage,
    )


def atoms_of(survival: Array) -> Array:
    """Probabilities of the atoms that thresholds cut: differences of (1, s_1, ..., s_n, 0).

    Parameters
    ----------
    survival
        Shape (legs, ...), legs by rising lo.

    Returns
    -------
    Array
        Shape (legs + 1, ...), lowest atom first. Both atoms beside a leg that is not known are
        NaN; together they have the difference of the known legs around them.
    """
    edge = np.ones((1, *survival.shape[1:]))
    ends = np.concatenate([edge, survival, 0 * edge])
    return ends[:-1] - ends[1:]


def crossings(legs: Sequence[Leg], bid: Array, ask: Array) -> list[Crossing]:
    """Pairs of legs whose envelopes cross at one instant, each once.

    Parameters
    ----------
    legs
        By rising lo.
    bid, ask
        Dollars, shape (legs,); NaN, 0 and 1: no quote.

    Returns
    -------
    list
        Empty: no arbitrage.
    """
    bid, ask = _sides(bid, ask)
    lower, upper = envelopes(bid, ask)
    found: dict[tuple[int, int], Crossing] = {}
    for i in np.flatnonzero(_crossed_books(lower, upper)):
        buy = int(np.nanargmin(ask[: i + 1]))
        sell = int(i + np.nanargmax(bid[i:]))
        found[buy, sell] = Crossing(
            buy=legs[buy].market_ticker,
            ask_cc=round(ask[buy] * CC_A_DOLLAR),
            sell=legs[sell].market_ticker,
            bid_cc=round(bid[sell] * CC_A_DOLLAR),
        )
    return list(found.values())


def well_quoted(bid: Array, ask: Array, within: float = 0.10) -> Bools:
    """Whether a leg has both sides; the share of such legs is one half of a curve's quality.

    Parameters
    ----------
    bid, ask
        Dollars, any shape; NaN, 0 and 1: no quote.
    within
        Greatest spread, dollars.
    """
    bid, ask = _sides(bid, ask)
    return ask - bid <= within + HALF_CC


def widest_unquoted(quoted: Bools, survival: Array) -> Array:
    """The greatest model probability between neighbouring quoted legs.

    Parameters
    ----------
    quoted
        `well_quoted`, shape (legs, ...), legs by rising lo.
    survival
        The model's probability that a leg pays, the same shape.

    Returns
    -------
    Array
        Shape (...): over stretches of unquoted legs, survival at the quoted leg before (1: none)
        less survival at the one after (0: none); 0 where all legs are quoted.
    """
    before = np.minimum.accumulate(np.where(quoted, survival, 1.0), axis=0)
    after = np.maximum.accumulate(np.where(quoted, survival, 0.0)[::-1], axis=0)[::-1]
    return np.where(quoted, 0.0, before - after).max(axis=0)


def _sides(bid: Array, ask: Array) -> tuple[Array, Array]:
    """Bids and asks with NaN for each that is no quote."""
    bids, asks = ((side > 0) & (side < 1) for side in (bid, ask))
    return np.where(bids, bid, np.nan), np.where(asks, ask, np.nan)


def _alike(**arrays: Array) -> list[Array]:
    given = {name: np.asarray(values, dtype=np.float64) for name, values in arrays.items()}
    shapes = {values.shape for values in given.values()}
    if len(shapes) != 1 or any(len(shape) != 2 for shape in shapes):
        said = ", ".join(f"{name} {values.shape}" for name, values in given.items())
        raise ValueError(f"shapes must be the same (legs, instants): {said}")
    return list(given.values())


def _by_instant(values: Array, none: float = np.nan) -> Array:
    return np.ascontiguousarray(np.where(np.isnan(values), none, values).T)


def _weights(bid: Array, ask: Array, tick: float | Array) -> Array:
    width = np.where(np.isnan(ask), 1.0, ask) - np.where(np.isnan(bid), 0.0, bid)
    return np.maximum(width, tick) ** -2.0


def _quoted(bid: Array, ask: Array) -> Bools:
    return np.asarray(~(np.isnan(bid) & np.isnan(ask)).all(axis=0))


def _crossed_books(bid: Array, ask: Array) -> Bools:
    # Prices are whole cc: smaller differences are rounding errors.
    return bid - ask > HALF_CC


def _crossed(lower: Array, upper: Array) -> Bools:
    return np.asarray(_crossed_books(lower, upper).any(axis=0))
