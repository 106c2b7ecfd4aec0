import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_assets.ladder.market_pmf import MarketPmfParams, market_pmf
from kalshi_assets_tests.ladder.books import Quotes, book

cents = st.integers(1, 99)


@st.composite
def quotes(draw: st.DrawFn) -> Quotes:
    """Two-sided, one-sided, empty and crossed-with-its-neighbours books of up to eight brackets."""
    out: list[tuple[float | None, float | None]] = []
    for _ in range(draw(st.integers(2, 8))):
        bid, ask = sorted((draw(cents), draw(cents)))
        keep_bid, keep_ask = draw(st.booleans()), draw(st.booleans())
        ask = max(ask, bid + 1)
        out.append((bid / 100 if keep_bid else None, ask / 100 if keep_ask and ask < 100 else None))
    return out


def _p(frame: pl.DataFrame) -> np.ndarray:
    return market_pmf(frame).sort("minute", "bracket")["p_mkt"].to_numpy()


def _bounds(quoted: Quotes) -> tuple[np.ndarray, np.ndarray]:
    bid = np.array([0.0 if b is None else b for b, _ in quoted])
    ask = np.array([1.0 if a is None else a for _, a in quoted])
    return bid, ask


@settings(max_examples=200, deadline=None)
@given(quotes())
def test_oracle_13_it_sums_to_one_and_stays_within_every_bid_and_ask(quoted: Quotes) -> None:
    frame = market_pmf(book(quoted)).sort("bracket")
    p = frame["p_mkt"].to_numpy()
    bid, ask = _bounds(quoted)
    assert abs(p.sum() - 1) < 1e-9
    assert (p >= 0).all()
    flag = frame["arbitrage"][0]
    bids, asks = (round(100 * side.sum()) for side in (bid, ask))
    assert flag == int(bids > 100) - int(asks < 100)
    if flag == 0:
        assert (p >= bid - 1e-9).all()
        assert (p <= ask + 1e-9).all()


def test_oracle_13_it_is_plain_normalisation_where_no_bound_binds() -> None:
    mids = np.array([0.02, 0.10, 0.38, 0.36, 0.14, 0.05])
    frame = book([(m - 0.02, m + 0.02) if m > 0.03 else (0.001, 0.039) for m in mids])
    p = _p(frame)
    centre = market_pmf(frame).sort("bracket")["centre"].to_numpy()
    assert p == pytest.approx(centre / centre.sum(), abs=1e-12)
    assert p == pytest.approx([0.0190, 0.0952, 0.3619, 0.3429, 0.1333, 0.0476], abs=1e-4)


def test_oracle_13_a_binding_ask_is_kept_and_the_rest_takes_the_difference() -> None:
    p = _p(book([(0.08, 0.10), (0.20, 0.60), (0.25, 0.60)]))
    assert p[0] == pytest.approx(0.10)
    assert p.sum() == pytest.approx(1)


def test_oracle_13_a_binding_bid_is_kept() -> None:
    p = _p(book([(0.70, 0.72), (0.10, 0.50), (0.10, 0.14)]))
    assert p[0] >= 0.70
    assert p.sum() == pytest.approx(1)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_it_minimises_the_divergence_from_the_centres_within_the_box(scale: float) -> None:
    quoted = [(0.05, 0.10), (0.30, 0.34), (0.40, 0.44), (0.08, 0.12)]
    frame = market_pmf(book(quoted)).sort("bracket")
    p, centre = frame["p_mkt"].to_numpy(), frame["centre"].to_numpy()
    bid, ask = _bounds(quoted)

    def divergence(q: np.ndarray) -> float:
        return float((q * np.log(q / centre)).sum())

    rng = np.random.default_rng(0)
    for _ in range(200):
        step = rng.normal(0, 0.002 * scale, len(p))
        other = p + step - step.mean()
        if (other >= bid).all() and (other <= ask).all():
            assert divergence(other) >= divergence(p) - 1e-12


def test_bids_above_one_are_flagged_and_normalised() -> None:
    frame = market_pmf(book([(0.50, 0.52), (0.60, 0.62)]))
    assert frame["arbitrage"].to_list() == [1, 1]
    assert frame["p_mkt"].to_list() == pytest.approx([0.5 / 1.1, 0.6 / 1.1])
    assert frame["overround_bid"][0] == pytest.approx(0.10)


def test_asks_below_one_are_flagged_and_normalised() -> None:
    frame = market_pmf(book([(0.40, 0.42), (0.45, 0.47)]))
    assert frame["arbitrage"].to_list() == [-1, -1]
    assert frame["p_mkt"].to_list() == pytest.approx([0.42 / 0.89, 0.47 / 0.89])
    assert frame["overround_ask"][0] == pytest.approx(-0.11)


def test_sums_of_exactly_one_are_no_arbitrage() -> None:
    tight = market_pmf(book([(0.30, 0.30), (0.70, 0.70)]))
    assert tight["arbitrage"].to_list() == [0, 0]
    assert tight["p_mkt"].to_list() == pytest.approx([0.30, 0.70])


def _triples(total: int) -> list[tuple[int, int, int]]:
    return [(a, b, total - a - b) for a in range(1, total - 1) for b in range(1, total - a)]


@pytest.mark.parametrize("side", ["bids", "asks"])
def test_whole_cents_that_sum_to_exactly_one_are_no_arbitrage_whatever_their_last_bits(
    side: str,
) -> None:
    def flags(total: int) -> list[int]:
        # A bid needs no ask and an ask no bid: the other side is as far away as it can be.
        books = [
            [(c / 100, None) if side == "bids" else (None, c / 100) for c in cents]
            for cents in _triples(total)
        ]
        return market_pmf(book(*books))["arbitrage"].unique().to_list()

    assert 0.57 + 0.29 + 0.14 != 1 != 0.33 + 0.56 + 0.11
    assert flags(100) == [0]
    assert flags(101) == ([1] if side == "bids" else [0])
    assert flags(99) == ([0] if side == "bids" else [-1])


def test_bids_whose_sum_is_one_but_for_its_last_bit_are_the_pmf() -> None:
    cents = [33, 56, 11]
    assert sum(c / 100 for c in cents) > 1
    frame = market_pmf(book([(c / 100, (c + 1) / 100) for c in cents]))
    assert frame["arbitrage"].to_list() == [0, 0, 0]
    assert frame["p_mkt"].to_list() == pytest.approx([0.33, 0.56, 0.11], abs=1e-15)
    hundred = market_pmf(book([(0.01, 0.02)] * 100))
    assert hundred["arbitrage"].unique().to_list() == [0]


def test_a_book_without_any_quote_is_uniform_thin_and_invalid() -> None:
    frame = market_pmf(book([(None, None)] * 6))
    assert frame["p_mkt"].to_list() == pytest.approx([1 / 6] * 6)
    assert frame["thin"].all()
    assert not frame["valid"].any()
    assert frame["coverage"].to_list() == [0.0] * 6


def test_an_empty_book_keeps_the_previous_pmf() -> None:
    quoted = [(0.10, 0.12), (0.58, 0.60), (0.29, 0.31)]
    p = _p(book(quoted, [(None, None)] * 3)).reshape(2, 3)
    assert p[1] == pytest.approx(p[0], abs=1e-9)


def test_a_wide_book_keeps_the_previous_pmf_as_far_as_the_quotes_allow() -> None:
    p = _p(
        book(
            [(0.10, 0.12), (0.58, 0.60), (0.29, 0.31)],
            [(0.10, 0.12), (0.30, 0.90), (0.40, 0.42)],
        )
    ).reshape(2, 3)
    assert 0.40 <= p[1][2] <= 0.42
    assert p[1][1] == pytest.approx(1 - p[1][0] - p[1][2])


def test_a_bracket_offered_at_two_cents_without_a_bid_is_worth_half_the_offer() -> None:
    frame = market_pmf(book([(None, 0.02), (0.48, 0.50), (0.50, 0.52)])).sort("bracket")
    assert frame["centre"][0] == pytest.approx(0.01)
    assert not frame["thin"][0]


def test_the_last_trade_pulls_the_centre_of_a_wider_quote_and_fades() -> None:
    quoted = [(0.20, 0.30), (0.70, 0.80)]
    centres = {
        age: market_pmf(book(quoted, last=[0.29, None], last_age_s=age * 60)).sort("bracket")[
            "centre"
        ][0]
        for age in (0, 15, 1000)
    }
    assert centres[0] == pytest.approx(0.29)
    assert centres[15] == pytest.approx(np.exp(-1) * 0.29 + (1 - np.exp(-1)) * 0.25)
    assert centres[1000] == pytest.approx(0.25)


@pytest.mark.parametrize("bid_cents", range(1, 94))
def test_a_spread_of_five_cents_is_tight_wherever_it_lies(bid_cents: int) -> None:
    """As floats, 0.14 - 0.09 is more than 0.05 and 0.12 - 0.07 is less."""
    bid, ask = bid_cents / 100, (bid_cents + 5) / 100
    frame = market_pmf(book([(bid, ask), (0.50, 0.52)], last=[bid, None])).sort("bracket")
    assert frame["centre"][0] == pytest.approx((bid + ask) / 2)


def test_a_spread_of_a_hundredth_of_a_cent_more_is_not() -> None:
    frame = market_pmf(book([(0.2000, 0.2501), (0.70, 0.72)], last=[0.20, None])).sort("bracket")
    assert frame["centre"][0] == pytest.approx(0.20)


def test_a_last_trade_outside_the_quotes_counts_as_their_edge() -> None:
    frame = market_pmf(book([(0.20, 0.30), (0.70, 0.80)], last=[0.95, None])).sort("bracket")
    assert frame["centre"][0] == pytest.approx(0.30)


def test_an_inferred_quote_bounds_for_ten_minutes_and_a_recorded_one_until_it_changes() -> None:
    quoted = [(0.10, 0.12), (0.58, 0.60), (0.29, 0.31)]
    for source, age, coverage in (
        ("inferred", 600.0, 1.0),
        ("inferred", 601.0, 0.0),
        ("recorded", 6000.0, 1.0),
    ):
        frame = market_pmf(book(quoted, source=source, quote_age_s=age))
        assert frame["coverage"][0] == coverage, (source, age)


@pytest.mark.parametrize(
    ("two_sided", "valid"), [(6, True), (5, True), (4, True), (3, False), (0, False)]
)
def test_validity_needs_two_sided_quotes_in_four_of_six_brackets(
    two_sided: int, valid: bool
) -> None:
    quoted = [(0.15, 0.18)] * two_sided + [(None, 0.30)] * (6 - two_sided)
    params = MarketPmfParams(max_total_spread=10.0)
    assert market_pmf(book(quoted), params)["valid"].to_list() == [valid] * 6


def test_a_bracket_all_but_dead_or_all_but_certain_needs_no_other_side() -> None:
    quoted = [(None, 0.02), (None, 0.01), (0.98, None), (None, 0.03)]
    assert market_pmf(book(quoted))["coverage"][0] == 0.75


def test_validity_ends_where_the_spreads_sum_above_half_a_dollar() -> None:
    half = [(0.10, 0.20)] * 5
    more = [(0.10, 0.20)] * 4 + [(0.10, 0.21)]
    assert market_pmf(book(half))["valid"].all()
    assert not market_pmf(book(more))["valid"].any()


def test_a_pmf_is_known_when_the_last_of_its_books_is() -> None:
    frame = book([(0.48, 0.50), (0.50, 0.52)])
    late = frame.with_columns(
        known_at=pl.col("known_at") - pl.duration(minutes=pl.col("bracket").cast(pl.Int64))
    )
    assert set(market_pmf(late)["known_at"]) == {frame["known_at"][0]}


def test_rows_may_come_in_any_order() -> None:
    frame = book([(0.10, 0.12), (0.58, 0.60), (0.29, 0.31)], [(0.2, 0.3), (0.5, 0.6), (0.2, 0.3)])
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=1)
    assert market_pmf(shuffled).equals(market_pmf(frame))


@pytest.mark.parametrize(
    ("quote_age_s", "last_age_s", "stale"),
    [(600, None, False), (601, None, True), (601, 600, False), (601, 601, True)],
)
def test_a_bracket_is_stale_after_ten_minutes_without_a_quote_or_a_trade(
    quote_age_s: float, last_age_s: float | None, stale: bool
) -> None:
    last = None if last_age_s is None else [0.5, 0.5]
    frame = book(
        [(0.48, 0.50), (0.50, 0.52)],
        quote_age_s=quote_age_s,
        last=last,
        last_age_s=last_age_s or 0.0,
    )
    assert market_pmf(frame)["stale"].to_list() == [stale] * 2


def test_a_bracket_that_never_had_a_quote_is_thin_but_not_stale() -> None:
    frame = book([(0.48, 0.50), (None, None)]).with_columns(
        quote_age_s=pl.when(pl.col("bracket") == 0).then(pl.col("quote_age_s"))
    )
    known = market_pmf(frame).sort("bracket")
    assert known["stale"].to_list() == [False, False]
    assert known["thin"].to_list() == [False, True]


def test_a_crossed_book_whose_sides_are_of_one_age_bounds_nothing() -> None:
    before = [(0.20, 0.22), (0.30, 0.32), (0.47, 0.49)]
    frame = market_pmf(book(before, [(0.60, 0.40), *before[1:]])).sort("minute", "bracket")
    now = frame.filter(pl.col("minute") == frame["minute"].max())
    assert now["thin"].to_list() == [True, False, False]
    assert now["coverage"][0] == pytest.approx(2 / 3)
    assert now["p_mkt"].to_numpy() == pytest.approx(frame["p_mkt"].to_numpy()[:3], abs=1e-9)


def test_a_locked_book_is_a_price() -> None:
    frame = market_pmf(book([(0.30, 0.30), (0.70, 0.70)]))
    assert not frame["thin"].any()
