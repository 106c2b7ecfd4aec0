"""Spreads as trades show them, where nobody recorded the quotes.

Here: estimates from one-minute bars over the last hour. Not here: the quoted spread, which is in
the panel where there are quotes. Arrays have shape (brackets, minutes); NaN is unknown; every
function is causal, bit for bit.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.features.facts import CC_A_DOLLAR
from kalshi_assets.features.kinematics import lagged, trailing_sum, velocity

Array = NDArray[np.float64]
SpreadProxy = Literal["range", "roll", "abdi_ranaldo", "corwin_schultz"]

WINDOW_MINUTES = 60


@dataclass(frozen=True, kw_only=True)
class Bars:
    """Trades of every minute, in 1/10,000 dollar, shape (brackets, minutes).

    Attributes
    ----------
    high, low
        NaN in minutes without a trade.
    close
        The last trade so far; NaN before the first.
    """

    high: Array
    low: Array
    close: Array

    @classmethod
    def of_dollars(cls, high: Array, low: Array, close: Array) -> "Bars":
        """Bars from prices in dollars."""
        # Prices are whole hundredths of a cent, so that sums over a window are exact in any order.
        high, low, close = (np.round(price * CC_A_DOLLAR) for price in (high, low, close))
        return cls(high=high, low=low, close=close)

    @property
    def filled(self) -> tuple[Array, Array]:
        """High and low, in minutes without a trade the last one's price."""
        silent = np.isnan(self.high)
        return np.where(silent, self.close, self.high), np.where(silent, self.close, self.low)


def spread_proxy_cents(bars: Bars, proxy: SpreadProxy = "range") -> Array:
    """The spread of the last hour as its trades show it, in cents.

    The default, the mean range, came nearest to a true spread of two cents in simulated sparse
    markets with a tick of one cent; the others are there to compare with. Source: methods,
    section 7.

    Returns
    -------
    Array
        Not negative; NaN where the estimate has no minute to rest on.
    """
    return np.round(PROXIES[proxy](bars) / 100, 6)


def mean_range(bars: Bars) -> Array:
    """Mean of high less low over the minutes in which they differ."""
    span = bars.high - bars.low
    moved = span > 0
    return _mean(np.where(moved, span, 0.0), moved)


def roll(bars: Bars) -> Array:
    """2 sqrt(max(0, -cov(dp(t), dp(t-1)))), dp the change of the last price in a minute.

    Source: Roll (1984), A simple implicit measure of the effective bid-ask spread.
    """
    now = velocity(bars.close, 1)
    before = lagged(now, 1)
    known = ~np.isnan(now + before)
    now, before = np.where(known, now, 0.0), np.where(known, before, 0.0)
    covariance = _mean(now * before, known) - _mean(now, known) * _mean(before, known)
    return _where_traded(bars, 2 * np.sqrt(np.maximum(-covariance, 0.0)))


def abdi_ranaldo(bars: Bars) -> Array:
    """2 sqrt(max(0, mean of (c - m)(c - m'))), c a close, m and m' this and the next mid-range.

    A pair counts from its second minute on, when its m' is known.

    Source: Abdi and Ranaldo (2017), A simple estimation of bid-ask spreads from daily close, high
    and low prices.
    """
    high, low = bars.filled
    middle = (high + low) / 2
    close, first = lagged(bars.close, 1), lagged(middle, 1)
    product = (close - first) * (close - middle)
    known = ~np.isnan(product)
    mean = _mean(np.where(known, product, 0.0), known)
    return _where_traded(bars, 2 * np.sqrt(np.maximum(mean, 0.0)))


def corwin_schultz(bars: Bars) -> Array:
    """Mean of the two-minute estimates, negative ones as 0, times the last price.

    Source: Corwin and Schultz (2012), A simple way to estimate bid-ask spreads from daily high and
    low prices.
    """
    high, low = bars.filled
    beta = np.log(high / low) ** 2 + np.log(lagged(high, 1) / lagged(low, 1)) ** 2
    widest = np.log(np.maximum(high, lagged(high, 1)) / np.minimum(low, lagged(low, 1)))
    scale = 3 - 2 * np.sqrt(2)
    alpha = (np.sqrt(2 * beta) - np.sqrt(beta)) / scale - np.sqrt(widest**2 / scale)
    share = np.maximum(2 * np.expm1(alpha) / (1 + np.exp(alpha)), 0.0)
    known = ~np.isnan(share)
    return _where_traded(bars, _mean(np.where(known, share, 0.0), known) * bars.close)


PROXIES: Mapping[SpreadProxy, Callable[[Bars], Array]] = {
    "range": mean_range,
    "roll": roll,
    "abdi_ranaldo": abdi_ranaldo,
    "corwin_schultz": corwin_schultz,
}


def _mean(values: Array, counts: NDArray[np.bool_]) -> Array:
    """Mean over the window of what counts; `values` are 0 where nothing does."""
    with np.errstate(invalid="ignore"):
        return trailing_sum(values, WINDOW_MINUTES) / trailing_sum(
            counts.astype(np.float64), WINDOW_MINUTES
        )


def _where_traded(bars: Bars, spread: Array) -> Array:
    traded = trailing_sum((~np.isnan(bars.high)).astype(np.float64), WINDOW_MINUTES) > 0
    return np.where(traded, spread, np.nan)
