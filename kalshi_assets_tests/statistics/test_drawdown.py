import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.statistics.drawdown import Drawdown, drawdown, equity, worst_drawdowns

AMOUNTS = st.integers(-(10**15), 10**15) | st.integers(-2, 2)
GAINS = st.lists(AMOUNTS, max_size=60)


def whole(gains: list[int]) -> np.ndarray:
    return np.array(gains, dtype=np.int64)


def plain(gains: list[int]) -> tuple[list[int], list[int], list[Drawdown]]:
    """Equity, drawdown and all drawdowns, day by day, in Python's integers."""
    reached, depths, found = [], [], []
    now = high = 0
    start: int | None = None
    trough = depth = 0
    for day, gain in enumerate(gains):
        now += gain
        if now >= high:
            if start is not None:
                found.append((start, trough, day, depth, day - start))
            start, high = None, now
        elif start is None:
            start, trough, depth = day, day, high - now
        elif high - now > depth:
            trough, depth = day, high - now
        reached.append(now)
        depths.append(high - now)
    if start is not None:
        found.append((start, trough, None, depth, len(gains) - start))
    names = ("start", "trough", "recovery", "depth", "length")
    return reached, depths, [Drawdown(**dict(zip(names, one, strict=True))) for one in found]


def test_oracle_by_hand() -> None:
    #        equity:    100  70  40  90  100  50 120  110
    gains = whole([100, -30, -30, 50, 10, -50, 70, -10])
    assert equity(gains).tolist() == [100, 70, 40, 90, 100, 50, 120, 110]
    assert drawdown(gains).tolist() == [0, 30, 60, 10, 0, 50, 0, 10]
    assert worst_drawdowns(gains) == [
        Drawdown(start=1, trough=2, recovery=4, depth=60, length=3),
        Drawdown(start=5, trough=5, recovery=6, depth=50, length=1),
        Drawdown(start=7, trough=7, recovery=None, depth=10, length=1),
    ]


@given(GAINS)
def test_oracle_a_plain_loop_finds_the_same(gains: list[int]) -> None:
    reached, depths, found = plain(gains)
    assert equity(whole(gains)).tolist() == reached
    assert drawdown(whole(gains)).tolist() == depths
    expected = sorted(found, key=lambda one: -one.depth)  # stable: the earlier one first
    assert worst_drawdowns(whole(gains), most=len(gains)) == expected
    assert worst_drawdowns(whole(gains)) == expected[:10]


def test_a_loss_on_the_first_day_is_a_drawdown_from_the_start() -> None:
    assert worst_drawdowns(whole([-5, 2])) == [
        Drawdown(start=0, trough=0, recovery=None, depth=5, length=2)
    ]


def test_gains_alone_have_no_drawdown() -> None:
    assert worst_drawdowns(whole([3, 0, 2])) == []
    assert worst_drawdowns(whole([])) == []


def test_amounts_beyond_the_precision_of_floats_are_exact() -> None:
    big = 2**53
    assert equity(whole([big, 1])).tolist() == [big, big + 1]
    assert worst_drawdowns(whole([big + 1, -big, -1]))[0].depth == big + 1


def test_amounts_of_fewer_bits_are_summed_in_sixty_four() -> None:
    assert equity(np.array([2**31 - 1, 2**31 - 1], dtype=np.int32)).tolist()[1] == 2**32 - 2


def test_sums_that_would_overflow_are_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        equity(whole([2**62, 2**62]))
    with pytest.raises(ValueError, match="too large"):
        drawdown(whole([-(2**63)]))


@pytest.mark.parametrize(
    "gains", [np.array([1.0, np.nan]), np.array([True]), np.array([[1, 2]]), np.array([], float)]
)
def test_gains_are_whole_numbers_of_days(gains: np.ndarray) -> None:
    for function in (equity, drawdown, worst_drawdowns):
        with pytest.raises(ValueError, match="whole cc"):
            function(gains)


def test_a_negative_number_of_drawdowns_is_refused() -> None:
    with pytest.raises(ValueError, match="not be negative"):
        worst_drawdowns(whole([1]), most=-1)
