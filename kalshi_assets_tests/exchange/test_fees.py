from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.exchange.fees import (
    OrderFees,
    UnknownFeeTypeError,
    fee_cc,
    model_fee,
)

prices = st.integers(0, 10_000)
sizes = st.integers(1, 5_000)
schedules = st.sampled_from(["direct", "broker", "conservative"])


@pytest.mark.parametrize(
    ("contracts", "price", "direct", "conservative"),
    [
        (100, 5_000, 17_500, 17_500),
        (100, 500, 3_325, 3_400),
        (1, 5_000, 175, 200),
        (1, 100, 7, 100),
    ],
)
def test_the_documented_fees_of_the_taker(contracts, price, direct, conservative):
    assert fee_cc(price, contracts, "quadratic", 1, "taker") == direct
    assert fee_cc(price, contracts, "quadratic", 1, "taker", "conservative") == conservative


@pytest.mark.parametrize(("price", "fee"), [(5_200, 175), (9_900, 7)])
def test_the_fees_that_the_exchange_charged_in_recorded_fills(price, fee):
    assert fee_cc(price, 1, "quadratic", 1, "taker") == fee


def test_makers_pay_by_the_kind_of_series():
    fees = {
        kind: fee_cc(5_000, 100, kind, 1, "maker")
        for kind in (
            "quadratic",
            "quadratic_with_maker_fees",
            "quadratic_with_combo_maker_fees",
        )
    }
    assert fees == {
        "quadratic": 0,
        "quadratic_with_maker_fees": 4_375,
        "quadratic_with_combo_maker_fees": 8_750,
    }


def test_the_documented_order_of_three_single_contracts_on_the_cent():
    order = OrderFees(fee_type="quadratic", multiplier=1, schedule="broker")
    net = [order.charge(Decimal("-0.055"), Decimal("0.0085")) for _ in range(3)]
    assert net == [Decimal("0.0150"), Decimal("0.0050"), Decimal("0.0150")]


def test_the_documented_order_of_fractional_fills_on_the_cent():
    order = OrderFees(fee_type="quadratic", multiplier=1, schedule="broker")
    net = [order.charge(Decimal("-0.15"), Decimal("0.0041")) for _ in range(3)]
    assert net == [Decimal("0.0100"), Decimal("0.0000"), Decimal("0.0100")]


def test_the_conservative_order_pays_the_cent_above_its_total_once():
    order = OrderFees(fee_type="quadratic", multiplier=1, schedule="conservative")
    paid = [order.fill(5_000, 1, "buy", "taker") for _ in range(4)]
    assert sum(paid) == Decimal("0.07")
    assert paid[0] == Decimal("0.02")


@given(prices, sizes, schedules)
def test_yes_and_no_cost_the_same(price, contracts, schedule):
    whole_cents = price // 100 * 100
    assert fee_cc(whole_cents, contracts, "quadratic", 1, "taker", schedule) == fee_cc(
        10_000 - whole_cents, contracts, "quadratic", 1, "taker", schedule
    )


@given(prices, sizes)
def test_a_direct_fee_is_the_model_rounded_up_to_the_centicent(price, contracts):
    model = model_fee(price, contracts, "quadratic", 1, "taker") * 10_000
    assert 0 <= fee_cc(price, contracts, "quadratic", 1, "taker") - model < 1


@given(
    st.lists(
        st.tuples(prices, st.decimals("0.01", 300, places=2), st.sampled_from(["buy", "sell"])),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from(["direct", "broker"]),
)
def test_an_order_never_pays_less_than_its_trade_fees_nor_a_grain_more(fills, schedule):
    order = OrderFees(fee_type="quadratic", multiplier=1, schedule=schedule)
    paid = [order.fill(price, size, action, "taker") for price, size, action in fills]
    model = sum(model_fee(price, size, "quadratic", 1, "taker") for price, size, _ in fills)
    micro = Decimal("0.000001") * len(fills)
    assert all(fee >= 0 for fee in paid)
    assert model <= sum(paid) <= model + micro + order.accumulated
    assert order.accumulated >= 0


def test_an_unknown_formula_is_an_error_that_lists_the_known_ones():
    with pytest.raises(UnknownFeeTypeError, match=r"'flat'.*quadratic_with_maker_fees"):
        fee_cc(5_000, 1, "flat", 1, "taker")


def test_prices_and_factors_out_of_range_are_refused():
    with pytest.raises(ValueError, match="10001 cc"):
        fee_cc(10_001, 1, "quadratic", 1, "taker")
    with pytest.raises(ValueError, match="multiplier"):
        fee_cc(5_000, 1, "quadratic", -1, "taker")
    with pytest.raises(ValueError, match="multiplier"):
        fee_cc(5_000, 1, "quadratic", float("nan"), "taker")
