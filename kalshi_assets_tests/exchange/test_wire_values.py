from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.exchange.errors import MalformedAnswerError
from kalshi_assets.exchange.wire_values import (
    Record,
    amount,
    count,
    mean_price_cc,
    price_cc,
    utc,
)


@given(st.integers(0, 10_000), st.integers(0, 2))
def test_every_price_on_the_finest_grid_is_read_exactly(cc, zeros):
    assert price_cc(f"{cc // 10_000}.{cc % 10_000:04d}" + "0" * zeros) == cc


@given(st.decimals(0, 1, places=6))
def test_a_price_is_either_exact_or_refused(value):
    exact = value * 10_000
    if exact == exact.to_integral_value():
        assert price_cc(f"{value:f}") == int(exact)
    else:
        with pytest.raises(ValueError, match="finer"):
            price_cc(f"{value:f}")


def test_prices_of_fewer_places_are_read():
    assert [price_cc(text) for text in ("0", "1", "0.5", "0.56", "1.0000")] == [
        0,
        10_000,
        5_000,
        5_600,
        10_000,
    ]


@pytest.mark.parametrize(
    "wrong",
    [56, 0.56, None, True, "", "0.", ".5", "-0.10", "1e-1", "nan", "0.5600000", "1.01", "٠.٥"],
)
def test_what_is_no_dollar_string_is_refused(wrong):
    with pytest.raises(ValueError, match="dollar"):
        price_cc(wrong)


def test_a_mean_may_fall_between_ticks():
    assert mean_price_cc("0.607143") == 6071


def test_counts_and_amounts_are_decimal_strings():
    assert count("7.77") == 7.77
    assert amount("-54.00") == Decimal("-54.00")
    for wrong in (7, "-1", "nan", "", None):
        with pytest.raises(ValueError, match="count string"):
            count(wrong)
    with pytest.raises(ValueError, match="decimal string"):
        amount("1e5")


def test_instants_have_any_number_of_fractional_digits_and_must_name_their_zone():
    assert utc("2026-06-11T05:39:31.28563Z") == datetime(2026, 6, 11, 5, 39, 31, 285630, tzinfo=UTC)
    assert utc("2026-06-11T05:39:31Z").tzinfo is UTC
    with pytest.raises(ValueError, match="zone"):
        utc("2026-06-11T05:39:31")
    with pytest.raises(ValueError, match="instant"):
        utc("yesterday")


def test_a_missing_field_names_its_record_and_the_cents_era_where_it_is_to_blame():
    record = Record({"yes_bid": 57, "volume": None}, "market A")
    with pytest.raises(
        MalformedAnswerError, match=r"market A, field yes_bid_dollars.*integer cents"
    ):
        record.get("yes_bid_dollars", price_cc)
    with pytest.raises(MalformedAnswerError, match="market A, field status: missing"):
        record.text("status")
    with pytest.raises(MalformedAnswerError, match="not an object"):
        Record([1], "market B")
