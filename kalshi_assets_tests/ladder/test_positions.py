from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.ladder.atoms import Atoms
from kalshi_assets.ladder.legs import Leg
from kalshi_assets.ladder.positions import gain_by_atom
from kalshi_assets.units import CC_A_DOLLAR
from kalshi_assets_tests.ladder.legs import any_legs, partition, partition_legs, thresholds


def gains_of(positions: Sequence[int], legs: tuple[Leg, ...], cash_cc: int = 0) -> list[int]:
    atoms = Atoms(legs)
    return gain_by_atom(positions, atoms.runs.tolist(), atoms.count, cash_cc)


def worst_case(positions: Sequence[int], legs: tuple[Leg, ...], cash_cc: int = 0) -> int:
    return min(gains_of(positions, legs, cash_cc))


EVERY_NUMBER = range(-70, 151)
contracts = st.integers(-10_000, 10_000)


@given(st.data(), any_legs(), st.integers(-(10**9), 10**9))
def test_the_worst_case_is_the_least_gain_of_any_number(
    data: st.DataObject, legs: tuple[Leg, ...], cash_cc: int
) -> None:
    held = data.draw(st.lists(contracts, min_size=len(legs), max_size=len(legs)))
    gains = [
        cash_cc + sum(CC_A_DOLLAR * n for n, leg in zip(held, legs, strict=True) if leg.pays(value))
        for value in EVERY_NUMBER
    ]
    worst = worst_case(held, legs, cash_cc)
    assert (worst, type(worst)) == (min(gains), int)


@given(st.data(), partition_legs)
def test_the_worst_case_of_a_partition_is_its_least_position(
    data: st.DataObject, legs: tuple[Leg, ...]
) -> None:
    held = data.draw(st.lists(contracts, min_size=len(legs), max_size=len(legs)))
    assert worst_case(held, legs) == CC_A_DOLLAR * min(held)


def test_nested_legs_are_worst_where_the_sold_pay_and_the_bought_do_not() -> None:
    legs = thresholds([10, 20, 30])
    # Three of the lowest sold at .80, two of the middle bought at .50, fees of 1 cent.
    cash_cc = 3 * 8_000 - 2 * 5_000 - 100
    gains = gains_of([-3, 2, 0], legs, cash_cc)
    assert gains == [13_900, -16_100, 3_900, 3_900]
    assert worst_case([-3, 2, 0], legs, cash_cc) == -16_100


def test_a_threshold_below_bought_and_one_above_sold_never_lose_their_difference() -> None:
    assert worst_case([1, -1], thresholds([10, 20]), cash_cc=200) == 200


def test_one_of_each_bracket_pays_a_dollar_whatever_settles() -> None:
    assert gains_of([1, 1, 1], partition([3, 7])) == [CC_A_DOLLAR] * 3


def test_without_positions_all_that_is_left_is_cash() -> None:
    assert worst_case([0, 0, 0], partition([3, 7]), -70) == -70


def test_positions_of_other_legs_are_refused() -> None:
    with pytest.raises(ValueError, match="argument 2 is longer"):
        gains_of([1, 2], partition([3, 7]))


def test_amounts_of_any_size_are_exact() -> None:
    legs = thresholds([10, 20])
    assert worst_case([-(10**20), 0], legs) == -(10**24)
