"""Exact and analogue against each other on one day, and the columns that name them."""

from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from kalshi_assets.config import METHODS, load_toml
from kalshi_assets.families.temperature.asof import weather_as_of
from kalshi_assets.families.temperature.climate_day import SLOTS
from kalshi_assets.families.temperature.hazard.filtered_day import (
    FilteredDay,
    filtered_outlook,
    reports_of,
)
from kalshi_assets.families.temperature.hazard.method import load_method
from kalshi_assets.tables import FORECASTS
from kalshi_assets.units import Array
from kalshi_assets_tests.families.temperature.filter.simulated import from_state
from kalshi_assets_tests.families.temperature.hazard.days import (
    ALONE,
    DAY,
    PLACE,
    Habit,
    at,
    bracket_of,
    choice,
    fitted,
    hazard,
    ladder,
    per_bracket,
    per_time,
    told,
    truth,
)

TEMPS = truth(DAY)
EVENTS = ladder(TEMPS)
REPORTS = told(TEMPS)
PATHS = 20_000


def z_scores(simulated: Array, exact: Array) -> Array:
    """Of the cells that are not decided; the error is that of `PATHS` independent paths."""
    undecided = (exact > 1e-3) & (exact < 1 - 1e-3)
    found, expected = simulated[undecided], exact[undecided]
    return (found - expected) / np.sqrt(expected * (1 - expected) / PATHS)


def column(made: pl.DataFrame, name: str) -> Array:
    return per_time(made)[name].cast(pl.Float64).to_numpy()


# The methods against each other.


def test_in_the_afternoon_paths_and_filter_agree_within_sampling_error() -> None:
    upper = EVENTS["hi"].drop_nulls().to_numpy().astype(np.float64)
    climatology = fitted().climatology
    assert climatology is not None
    for_pmf, for_hazards = [], []
    for slot in (150, 174, 190, 210):
        times = pl.DataFrame({"minute": [at(slot)]}).cast({"minute": pl.Datetime("us", "UTC")})
        seen = weather_as_of(times, REPORTS, FORECASTS.empty(), at(0))
        day = FilteredDay(upper, climatology, fitted(), shape_nodes=2)
        exact = filtered_outlook(seen, day, reports_of(REPORTS, at(0)), at(0))
        simulated = from_state(
            day.mixture,
            np.random.SeedSequence(slot),
            new_high=float(seen["running_max_hi_f"][0]) + 0.5,
            paths=PATHS,
            lead=slot - day.mixture.head,
        )
        cdf = day.peaks.cdf(day.edges, day.known_edges, simulated.cdf)
        pmf = np.diff(cdf, axis=1, prepend=0.0, append=1.0)
        for_pmf.append(z_scores(pmf, exact.pmf))
        soon = np.column_stack([exact.hazard_5m, exact.hazard_60m])
        for_hazards.append(z_scores(simulated.hazards, soon))
    assert np.concatenate(for_pmf).size > 10
    assert np.abs(np.concatenate(for_pmf)).max() < 4.5
    assert np.abs(np.concatenate(for_hazards)).max() < 4.5


def test_the_analogue_alone_is_a_pmf_that_comes_to_the_same_end() -> None:
    analogue = hazard(REPORTS, EVENTS, method=choice(method="analogue"))
    exact = hazard(REPORTS, EVENTS, method=replace(ALONE, shape_nodes=3))
    one, other = per_bracket(analogue)[2:], per_bracket(exact)[2:]
    assert np.abs(one.sum(axis=1) - 1).max() < 1e-9
    apart = np.abs(one - other).sum(axis=1) / 2
    # Measured: .34 at night, .07 at 15 standard time, .01 at the end.
    assert apart.max() < 0.5
    assert apart[15 * 12 :].max() < 0.2
    assert apart[-1] < 0.05


# What the columns say.


def test_the_columns_say_which_method_spoke_and_with_what_share() -> None:
    shares = (0.5, 0.4, 0.3, 0.2, 0.1, 0.0, 1.0, 0.0)
    times = per_time(hazard(REPORTS, EVENTS, method=choice(analogue_share=shares)))[2:]
    block = np.minimum((times["minute"] - at(0)).dt.total_minutes() // 180, 7)
    assert times["analogue_share"].to_list() == [shares[int(b)] for b in block]
    alone = times["analogue_share"] == 1
    assert alone.sum() == 36
    assert set(times.filter(alone)["method"]) == {"analogue"}
    assert set(times.filter(~alone)["method"]) == {"exact"}
    assert set(times["baseline"]) == {"climatology"}
    assert times.filter(pl.col("analogue_share") > 0)["effective_days"].is_not_null().all()


def test_the_mixture_is_the_share_of_both() -> None:
    share = (0.3,) * 8
    mixed, exact, analogue = (
        per_bracket(hazard(REPORTS, EVENTS, method=method))[2:]
        for method in (choice(analogue_share=share), ALONE, choice(method="analogue"))
    )
    dead = per_bracket(hazard(REPORTS, EVENTS), "dead")[2:].any(axis=1)
    assert (~dead).sum() > 100
    assert mixed[~dead] == pytest.approx((0.7 * exact + 0.3 * analogue)[~dead], abs=1e-9)


def forecasts(rows: list[tuple[datetime, datetime, str, float, float]]) -> pl.DataFrame:
    """Rows of (basis, known at, variable, slot, °F)."""
    made = [
        {
            "event_time": basis,
            "known_at": known_at,
            "station": PLACE.station,
            "variable": variable,
            "valid_time": at(slot),
            "value_f": value,
            "source": "histfcst",
            "raw_sha256": "0" * 64,
        }
        for basis, known_at, variable, slot, value in rows
    ]
    return FORECASTS.conform(pl.DataFrame(made, schema=FORECASTS.dtypes))


def test_a_forecast_counts_from_when_it_is_known_and_the_columns_say_which() -> None:
    eve, noon = at(0) - timedelta(hours=6), at(130)
    hourly = [(noon, at(150), "temp", float(k), float(TEMPS[k])) for k in range(0, SLOTS, 12)]
    both = forecasts([(eve, at(60), "tmax", 0.0, float(TEMPS.max())), *hourly])
    made = per_time(hazard(REPORTS, EVENTS, forecasts=both, method=ALONE))
    without = per_time(hazard(REPORTS, EVENTS, method=ALONE))
    assert set(made["baseline"][2:60]) == {"climatology"}
    assert set(made["baseline"][60:150]) == {"forecast_max"}
    assert set(made["baseline"][150:]) == {"forecast_hourly"}
    assert made["p_wx"][2:60].equals(without["p_wx"][2:60])
    assert (made["p_wx"][60:64] != without["p_wx"][60:64]).all()
    assert (made["known_at"] <= made["minute"]).all()


def test_a_forecast_known_before_the_day_is_its_baseline_from_the_start() -> None:
    eve = at(0) - timedelta(hours=6)
    known = forecasts([(eve, eve, "tmax", 0.0, float(TEMPS.max()))])
    made = hazard(REPORTS, EVENTS, forecasts=known, method=ALONE)
    assert set(per_time(made)["baseline"][2:]) == {"forecast_max"}
    winner = bracket_of(EVENTS, int(TEMPS.max()))
    climatology = hazard(REPORTS, EVENTS, method=ALONE)
    noon = slice(2, 144)
    assert per_bracket(made)[noon, winner].mean() > per_bracket(climatology)[noon, winner].mean()


# The feed alarm.


def elsewhere(slots: range, by: int) -> np.ndarray:
    """The day, but for the temperatures of a colder station in some slots."""
    temps = TEMPS.copy()
    temps[slots.start : slots.stop] -= by
    return temps


@pytest.mark.parametrize("habit", ["tgroup", "whole_c"])
def test_a_feed_of_another_station_raises_the_alarm_and_withholds_the_pmf(habit: Habit) -> None:
    wrong = range(120, 168)
    made = hazard(told(elsewhere(wrong, 12), habit), EVENTS, habit=habit)
    times = per_time(made)
    alarmed = (times["status"] == "feed_alarm").to_numpy()
    assert (alarmed == (column(made, "log_likelihood") < load_method().feed_alarm)).all()
    # Six reports that contradict the model are enough, six known slots after the first.
    first = int(np.flatnonzero(alarmed)[0])
    assert wrong.start + 2 < first <= wrong.start + 2 + 6
    withheld = made.filter(status="feed_alarm")
    for name in ("p_wx", "hazard_next_5m", "hazard_next_60m", "p_pass_60m"):
        assert withheld[name].is_null().all()
    assert made.filter(status="ok")["p_wx"].is_not_null().all()
    # It falls silent again when the right station has been back for a while, and the day is whole.
    assert not alarmed[: wrong.start].any()
    assert not alarmed[wrong.stop + 48 :].any()
    clean = per_bracket(hazard(told(TEMPS, habit), EVENTS, habit=habit))
    assert np.abs(per_bracket(made)[-1] - clean[-1]).max() < 5e-3


def test_random_numbers_are_no_feed() -> None:
    rng = np.random.default_rng(0)
    temps = TEMPS.copy()
    temps[120:180] = rng.integers(15, 35, 60)
    made = hazard(told(temps), EVENTS)
    alarmed = (per_time(made)["status"] == "feed_alarm").to_numpy()
    assert alarmed[126:180].mean() > 0.9
    assert not alarmed[:122].any()
    assert not alarmed[230:].any()


def test_a_plain_day_raises_no_alarm() -> None:
    for habit in ("tgroup", "whole_c", "hourly"):
        made = hazard(told(TEMPS, habit), EVENTS, habit=habit)
        assert "feed_alarm" not in set(made["status"])


# methods.toml.


def document(**changes: Any) -> dict[str, Any]:
    found = deepcopy(load_toml(METHODS))
    found["hazard"] = {**found["hazard"], **changes}
    return found


def test_the_packaged_methods_load() -> None:
    assert load_method(load_toml(METHODS)) == load_method()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"method": "exactly"}, "method 'exactly' must be one of exact, analogue"),
        ({"analogue_share": [0.5]}, "analogue_share .* must be 8 shares from 0 to 1"),
        ({"analogue_share": [0.5] * 7 + [1.5]}, "analogue_share .* must be 8 shares from 0 to 1"),
        ({"shape_nodes": 0}, "shape_nodes must be at least 1"),
        ({"paths": 20_000}, r"missing or unknown \['paths'\]"),
        ({"feed_alam": -3.0}, r"missing or unknown \['feed_alam'\].*feed_alarm"),
    ],
)
def test_a_wrong_method_names_the_key_and_what_it_takes(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=f"{METHODS}: .*{says}"):
        load_method(document(**changes))


def test_a_missing_key_or_an_unknown_section_is_named() -> None:
    incomplete = document()
    del incomplete["hazard"]["method"]
    with pytest.raises(ValueError, match=r"missing or unknown \['method'\]"):
        load_method(incomplete)
    with pytest.raises(ValueError, match=r"missing or unknown \['hazards'\]"):
        load_method({**document(), "hazards": {}})
