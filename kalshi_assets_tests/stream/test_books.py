"""A book follows its messages, and says when it cannot be right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.stream.books import ASK, BID, Book, BookError, Top, imbalance

PRICES = st.integers(1, 9_999)
CHANGES = st.lists(
    st.tuples(st.sampled_from([BID, ASK]), st.integers(1, 12), st.integers(-300, 300)),
    max_size=60,
)


def _book(bids: dict[int, int], asks: dict[int, int]) -> Book:
    book = Book("A")
    book.replace(bids.items(), asks.items(), 1)
    return book


def test_a_new_book_is_not_known_and_a_snapshot_makes_it_known() -> None:
    book = Book("A")
    assert not book.fresh
    assert book.stale == "no snapshot yet"
    book.replace([(4_700, 300), (4_600, 100)], [(5_200, 200)], 7)
    assert book.usable
    assert book.top == Top(4_700, 300, 5_200, 200)
    assert book.age_us(9) == 2


def test_an_empty_side_has_the_prices_that_the_exchange_states() -> None:
    book = _book({}, {})
    assert book.usable
    assert book.top == Top(0, 0, 10_000, 0)


def test_a_level_at_zero_is_removed_and_the_next_one_is_best() -> None:
    book = _book({4_700: 300, 4_500: 100}, {5_200: 200, 5_300: 50})
    book.change(BID, 4_700, -300, 2)
    book.change(ASK, 5_200, -200, 3)
    assert book.top == Top(4_500, 100, 5_300, 50)
    assert book.levels(BID) == [(4_500, 100)]
    assert (book.size_at(ASK, 5_200), book.changed_us) == (0, 3)


def test_a_size_below_zero_makes_the_book_stale() -> None:
    book = _book({4_700: 300}, {})
    with pytest.raises(BookError, match=r"A: bid 4700 cc would have -1\.00 contracts"):
        book.change(BID, 4_700, -400, 2)
    assert not book.fresh


def test_a_book_may_be_crossed_for_one_message_and_not_for_two() -> None:
    book = _book({4_700: 300}, {5_200: 200})
    book.change(BID, 5_200, 100, 2)
    assert book.fresh
    assert not book.usable
    book.change(ASK, 5_200, -200, 3)
    assert book.usable
    book.change(ASK, 5_000, 100, 4)
    with pytest.raises(BookError, match="crossed for longer than one message"):
        book.change(ASK, 5_100, 100, 5)
    assert not book.fresh


@pytest.mark.parametrize(
    ("bids", "asks", "problem"),
    [
        ([(4_700, 0)], [], "bid 4700 cc with 0.00 contracts"),
        ([(0, 100)], [], "bid 0 cc"),
        ([], [(10_000, 100)], "ask 10000 cc"),
        ([(4_700, 1), (4_700, 2)], [], "repeats"),
        ([(5_000, 1)], [(5_000, 1)], "crossed"),
    ],
)
def test_a_snapshot_that_cannot_be_right_is_refused(
    bids: list[tuple[int, int]], asks: list[tuple[int, int]], problem: str
) -> None:
    book = Book("A")
    with pytest.raises(BookError, match=problem):
        book.replace(bids, asks, 1)
    assert not book.fresh


def test_depth_counts_what_rests_near_the_best_price() -> None:
    book = _book({4_700: 300, 4_600: 200, 4_400: 100}, {5_200: 50, 5_300: 70})
    assert book.depth(BID, 0) == 300
    assert book.depth(BID, 100) == 500
    assert book.depth(ASK, 1_000) == 120


@pytest.mark.parametrize(
    ("before", "after", "flow"),
    [
        (Top(4_700, 300, 5_200, 200), Top(4_700, 500, 5_200, 200), 200),
        (Top(4_700, 300, 5_200, 200), Top(4_800, 100, 5_200, 200), 100),
        (Top(4_700, 300, 5_200, 200), Top(4_600, 900, 5_200, 200), -300),
        (Top(4_700, 300, 5_200, 200), Top(4_700, 300, 5_100, 40), -40),
        (Top(4_700, 300, 5_200, 200), Top(4_700, 300, 5_300, 10), 200),
        (Top(4_700, 300, 5_200, 200), Top(4_700, 300, 5_200, 150), 50),
    ],
)
def test_the_imbalance_is_that_of_cont_kukanov_and_stoikov(
    before: Top, after: Top, flow: int
) -> None:
    assert imbalance(before, after) == flow


@given(CHANGES)
def test_the_best_prices_are_those_of_the_levels_after_any_changes(
    changes: list[tuple[str, int, int]],
) -> None:
    book = _book({}, {})
    flow, before = 0, book.top
    for side, step, by in changes:
        # Bids below asks, so that only sizes can be wrong.
        price = step * 100 if side == BID else 9_900 - step * 100
        try:
            book.change(side, price, by, 1)
        except BookError:
            assert book.size_at(side, price) + by < 0
            return
        bids, asks = book.levels(BID), book.levels(ASK)
        assert book.top[:2] == (bids[0] if bids else (0, 0))
        assert book.top[2:] == (asks[0] if asks else (10_000, 0))
        assert all(size > 0 for _, size in bids + asks)
        flow, before = flow + imbalance(before, book.top), book.top
    assert book.flow == flow
