import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

from kalshi_assets.ladder.atoms import Atoms, by_rising_lo
from kalshi_assets.ladder.legs import LadderError
from kalshi_assets.ladder.thresholds import (
    Curve,
    atoms_of,
    coherent_curve,
    crossings,
    envelopes,
    market_curve,
    well_quoted,
    widest_unquoted,
)
from kalshi_assets.units import Array
from kalshi_assets_tests.ladder.legs import leg, thresholds
from kalshi_assets_tests.ladder.plain_curves import (
    NONE,
    Book,
    books,
    plain_curve,
    plain_envelopes,
    plain_market,
)

# ladders.md 16
BIDS = [0.90, 0.60, 0.66, 0.20, 0.05]
ASKS = [0.94, 0.68, 0.72, 0.30, 0.09]
LEGS = thresholds([10, 20, 30, 40, 50])


def _mids(bid: Array, ask: Array) -> Array:
    return (bid + ask) / 2


def _column(values: list[float]) -> Array:
    return np.array(values, dtype=np.float64)[:, None]


def _market(bid: Array, ask: Array, last: Array | None = None, age: float = 0.0) -> Curve:
    last = np.full(bid.shape, np.nan) if last is None else last
    return market_curve(bid, ask, last, np.full(bid.shape, age))


@pytest.mark.parametrize("given_centres", [True, False])
def test_the_coherent_curve_of_the_oracle(given_centres: bool) -> None:
    bid, ask = _column(BIDS), _column(ASKS)
    curve = coherent_curve(bid, ask, _mids(bid, ask)) if given_centres else _market(bid, ask)
    assert curve.survival[:, 0] == pytest.approx([0.92, 0.672, 0.672, 0.25, 0.07], abs=1e-12)
    assert curve.atoms[:, 0] == pytest.approx([0.08, 0.248, 0, 0.422, 0.18, 0.07], abs=1e-12)
    assert curve.lower[:, 0].tolist() == [0.90, 0.66, 0.66, 0.20, 0.05]
    assert curve.upper[:, 0].tolist() == [0.94, 0.68, 0.68, 0.30, 0.09]
    assert curve.arbitrage.tolist() == [False]
    assert crossings(LEGS, bid[:, 0], ask[:, 0]) == []


def test_the_arbitrage_of_the_oracle_is_named_and_has_no_curve() -> None:
    bid, ask = _column(BIDS), _column(ASKS)
    bid[2] = 0.70
    curve = _market(bid, ask)
    assert curve.arbitrage.tolist() == [True]
    assert (curve.lower[1, 0], curve.upper[1, 0]) == (0.70, 0.68)
    assert np.isnan(curve.survival).all()
    (crossing,) = crossings(LEGS, bid[:, 0], ask[:, 0])
    assert (crossing.buy, crossing.ask_cc, crossing.sell, crossing.bid_cc) == (
        "T20",
        6800,
        "T30",
        7000,
    )
    assert str(crossing) == "T30 is bid 7000 cc, T20 is asked 6800 cc"


@given(books(), st.integers(0, 1000))
def test_a_coherent_curve_is_the_plain_one(book: Book, seed: int) -> None:
    bid, ask = book
    rng = np.random.default_rng(seed)
    centre = np.where(rng.random(bid.shape) < 0.2, np.nan, rng.random(bid.shape).round(2))
    curve = coherent_curve(bid, ask, centre)
    for t in range(bid.shape[1]):
        b, a, m = (values[:, t].tolist() for values in (bid, ask, centre))
        lower, upper = plain_envelopes(b, a)
        np.testing.assert_array_equal(curve.lower[:, t], lower)
        np.testing.assert_array_equal(curve.upper[:, t], upper)
        np.testing.assert_allclose(curve.survival[:, t], plain_curve(b, a, m), atol=1e-12)


@given(books(instants=6), st.integers(0, 1000))
def test_a_market_curve_is_the_plain_one(book: Book, seed: int) -> None:
    rng = np.random.default_rng(seed)
    last = np.where(rng.random(book[0].shape) < 0.3, np.nan, rng.random(book[0].shape).round(2))
    age = rng.uniform(0, 60, last.shape)
    curve = market_curve(*book, last, age)
    np.testing.assert_allclose(curve.survival, plain_market(*book, last, age), atol=1e-12)


@given(st.lists(st.tuples(st.integers(1, 99), st.integers(1, 100)), min_size=1, max_size=40))
def test_the_fit_is_that_of_a_kept_library(legs: list[tuple[int, int]]) -> None:
    centre, tick = (_column([n / 100 for n in column]) for column in zip(*legs, strict=True))
    bid, ask = np.full(centre.shape, 0.005), np.full(centre.shape, 0.995)
    weights = np.maximum(0.99, 2 * tick[:, 0]) ** -2.0
    curve = coherent_curve(bid, ask, centre, 2 * tick)
    fitted = isotonic_regression(centre[:, 0], weights=weights, increasing=False).x
    assert curve.survival[:, 0] == pytest.approx(fitted, abs=1e-12)


@given(books())
def test_a_coherent_curve_falls_within_its_envelopes(book: Book) -> None:
    curve = _market(*book)
    for t in range(book[0].shape[1]):
        known = ~np.isnan(curve.survival[:, t])
        s = curve.survival[known, t]
        assert (np.diff(s) <= 0).all()
        assert not (s < curve.lower[known, t]).any()
        assert not (s > curve.upper[known, t]).any()
        assert ((s >= 0) & (s <= 1)).all()


@given(books())
def test_atoms_are_a_pmf_where_all_legs_are_known(book: Book) -> None:
    curve = _market(*book)
    known = ~np.isnan(curve.survival).any(axis=0)
    assert (curve.atoms[:, known] >= 0).all()
    assert curve.atoms[:, known].sum(axis=0) == pytest.approx(1, abs=1e-12)
    assert (np.isnan(curve.atoms).any(axis=0) == ~known).all()


@given(books())
def test_legs_get_their_curve_back_from_its_atoms(book: Book) -> None:
    curve = _market(*book)
    atoms = Atoms(thresholds(range(0, 10 * len(curve.survival), 10)))
    known = ~np.isnan(curve.survival).any(axis=0)
    p = atoms.leg_probabilities(curve.atoms[:, known])
    assert p == pytest.approx(curve.survival[:, known], abs=1e-12)


@given(books(instants=1))
def test_every_crossing_of_envelopes_is_a_pair_that_gains(book: Book) -> None:
    bid, ask = book[0][:, 0], book[1][:, 0]
    legs = thresholds(range(len(bid)))
    found = crossings(legs, bid, ask)
    lower, upper = envelopes(bid, ask)
    assert bool(found) == bool((lower - upper > 1e-9).any())
    tickers = [leg.market_ticker for leg in legs]
    for crossing in found:
        buy, sell = tickers.index(crossing.buy), tickers.index(crossing.sell)
        assert buy <= sell
        assert (crossing.ask_cc, crossing.bid_cc) == (round(1e4 * ask[buy]), round(1e4 * bid[sell]))
        assert crossing.bid_cc > crossing.ask_cc


@given(books(instants=5))
def test_a_market_curve_is_fitted_to_its_centres(book: Book) -> None:
    curve = _market(*book)
    bid, ask = book
    crossed = bid > ask
    bid, ask = np.where(crossed, np.nan, bid), np.where(crossed, np.nan, ask)
    again = coherent_curve(bid, ask, curve.centre)
    np.testing.assert_array_equal(again.survival, curve.survival)
    np.testing.assert_array_equal(again.arbitrage, curve.arbitrage)


@given(books(instants=4), st.integers(1, 3))
def test_later_books_change_no_earlier_curve(book: Book, many: int) -> None:
    early = _market(book[0][:, :many], book[1][:, :many])
    np.testing.assert_array_equal(_market(*book).survival[:, :many], early.survival)


def test_an_order_of_quotes_that_falls_is_kept_as_it_is() -> None:
    bid, ask = _column([0.80, 0.50, 0.20]), _column([0.84, 0.54, 0.24])
    assert _market(bid, ask).survival[:, 0] == pytest.approx([0.82, 0.52, 0.22], abs=1e-12)


def test_a_leg_without_quotes_has_the_bounds_of_its_neighbours_and_no_price() -> None:
    curve = _market(_column([0.80, NONE, 0.20]), _column([0.84, NONE, 0.24]))
    assert (curve.lower[1, 0], curve.upper[1, 0]) == (0.20, 0.84)
    np.testing.assert_allclose(curve.survival[:, 0], [0.82, NONE, 0.22])
    np.testing.assert_allclose(curve.atoms[:, 0], [0.18, NONE, NONE, 0.22])
    assert curve.thin[:, 0].tolist() == [False, True, False]


def test_beyond_the_last_quotes_there_is_no_envelope() -> None:
    lower, upper = envelopes(_column([NONE, 0.20, NONE]), _column([NONE, 0.24, NONE]))
    np.testing.assert_array_equal(lower[:, 0], [0.20, 0.20, NONE])
    np.testing.assert_array_equal(upper[:, 0], [NONE, 0.24, 0.24])


def test_where_nothing_is_quoted_nothing_is_known() -> None:
    bid = np.array([[0.80, NONE, 0.80], [0.20, NONE, NONE]])
    ask = np.array([[0.84, NONE, 0.84], [0.24, NONE, NONE]])
    curve = _market(bid, ask)
    assert np.isnan([curve.survival[:, 1], curve.lower[:, 1], curve.upper[:, 1]]).all()
    assert np.isnan(curve.atoms[:, 1]).all()
    assert curve.thin[:, 1].all()
    assert not curve.arbitrage[1]
    assert curve.survival[:, 2] == pytest.approx([0.82, 0.22])


def test_a_bid_of_nothing_and_an_ask_of_a_dollar_are_no_quotes() -> None:
    said = _market(_column([0.80, 0.0, 0.20]), _column([0.84, 1.0, 0.24]))
    unsaid = _market(_column([0.80, NONE, 0.20]), _column([0.84, NONE, 0.24]))
    np.testing.assert_array_equal(said.survival, unsaid.survival)
    np.testing.assert_array_equal(said.upper, unsaid.upper)


def test_a_leg_that_lost_its_quotes_keeps_what_was_said_within_its_neighbours() -> None:
    bid = np.array([[0.80, 0.80, 0.40], [0.50, NONE, NONE], [0.20, 0.20, 0.20]])
    ask = np.array([[0.84, 0.84, 0.44], [0.54, NONE, NONE], [0.24, 0.24, 0.24]])
    curve = _market(bid, ask)
    assert curve.thin[1].tolist() == [False, True, True]
    assert curve.centre[1] == pytest.approx([0.52] * 3)
    assert curve.survival[1, :2] == pytest.approx([0.52, 0.52])
    # The leg below is asked .44; a book of no width weighs little against one of 4 cents.
    pooled = (0.42 / 0.04**2 + 0.52) / (1 / 0.04**2 + 1)
    assert curve.survival[:2, 2] == pytest.approx([pooled, pooled])


def test_after_arbitrage_thin_legs_go_on_from_the_curve_before_it() -> None:
    bid = np.array([[0.80, 0.50, 0.80], [0.50, 0.70, NONE]])
    ask = np.array([[0.84, 0.54, 0.84], [0.54, 0.74, NONE]])
    curve = _market(bid, ask)
    assert curve.arbitrage.tolist() == [False, True, False]
    assert np.isnan(curve.survival[:, 1]).all()
    assert curve.survival[:, 2] == pytest.approx([0.82, 0.52])


def test_a_leg_that_is_crossed_in_itself_loses_both_sides_of_its_book() -> None:
    bid, ask = _column([0.80, 0.56, 0.20]), _column([0.84, 0.52, 0.24])
    curve = _market(bid, ask)
    assert not curve.arbitrage[0]
    assert np.isnan(curve.survival[1, 0])
    assert coherent_curve(bid, ask, _mids(bid, ask)).arbitrage.tolist() == [True]


def test_a_locked_book_is_no_arbitrage_and_weighs_as_one_tick() -> None:
    bid, ask = _column([0.50, 0.50]), _column([0.50, 0.54])
    curve = _market(bid, ask)
    assert not curve.arbitrage[0]
    assert curve.survival[:, 0] == pytest.approx([0.50, 0.50])
    finer = coherent_curve(_column([0.4, 0.5]), _column([0.6, 0.6]), _column([0.5, 0.55]), 0.2)
    assert finer.survival[:, 0] == pytest.approx([0.525, 0.525])


def test_ticks_may_differ_from_leg_to_leg() -> None:
    bid, ask = _column([0.495, 0.505]), _column([0.515, 0.525])
    curve = coherent_curve(bid, ask, _mids(bid, ask), _column([0.01, 0.04]))
    pooled = (0.505 / 0.02**2 + 0.515 / 0.04**2) / (1 / 0.02**2 + 1 / 0.04**2)
    assert curve.survival[:, 0] == pytest.approx([pooled, pooled])


def test_one_side_near_the_end_is_a_price() -> None:
    curve = _market(_column([0.99, NONE]), _column([NONE, 0.01]))
    assert curve.survival[:, 0] == pytest.approx([0.995, 0.005])
    assert not curve.thin.any()


def test_a_wide_book_leans_on_its_last_trade_as_it_ages() -> None:
    bid, ask, last = _column([0.40]), _column([0.50]), _column([0.48])
    weight = math.exp(-1)
    assert _market(bid, ask, last).survival[0, 0] == pytest.approx(0.48)
    assert _market(bid, ask, last, age=15.0).survival[0, 0] == pytest.approx(
        weight * 0.48 + (1 - weight) * 0.45
    )


def test_arrays_of_other_shapes_are_refused_with_their_names() -> None:
    with pytest.raises(ValueError, match=r"bid \(2, 1\), ask \(2, 1\), centre \(3, 1\)"):
        coherent_curve(np.ones((2, 1)), np.ones((2, 1)), np.ones((3, 1)))
    with pytest.raises(ValueError, match=r"\(legs, instants\): bid \(2,\)"):
        coherent_curve(np.ones(2), np.ones(2), np.ones(2))


def test_thresholds_stand_by_their_least_number() -> None:
    assert by_rising_lo(LEGS[::-1]) == LEGS


@pytest.mark.parametrize(
    ("legs", "said"),
    [
        ((*LEGS, leg("B", 0, 6)), r"B \[0, 6\] is no threshold that is open above"),
        ((*LEGS, leg("L", None, 6)), r"L \[-inf, 6\] is no threshold"),
        ((*LEGS, leg("all", None, None)), r"all \[-inf, inf\] is no threshold"),
        ((*LEGS, leg("T20b", 20, None)), r"T20 \[20, inf\] and T20b \[20, inf\] are the same"),
    ],
)
def test_what_is_no_threshold_is_refused(legs: tuple, said: str) -> None:
    with pytest.raises(LadderError, match=said):
        by_rising_lo(legs)


def test_a_leg_is_well_quoted_up_to_ten_cents() -> None:
    bid, ask = np.array([0.90, 0.60, NONE, 0.0, 0.20]), np.array([1.0, 0.70, 0.3, 0.05, 0.31])
    assert well_quoted(bid, ask).tolist() == [False, True, False, False, False]


def test_the_widest_unquoted_stretch_runs_between_quoted_legs() -> None:
    survival = np.array([0.95, 0.80, 0.60, 0.30, 0.10, 0.02])
    quoted = np.array([False, True, False, False, True, False])
    assert widest_unquoted(quoted, survival) == pytest.approx(0.70)
    assert widest_unquoted(~quoted, survival) == pytest.approx(0.95 - 0.60)
    assert widest_unquoted(np.ones(6, dtype=bool), survival) == 0
    assert widest_unquoted(np.zeros(6, dtype=bool), survival) == 1


def test_atoms_of_a_curve_are_its_steps() -> None:
    assert atoms_of(np.array([0.75, 0.75, 0.25])).tolist() == [0.25, 0, 0.5, 0.25]
