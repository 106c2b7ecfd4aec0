"""Fees in integers are those of `exchange.fees` in decimals, and the exchange's own examples."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.exchange.fees import SHARES as SHARES_OF_TYPES
from kalshi_assets.exchange.fees import OrderFees, Schedule
from kalshi_assets.trading.fee_kernels import SCHEDULES, FeeTerms, fee_of_fill, fees_by_price

QUADRATIC = {name: FeeTerms(0, 10_000, schedule) for name, schedule in SCHEDULES.items()}


@pytest.mark.parametrize(
    ("contracts", "price_cc", "direct", "conservative"),
    [(100, 5000, 17500, 17500), (100, 500, 3325, 3400), (1, 5000, 175, 200), (1, 100, 7, 100)],
)
def test_the_examples_of_the_fee_schedule(
    contracts: int, price_cc: int, direct: int, conservative: int
) -> None:
    for price in (price_cc, 10_000 - price_cc):
        for sign in (1, -1):
            for name, expected in (("direct", direct), ("conservative", conservative)):
                fee, _ = fee_of_fill(QUADRATIC[name], 0, price, contracts, sign, True)
                assert fee == expected


FILLS = st.lists(st.tuples(st.integers(1, 9999), st.integers(1, 500)), min_size=1, max_size=12)


@given(
    fills=FILLS,
    fee_type=st.sampled_from(sorted(SHARES_OF_TYPES)),
    multiplier=st.sampled_from([0.0, 0.5, 1.0, 2.0]),
    schedule=st.sampled_from(sorted(SCHEDULES)),
    sells=st.booleans(),
    takes=st.booleans(),
)
def test_fees_of_an_orders_fills_are_those_of_the_exact_formula(
    fills: list[tuple[int, int]],
    fee_type: str,
    multiplier: float,
    schedule: Schedule,
    sells: bool,
    takes: bool,
) -> None:
    liquidity = "taker" if takes else "maker"
    share = int(SHARES_OF_TYPES[fee_type][liquidity] * Decimal(multiplier) * 10_000)
    terms = FeeTerms(share, share, SCHEDULES[schedule])
    exact = OrderFees(fee_type=fee_type, multiplier=multiplier, schedule=schedule)
    carried = 0
    for price, contracts in fills:
        fee, carried = fee_of_fill(terms, carried, price, contracts, -1 if sells else 1, takes)
        # Who sells YES buys NO.
        bought = 10_000 - price if sells else price
        assert fee == exact.fill(bought, contracts, "buy", liquidity) * 10_000


@given(price=st.integers(1, 9999), parts=st.lists(st.integers(1, 60), min_size=1, max_size=8))
def test_a_contract_filled_alone_pays_at_least_its_share_of_any_order(
    price: int, parts: list[int]
) -> None:
    for terms in QUADRATIC.values():
        alone, _ = fee_of_fill(terms, 0, price, 1, 1, True)
        carried, total = 0, 0
        for contracts in parts:
            fee, carried = fee_of_fill(terms, carried, price, contracts, 1, True)
            total += fee
        assert total <= alone * sum(parts)


def test_a_fee_per_contract_is_that_of_the_whole_order() -> None:
    maker, taker = fees_by_price(QUADRATIC["direct"], 10)
    assert taker[5000] == pytest.approx(1.75)
    assert not maker.any()
