import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.ladder.atoms import Atoms
from kalshi_assets.ladder.positions import gain_by_atom
from kalshi_assets.ladder.relations import (
    RangeRelation,
    falls,
    range_bounds,
    range_relations,
    residuals,
)
from kalshi_assets_tests.ladder.legs import leg, partition, some_numbers, thresholds

NONE = math.nan
THRESHOLDS = thresholds([10, 20, 30])
RANGES = (leg("low", None, 9), leg("B", 10, 19), leg("odd", 20, 24), leg("top", 30, None))


def test_ranges_whose_ends_are_listed_are_related() -> None:
    assert range_relations(THRESHOLDS, RANGES) == [
        RangeRelation(leg=0, lower=None, upper=0),
        RangeRelation(leg=1, lower=0, upper=1),
        RangeRelation(leg=3, lower=2, upper=None),
    ]


@given(some_numbers, st.integers(0, 1000))
def test_a_range_is_the_difference_of_its_thresholds(edges: list[int], seed: int) -> None:
    ranges, above = partition(edges), thresholds([edge + 1 for edge in edges])
    atoms = Atoms(ranges + above)
    p = atoms.leg_probabilities(np.random.default_rng(seed).dirichlet(np.ones(atoms.count), 4).T)
    related = range_relations(above, ranges)
    assert [relation.leg for relation in related] == list(range(len(ranges)))
    off = residuals(related, p[len(ranges) :], p[: len(ranges)])
    assert off == pytest.approx(np.zeros((len(ranges), 4)), abs=1e-12)


def test_a_range_that_is_dear_is_told_by_how_much() -> None:
    related = range_relations(THRESHOLDS, RANGES)
    survival = np.array([[0.8, NONE], [0.5, 0.5], [0.1, 0.1]])
    range_p = np.array([[0.2, 0.2], [0.35, 0.3], [0.1, 0.1], [0.1, 0.08]])
    np.testing.assert_allclose(
        residuals(related, survival, range_p), [[0, NONE], [0.05, NONE], [0, -0.02]], atol=1e-12
    )
    assert residuals([], survival, range_p).shape == (0, 2)


def test_a_curve_that_rises_anywhere_does_not_fall() -> None:
    curves = np.array([[0.8, 0.8, 0.8, NONE], [0.5, NONE, NONE, NONE], [0.5, 0.9, 0.7, 0.1]])
    assert falls(curves).tolist() == [True, False, True, True]


def test_books_of_thresholds_bound_ranges() -> None:
    bid, ask = np.array([0.80, 0.50, 0.10]), np.array([0.84, 0.54, 0.14])
    least, greatest = range_bounds(THRESHOLDS, bid, ask, RANGES)
    assert least == pytest.approx([1 - 0.84, 0.80 - 0.54, 0, 0.10])
    assert greatest == pytest.approx([1 - 0.80, 0.84 - 0.50, 0.54 - 0.10, 0.14])


def test_without_quotes_a_range_is_bounded_by_nothing() -> None:
    nothing = np.full((3, 2), NONE)
    least, greatest = range_bounds(THRESHOLDS, nothing, nothing, RANGES)
    assert (least == 0).all()
    assert (greatest == 1).all()


def test_a_threshold_and_the_other_side_of_a_range_above_it_pay_at_least_a_dollar() -> None:
    """YES(threshold <= lo) + NO(range): a NO contract is a sold YES and a dollar of cash."""
    atoms = Atoms((*THRESHOLDS, *RANGES))
    for threshold in range(2):
        held = [0] * len(atoms.legs)
        held[threshold], held[5] = 1, -1
        assert min(gain_by_atom(held, atoms.runs.tolist(), atoms.count, cash_cc=10_000)) == 10_000
    held = [0, 0, 1, 0, 0, -1, 0]
    assert min(gain_by_atom(held, atoms.runs.tolist(), atoms.count, cash_cc=10_000)) == 0


@given(some_numbers, some_numbers, st.integers(0, 1000))
def test_true_values_of_ranges_lie_within_their_bounds(
    edges: list[int], los: list[int], seed: int
) -> None:
    """Books that hold the true probabilities of thresholds bound every range rightly."""
    ranges, above = partition(edges), thresholds(los)
    atoms = Atoms(ranges + above)
    rng = np.random.default_rng(seed)
    p = atoms.leg_probabilities(rng.dirichlet(np.ones(atoms.count)))
    survival = p[len(ranges) :]
    bid = np.where(rng.random(len(los)) < 0.3, NONE, survival - rng.uniform(0, 0.1, len(los)))
    ask = np.where(rng.random(len(los)) < 0.3, NONE, survival + rng.uniform(0, 0.1, len(los)))
    least, greatest = range_bounds(above, bid, ask, ranges)
    assert (least <= p[: len(ranges)] + 1e-12).all()
    assert (greatest >= p[: len(ranges)] - 1e-12).all()
