from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.trading.fills import Bar, conservative, crosses, take, touch, whole_share
from kalshi_assets.trading.orders import Order
from kalshi_assets_tests.trading.panels import params

PARAMS = params()


def order(**changes: Any) -> Order:
    fields: dict[str, Any] = {
        "order_id": 0,
        "bracket": 0,
        "side": "bid",
        "execution": "maker",
        "price_cc": 4800,
        "contracts": 10,
        "decided_at": 0,
        "placed_at": 1,
        "expires_at": 6,
    }
    return Order(**{**fields, **changes})


def bar(**changes: Any) -> Bar:
    fields: dict[str, Any] = {
        "bid_cc": 4800,
        "ask_cc": 5000,
        "takeable": True,
        "low_cc": None,
        "high_cc": None,
        "volume": 0.0,
    }
    return Bar(**{**fields, **changes})


@pytest.mark.parametrize(
    ("side", "low", "high", "through", "touched"),
    [
        ("bid", 4900, 5000, 0, 0),
        ("bid", 4800, 4900, 0, 10),
        ("bid", 4750, 4900, 0, 10),
        ("bid", 4700, 4900, 10, 10),
        ("ask", 4600, 4700, 0, 0),
        ("ask", 4700, 4800, 0, 10),
        ("ask", 4700, 4850, 0, 10),
        ("ask", 4700, 4900, 10, 10),
    ],
)
def test_a_touch_does_not_fill_conservatively_but_a_trade_through_does(
    side: str, low: int, high: int, through: int, touched: int
) -> None:
    minute = bar(low_cc=low, high_cc=high, volume=1000.0)
    assert conservative(order(side=side), 10, minute, 100, PARAMS) == through
    assert touch(order(side=side), 10, minute, 100, PARAMS) == touched


def test_a_minute_without_trades_fills_nothing() -> None:
    assert conservative(order(), 10, bar(), 100, PARAMS) == 0
    assert touch(order(), 10, bar(), 100, PARAMS) == 0


def test_a_fill_takes_only_its_share_of_the_minutes_volume() -> None:
    minute = bar(low_cc=4600, high_cc=4600, volume=35.0)
    assert conservative(order(), 10, minute, 100, PARAMS) == 3
    assert touch(order(), 10, minute, 100, PARAMS) == 7


@given(
    side=st.sampled_from(["bid", "ask"]),
    price=st.integers(1, 99),
    low=st.integers(1, 99),
    span=st.integers(0, 20),
    volume=st.floats(0, 1e4),
    remaining=st.integers(1, 50),
)
def test_touch_fills_at_least_what_conservative_fills(
    side: str, price: int, low: int, span: int, volume: float, remaining: int
) -> None:
    minute = bar(low_cc=low * 100, high_cc=min(low + span, 99) * 100, volume=volume)
    sent = order(side=side, price_cc=price * 100, contracts=50)
    through = conservative(sent, remaining, minute, 100, PARAMS)
    assert 0 <= through <= touch(sent, remaining, minute, 100, PARAMS) <= remaining


def test_a_share_of_29_per_cent_of_100_contracts_is_29() -> None:
    share = params(volume_share=0.29, touch_share=0.29)
    minute = bar(low_cc=4600, high_cc=4600, volume=100.0)
    sent = order(contracts=50)
    assert conservative(sent, 50, minute, 100, share) == 29
    assert touch(sent, 50, minute, 100, share) == 29
    assert (
        take(order(execution="taker", contracts=50, price_cc=5100), bar(volume=100.0), share)[0]
        == 29
    )


@given(hundredths=st.integers(0, 10**9), basis_points=st.integers(1, 10_000))
def test_a_share_of_any_volume_is_floored_exactly(hundredths: int, basis_points: int) -> None:
    share = params(volume_share=basis_points / 10_000, touch_share=1.0).volume_share
    assert whole_share(hundredths / 100, share) == hundredths * basis_points // 1_000_000


def test_a_sum_of_fractional_trades_fills_as_much_as_one_trade_of_their_size() -> None:
    assert sum([0.1] * 1000) < 100
    assert whole_share(sum([0.1] * 1000), Decimal("0.29")) == 29


@pytest.mark.parametrize("volume", [None, float("nan"), float("inf")])
def test_a_minute_of_unknown_volume_fills_no_maker_order(volume: float | None) -> None:
    minute = bar(low_cc=4600, high_cc=4600, volume=volume)
    assert conservative(order(), 10, minute, 100, PARAMS) == 0
    assert touch(order(), 10, minute, 100, PARAMS) == 0
    sent = order(execution="taker", price_cc=5100)
    assert take(sent, bar(volume=volume), PARAMS) == (PARAMS.displayed_contracts, 5000)


def test_a_taker_pays_the_worst_of_quote_and_trades_within_its_limit() -> None:
    sent = order(execution="taker", price_cc=5100)
    assert take(sent, bar(volume=200.0), PARAMS) == (10, 5000)
    assert take(sent, bar(volume=200.0, low_cc=4900, high_cc=5100), PARAMS) == (10, 5100)
    assert take(sent, bar(volume=200.0, low_cc=4900, high_cc=5200), PARAMS)[0] == 0
    assert take(sent, bar(ask_cc=5200, volume=200.0), PARAMS)[0] == 0
    sells = order(side="ask", execution="taker", price_cc=4700)
    assert take(sells, bar(volume=200.0), PARAMS) == (10, 4800)
    assert take(sells, bar(volume=200.0, low_cc=4700, high_cc=4900), PARAMS) == (10, 4700)
    assert take(sells, bar(volume=200.0, low_cc=4600, high_cc=4900), PARAMS)[0] == 0


def test_a_taker_takes_a_share_of_the_volume_and_without_any_the_displayed_least() -> None:
    sent = order(execution="taker", price_cc=5100)
    assert take(sent, bar(volume=50.0), PARAMS) == (5, 5000)
    assert take(sent, bar(volume=0.0), PARAMS) == (PARAMS.displayed_contracts, 5000)


def test_a_taker_never_fills_on_a_quote_that_is_missing_inferred_or_stale() -> None:
    sent = order(execution="taker", price_cc=5100)
    assert take(sent, bar(ask_cc=None, volume=200.0), PARAMS)[0] == 0
    assert take(sent, bar(takeable=False, volume=200.0), PARAMS)[0] == 0


def test_a_post_only_order_that_would_trade_at_once_crosses() -> None:
    assert crosses(order(price_cc=5000), bar())
    assert not crosses(order(price_cc=4900), bar())
    assert crosses(order(side="ask", price_cc=4800), bar())
    assert not crosses(order(side="ask", price_cc=4900), bar())
    assert not crosses(order(price_cc=5000), bar(ask_cc=None))
