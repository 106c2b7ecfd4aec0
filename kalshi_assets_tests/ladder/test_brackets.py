from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.ladder.brackets import Bracket, Ladder, LadderError


def _bracket(name: str, lo: int | None, hi: int | None) -> Bracket:
    return Bracket(market_ticker=name, lo=lo, hi=hi)


LOW, MIDDLE, HIGH = _bracket("T70", None, 69), _bracket("B70.5", 70, 71), _bracket("T71", 72, None)


@st.composite
def ladders(draw: st.DrawFn) -> Ladder:
    edges = sorted(draw(st.sets(st.integers(-60, 140), min_size=1, max_size=8)))
    inner = [_bracket(f"B{a}", a + 1, b) for a, b in pairwise(edges)]
    ends = [_bracket("low", None, edges[0]), _bracket("high", edges[-1] + 1, None)]
    return Ladder.of(draw(st.permutations([*inner, *ends])))


@given(ladders(), st.integers(-200, 300))
def test_every_whole_number_belongs_to_exactly_one_bracket(ladder: Ladder, value: int) -> None:
    paying = [i for i, bracket in enumerate(ladder.brackets) if bracket.pays(value)]
    assert paying == [ladder.index_of(value)]


@given(ladders())
def test_brackets_are_ordered_however_they_come(ladder: Ladder) -> None:
    assert ladder.brackets[0].lo is None
    assert ladder.brackets[-1].hi is None
    assert list(ladder.upper) == sorted(ladder.upper)
    assert len(ladder.upper) == len(ladder) - 1
    assert [ladder.index_of(upper) for upper in ladder.upper] == list(range(len(ladder) - 1))
    assert ladder.index_of(ladder.upper[-1] + 1) == len(ladder) - 1


def test_the_upper_tail_is_not_sorted_to_the_bottom() -> None:
    assert Ladder.of([HIGH, MIDDLE, LOW]).brackets == (LOW, MIDDLE, HIGH)


@pytest.mark.parametrize(
    ("brackets", "said"),
    [
        ([LOW, HIGH], r"gap between T70 \[-inf, 69\] and T71 \[72, inf\]"),
        ([LOW, _bracket("B69.5", 69, 71), HIGH], r"overlap of T70 \[-inf, 69\] and B69\.5"),
        ([LOW, MIDDLE, _bracket("again", 70, 71), HIGH], "overlap of B70.5"),
        ([MIDDLE, HIGH], r"the lower tail is missing: B70\.5 \[70, 71\], T71"),
        ([LOW, MIDDLE], r"the upper tail is missing: T70 .*B70\.5"),
        ([LOW, _bracket("T68", None, 68), MIDDLE, HIGH], "two tails on one side: T70 .*T68"),
        ([LOW, MIDDLE, HIGH, _bracket("T90", 90, None)], "two tails on one side: T71 .*T90"),
        ([], "at least two brackets, got no brackets"),
        ([_bracket("all", None, None)], r"at least two brackets, got all \[-inf, inf\]"),
    ],
)
def test_what_is_no_ladder_is_refused_with_the_brackets_at_fault(
    brackets: list[Bracket], said: str
) -> None:
    with pytest.raises(LadderError, match=said):
        Ladder.of(brackets)


def test_a_bracket_upside_down_is_refused() -> None:
    with pytest.raises(LadderError, match="B70: lower bound 71 exceeds 70"):
        _bracket("B70", 71, 70)
