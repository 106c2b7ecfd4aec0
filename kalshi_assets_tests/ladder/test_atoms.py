import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.ladder.atoms import Atoms
from kalshi_assets.ladder.brackets import Bracket, Ladder
from kalshi_assets.ladder.legs import LadderError, Leg
from kalshi_assets.units import Array
from kalshi_assets_tests.ladder.legs import (
    any_legs,
    leg,
    partition,
    partition_legs,
    some_numbers,
    threshold_legs,
    thresholds,
)

Legs = tuple[Leg, ...]

EVERY_NUMBER = np.arange(-70, 150)
values = st.integers(-(10**6), 10**6)


def _inside(bounds: tuple[int | None, int | None], value: int) -> bool:
    return leg("atom", *bounds).pays(value)


def _pmf(seed: int) -> Array:
    """A probability for each of `EVERY_NUMBER`."""
    return np.random.default_rng(seed).dirichlet(np.full(len(EVERY_NUMBER), 0.2))


def _atom_p(atoms: Atoms, pmf: Array) -> Array:
    return np.bincount(
        [atoms.index_of(n) for n in EVERY_NUMBER], weights=pmf, minlength=atoms.count
    )


@given(any_legs(), values)
def test_every_value_belongs_to_exactly_one_atom(legs: Legs, value: int) -> None:
    atoms = Atoms(legs)
    inside = [i for i, bounds in enumerate(atoms.bounds) if _inside(bounds, value)]
    assert inside == [atoms.index_of(value)]
    assert len(atoms.bounds) == atoms.count == atoms.payoff.shape[1]


@given(any_legs(), values | st.integers(-62, 142))
def test_a_leg_pays_on_the_atom_of_a_value_as_it_pays_on_the_value(legs: Legs, value: int) -> None:
    atoms = Atoms(legs)
    paid = atoms.payoff[:, atoms.index_of(value)]
    assert paid.tolist() == [leg.pays(value) for leg in legs]


@given(any_legs())
def test_a_leg_is_a_run_of_atoms(legs: Legs) -> None:
    atoms = Atoms(legs)
    for (first, after), pays, each in zip(atoms.runs, atoms.payoff, legs, strict=True):
        assert np.flatnonzero(pays).tolist() == list(range(first, after))
        assert (atoms.bounds[first][0], atoms.bounds[after - 1][1]) == (each.lo, each.hi)


def test_atoms_are_cut_where_a_leg_begins_and_after_it_ends() -> None:
    atoms = Atoms((leg("T", 5, None), leg("B", 0, 6), leg("L", None, -1)))
    assert atoms.cuts == (0, 5, 7)
    assert atoms.bounds == [(None, -1), (0, 4), (5, 6), (7, None)]
    assert atoms.payoff.astype(int).tolist() == [[0, 0, 1, 1], [0, 1, 1, 0], [1, 0, 0, 0]]


@given(partition_legs, values)
def test_exactly_one_leg_of_a_partition_pays(legs: Legs, value: int) -> None:
    atoms = Atoms(legs)
    assert atoms.shape == "partition"
    assert sum(leg.pays(value) for leg in legs) == 1
    assert atoms.count == len(legs)


@given(any_legs())
def test_legs_are_called_a_partition_where_a_ladder_takes_them(legs: Legs) -> None:
    try:
        Ladder.of(legs)
    except LadderError:
        assert Atoms(legs).shape != "partition" or len(legs) == 1
    else:
        assert Atoms(legs).shape == "partition"


@given(threshold_legs, values)
def test_thresholds_pay_up_to_the_one_that_the_value_clears(legs: Legs, value: int) -> None:
    atoms = Atoms(legs)
    assert atoms.shape == "thresholds"
    assert sum(leg.pays(value) for leg in legs) == atoms.index_of(value)


@pytest.mark.parametrize(
    "legs",
    [
        (leg("T", 5, None), leg("B", 0, 6)),
        (leg("T", 5, None), leg("L", None, 6)),
        (leg("B", 0, 6),),
        (leg("all", None, None), leg("T", 5, None)),
    ],
)
def test_legs_that_are_neither_are_called_so(legs: Legs) -> None:
    assert Atoms(legs).shape == "other"


def test_thresholds_that_are_open_below_are_nested_too() -> None:
    assert Atoms((leg("L1", None, 3), leg("L2", None, 8))).shape == "thresholds"


@pytest.mark.parametrize(
    ("legs", "said"),
    [((), "no legs"), ((leg("T", 5, None), leg("T", 7, None)), "T is given 2 times")],
)
def test_no_legs_or_two_of_one_market_have_no_atoms(legs: Legs, said: str) -> None:
    with pytest.raises(LadderError, match=said):
        Atoms(legs)


@given(any_legs(), st.integers(0, 1000))
def test_a_leg_has_the_probability_of_the_numbers_that_pay(legs: Legs, seed: int) -> None:
    atoms, pmf = Atoms(legs), _pmf(seed)
    expected = [
        sum(p for v, p in zip(EVERY_NUMBER, pmf, strict=True) if leg.pays(int(v))) for leg in legs
    ]
    assert atoms.leg_probabilities(_atom_p(atoms, pmf)) == pytest.approx(expected, abs=1e-12)


@given(any_legs(), any_legs(), st.integers(0, 1000))
def test_another_leg_never_changes_the_probability_of_a_leg(
    legs: Legs, others: Legs, seed: int
) -> None:
    others = tuple(leg(f"other {other.market_ticker}", other.lo, other.hi) for other in others)
    alone, together, pmf = Atoms(legs), Atoms(legs + others), _pmf(seed)
    p = together.leg_probabilities(_atom_p(together, pmf))[: len(legs)]
    assert p == pytest.approx(alone.leg_probabilities(_atom_p(alone, pmf)), abs=1e-12)


@given(some_numbers, st.integers(0, 1000))
def test_a_range_on_joint_atoms_is_the_difference_of_thresholds(
    edges: list[int], seed: int
) -> None:
    ranges, above = partition(edges), thresholds([edge + 1 for edge in edges])
    atoms = Atoms(ranges + above)
    p = atoms.leg_probabilities(_atom_p(atoms, _pmf(seed)))
    survival = np.array([1, *p[len(ranges) :], 0])
    assert p[: len(ranges)] == pytest.approx(survival[:-1] - survival[1:], abs=1e-12)


@given(partition_legs, st.integers(0, 1000))
def test_atoms_of_a_partition_come_back_from_its_legs(legs: Legs, seed: int) -> None:
    atoms = Atoms(legs)
    p = np.random.default_rng(seed).dirichlet(np.ones(atoms.count), size=3).T
    assert (atoms.atom_probabilities(atoms.leg_probabilities(p)) == p).all()


def test_a_leg_with_an_atom_that_is_not_known_is_not_known() -> None:
    atoms = Atoms((leg("T", 5, None), leg("B", 0, 4), leg("L", None, -1)))
    p = atoms.leg_probabilities(np.array([[0.2, 0.2], [np.nan, 0.3], [0.5, np.nan]]))
    np.testing.assert_array_equal(p, [[0.5, np.nan], [np.nan, 0.3], [0.2, 0.2]])


def test_probabilities_of_another_number_of_atoms_are_refused() -> None:
    atoms = Atoms(partition([3, 7]))
    with pytest.raises(ValueError, match=r"shape \(2,\) are not those of 3 atoms"):
        atoms.leg_probabilities(np.ones(2))
    with pytest.raises(ValueError, match=r"shape \(\) are not those of 3 legs"):
        atoms.atom_probabilities(np.array(1.0))


def test_probabilities_of_thresholds_say_those_of_atoms_by_their_differences() -> None:
    atoms = Atoms(thresholds([5, 7]))
    found = atoms.atom_probabilities(np.array([[0.5, 0.9], [0.4, np.nan]]))
    assert found[:, 0] == pytest.approx([0.5, 0.1, 0.4])
    assert found[0, 1] == pytest.approx(0.1)
    assert np.isnan(found[1:, 1]).all()
    back = atoms.leg_probabilities(found[:, :1])
    assert back[:, 0] == pytest.approx([0.5, 0.4])


def test_probabilities_of_overlapping_ranges_do_not_say_those_of_atoms() -> None:
    legs = (leg("A", 1, 5), leg("B", 3, 9))
    with pytest.raises(LadderError, match=r"A \[1, 5\], B \[3, 9\] are neither a partition nor"):
        Atoms(legs).atom_probabilities(np.array([0.5, 0.4]))


def test_the_legs_that_pay_name_the_atom_or_none() -> None:
    atoms = Atoms(thresholds([5, 7]))
    assert [atoms.paid(pays) for pays in ((False, False), (True, False), (True, True))] == [0, 1, 2]
    assert atoms.paid((False, True)) is None
    assert atoms.atom_flags(np.array([[False], [True]]))[:, 0].tolist() == [False, False, True]


@given(some_numbers, values)
def test_a_ladder_is_atoms_of_which_each_is_a_bracket(edges: list[int], value: int) -> None:
    ladder = Ladder.of(partition(edges))
    assert ladder.payoff.tolist() == np.eye(len(ladder), dtype=bool).tolist()
    assert ladder.bounds == [(bracket.lo, bracket.hi) for bracket in ladder.brackets]
    assert ladder.brackets[ladder.index_of(value)].pays(value)


def test_a_bracket_is_a_leg() -> None:
    assert Bracket is Leg


def test_the_payoff_is_not_to_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        Atoms(thresholds([5])).payoff[0, 0] = True
