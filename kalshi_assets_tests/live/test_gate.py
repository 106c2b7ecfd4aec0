"""The gate's own limits: at each limit, one step either side, and fail closed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.live.gate import (
    AccountState,
    GateLimits,
    Ladder,
    exposures,
    refusal,
    worst_case_millionths,
)
from kalshi_assets.live.journal_records import Holding, JournaledOrder
from kalshi_assets.trading.ledger import worst_case_cc
from kalshi_assets_tests.live.desk import ACCOUNT, EVENT, LIMITS, MARKETS, START_US, intent

NOTHING = AccountState(holdings=[])
LIFE = 300_000_000


def holding(market: str, size: int, cash: int) -> Holding:
    return Holding(
        market_ticker=market,
        opening=0,
        opening_cash_millionths=0,
        size=size,
        cash_millionths=cash,
    )


def order(bracket: int = 2, **changes: Any) -> JournaledOrder:
    fields: dict[str, Any] = {
        "client_order_id": f"order of {bracket}",
        "account": ACCOUNT,
        "event_ticker": EVENT,
        "strategy": "value",
        "decided_at_us": START_US,
        "bracket": bracket,
        "market_ticker": MARKETS[bracket],
        "side": "bid",
        "execution": "maker",
        "price_cc": 4200,
        "size": 1000,
        "expires_at_s": None,
        "order_group_id": "g",
        "exchange_index": 0,
        "state": "acknowledged",
        "order_id": None,
        "filled": 0,
        "booked": 0,
        "note": "",
        "created_at_us": START_US,
        "updated_at_us": START_US,
    }
    return JournaledOrder(**fields | changes)


def limits(**changes: Any) -> GateLimits:
    return replace(LIMITS, **changes)


def test_an_order_within_all_limits_passes() -> None:
    assert refusal(intent(), NOTHING, LIMITS, LIFE) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"event_ticker": "KXHIGHCHI-26NOV21"}, "unknown event"),
        ({"market_ticker": "KXHIGHNY-26NOV20-T50"}, "not one of event"),
        ({"side": "buy"}, "unknown side"),
        ({"execution": "market"}, "unknown side"),
        ({"price_cc": 0}, "not between"),
        ({"price_cc": 10_000}, "not between"),
        ({"contracts": 0}, "not from 1 to 10"),
        ({"contracts": 11}, "not from 1 to 10"),
    ],
)
def test_what_the_gate_cannot_judge_is_refused(change: dict[str, Any], reason: str) -> None:
    assert reason in str(refusal(intent(**change), NOTHING, LIMITS, LIFE))


@pytest.mark.parametrize(("lifetime", "passes"), [(2_000_000, True), (1_999_999, False)])
def test_a_lifetime_too_short_to_arrive_is_refused(lifetime: int, passes: bool) -> None:
    assert (refusal(intent(), NOTHING, LIMITS, lifetime) is None) == passes


@pytest.mark.parametrize(("lifetime", "passes"), [(600_000_000, True), (600_000_001, False)])
def test_a_lifetime_beyond_what_a_dead_desk_may_lose_is_refused(
    lifetime: int, passes: bool
) -> None:
    assert (refusal(intent(), NOTHING, LIMITS, lifetime) is None) == passes


@pytest.mark.parametrize(("open_orders", "passes"), [(5, True), (6, False)])
def test_open_orders_are_limited(open_orders: int, passes: bool) -> None:
    small = [order(n, size=1) for n in range(open_orders)]
    state = AccountState(holdings=[], orders=small)
    assert (refusal(intent(), state, LIMITS, LIFE) is None) == passes


@pytest.mark.parametrize(("held", "passes"), [(3000, True), (3001, False)])
def test_positions_are_limited_with_working_orders_of_their_side(held: int, passes: bool) -> None:
    state = AccountState(
        holdings=[holding(MARKETS[2], held, 0)],
        orders=[order(size=1000), order(side="ask", price_cc=9000)],
    )
    limit = limits(max_event_loss_cc=10**9, max_account_loss_cc=10**9)
    assert (refusal(intent(), state, limit, LIFE) is None) == passes


@pytest.mark.parametrize(("loss_cc", "passes"), [(42_440, True), (42_439, False)])
def test_the_worst_case_of_an_event_is_limited_with_fees(loss_cc: int, passes: bool) -> None:
    limit = limits(max_event_loss_cc=loss_cc)
    assert (refusal(intent(), NOTHING, limit, LIFE) is None) == passes


def test_the_worst_cases_of_all_events_are_limited_together() -> None:
    other = Ladder.partition(("X-1", "X-2"))
    state = AccountState(holdings=[holding("X-1", -1000, 5_000_000)])
    limit = limits(ladders={EVENT: LIMITS.ladders[EVENT], "X": other}, max_account_loss_cc=92_440)
    assert refusal(intent(), state, limit, LIFE) is None
    limit = replace(limit, max_account_loss_cc=92_439)
    assert "in all events" in str(refusal(intent(), state, limit, LIFE))


def test_a_working_order_that_would_gain_does_not_help() -> None:
    held = [holding(MARKETS[2], 1000, -5_000_000)]
    working = exposures([order(side="ask", price_cc=6000)], LIMITS)
    ladder = LIMITS.ladders[EVENT]
    assert worst_case_millionths(ladder, [], held) == -5_000_000
    assert worst_case_millionths(ladder, working, held) == -5_000_000


def test_an_order_that_does_not_lower_the_worst_case_always_passes() -> None:
    state = AccountState(holdings=[holding(MARKETS[2], 1000, -9_000_000)])
    limit = limits(max_event_loss_cc=1, max_account_loss_cc=1)
    assert refusal(intent(side="ask", price_cc=4000), state, limit, LIFE) is None
    assert refusal(intent(3), state, limit, LIFE) is not None


def test_fills_whose_fee_is_not_known_count_at_their_limit_price() -> None:
    done = order(state="done", filled=1000)
    assert exposures([done], LIMITS) == [(MARKETS[2], 1, 1000, 4244)]
    assert exposures([order(state="rejected")], LIMITS) == []


@given(
    sizes=st.lists(st.integers(-50, 50), min_size=6, max_size=6),
    cash=st.integers(-1_000_000, 1_000_000),
)
def test_the_worst_case_of_positions_is_the_ledgers(sizes: Sequence[int], cash: int) -> None:
    held = [holding(MARKETS[n], 100 * size, 0) for n, size in enumerate(sizes)]
    held.append(replace(held[0], size=0, cash_millionths=cash * 100))
    runs = np.array([[n, n + 1] for n in range(6)])
    theirs = worst_case_cc(np.array(sizes), runs, 6, cash)
    assert worst_case_millionths(LIMITS.ladders[EVENT], [], held) == 100 * theirs


def test_nested_markets_pay_together() -> None:
    nested = Ladder(
        markets=("low", "high"),
        outcomes=(frozenset(), frozenset(["low"]), frozenset(["low", "high"])),
    )
    bids: Callable[[int], list] = lambda price: [  # noqa: E731
        ("low", 1, 100, price),
        ("high", 1, 100, price),
    ]
    assert worst_case_millionths(nested, bids(5000), []) == -1_000_000
    asks = [("low", -1, 100, -4000), ("high", -1, 100, -4000)]
    assert worst_case_millionths(nested, asks, []) == -1_200_000
    with pytest.raises(ValueError, match="no worst case"):
        worst_case_millionths(Ladder(markets=("low",), outcomes=()), [], [])
