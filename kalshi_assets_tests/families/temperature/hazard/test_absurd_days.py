"""No report and no forecast, however absurd, ends a day: issue 10, item 5."""

from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kalshi_assets.families.temperature.asof import weather_as_of
from kalshi_assets.families.temperature.climate_day import SLOTS
from kalshi_assets.families.temperature.evidence import counted
from kalshi_assets.families.temperature.fit.fitting import mc_params
from kalshi_assets.families.temperature.fit.priors import load_priors
from kalshi_assets.families.temperature.hazard.filtered_day import RECENT
from kalshi_assets.families.temperature.hazard.method import HazardMethod, load_method
from kalshi_assets.families.temperature.hazard.pmf import hazard_pmf
from kalshi_assets.tables import HAZARD_PMF, MC_PARAMS, OBSERVATIONS
from kalshi_assets.units import Array
from kalshi_assets_tests.families.temperature.hazard.absurd import (
    COLDEST,
    WARMEST,
    AbsurdDay,
    absurd_day,
)
from kalshi_assets_tests.families.temperature.hazard.days import (
    DAY,
    LAG,
    at,
    choice,
    frame,
    hazard,
    ladder,
    parameters,
    per_bracket,
    per_time,
    report,
    told,
    truth,
)
from kalshi_assets_tests.properties import examples

TEMPS = truth(DAY)
EVENTS = ladder(TEMPS)
LAG_SLOTS = LAG // timedelta(minutes=5)
MANY, AT_A_TIME = 2000, 20


def said_of(day: AbsurdDay, method: HazardMethod) -> pl.DataFrame:
    fit = (
        parameters()
        if not day.settled and day.earlier
        else mc_params(at(0), day.earlier, day.settled, day.expected, load_priors())
    )
    assert_known_numbers(MC_PARAMS.conform(fit))
    made = hazard_pmf(day.events, day.observations, day.forecasts, day.earlier, fit, method)
    return HAZARD_PMF.conform(made)


def assert_known_numbers(made: pl.DataFrame) -> None:
    """Null where it is not known, else a finite number."""
    for name in made.select(pl.col(pl.Float64)).columns:
        assert made[name].drop_nulls().is_finite().all(), name


def assert_sound(made: pl.DataFrame) -> None:
    """Null with a reason, or probabilities; `HAZARD_PMF` has looked at their bounds."""
    assert_known_numbers(made)
    known = made["status"].is_in(["ok", "day_ahead"])
    assert (made["p_wx"].is_not_null() == known).all()
    sums = made.filter(known).group_by("minute").agg(pl.col("p_wx").sum())["p_wx"]
    assert (sums - 1).abs().max() is None or (sums - 1).abs().max() < 1e-9
    for name in ("hazard_next_5m", "hazard_next_60m", "p_pass_60m"):
        assert made.filter(~known)[name].is_null().all(), name
    ok = made.filter(status="ok")
    assert ok["hazard_next_5m"].is_not_null().all()
    assert (ok["hazard_next_60m"] >= ok["hazard_next_5m"] - 1e-5).all()


def survive(seeds: range, method: HazardMethod) -> None:
    for seed in seeds:
        try:
            assert_sound(said_of(absurd_day(seed), method))
        except Exception as error:
            error.add_note(f"absurd_day({seed})")
            raise


@examples(100)
@example(seed=217)  # the first forecast lies off the grid that is laid for the next one
@given(seed=st.integers(0, 2**32 - 1))
def test_no_absurd_day_ends_in_an_error_or_in_no_number(seed: int) -> None:
    assert_sound(said_of(absurd_day(seed), load_method()))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, MANY, AT_A_TIME))
def test_none_of_two_thousand_absurd_days_does(first: int) -> None:
    survive(range(first, first + AT_A_TIME), load_method())


def test_no_absurd_day_ends_in_an_error_by_the_analogue() -> None:
    survive(range(AT_A_TIME), choice(method="analogue"))


def test_what_was_known_at_each_minute_of_an_absurd_day_is_known_numbers() -> None:
    minutes = pl.select(minute=pl.datetime_range(at(-40), at(SLOTS), "7m", time_unit="us"))
    for seed in range(200):
        day = absurd_day(seed)
        seen = weather_as_of(minutes, day.observations, day.forecasts, at(0))
        assert_known_numbers(seen)
        assert (seen["evidence_max_f"] <= seen["running_max_lo_f"]).all()


# One day whose feed breaks for two hours and comes back.

BROKEN = range(120, 144)
# Below the maximum so far, so that nothing is proved by it.
CHILLY = int(TEMPS[: BROKEN[0]].max()) - 45


def unchecked(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """`weather.observations`, whatever its contract says of the values."""
    return pl.DataFrame(rows, schema=OBSERVATIONS.dtypes)


def contradicting(slot: int, one: int, other: int) -> pl.DataFrame:
    """So many exact reports of two values in one slot that no double holds their probability."""
    n = 140
    return unchecked(
        [
            report(slot + k / n / 2, "tgroup", other if k % 2 else one, known_at=at(slot) + LAG)
            for k in range(n)
        ]
    )


def garbage(rng: np.random.Generator, low: int, high: int) -> Array:
    return rng.integers(low, high, SLOTS)


VALUES = {
    "chilly": garbage(np.random.default_rng(0), CHILLY - 30, CHILLY),
    "stuck": np.full(SLOTS, CHILLY),
    "alternating": np.where(np.arange(SLOTS) % 2, CHILLY, CHILLY - 40),
    "impossible": np.full(SLOTS, WARMEST),
    "impossible extremes": np.where(np.arange(SLOTS) % 2, COLDEST, WARMEST),
}


def broken_feed(kind: str) -> pl.DataFrame:
    """The day told, but for two hours."""
    sane = told(TEMPS)
    if kind == "contradictions":
        both = contradicting(BROKEN[0], CHILLY, CHILLY - 40)
        return pl.concat([sane, both]).sort("event_time", "kind")
    within = sane["event_time"].is_between(at(BROKEN[0]), at(BROKEN[-1]))
    made = [report(k, "tgroup", int(VALUES[kind][k])) for k in BROKEN]
    return pl.concat([sane.filter(~within), unchecked(made)]).sort("event_time")


def statuses(made: pl.DataFrame) -> Array:
    return per_time(made)["status"].to_numpy()


@pytest.mark.parametrize("kind", ["contradictions", *VALUES])
def test_a_broken_feed_raises_the_alarm_leaves_the_past_alone_and_is_survived(kind: str) -> None:
    made, clean = hazard(broken_feed(kind), EVENTS), hazard(told(TEMPS), EVENTS)
    assert_sound(made)
    known = BROKEN[0] + LAG_SLOTS
    past = pl.col("minute") < at(known)
    assert made.filter(past).equals(clean.filter(past))
    status = statuses(made)
    last = BROKEN[0] if kind == "contradictions" else BROKEN[-1]
    assert status[last + LAG_SLOTS] == "feed_alarm"
    # After an hour of sane reports it is believed again, as after two hours without reports.
    back = last + LAG_SLOTS + RECENT + 1
    assert set(status[back:]) == {"ok"}
    assert np.abs(per_bracket(made)[back:] - per_bracket(clean)[back:]).max() < 0.05


def test_contradictions_among_the_first_reports_raise_the_alarm_before_there_are_twelve() -> None:
    observations = pl.concat(
        [frame([report(5, "tgroup", int(TEMPS[5]))]), contradicting(6, CHILLY, CHILLY - 40)]
    )
    made = hazard(observations, ladder(TEMPS, until=12))
    assert_sound(made)
    assert statuses(made)[8] == "feed_alarm"
    assert per_time(made)["log_likelihood"][8] < load_method().feed_alarm


def test_what_no_station_has_reported_never_counts_however_often_it_is_sent() -> None:
    sane = told(TEMPS)
    hot = unchecked([report(k + 0.5, "tgroup", 141) for k in range(100, 120)])
    cold = unchecked([report(k + 0.5, "tgroup", -81) for k in range(100, 120)])
    assert counted(pl.concat([sane, hot, cold])).equals(counted(sane))
    limits = unchecked([report(k, "tgroup", 140) for k in range(3)])
    assert counted(limits).height == 3
