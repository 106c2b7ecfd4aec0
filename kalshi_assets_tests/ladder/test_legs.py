from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.ladder.legs import STRIKES_THAT_PAY, LadderError, Leg, ValueGrid, read_leg

POINTS = ValueGrid("point", 100)
TENTHS = ValueGrid("%", 10)
PEOPLE = ValueGrid("person", 1)
YIELDS = ValueGrid("%", 100)


def _read(strike_type: str | None, floor: str | None, cap: str | None, grid: ValueGrid) -> Leg:
    return read_leg(
        "KXANY-T1",
        strike_type,
        floor=None if floor is None else Decimal(floor),
        cap=None if cap is None else Decimal(cap),
        grid=grid,
    )


@pytest.mark.parametrize(
    ("strike_type", "floor", "cap", "grid", "lo", "hi"),
    [
        # ladders.md 16
        ("greater_or_equal", "7225", None, POINTS, 722500, None),
        ("between", "7075", "7099.9999", POINTS, 707500, 709999),
        ("less", None, "7075", POINTS, None, 707499),
        ("greater", "7774.9999", None, POINTS, 777500, None),
        ("greater", "0.3", None, TENTHS, 4, None),
        ("greater", "-0.3", None, TENTHS, -2, None),
        ("greater", "4.55", None, YIELDS, 456, None),
        # ladders.md 1 and 2
        ("greater_or_equal", "7224.9999", None, POINTS, 722500, None),
        ("greater_or_equal", "26230", None, POINTS, 2623000, None),
        ("greater", "26229.99", None, POINTS, 2623000, None),
        ("greater_or_equal", "210000", None, PEOPLE, 210000, None),
        ("less_or_equal", None, "-0.25", TENTHS, None, -3),
        ("less", None, "-0.25", TENTHS, None, -3),
        ("less", None, "0.30", TENTHS, None, 2),
        ("less_or_equal", None, "0.30", TENTHS, None, 3),
        ("between", "0.3", "0.3", TENTHS, 3, 3),
    ],
)
def test_a_leg_has_the_numbers_that_its_strikes_let_pay(
    strike_type: str, floor: str | None, cap: str | None, grid: ValueGrid, lo: int, hi: int
) -> None:
    read = _read(strike_type, floor, cap, grid)
    assert (read.market_ticker, read.lo, read.hi) == ("KXANY-T1", lo, hi)


@given(
    st.sampled_from(sorted(STRIKES_THAT_PAY)),
    st.integers(-500, 500),
    st.integers(0, 300),
    st.sampled_from([1, 10, 100]),
    st.integers(-700, 700),
)
def test_a_number_pays_where_its_value_meets_the_strikes(
    strike_type: str, first: int, width: int, scale: int, ticks: int
) -> None:
    grid = ValueGrid("point", scale)
    # A hundred apart at least, so that no leg is empty, and mostly between the grid's numbers.
    floor, cap = Decimal(first) / 100, Decimal(first + 100 + width) / 100
    value = grid.value(ticks)
    meets = {
        "less": value < cap,
        "less_or_equal": value <= cap,
        "between": floor <= value <= cap,
        "greater_or_equal": value >= floor,
        "greater": value > floor,
    }
    read = read_leg("KXANY-T1", strike_type, floor=floor, cap=cap, grid=grid)
    assert read.pays(ticks) == meets[strike_type]


def test_a_strike_of_many_digits_is_read_to_the_last() -> None:
    just_below = "7224." + "9" * 60
    assert _read("greater_or_equal", just_below, None, POINTS).lo == 722500
    assert _read("less_or_equal", None, just_below, POINTS).hi == 722499


@pytest.mark.parametrize(
    ("strike_type", "floor", "cap", "said"),
    [
        ("structured", "1", "2", "KXANY-T1 has strike_type 'structured'; legs are read from less,"),
        ("custom", None, None, "KXANY-T1 has strike_type 'custom'"),
        ("functional", None, None, "KXANY-T1 has strike_type 'functional'"),
        (None, "1", None, "KXANY-T1 has strike_type None"),
        ("greater", None, "2", "KXANY-T1 is 'greater' but has no floor strike"),
        ("less", "2", None, "KXANY-T1 is 'less' but has no cap strike"),
        ("between", "2", None, "KXANY-T1 is 'between' but has no cap strike"),
        ("between", None, "2", "KXANY-T1 is 'between' but has no floor strike"),
        ("greater", "NaN", None, "KXANY-T1 is 'greater' but its floor strike is NaN"),
        ("between", "0.31", "0.39", "KXANY-T1 is 'between' 0.31 and 0.39: no number of 1 decimals"),
        ("greater", "1e18", None, "KXANY-T1 is 'greater' .*: out of range"),
        ("between", "0.5", "0.3", "KXANY-T1 is 'between' 0.5 and 0.3: no number of 1 decimals"),
    ],
)
def test_what_is_no_leg_is_refused_with_its_market(
    strike_type: str | None, floor: str | None, cap: str | None, said: str
) -> None:
    with pytest.raises(LadderError, match=said):
        _read(strike_type, floor, cap, TENTHS)


def test_a_float_is_no_strike() -> None:
    with pytest.raises(TypeError, match=r"floor strike of KXANY-T1 is the float 4\.55; it must be"):
        read_leg("KXANY-T1", "greater", floor=4.55, cap=None, grid=YIELDS)  # type: ignore[arg-type]


@given(st.integers(-(10**9), 10**9), st.sampled_from([1, 10, 100, 10_000]))
def test_a_number_of_the_grid_is_the_value_that_it_came_from(ticks: int, scale: int) -> None:
    grid = ValueGrid("point", scale)
    assert grid.ticks(grid.value(ticks)) == ticks
    assert grid.value(ticks) * scale == ticks


def test_a_value_has_the_decimals_of_its_grid() -> None:
    assert str(POINTS.value(722500)) == "7225.00"
    assert POINTS.ticks(Decimal("7649.12")) == 764912
    assert POINTS.ticks(Decimal("7650.5")) == 765050


@pytest.mark.parametrize("value", ["0.25", "NaN", "Infinity"])
def test_a_value_off_the_grid_is_refused(value: str) -> None:
    with pytest.raises(LadderError, match=rf"{value} % is not on a grid of 1 decimals"):
        TENTHS.ticks(Decimal(value))


@pytest.mark.parametrize("scale", [0, -10, 3, 50])
def test_a_grid_has_a_whole_number_of_decimals(scale: int) -> None:
    with pytest.raises(ValueError, match=f"a power of ten, not {scale}"):
        ValueGrid("point", scale)
