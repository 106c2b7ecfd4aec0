import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.pages.words import (
    counted,
    dollars,
    hours_and_minutes,
    local_standard,
    percent,
)


@given(st.integers(min_value=-(10**9), max_value=10**9))
def test_money_is_said_exactly(cc: int) -> None:
    said = dollars(cc, signed=True).replace("−", "-").replace("$", "").replace(",", "")
    assert round(float(said) * 10_000) == cc


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0 %"), (1.0, "100 %"), (0.001, "<1 %"), (0.999, ">99 %"), (0.5, "50 %"), (None, "–")],
)
def test_a_probability_is_never_rounded_to_certainty(value: float | None, said: str) -> None:
    assert percent(value).replace("\u00a0", " ") == said


def test_local_times_carry_the_date_only_off_the_climate_day() -> None:
    day = dt.date(2025, 4, 25)
    inside = dt.datetime(2025, 4, 25, 17, 5, tzinfo=dt.UTC)
    before = dt.datetime(2025, 4, 24, 20, 0, tzinfo=dt.UTC)
    assert local_standard(inside, -5, day) == "12:05"
    assert local_standard(before, -5, day) == "24 Apr 15:00"
    assert hours_and_minutes(-0.5) == "23:30"
    assert [counted(n, "order") for n in (0, 1, 2)] == ["no orders", "1 order", "2 orders"]
