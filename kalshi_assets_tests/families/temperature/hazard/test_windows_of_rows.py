"""Rows of some minutes are those of the whole day: a session makes no others."""

from datetime import timedelta

import pytest
from polars.testing import assert_frame_equal

from kalshi_assets.families.temperature.hazard.method import load_method
from kalshi_assets.families.temperature.hazard.pmf import hazard_pmf
from kalshi_assets.tables import FORECASTS
from kalshi_assets_tests.families.temperature.hazard.days import (
    DAY,
    PLACE,
    earlier,
    ladder,
    parameters,
    told,
    truth,
)


@pytest.mark.parametrize("minutes", [15, 1440])
@pytest.mark.parametrize("hour", [0, 7, 15, 23])
def test_rows_of_some_minutes_are_bit_for_bit_those_of_the_whole_day(
    hour: int, minutes: int
) -> None:
    temps = truth(DAY)
    start, _ = PLACE.climate_day(DAY)
    given = (ladder(temps), told(temps), FORECASTS.empty())
    fits = (earlier("tgroup", DAY), parameters("tgroup", DAY), load_method())
    since = start + timedelta(hours=hour, minutes=7)
    window = since, since + timedelta(minutes=minutes)
    whole, some = hazard_pmf(*given, *fits), hazard_pmf(*given, *fits, window)
    assert some.height > 6
    assert_frame_equal(some, whole.filter(whole["minute"].is_between(*window)), check_exact=True)
