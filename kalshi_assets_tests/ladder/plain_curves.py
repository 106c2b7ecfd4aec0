"""Books of threshold ladders at random, and their curves in plain words, leg by leg."""

import math

import numpy as np
from hypothesis import strategies as st

from kalshi_assets.units import Array

NONE = math.nan

Book = tuple[Array, Array]


@st.composite
def books(draw: st.DrawFn, instants: int = 3) -> Book:
    """Bids and asks in cents around curves that mostly fall, with sides missing; (legs, instants).

    Spreads and noise are such that envelopes cross at some instants and not at others.
    """
    legs = draw(st.integers(1, 10))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    noise, widest, missing = draw(
        st.tuples(
            st.sampled_from([0, 2, 8]), st.integers(1, 30), st.sampled_from([0, 0.1, 0.4, 0.9])
        )
    )
    middle = -np.sort(-rng.integers(1, 99, (legs, instants)), axis=0)
    bid = (
        middle
        + rng.integers(-noise, noise + 1, middle.shape)
        - rng.integers(0, widest, middle.shape)
    )
    ask = bid + rng.integers(0, 2 * widest, middle.shape)
    bid, ask = (
        np.where(rng.random(bid.shape) < missing, np.nan, side / 100) for side in (bid, ask)
    )
    bid[(bid <= 0) | (bid >= 1)] = np.nan
    ask[(ask <= 0) | (ask >= 1)] = np.nan
    return bid, ask


def plain_envelopes(bid: list[float], ask: list[float]) -> tuple[list[float], list[float]]:
    n = len(bid)
    lower = [max([b for b in bid[i:] if not math.isnan(b)], default=NONE) for i in range(n)]
    upper = [min([a for a in ask[: i + 1] if not math.isnan(a)], default=NONE) for i in range(n)]
    return lower, upper


def _falling(centre: list[float], weight: list[float]) -> list[float]:
    """s_i = min over j <= i of max over k >= i of the weighted mean of j to k."""

    def mean(j: int, k: int) -> float:
        w = weight[j : k + 1]
        return sum(m * x for m, x in zip(centre[j : k + 1], w, strict=True)) / sum(w)

    n = len(centre)
    return [min(max(mean(j, k) for k in range(i, n)) for j in range(i + 1)) for i in range(n)]


def plain_curve(bid: list[float], ask: list[float], centre: list[float]) -> list[float]:
    """One instant, leg by leg; NaN throughout: arbitrage, or nothing quoted."""
    lower, upper = plain_envelopes(bid, ask)
    if any(lo > up + 1e-9 for lo, up in zip(lower, upper, strict=True)):
        return [NONE] * len(bid)
    if all(math.isnan(b) and math.isnan(a) for b, a in zip(bid, ask, strict=True)):
        return [NONE] * len(bid)
    known = [i for i, m in enumerate(centre) if not math.isnan(m)]
    width = [
        (1 if math.isnan(a) else a) - (0 if math.isnan(b) else b)
        for b, a in zip(bid, ask, strict=True)
    ]
    fitted = _falling([centre[i] for i in known], [1 / max(width[i], 0.01) ** 2 for i in known])
    out = [NONE] * len(bid)
    for i, s in zip(known, fitted, strict=True):
        least = 0.0 if math.isnan(lower[i]) else lower[i]
        most = 1.0 if math.isnan(upper[i]) else upper[i]
        out[i] = min(max(s, least), most)
    return out


def _centre(b: float, a: float, last: float, age: float, previous: float) -> float:
    """methods.md 4.2, mids for micro-prices; NaN: a thin book that nothing was known of before."""
    no_bid, no_ask = math.isnan(b), math.isnan(a)
    if no_bid and a <= 0.02 + 1e-9:
        return a / 2
    if no_ask and b >= 0.98 - 1e-9:
        return (1 + b) / 2
    if no_bid or no_ask or a - b > 0.15 + 1e-9:
        least, most = 0 if no_bid else b, 1 if no_ask else a
        return NONE if math.isnan(previous) else min(max(previous, least), most)
    mid = (a + b) / 2
    if a - b <= 0.05 + 1e-9 or math.isnan(last):
        return mid
    w = math.exp(-age / 15)
    return w * min(max(last, b), a) + (1 - w) * mid


def plain_market(bid: Array, ask: Array, last: Array, age: Array) -> Array:
    survival = np.full(bid.shape, NONE)
    previous = [NONE] * len(bid)
    for t in range(bid.shape[1]):
        books = [
            (NONE, NONE) if b > a else (b, a) for b, a in zip(bid[:, t], ask[:, t], strict=True)
        ]
        centre = [
            _centre(*book, *rest)
            for book, *rest in zip(books, last[:, t], age[:, t], previous, strict=True)
        ]
        s = plain_curve([b for b, _ in books], [a for _, a in books], centre)
        survival[:, t] = s
        previous = [p if math.isnan(x) else x for x, p in zip(s, previous, strict=True)]
    return survival
