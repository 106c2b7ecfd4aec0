"""Legs for tests: any, thresholds, and partitions."""

from collections.abc import Sequence

from hypothesis import strategies as st

from kalshi_assets.ladder.legs import Leg


def leg(name: str, lo: int | None, hi: int | None) -> Leg:
    return Leg(market_ticker=name, lo=lo, hi=hi)


def thresholds(los: Sequence[int]) -> tuple[Leg, ...]:
    return tuple(leg(f"T{lo}", lo, None) for lo in los)


def partition(edges: Sequence[int]) -> tuple[Leg, ...]:
    """Legs whose greatest numbers are the edges, and one above them all."""
    los = [None, *(edge + 1 for edge in edges)]
    return tuple(
        leg(f"B{i}", *ends) for i, ends in enumerate(zip(los, [*edges, None], strict=True))
    )


numbers = st.integers(-60, 140)
some_numbers = st.sets(numbers, min_size=1, max_size=8).map(sorted)


@st.composite
def any_legs(draw: st.DrawFn) -> tuple[Leg, ...]:
    """Up to eight legs that overlap, leave gaps, or are open on either side or both."""
    ends = draw(
        st.lists(st.tuples(st.none() | numbers, st.none() | numbers), min_size=1, max_size=8)
    )
    return tuple(
        leg(f"L{i}", *(ends if None in ends else sorted(ends)))  # type: ignore[type-var]
        for i, ends in enumerate(ends)
    )


threshold_legs = some_numbers.map(thresholds)
partition_legs = some_numbers.map(partition).flatmap(lambda legs: st.permutations(legs).map(tuple))
