"""What the hazard's table must do on days that go wrong: issue 3, item 5."""

from datetime import date, timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest

from kalshi_assets.families.temperature.climate_day import SLOT, SLOTS
from kalshi_assets.families.temperature.hazard.analogue_day import library_of
from kalshi_assets.units import Array
from kalshi_assets_tests.families.temperature.hazard.days import (
    ALONE,
    DAY,
    Habit,
    at,
    bracket_of,
    earlier,
    entropy,
    frame,
    hazard,
    ladder,
    official,
    parameters,
    per_bracket,
    per_time,
    recorded,
    recorded_hazard,
    report,
    spoilt,
    start_of,
    told,
    truth,
)
from kalshi_assets_tests.shared import needs_archive

TEMPS = truth(DAY)
MAXIMUM = int(TEMPS.max())
EVENTS = ladder(TEMPS)
# Five-minute reports are known ten minutes later.
LAG_SLOTS = 2
HOLE = range(150, 222)
AFTERNOON = slice(13 * 12, 19 * 12)


def statuses(made: pl.DataFrame) -> Array:
    return per_time(made)["status"].to_numpy()


def assert_probabilities(made: pl.DataFrame) -> None:
    """Whatever happened: probabilities, which sum to one exactly where the status is ok."""
    ok = made["status"] == "ok"
    assert made.filter(~ok)["p_wx"].is_null().all()
    assert made.filter(ok)["p_wx"].is_between(0, 1).all()
    sums = made.filter(ok).group_by("minute").agg(pl.col("p_wx").sum())["p_wx"]
    assert (sums - 1).abs().max() < 1e-9
    assert made.filter("dead", pl.col("p_wx") > 0).is_empty()


@cache
def plain_day(habit: Habit = "tgroup") -> pl.DataFrame:
    return hazard(told(TEMPS, habit), EVENTS, habit=habit)


# A six-hour hole in the reports.


def test_in_a_hole_nothing_is_learned_and_after_three_hours_the_pmf_is_withheld() -> None:
    made = hazard(told(TEMPS, without=HOLE), EVENTS, method=ALONE)
    assert_probabilities(made)
    first, last = HOLE[0] - 1 + LAG_SLOTS, HOLE[-1] + LAG_SLOTS
    status = statuses(made)
    # The last report before the hole is of one slot earlier, and 180 minutes old 36 slots later.
    stale = range(HOLE[0] - 1 + 37, last + 1)
    assert set(status[list(stale)]) == {"stale"}
    assert set(np.delete(status[LAG_SLOTS:], np.array(stale) - LAG_SLOTS)) == {"ok"}
    pmf = per_bracket(made)[first : stale[0]]
    assert (pmf == pmf[0]).all()
    soon = per_time(made)["hazard_next_60m"].to_numpy()[first : stale[0]]
    assert (soon > 0.3).all()


def test_the_mixture_with_the_analogue_moves_in_a_hole_only_with_its_share() -> None:
    hole = range(100, 172)
    made = hazard(told(TEMPS, without=hole), EVENTS)
    quiet = slice(hole[0] + LAG_SLOTS, hole[0] + 34)
    pmf, share = per_bracket(made)[quiet], per_time(made)["analogue_share"].to_numpy()[quiet]
    moved = np.abs(np.diff(pmf, axis=0)).max(axis=1) > 0
    assert (moved == (np.diff(share) != 0)).all()
    assert moved.sum() == 1


def test_a_hole_leaves_the_day_less_sure_and_the_maximum_within_it_possible() -> None:
    gapped = per_bracket(hazard(told(TEMPS, without=HOLE), EVENTS))
    whole = per_bracket(plain_day())
    assert TEMPS.argmax() in HOLE
    assert TEMPS[[k for k in range(SLOTS) if k not in HOLE]].max() < MAXIMUM
    after = HOLE[-1] + 1 + LAG_SLOTS
    winner = bracket_of(EVENTS, MAXIMUM)
    assert gapped[after:, winner].min() > 0.1
    assert (entropy(gapped[after:]) > entropy(whole[after:]) + 0.1).all()


def test_copies_in_a_hole_are_no_reports() -> None:
    """Bit for bit the day without them, during the hole and after it."""
    last = report(HOLE[0] - 1, "filled", int(TEMPS[HOLE[0] - 1]))
    copies = [{**last, "event_time": at(k), "known_at": at(k + LAG_SLOTS)} for k in HOLE]
    gapped = told(TEMPS, without=HOLE)
    filled = pl.concat([gapped, frame(copies)]).sort("event_time")
    assert hazard(filled, EVENTS).equals(hazard(gapped, EVENTS))


def test_reports_of_a_hole_that_come_after_it_leave_the_day_as_if_they_had_been_on_time() -> None:
    whole = told(TEMPS)
    after = HOLE[-1] + 1 + LAG_SLOTS
    within = pl.col("event_time").is_between(at(HOLE[0]), at(HOLE[-1]))
    late = whole.with_columns(
        known_at=pl.when(within).then(pl.lit(at(after))).otherwise("known_at")
    )
    on_time, delayed = per_bracket(plain_day()), per_bracket(hazard(late, EVENTS))
    gapped = per_bracket(hazard(told(TEMPS, without=HOLE), EVENTS))
    assert np.array_equal(delayed[: after - 1], gapped[: after - 1], equal_nan=True)
    assert np.array_equal(delayed[after + 1 :], on_time[after + 1 :])


@needs_archive
@pytest.mark.parametrize(("day", "hidden"), [(date(2025, 6, 18), 3), (date(2025, 7, 24), 4)])
def test_on_recorded_days_a_hole_that_hid_the_maximum_does_not_exclude_it(
    day: date, hidden: int
) -> None:
    events, made = recorded_hazard(day)
    assert official(day) - recorded(day)["hi_f"].max() == hidden
    assert_probabilities(made)
    assert "stale" in statuses(made)
    assert not made.filter(pl.col("bracket") >= bracket_of(events, official(day)))["dead"].any()
    assert per_bracket(made)[-1, bracket_of(events, official(day))] > 0.05


# Whole degrees Celsius only.


def test_displayed_fahrenheit_would_kill_the_bracket_that_wins_and_the_pmf_keeps_it() -> None:
    coarse = told(TEMPS, "whole_c")
    made = hazard(coarse, EVENTS, habit="whole_c")
    assert_probabilities(made)
    winner = bracket_of(EVENTS, MAXIMUM)
    displayed = int(np.floor(coarse["temp_f"].max() + 0.5))
    assert displayed > EVENTS["hi"][winner] == MAXIMUM
    assert not made.filter(bracket=winner)["dead"].any()
    assert per_bracket(made)[AFTERNOON, winner].min() > 0.1


def test_of_whole_celsius_two_reports_in_a_row_kill_and_one_does_not() -> None:
    coarse = told(TEMPS, "whole_c")
    made = hazard(coarse, EVENTS, habit="whole_c")
    least = coarse["lo_f"].to_numpy()
    pairs = np.minimum(least[1:], least[:-1])
    proved = np.maximum.accumulate(np.concatenate([[-999], pairs]))
    upper = EVENTS["hi"].to_numpy()[:-1]
    dead = per_bracket(made, "dead")[LAG_SLOTS:SLOTS, :-1]
    assert (dead == (proved[: SLOTS - LAG_SLOTS, None] > upper)).all()
    alone = np.maximum.accumulate(least)[: SLOTS - LAG_SLOTS, None] > upper
    assert (alone & (dead == 0)).any()


def test_whole_celsius_is_not_surer_than_tenths_and_never_contradicts_them() -> None:
    fine = hazard(told(TEMPS), EVENTS, method=ALONE)
    coarse = hazard(told(TEMPS, "whole_c"), EVENTS, fit=parameters(), method=ALONE)
    less, more = per_bracket(coarse)[AFTERNOON], per_bracket(fine)[AFTERNOON]
    # Of one day it may be by luck; the recorded days below are less sure outright.
    assert entropy(less).mean() > entropy(more).mean() - 0.005
    assert (per_bracket(coarse, "dead") <= per_bracket(fine, "dead")).all()
    # What tenths hold for likely, whole degrees do not hold for impossible.
    assert (less[more > 0.05] > 0.005).all()


@needs_archive
@pytest.mark.parametrize("day", [date(2025, 7, 18), date(2025, 7, 20)], ids=str)
def test_on_recorded_days_whole_celsius_kills_nothing_that_tenths_keep(day: date) -> None:
    events, fine = recorded_hazard(day)
    _, coarse = recorded_hazard(day, "temp_c_whole")
    for made in (fine, coarse):
        assert_probabilities(made)
        assert not made.filter(bracket=bracket_of(events, official(day)))["dead"].any()
        assert per_bracket(made)[-1, bracket_of(events, official(day))] > 0.9
    assert (per_bracket(coarse, "dead") <= per_bracket(fine, "dead")).all()
    assert entropy(per_bracket(coarse)[AFTERNOON]).mean() > (
        entropy(per_bracket(fine)[AFTERNOON]).mean()
    )


# One absurd value.


@pytest.mark.parametrize("habit", ["tgroup", "whole_c"])
@pytest.mark.parametrize("slot", [60, 150])
@pytest.mark.parametrize("absurd", [140, -40, 68])
def test_one_absurd_value_costs_no_more_than_its_report(
    habit: Habit, slot: int, absurd: int
) -> None:
    one = plain_day(habit)
    other = hazard(spoilt(told(TEMPS, habit), slot, absurd), EVENTS, habit=habit)
    assert_probabilities(other)
    assert (statuses(other) == statuses(one)).all()
    assert other["dead"].equals(one["dead"])
    apart = np.abs(per_bracket(other) - per_bracket(one)).max(axis=1)
    known = slot + LAG_SLOTS
    assert apart[LAG_SLOTS:known].max() == 0
    # Measured: at most .040 while the true value is missing; an hour later, when the analogue wants
    # it for its slope, .027; after that less than .001.
    assert apart[known:].max() < 0.06
    assert apart[known + 1 :].max() < 0.05
    assert apart[known + 14 :].max() < 2e-3
    soon = per_time(other)["hazard_next_60m"] - per_time(one)["hazard_next_60m"]
    assert soon.abs()[known + 1 :].max() < 0.05


def test_an_absurd_value_of_an_earlier_day_is_not_in_the_library() -> None:
    start, frame_of_day = earlier()[-1]
    true = pl.col("event_time") != start + 150 * SLOT
    absurd = frame([report(150, "tgroup", 140, DAY - timedelta(days=1))])
    missing, wrong = (
        library_of([*earlier()[:-1], (start, each)], known_by=at(0))
        for each in (
            frame_of_day.filter(true),
            pl.concat([frame_of_day.filter(true), absurd]).sort("event_time"),
        )
    )
    assert np.array_equal(wrong.temp_f, missing.temp_f, equal_nan=True)


def test_an_absurd_maximum_of_six_hours_kills_nothing() -> None:
    absurd = frame([report(154, "max_6h", 140, max_since=at(82))])
    clean = plain_day()
    made = hazard(pl.concat([told(TEMPS), absurd]).sort("event_time"), EVENTS)
    assert_probabilities(made)
    assert made["dead"].equals(clean["dead"])
    assert np.nanmax(np.abs(per_bracket(made) - per_bracket(clean))) < 1e-3


def test_evidence_that_the_filter_cannot_believe_withholds_the_pmf() -> None:
    """An exact report just near enough to count kills; no path reaches the bracket it leaves."""
    evening = int(np.flatnonzero(TEMPS == MAXIMUM - 2).max())
    near = spoilt(told(TEMPS), evening, MAXIMUM + 5)
    made = hazard(near, EVENTS, method=ALONE)
    assert_probabilities(made)
    known = evening + LAG_SLOTS
    assert made.filter("dead", pl.col("minute") == at(known)).height == EVENTS.height - 1
    assert set(statuses(made)[LAG_SLOTS:known]) == {"ok"}
    assert set(statuses(made)[known:]) == {"feed_alarm"}
    withheld = made.filter(status="feed_alarm")
    for column in ("p_wx", "hazard_next_5m", "hazard_next_60m", "p_pass_60m"):
        assert withheld[column].is_null().all()


# A station of hourly reports.


def test_a_station_of_hourly_reports_has_a_pmf_all_day() -> None:
    made = hazard(told(TEMPS, "hourly"), EVENTS, habit="hourly")
    assert_probabilities(made)
    first = 10 + LAG_SLOTS
    assert set(statuses(made)[:first]) == {"not_yet"}
    assert set(statuses(made)[first:]) == {"ok"}
    times = per_time(made)
    # Too few slots are known for a library.
    assert set(times["analogue_share"][first:]) == {0.0}
    assert (times["days"] == 0).all()
    twelfth = first + 11 * 12
    judged = times["log_likelihood"]
    assert judged[:twelfth].is_null().all()
    assert judged[twelfth:].is_not_null().all()
    assert judged.min() > -3.5


def test_hourly_reports_leave_the_afternoon_less_sure_than_five_minute_ones() -> None:
    five_minutes, hourly = (
        per_bracket(hazard(told(TEMPS, habit), EVENTS, fit=parameters(), method=ALONE))
        for habit in ("tgroup", "hourly")
    )
    assert entropy(hourly[AFTERNOON]).mean() > entropy(five_minutes[AFTERNOON]).mean() + 0.02
    winner = bracket_of(EVENTS, MAXIMUM)
    assert five_minutes[-1, winner] > hourly[-1, winner] > 0.5


# Days on which the clocks change.


@pytest.mark.parametrize("day", [date(2025, 3, 9), date(2025, 11, 2)], ids=str)
def test_the_change_of_clocks_shifts_nothing(day: date) -> None:
    temps = truth(day)
    made = hazard(told(temps, day=day), ladder(temps, day), day=day)
    assert_probabilities(made)
    assert start_of(day).strftime("%H:%MZ") == "05:00Z"
    minutes = per_time(made)["minute"]
    assert minutes.to_list() == [at(k, day) for k in range(SLOTS + 1)]
    assert set(statuses(made)[LAG_SLOTS:]) == {"ok"}
    # The same truth on a day whose clocks stay is the same day, told by the same earlier ones.
    moved = timedelta(days=30)
    days = [(start + moved, _later(frame, moved)) for start, frame in earlier(day=day)]
    fit = _later(parameters(day=day), moved)
    again = hazard(
        told(temps, day=day + moved),
        ladder(temps, day + moved),
        day=day + moved,
        before=days,
        fit=fit,
    )
    assert start_of(day + moved) == start_of(day) + moved
    assert np.array_equal(per_bracket(again), per_bracket(made), equal_nan=True)


def _later(frame: pl.DataFrame, by: timedelta) -> pl.DataFrame:
    return frame.with_columns(pl.col("event_time", "known_at") + by)


# The maximum in the day's first hour, midnight to one standard time.


def front() -> Array:
    """A mild midnight, a front within the first two hours, a cold day after it."""
    slot = np.arange(SLOTS)
    warm, fall = float(TEMPS[0]) + 14, 22 / (1 + np.exp(-(slot - 14) / 4))
    return np.round(warm - fall + 3 * np.exp(-(((slot - 186) / 40) ** 2))).astype(np.int64)


def test_a_maximum_before_one_oclock_daylight_time_is_recognised_early_and_stays() -> None:
    temps = front()
    events = ladder(temps)
    assert temps.argmax() < 12
    made = hazard(told(temps), events)
    assert_probabilities(made)
    assert set(statuses(made)[LAG_SLOTS:]) == {"ok"}
    winner = per_bracket(made)[:, bracket_of(events, int(temps.max()))]
    assert winner[LAG_SLOTS] < 0.3
    # Two hours into the day, and ever after.
    assert winner[24:].min() > 0.9
    assert per_time(made)["hazard_next_60m"][24:].max() < 1e-3


def test_the_evening_before_was_warmer_and_does_not_count() -> None:
    """In daylight time the day begins at one: the hour before it is of the day before."""
    temps = front()
    clean = told(temps)
    evening = [report(k, "tgroup", int(temps[0]) + 15) for k in range(-12, 0)]
    group = report(-1, "max_6h", int(temps[0]) + 20, max_since=at(-73))
    # Sent at 00:51 standard time, for the six hours until then.
    across = report(10, "max_6h", int(temps[0]) + 20, max_since=at(-62))
    spoiled = pl.concat([frame([*evening, group, across]), clean]).sort("event_time", "kind")
    events = ladder(temps)
    assert at(0).hour == 5
    assert hazard(spoiled, events).equals(hazard(clean, events))


@needs_archive
@pytest.mark.parametrize("day", [date(2025, 4, 20), date(2025, 6, 14)], ids=str)
def test_on_recorded_days_a_maximum_at_midnight_is_recognised_before_noon(day: date) -> None:
    events, made = recorded_hazard(day)
    reports = recorded(day)
    assert reports["event_time"][int(reports["lo_f"].arg_max() or 0)] < at(12, day)
    assert_probabilities(made)
    winner = per_bracket(made)[:, bracket_of(events, official(day))]
    assert np.nanmin(winner) > 0.05
    assert winner[12 * 12 :].min() > 0.8
    assert winner[-1] > 0.95
