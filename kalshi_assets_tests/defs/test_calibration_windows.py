"""What calibrators are given of earlier days: each outcome as it was known when they were made."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from kalshi_assets.defs.learning.assets import calibration_days, calibrators_of
from kalshi_assets.learning.calibration.days import CalibrationDay, as_of
from kalshi_assets.partitions import CityDay
from kalshi_assets_tests.learning.calibration.test_days import END, EVENTS, said
from kalshi_assets_tests.learning.calibration.worlds import ALL_HOURS, forecasts, fused_frame

KEY = CityDay("new_york", date(2025, 6, 30))
DAYS = KEY.earlier(40)
START = datetime(2025, 6, 30, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def outcomes() -> list[tuple[CityDay, list[CalibrationDay]]]:
    """Forty settled days; of the last but four another bracket is paid in the end, known late."""
    p, winners = forecasts(len(DAYS), 3)

    def version(n: int, winner: int, known_at: datetime) -> CalibrationDay:
        start = START - timedelta(days=len(DAYS) - n)
        return CalibrationDay.of_arrays(start, p[n], ALL_HOURS, winner=winner, known_at=known_at)

    found = []
    for n, day in enumerate(DAYS):
        known = START - timedelta(days=len(DAYS) - n) + timedelta(hours=35)
        versions = [version(n, int(winners[n]), known)]
        if n == len(DAYS) - 4:
            versions.append(version(n, 5 - int(winners[n]), as_of(START) + timedelta(minutes=1)))
        found.append((day, versions))
    return found


def test_a_word_that_comes_later_changes_no_calibrator_made_before_it(
    outcomes: list[tuple[CityDay, list[CalibrationDay]]],
) -> None:
    first_words = [(day, versions[:1]) for day, versions in outcomes]
    assert calibrators_of(KEY, outcomes).equals(calibrators_of(KEY, first_words))


def test_a_word_that_came_in_time_counts(
    outcomes: list[tuple[CityDay, list[CalibrationDay]]],
) -> None:
    later = CityDay(KEY.city, KEY.date + timedelta(days=1))
    first_words = [(day, versions[:1]) for day, versions in outcomes]
    assert not calibrators_of(later, outcomes).equals(calibrators_of(later, first_words))


def test_a_day_has_a_version_for_every_final_word() -> None:
    p, _ = forecasts(1, 3)
    fused = fused_frame(0, p[0][:, :2] / p[0][:, :2].sum(axis=1, keepdims=True))
    settlements = pl.DataFrame([said("climate_report", 59, 9), said("exchange", 60, 30)])
    day = CityDay("new_york", (END - timedelta(days=1)).date())
    found = calibration_days(day, fused, EVENTS, settlements)
    assert found is not None
    assert [(each.winner, each.known_at) for each in found] == [
        (0, END + timedelta(hours=9)),
        (1, END + timedelta(hours=30)),
    ]


@pytest.mark.parametrize("minutes", [-1, 0, 1])
def test_a_day_at_a_fair_price_is_left_out_from_when_that_was_known(
    outcomes: list[tuple[CityDay, list[CalibrationDay]]], minutes: int
) -> None:
    paid_at = as_of(START) + timedelta(minutes=minutes)
    withdrawn = [
        (day, [replace(version, left_out_from=paid_at) for version in versions])
        if n == 20
        else (day, versions)
        for n, (day, versions) in enumerate(outcomes)
    ]
    without = [each for n, each in enumerate(outcomes) if n != 20]
    wanted = without if minutes <= 0 else outcomes
    assert calibrators_of(KEY, withdrawn).equals(calibrators_of(KEY, wanted))
    assert not calibrators_of(KEY, without).equals(calibrators_of(KEY, outcomes))


def test_a_day_that_never_settled_is_none() -> None:
    p, _ = forecasts(1, 3)
    nothing = pl.DataFrame([said("exchange", 60, 30)]).clear()
    assert calibration_days(KEY, fused_frame(0, p[0]), EVENTS, nothing) is None
    assert calibration_days(KEY, None, EVENTS, nothing) is None
