"""The filter over a day's news: causal, the same in any grouping, and true to the strict path."""

from datetime import timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.families.temperature.asof import weather_as_of
from kalshi_assets.families.temperature.climate_day import FIVE_MINUTES, ONE_HOUR, SLOT, SLOTS
from kalshi_assets.families.temperature.fit.baseline import Baseline
from kalshi_assets.families.temperature.hazard.filtered_day import (
    FilteredDay,
    News,
    Outlook,
    filtered_outlook,
    forecast_of,
    reports_of,
)
from kalshi_assets.tables import FORECASTS
from kalshi_assets_tests.families.temperature.hazard.days import (
    DAY,
    at,
    fitted,
    frame,
    ladder,
    report,
    told,
    truth,
)
from kalshi_assets_tests.properties import examples

START = at(0)
TEMPS = truth(DAY)
UPPER = ladder(TEMPS)["hi"].drop_nulls().to_numpy().astype(np.float64)
FIELDS = tuple(Outlook.__dataclass_fields__)


def climatology() -> Baseline:
    found = fitted().climatology
    assert found is not None
    return found


def a_day(upper: np.ndarray = UPPER) -> FilteredDay:
    return FilteredDay(upper, climatology(), fitted(), shape_nodes=2)


def in_order(*news: News) -> list[News]:
    return sorted(news, key=lambda each: each.known_at)


@cache
def eventful() -> tuple[tuple[News, ...], pl.DataFrame]:
    """Late reports, two in one slot, maxima of six hours, forecasts in and off the grid."""
    late, between = range(100, 112), range(10, SLOTS, 24)
    rows = [
        report(
            k,
            "whole_c" if k % 3 else "tgroup",
            int(TEMPS[k]),
            **({"known_at": at(k) + timedelta(minutes=95)} if k in late else {}),
        )
        for k in range(SLOTS)
        if not 200 <= k < 212
    ]
    rows += [report(k + 0.2, "tgroup", int(TEMPS[k])) for k in between]
    rows += [
        report(k, "max_6h", int(TEMPS[k - 72 : k + 1].max()), max_since=at(k - 72))
        for k in (82, 154, 226)
    ]
    observations = frame(rows)
    forecasts = [
        forecast_of(at(150), 150, climatology().shifted(-4.0)),
        forecast_of(at(170), 170, climatology().shifted(45.0)),
    ]
    return tuple(in_order(*reports_of(observations, START), *forecasts)), observations


def evaluated(observations: pl.DataFrame, slots: np.ndarray) -> pl.DataFrame:
    times = pl.DataFrame({"minute": [at(float(k)) for k in slots]})
    times = times.cast({"minute": pl.Datetime("us", "UTC")})
    seen = weather_as_of(times, observations, FORECASTS.empty(), START)
    return seen.filter(pl.col("running_max_hi_f").is_not_null())


@cache
def whole_day() -> tuple[pl.DataFrame, Outlook]:
    news, observations = eventful()
    times = evaluated(observations, np.arange(SLOTS + 1))
    return times, filtered_outlook(times, a_day(), news, START)


def told_of(slots: np.ndarray, upper: np.ndarray = UPPER) -> tuple[pl.DataFrame, Outlook]:
    """The plain day, asked at some slots."""
    observations = told(TEMPS)
    times = evaluated(observations, slots)
    return times, filtered_outlook(times, a_day(upper), reports_of(observations, START), START)


def assert_same_bits(one: Outlook, other: Outlook) -> None:
    for name in FIELDS:
        assert np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True), name


def test_one_by_one_and_all_at_once_are_the_same_bits() -> None:
    times, whole = whole_day()
    news, day = list(eventful()[0]), a_day()
    singly = []
    for n, (minute, highest) in enumerate(times.select("minute", "running_max_hi_f").iter_rows()):
        while news and news[0].known_at <= minute:
            day.tell(news.pop(0))
        day.ask((minute - START) // SLOT, highest)
        singly.append(day.answers())
        assert len(singly[-1].pmf) == 1, n
    joined = {name: np.concatenate([getattr(o, name) for o in singly]) for name in FIELDS}
    assert_same_bits(Outlook(**joined), whole)


@examples(8)
@given(
    asked=st.sets(st.integers(0, 285), min_size=1, max_size=25),
    read=st.lists(st.booleans(), min_size=25, max_size=25),
)
def test_what_is_said_does_not_depend_on_what_else_is_asked_nor_on_when_it_is_read(
    asked: set[int], read: list[bool]
) -> None:
    times, whole = whole_day()
    rows = np.array(sorted(asked))
    news, day = list(eventful()[0]), a_day()
    said: list[Outlook] = []
    for row, now in zip(rows, read, strict=False):
        minute, highest = times.select("minute", "running_max_hi_f").row(row)
        while news and news[0].known_at <= minute:
            day.tell(news.pop(0))
        day.ask((minute - START) // SLOT, highest)
        if now:
            said.append(day.answers())
    said.append(day.answers())
    for name in FIELDS:
        joined = np.concatenate([getattr(outlook, name) for outlook in said])
        assert np.array_equal(joined, getattr(whole, name)[rows], equal_nan=True), name


def test_no_time_knows_what_became_known_after_it() -> None:
    times, whole = whole_day()
    news, observations = eventful()
    until = at(160)
    known = evaluated(observations.filter(pl.col("known_at") <= until), np.arange(161))
    cut = filtered_outlook(known, a_day(), [n for n in news if n.known_at <= until], START)
    n = len(cut.pmf)
    assert times["minute"][n - 1] == until
    for name in FIELDS:
        assert np.array_equal(getattr(whole, name)[:n], getattr(cut, name), equal_nan=True), name


def test_every_pmf_is_one_and_the_evening_is_surer_than_the_morning() -> None:
    _, plain = told_of(np.arange(12, SLOTS + 1, 12))
    for outlook in (plain, whole_day()[1]):
        assert np.abs(outlook.pmf.sum(axis=1) - 1).max() < 1e-12
        assert outlook.pmf.min() >= 0
        assert (outlook.hazard_60m >= outlook.hazard_5m - 1e-12).all()
    assert plain.pmf[-1].max() > 0.9 > plain.pmf[4].max()
    assert plain.hazard_60m[-1] < 0.01


def test_late_reports_leave_the_same_bits_as_reports_on_time() -> None:
    observations = told(TEMPS)
    late = observations.with_columns(
        known_at=pl.when(pl.col("event_time").is_between(at(100), at(130)))
        .then(pl.lit(at(140)) + (pl.lit(at(140)) - pl.col("event_time")) / 30)
        .otherwise("known_at")
    )
    moments = np.array([139, 141, 160])
    on_time, delayed = (
        filtered_outlook(evaluated(o, moments), a_day(), reports_of(o, START), START)
        for o in (observations, late)
    )
    assert np.abs(on_time.pmf[:2] - delayed.pmf[:2]).max() > 1e-3
    assert np.array_equal(on_time.pmf[2], delayed.pmf[2])
    assert on_time.hazard_60m[2] == delayed.hazard_60m[2]
    assert on_time.log_likelihood[2] == delayed.log_likelihood[2]


def test_an_exact_report_between_two_of_whole_celsius_counts_in_their_slot() -> None:
    coarse, exact = told(TEMPS, "whole_c"), told(TEMPS)
    within = frame(
        [report(k + 0.2, "tgroup", int(TEMPS[k]), known_at=at(k + 2)) for k in range(SLOTS)]
    )
    times = evaluated(coarse, np.array([120, 170]))
    alone, both, only = (
        filtered_outlook(times, a_day(), reports_of(o, START), START)
        for o in (coarse, pl.concat([coarse, within]), exact)
    )
    assert both.pmf == pytest.approx(only.pmf, abs=2e-3)
    assert np.abs(both.pmf - alone.pmf).max() > 0.01


def test_a_maximum_of_six_hours_tells_what_a_gap_hid() -> None:
    gapped = told(TEMPS, without=range(120, 150))
    maximum = int(TEMPS[82:154].max()) + 2
    six_hours = frame([report(154, "max_6h", maximum, max_since=at(82))])
    upper = np.array([maximum - 1.0, maximum + 2.0])
    times = evaluated(gapped, np.array([157]))
    unaware, aware = (
        filtered_outlook(times, a_day(upper), reports_of(each, START), START).pmf[0]
        for each in (gapped, pl.concat([gapped, six_hours]))
    )
    assert unaware[0] > 0.05
    # The report of the maximum may be wrong, too, and so great a rise within the gap is rare.
    assert aware[0] < 0.02


def test_a_forecast_moves_what_comes_and_not_what_was_said() -> None:
    observations = told(TEMPS)
    times = evaluated(observations, np.arange(100, 140, 4))
    plain = filtered_outlook(times, a_day(), reports_of(observations, START), START)
    warmer = climatology().profile + np.where(np.arange(SLOTS) > 130, 6.0, 0.0)
    forecast = forecast_of(at(120), 120, Baseline(**{**vars(climatology()), "profile": warmer}))
    news = in_order(*reports_of(observations, START), forecast)
    moved = filtered_outlook(times, a_day(), news, START)
    assert np.array_equal(moved.pmf[:5], plain.pmf[:5])
    expected = np.arange(len(UPPER) + 1)
    assert (moved.pmf[5:] @ expected > plain.pmf[5:] @ expected + 0.05).all()


def test_a_forecast_far_off_the_grid_and_back_is_as_if_it_had_not_been() -> None:
    observations = told(TEMPS)
    times = evaluated(observations, np.array([90, 119, 121, 150, 220]))
    reports = reports_of(observations, START)
    plain = filtered_outlook(times, a_day(), reports, START)
    jump = np.where(np.arange(SLOTS) > 120, 60.0, 0.0)
    there = forecast_of(at(120), 120, climatology().shifted(jump))
    back = forecast_of(at(120), 120, climatology())
    day = a_day()
    for news in in_order(*reports, there):
        if news.known_at < at(120):
            day.tell(news)
    before = day.mixture.grid.degrees
    day.tell(there)
    assert (day.mixture.grid.degrees[150:, 1] > before[150:, 1]).all()
    again = filtered_outlook(times, a_day(), in_order(*reports, there, back), START)
    assert again.pmf == pytest.approx(plain.pmf, abs=1e-6)
    assert again.passing_60m == pytest.approx(plain.passing_60m, abs=1e-6)


def test_a_maximum_known_before_any_report_is_told_once() -> None:
    maximum = report(72, "max_6h", int(TEMPS[:73].max()), max_since=at(0))
    (known,) = reports_of(frame([maximum]), START)
    said = []
    for begun_before in (False, True):
        day = a_day()
        if begun_before:
            assert day.mixture.head == 0
        day.tell(known)
        day.ask(80, float(TEMPS[72]))
        said.append(day.answers().pmf)
    assert np.array_equal(*said)


@pytest.mark.parametrize("offset_f", [-50.0, 8.0, 40.0])
def test_a_forecast_before_the_first_report_is_kept_on_the_grid_laid_around_that(
    offset_f: float,
) -> None:
    observations = told(TEMPS)
    early = forecast_of(START, 0, climatology().shifted(offset_f))
    reports = reports_of(observations, START)
    times = evaluated(observations, np.array([20, 150]))
    whole = filtered_outlook(times, a_day(), [early, *reports], START)
    assert np.abs(whole.pmf.sum(axis=1) - 1).max() < 1e-9
    # Asked before any report, on the wide grid, it comes to the same afterwards.
    day = a_day()
    day.tell(early)
    day.ask(0, float(TEMPS[0]))
    day.answers()
    again = filtered_outlook(times, day, reports, START)
    assert np.array_equal(again.pmf, whole.pmf)


@pytest.mark.parametrize("asked", [20, 130, 182, 230, 287])
def test_the_quick_next_hour_is_the_strict_one(asked: int) -> None:
    times, outlook = told_of(np.array([asked]))
    day = a_day()
    for news in reports_of(told(TEMPS), START):
        if news.known_at <= at(asked):
            day.tell(news)
    head = asked - 2
    day.mixture.advance(head)
    lead = min(asked, SLOTS - 1) - head
    strict = day.mixture.hazards(
        float(times["running_max_hi_f"][0]) + 0.5, lead, (FIVE_MINUTES, ONE_HOUR)
    )
    assert [outlook.hazard_5m[0], outlook.hazard_60m[0]] == pytest.approx(strict, abs=1e-6)
    _, later = day.mixture.staying(lead + ONE_HOUR)
    own = np.searchsorted(day.known_edges, day.edges)
    assert outlook.passing_60m[0] == pytest.approx(1 - later[own], abs=1e-6)


def test_passing_falls_with_the_bracket_and_is_at_least_what_was_passed_already() -> None:
    upper = np.arange(40.0, 62.0)
    times, outlook = told_of(np.arange(12, SLOTS, 12), upper)
    passing = outlook.passing_60m
    assert (np.diff(passing, axis=1) <= 1e-9).all()
    assert passing.min() >= 0
    assert passing.max() <= 1
    proved = times["running_max_lo_f"].to_numpy()[:, None] > upper
    assert proved.any(axis=1).all()
    # An exact report is wrong once in 10^5.
    assert passing[proved].min() > 1 - 1e-3
    day = a_day(upper)
    own = np.searchsorted(day.known_edges, day.edges)
    news = reports_of(told(TEMPS), START)
    for row, minute in enumerate(times["minute"]):
        while news and news[0].known_at <= minute:
            day.tell(news.pop(0))
        day.mixture.advance((minute - START) // SLOT - 2)
        passed = 1 - day.mixture.running_cdf()[own]
        assert (passing[row] >= passed - 1e-6).all()
        assert (passing[row] <= 1 - day.mixture.cdf()[own] + 1e-6).all()


def test_a_day_without_news_says_nothing_until_it_is_asked() -> None:
    day = a_day()
    assert day.answers().pmf.shape == (0, len(UPPER) + 1)
    day.ask(0, 44.0)
    said = day.answers()
    assert said.pmf.sum() == pytest.approx(1)
    assert np.isnan(said.log_likelihood[0])
