import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_assets.features.spreads import PROXIES, Bars, SpreadProxy, spread_proxy_cents

MINUTES = 3000


def _market(trades_per_minute: float, seed: int = 1) -> Bars:
    """A true spread of two cents around a mid on the cent, which moves about .4 cents a minute."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(trades_per_minute, MINUTES)
    minute = np.repeat(np.arange(MINUTES), counts)
    time = np.sort(minute + rng.random(minute.size))
    steps = 0.016 * np.sqrt(np.diff(time, prepend=0.0)) * rng.normal(size=time.size)
    mid = np.round(0.5 + 0.3 * np.sin(np.cumsum(steps)), 2)
    price = mid + 0.01 * rng.choice([-1, 1], time.size)
    high, low, last = (np.full((1, MINUTES), np.nan) for _ in range(3))
    for each in np.unique(minute):
        paid = price[minute == each]
        high[0, each], low[0, each], last[0, each] = paid.max(), paid.min(), paid[-1]
    filled = np.maximum.accumulate(np.where(np.isnan(last[0]), 0, np.arange(MINUTES)))
    return Bars.of_dollars(high, low, last[:, filled])


# Cents, at 0.3, 2 and 10 trades a minute; methods, section 7.
SIMULATED: dict[SpreadProxy, tuple[float, float, float]] = {
    "range": (1.86, 1.99, 2.43),
    "roll": (0.5, 1.85, 2.1),
    "abdi_ranaldo": (0.1, 1.3, 2.1),
    "corwin_schultz": (0.0, 0.2, 1.7),
}


@pytest.mark.parametrize("proxy", SIMULATED)
def test_the_proxies_are_biased_as_simulated_for_a_true_spread_of_two_cents(
    proxy: SpreadProxy,
) -> None:
    markets = [_market(rate) for rate in (0.3, 2, 10)]
    means = [np.nanmean(spread_proxy_cents(market, proxy)[0, 60:]) for market in markets]
    assert means == pytest.approx(SIMULATED[proxy], abs=0.25)


@pytest.mark.parametrize("proxy", PROXIES)
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 5), st.integers(1, 200))
def test_no_proxy_knows_the_future(proxy: SpreadProxy, seed: int, t: int) -> None:
    whole = _short(seed)
    seen = spread_proxy_cents(whole, proxy)[:, :t]
    cut = Bars(high=whole.high[:, :t], low=whole.low[:, :t], close=whole.close[:, :t])
    assert np.array_equal(spread_proxy_cents(cut, proxy), seen, equal_nan=True)
    other = _short(seed + 10)
    mixed = Bars(
        high=np.hstack([whole.high[:, :t], other.high[:, t:]]),
        low=np.hstack([whole.low[:, :t], other.low[:, t:]]),
        close=np.hstack([whole.close[:, :t], other.close[:, t:]]),
    )
    assert np.array_equal(spread_proxy_cents(mixed, proxy)[:, :t], seen, equal_nan=True)


def _short(seed: int) -> Bars:
    rng = np.random.default_rng(seed)
    low = np.where(rng.random((3, 200)) < 0.4, rng.integers(1, 90, (3, 200)) * 100.0, np.nan)
    high = low + 100.0 * rng.integers(0, 4, low.shape)
    close = low.copy()
    for t in range(1, 200):
        close[:, t] = np.where(np.isnan(close[:, t]), close[:, t - 1], close[:, t])
    return Bars(high=high, low=low, close=close)


@pytest.mark.parametrize("proxy", PROXIES)
def test_without_a_trade_there_is_no_proxy(proxy: SpreadProxy) -> None:
    nothing = np.full((2, 90), np.nan)
    bars = Bars(high=nothing, low=nothing, close=nothing)
    assert np.isnan(spread_proxy_cents(bars, proxy)).all()


@pytest.mark.parametrize("proxy", PROXIES)
def test_an_hour_after_the_last_trade_there_is_no_proxy_any_more(proxy: SpreadProxy) -> None:
    bars = _market(10)
    quiet = Bars(
        high=np.where(np.arange(MINUTES) < 100, bars.high, np.nan),
        low=np.where(np.arange(MINUTES) < 100, bars.low, np.nan),
        close=bars.close,
    )
    spread = spread_proxy_cents(quiet, proxy)[0]
    assert not np.isnan(spread[100:159]).any()
    assert np.isnan(spread[159:]).all()


def test_the_mean_range_is_of_the_minutes_with_a_range_only() -> None:
    high = np.array([[np.nan, 4200.0, 4400.0, 4100.0, np.nan]])
    low = np.array([[np.nan, 4200.0, 4200.0, 4000.0, np.nan]])
    spread = spread_proxy_cents(Bars(high=high, low=low, close=low))[0]
    assert spread.tolist() == pytest.approx([np.nan, np.nan, 2.0, 1.5, 1.5], nan_ok=True)


def test_roll_of_a_price_that_bounces_every_minute_is_the_bounce() -> None:
    price = np.where(np.arange(200) % 2 == 0, 4000.0, 4200.0)[None, :]
    bars = Bars(high=price, low=price, close=price)
    assert spread_proxy_cents(bars, "roll")[0, -1] == pytest.approx(4.0, rel=0.01)
