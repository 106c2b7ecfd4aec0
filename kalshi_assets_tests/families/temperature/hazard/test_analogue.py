from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_assets.families.temperature.climate_day import SLOTS
from kalshi_assets.families.temperature.hazard.analogue import (
    DEFAULTS,
    AnalogueParams,
    Library,
    Outlook,
    State,
    outlook,
)

UPPER = np.array([69.0, 71.0, 73.0, 75.0, 77.0])
AFTERNOON = 180


def _days(number: int = 20, seed: int = 0) -> np.ndarray:
    """Days that rise from 60 to about 72 degrees at slot 190 and fall again, each with noise."""
    rng = np.random.default_rng(seed)
    hours = np.arange(SLOTS) / 12
    shape = 60 + 12 * np.exp(-(((hours - 15.8) / 5) ** 2))
    steps = rng.normal(0, 0.15, (number, SLOTS))
    return shape + rng.normal(0, 3, (number, 1)) + np.cumsum(steps, axis=1)


def _state(
    slot: int = AFTERNOON,
    temp: float = 70.0,
    lo: float = 70.0,
    hi: float = 70.0,
    slope: float = 1.0,
) -> State:
    one = np.array
    return State(
        slot=one([slot]),
        temp_f=one([temp]),
        slope_f=one([slope]),
        max_lo_f=one([lo]),
        max_hi_f=one([hi]),
    )


def _ask(state: State, days: np.ndarray, params: AnalogueParams = DEFAULTS) -> Outlook:
    return outlook(state, Library.of(days, params), UPPER, params)


states = st.builds(
    lambda slot, temp, below, width, slope: _state(
        slot, temp, np.floor(temp + below), np.floor(temp + below) + width, slope
    ),
    st.integers(0, SLOTS - 1),
    st.floats(50, 90),
    st.floats(0, 12),
    st.integers(0, 2),
    st.one_of(st.just(float("nan")), st.floats(-8, 8)),
)


@settings(max_examples=60, deadline=None)
@given(states, st.integers(0, 5))
def test_the_pmf_sums_to_one_and_dead_brackets_are_exactly_zero(state: State, seed: int) -> None:
    said = _ask(state, _days(seed=seed))
    assert said.pmf.shape == (1, 6)
    assert abs(said.pmf.sum() - 1) < 1e-12
    assert (said.pmf >= 0).all()
    dead = np.append(UPPER, np.inf) < state.max_lo_f[0]
    assert (said.pmf[0, dead] == 0).all()
    assert 0 <= said.hazard_5m[0] <= said.hazard_60m[0] <= 1


@settings(max_examples=40, deadline=None)
@given(st.floats(62, 76), st.integers(0, 5))
def test_a_higher_running_maximum_never_makes_a_lower_maximum_likelier(
    temp: float, seed: int
) -> None:
    days = _days(seed=seed)
    floors = np.floor(temp) + np.arange(5)
    params = AnalogueParams(drop_bandwidth_f=1e6)  # the same days count, whatever the maximum was
    below = [np.cumsum(_ask(_state(temp=temp, lo=lo, hi=lo), days, params).pmf[0]) for lo in floors]
    for lower, higher in pairwise(below):
        assert (higher <= lower + 1e-12).all()


def test_an_ambiguous_running_maximum_lies_between_its_bounds() -> None:
    params = AnalogueParams(drop_bandwidth_f=1e6)
    exact = [_ask(_state(lo=m, hi=m), _days(), params).pmf[0] for m in (71.0, 72.0)]
    both = _ask(_state(lo=71, hi=72), _days(), params).pmf[0]
    assert np.allclose(both, (exact[0] + exact[1]) / 2, atol=1e-12)


def test_at_the_days_end_the_maximum_is_the_running_one() -> None:
    params = AnalogueParams(missed_peak=0.0)
    said = _ask(_state(slot=SLOTS - 1, temp=61, lo=72, hi=72), _days(), params)
    assert said.pmf[0, 2] == pytest.approx(1)
    assert said.hazard_60m[0] == 0


def test_a_new_high_is_likely_in_the_morning_and_unlikely_in_the_evening() -> None:
    morning = _ask(_state(slot=120, temp=63, lo=63, hi=63, slope=1.5), _days())
    evening = _ask(_state(slot=250, temp=63, lo=72, hi=72, slope=-1.5), _days())
    assert morning.hazard_60m[0] > 0.5
    assert evening.hazard_60m[0] < 0.01


def test_days_like_today_count_more() -> None:
    rising, falling = _days(10), _days(10)[:, ::-1]
    days = np.concatenate([rising, falling])
    warm = _ask(_state(slot=140, temp=68, lo=68, hi=68, slope=2.0), days)
    cool = _ask(_state(slot=140, temp=68, lo=72, hi=72, slope=-2.0), days)
    assert warm.hazard_60m[0] > 0.8
    assert cool.hazard_60m[0] < 0.2


def test_the_effective_number_of_days_is_reached_by_widening() -> None:
    far = _ask(_state(temp=40, lo=90, hi=90, slope=9.0), _days())
    assert far.effective_days[0] >= DEFAULTS.min_effective_days - 1e-9


def test_a_day_without_a_report_at_the_slot_has_no_weight() -> None:
    days = _days()
    gappy = days.copy()
    gappy[3, AFTERNOON - 20 : AFTERNOON + 20] = np.nan
    without = np.delete(days, 3, axis=0)
    assert np.allclose(_ask(_state(), gappy).pmf, _ask(_state(), without).pmf, atol=1e-12)


def test_days_with_too_few_reports_stay_out_of_the_library() -> None:
    days = _days()
    days[0, ::3] = np.nan
    days[1, 100:] = np.nan
    assert len(Library.of(days)) == 18


def test_short_gaps_are_bridged_and_long_ones_are_not() -> None:
    day = np.full((1, SLOTS), 60.0)
    day[0, 50:] = 70.0
    gaps = day.copy()
    gaps[0, 45:55] = np.nan
    gaps[0, 100:140] = np.nan
    temp = Library.of(gaps).temp_f[0]
    assert temp[44] == 60
    assert temp[55] == 70
    assert (np.diff(temp[44:56]) > 0).all()
    assert np.isnan(temp[100:140]).all()


def test_a_slot_that_no_earlier_day_knows_gives_no_pmf() -> None:
    days = _days()
    days[:, :5] = np.nan
    said = _ask(_state(slot=2, temp=61, lo=61, hi=61), days)
    assert np.isnan(said.pmf).all()
    assert np.isnan(said.hazard_5m).all()
    assert said.effective_days[0] == 0


def test_every_time_is_answered_as_if_it_were_asked_alone() -> None:
    several = [
        _state(slot=120, temp=63, lo=63, hi=63),
        _state(slot=180, temp=71, lo=71, hi=72),
        _state(slot=250, temp=64, lo=73, hi=73, slope=-1),
    ]
    together = State(
        **{
            name: np.concatenate([getattr(state, name) for state in several])
            for name in State.__dataclass_fields__
        }
    )
    alone = np.concatenate([_ask(state, _days()).pmf for state in several])
    assert (_ask(together, _days()).pmf == alone).all()
