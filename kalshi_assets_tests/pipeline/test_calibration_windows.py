"""What calibrators are given of earlier days: each outcome as it was known when they were made."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from kalshi_assets.families.temperature.cities import city_day
from kalshi_assets.families.temperature.steps import day_start
from kalshi_assets.keys import LadderDay
from kalshi_assets.learning.calibration.days import CalibrationDay, as_of, as_settled
from kalshi_assets.pipeline.beliefs import calibrators_of
from kalshi_assets_tests.learning.calibration.test_days import END, EVENTS, said
from kalshi_assets_tests.learning.calibration.worlds import ALL_HOURS, forecasts, fused_frame

KEY = city_day("new_york", date(2025, 6, 30))
DAYS = KEY.earlier(40)
START = datetime(2025, 6, 30, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def outcomes() -> list[tuple[LadderDay, list[CalibrationDay]]]:
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


def _made(key: LadderDay, earlier: list[tuple[LadderDay, list[CalibrationDay]]]) -> pl.DataFrame:
    return calibrators_of(day_start(key), [versions for _, versions in earlier])


def test_a_word_that_comes_later_changes_no_calibrator_made_before_it(
    outcomes: list[tuple[LadderDay, list[CalibrationDay]]],
) -> None:
    first_words = [(day, versions[:1]) for day, versions in outcomes]
    assert _made(KEY, outcomes).equals(_made(KEY, first_words))


def test_a_word_that_came_in_time_counts(
    outcomes: list[tuple[LadderDay, list[CalibrationDay]]],
) -> None:
    later = city_day(KEY.ladder, KEY.date + timedelta(days=1))
    first_words = [(day, versions[:1]) for day, versions in outcomes]
    assert not _made(later, outcomes).equals(_made(later, first_words))


def test_a_day_has_a_version_for_every_final_word() -> None:
    p, _ = forecasts(1, 3)
    fused = fused_frame(0, p[0][:, :2] / p[0][:, :2].sum(axis=1, keepdims=True))
    settlements = pl.DataFrame([said("climate_report", 59, 9), said("exchange", 60, 30)])
    day = city_day("new_york", (END - timedelta(days=1)).date())
    found = as_settled(day_start(day), fused, EVENTS, settlements)
    assert [(each.winner, each.known_at) for each in found] == [
        (0, END + timedelta(hours=9)),
        (1, END + timedelta(hours=30)),
    ]


@pytest.mark.parametrize("minutes", [-1, 0, 1])
def test_a_day_at_a_fair_price_is_left_out_from_when_that_was_known(
    outcomes: list[tuple[LadderDay, list[CalibrationDay]]], minutes: int
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
    assert _made(KEY, withdrawn).equals(_made(KEY, wanted))
    assert not _made(KEY, without).equals(_made(KEY, outcomes))


def test_a_day_that_never_settled_has_no_version() -> None:
    p, _ = forecasts(1, 3)
    nothing = pl.DataFrame([said("exchange", 60, 30)]).clear()
    assert as_settled(day_start(KEY), fused_frame(0, p[0]), EVENTS, nothing) == []
