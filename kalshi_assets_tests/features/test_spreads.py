import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_assets.features.spreads import spread_proxy_cents
from kalshi_assets.units import Array

MINUTES = 3000


def _market(trades_per_minute: float, seed: int = 1) -> tuple[Array, Array]:
    """A true spread of two cents around a mid on the cent, which moves about .4 cents a minute."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(trades_per_minute, MINUTES)
    minute = np.repeat(np.arange(MINUTES), counts)
    time = np.sort(minute + rng.random(minute.size))
    steps = 0.016 * np.sqrt(np.diff(time, prepend=0.0)) * rng.normal(size=time.size)
    mid = np.round(0.5 + 0.3 * np.sin(np.cumsum(steps)), 2)
    price = mid + 0.01 * rng.choice([-1, 1], time.size)
    high, low = (np.full((1, MINUTES), np.nan) for _ in range(2))
    for each in np.unique(minute):
        paid = price[minute == each]
        high[0, each], low[0, each] = paid.max(), paid.min()
    return np.round(high * 10_000), np.round(low * 10_000)


def test_the_proxy_is_biased_as_simulated_for_a_true_spread_of_two_cents() -> None:
    means = [np.nanmean(spread_proxy_cents(*_market(rate))[0, 60:]) for rate in (0.3, 2, 10)]
    assert means == pytest.approx((1.86, 1.99, 2.43), abs=0.25)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 5), st.integers(1, 200))
def test_the_proxy_does_not_know_the_future(seed: int, t: int) -> None:
    whole, other = _short(seed), _short(seed + 10)
    seen = spread_proxy_cents(*whole)[:, :t]
    cut = spread_proxy_cents(*(each[:, :t] for each in whole))
    assert np.array_equal(cut, seen, equal_nan=True)
    mixed = (np.hstack([a[:, :t], b[:, t:]]) for a, b in zip(whole, other, strict=True))
    assert np.array_equal(spread_proxy_cents(*mixed)[:, :t], seen, equal_nan=True)


def _short(seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    low = np.where(rng.random((3, 200)) < 0.4, rng.integers(1, 90, (3, 200)) * 100.0, np.nan)
    return low + rng.integers(0, 4, low.shape) * 100.0, low


def test_without_a_trade_there_is_no_proxy() -> None:
    nothing = np.full((2, 90), np.nan)
    assert np.isnan(spread_proxy_cents(nothing, nothing)).all()


def test_an_hour_after_the_last_trade_there_is_no_proxy_any_more() -> None:
    quiet = (np.where(np.arange(MINUTES) < 100, each, np.nan) for each in _market(10))
    spread = spread_proxy_cents(*quiet)[0]
    assert not np.isnan(spread[100:159]).any()
    assert np.isnan(spread[159:]).all()


def test_the_mean_range_is_of_the_minutes_with_a_range_only() -> None:
    high = np.array([[np.nan, 4200, 4400, 4100, np.nan]])
    low = np.array([[np.nan, 4200, 4200, 4000, np.nan]])
    spread = spread_proxy_cents(high, low)[0]
    assert spread.tolist() == pytest.approx([np.nan, np.nan, 2.0, 1.5, 1.5], nan_ok=True)
