"""What the filter must hold for any parameters: identities, order of reports, robustness."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_assets.families.temperature.bulletins.intervals import whole_f_of_whole_c
from kalshi_assets.families.temperature.filter.emission import (
    KnownMaximum,
    Near,
    Within,
    disjoint,
    emission,
)
from kalshi_assets.families.temperature.filter.exact import IMPOSSIBLE, BarrierFilter, Workspace
from kalshi_assets.families.temperature.filter.residual_model import Grid, ResidualModel
from kalshi_assets.units import Array
from kalshi_assets_tests.families.temperature.filter.exact_cases import (
    EDGES,
    day_model,
    days,
    diurnal,
    made,
    path,
    whole_c_reports,
)

QUICK = settings(max_examples=40, deadline=None)


@QUICK
@given(days(), st.lists(st.tuples(st.integers(0, 12), st.integers(64, 72)), max_size=4))
def test_oracle_7_forward_equals_backward(
    day: tuple[ResidualModel, Array], reports: list[tuple[int, int]]
) -> None:
    f = made(*day)
    for slot, degree in reports:
        f.report(slot, Within(degree, degree + 1, 1e-2))
    last = max((slot for slot, _ in reports), default=0)
    f.advance(last)
    backward = f.cdf()
    f.advance(12)
    assert f.running_cdf() == pytest.approx(backward, abs=1e-8)


@QUICK
@given(days(), st.integers(0, 11), st.integers(64, 72))
def test_oracle_8_the_mean_over_all_next_reports_is_what_was_said_before(
    day: tuple[ResidualModel, Array], slot: int, degree: int
) -> None:
    model, baseline = day
    grid = Grid.of(baseline, model)
    now = BarrierFilter(grid, baseline, model, EDGES)
    now.report(slot, Near(degree))
    now.advance(slot)
    mean, mass = np.zeros(len(EDGES)), 0.0
    for c in range((grid.lo - 32) * 5 // 9 - 1, (grid.hi - 32) * 5 // 9 + 2):
        then = BarrierFilter(grid, baseline, model, EDGES)
        then.report(slot, Near(degree))
        then.report(slot + 1, Within(*whole_f_of_whole_c(c), 0.0))
        then.advance(slot + 1)
        probability = np.exp(then.log_likelihood - now.log_likelihood)
        mean += probability * then.cdf()
        mass += probability
    assert mass == pytest.approx(1, abs=1e-7)
    assert mean == pytest.approx(now.cdf(), abs=1e-7)


@QUICK
@given(days(), st.integers(0, 12), st.integers(64, 72))
def test_oracle_8_and_9_the_cdf_rises_with_the_edge_and_brackets_sum_to_one(
    day: tuple[ResidualModel, Array], slot: int, degree: int
) -> None:
    f = made(*day)
    f.report(slot, Within(degree, degree, 1e-3))
    f.advance(slot)
    whole, so_far = f.cdf(), f.running_cdf()
    assert (np.diff(whole) >= -1e-12).all()
    assert (whole <= so_far + 1e-12).all()
    assert (whole >= 0).all()
    assert (whole <= 1 + 1e-9).all()
    assert np.diff(whole, prepend=0.0, append=1.0).sum() == pytest.approx(1, abs=1e-12)


def test_oracle_9_a_report_certain_of_a_degree_kills_every_bracket_below() -> None:
    f = made(day_model(), diurnal())
    f.report(150, Within(71, 71, 0.0))
    f.advance(150)
    assert (f.cdf()[:3] == 0).all()
    assert f.cdf()[3] > 0


@pytest.mark.parametrize("shift", [-7, 1, 25])
def test_oracle_9_a_shift_of_all_temperatures_by_whole_degrees_changes_nothing(shift: int) -> None:
    model, baseline = day_model(), diurnal()
    said = []
    for by in (0, shift):
        f = made(model, baseline + by, EDGES + by)
        for slot, r in enumerate(whole_c_reports(path(model, baseline, 1))[:150]):
            f.report(slot, Within(r.lo_f + by, r.hi_f + by, r.eps))
        f.advance(150)
        said.append(f.cdf())
    assert said[0] == pytest.approx(said[1], abs=1e-10)


def test_stepwise_and_whole_day_are_the_same_bits() -> None:
    model, baseline = day_model(tail_share=0.1), diurnal()
    reports = whole_c_reports(path(model, baseline, 2))
    whole = made(model, baseline)
    for slot, report in enumerate(reports):
        whole.report(slot, report)
    whole.advance(len(reports) - 1)
    total, running = whole.cdfs()
    stepwise = made(model, baseline)
    for slot, report in enumerate(reports):
        stepwise.report(slot, report)
        stepwise.advance(slot)
        assert (stepwise.cdf() == total[slot]).all()
        assert (stepwise.running_cdf() == running[slot]).all()
        assert stepwise.log_likelihood == whole.log_likelihoods()[slot]


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(0, 60, 5)), st.permutations(range(2)))
def test_late_reports_in_any_order_are_the_same_bits_as_in_order(
    order: list[int], windows: list[int]
) -> None:
    model, baseline = day_model(60), np.full(61, 68.0)
    reports = whole_c_reports(path(model, baseline, 3))
    known = [
        KnownMaximum(first=8, last=22, max_f=69),
        KnownMaximum(first=23, last=41, max_f=70),
    ]
    in_order, late = made(model, baseline), made(model, baseline)
    for slot in sorted(order):
        in_order.report(slot, reports[slot])
    in_order.window(known[0])
    in_order.window(known[1])
    late.window(known[windows[0]])
    for slot in order:
        late.advance(slot)
        late.report(slot, reports[slot])
    late.window(known[windows[1]])
    for f in (in_order, late):
        f.advance(60)
    assert (late.cdf() == in_order.cdf()).all()
    assert late.log_likelihood == in_order.log_likelihood


def test_a_new_forecast_that_says_the_same_changes_no_bit() -> None:
    model, baseline = day_model(), diurnal()
    f = made(model, baseline)
    f.report(100, Within(60, 61, 1e-3))
    f.advance(120)
    before = f.cdf()
    for slot in (0, 60, 120, 200):
        f.rebase(slot, baseline)
        assert (f.cdf() == before).all()


@pytest.mark.parametrize("head", [100, 140, 180])
def test_a_new_forecast_is_the_same_bits_before_and_after_its_reports(head: int) -> None:
    model, baseline = day_model(), diurnal()
    new = baseline + np.linspace(0, 4, len(baseline))
    first, later = (made(model, baseline, vintages=new) for _ in range(2))
    first.advance(100)
    first.rebase(140, new)
    for f in (first, later):
        f.report(120, Within(62, 63, 1e-3))
        f.report(160, Within(66, 67, 1e-3))
        f.advance(head)
    later.rebase(140, new)
    for f in (first, later):
        f.advance(180)
    assert (first.cdf() == later.cdf()).all()


def test_an_absurd_value_is_survived() -> None:
    model, baseline = day_model(), diurnal()
    reports = whole_c_reports(path(model, baseline, 4))
    absurd, sane = made(model, baseline), made(model, baseline)
    for slot in range(150):
        sane.report(slot, reports[slot])
        absurd.report(slot, Within(86, 87, 1e-3) if slot == 100 else reports[slot])
    for f in (absurd, sane):
        f.advance(149)
    assert np.isfinite(absurd.log_likelihood)
    assert absurd.cdf() == pytest.approx(sane.cdf(), abs=0.02)
    assert absurd.log_likelihood < sane.log_likelihood - 5


def test_a_day_far_from_a_forecast_that_was_sure_of_itself_is_followed() -> None:
    model, baseline = day_model(start_sd=1.0, sd=0.25, rho=0.97), diurnal()
    temps = baseline + 10
    f = made(model, baseline)
    for slot, report in enumerate(whole_c_reports(temps[:160])):
        f.report(slot, report)
    f.advance(159)
    temp, mass = f.paths()
    assert (temp * mass[-1]).sum() == pytest.approx(temps[159], abs=1.0)
    assert f.cdf()[-1] < 1e-3


def test_an_absurd_maximum_of_a_window_is_survived() -> None:
    model, baseline = day_model(), diurnal()
    f, sane = made(model, baseline), made(model, baseline)
    for slot, report in enumerate(whole_c_reports(path(model, baseline, 4))[:200]):
        f.report(slot, report)
        sane.report(slot, report)
    f.window(KnownMaximum(first=120, last=190, max_f=95))
    for each in (f, sane):
        each.advance(199)
    assert np.isfinite(f.log_likelihood)
    assert f.cdf() == pytest.approx(sane.cdf(), abs=1e-6)


def test_reports_that_no_path_agrees_with_are_left_out_at_a_price() -> None:
    model, baseline = day_model(), diurnal()
    f, unaware = made(model, baseline), made(model, baseline)
    for slot, report in enumerate(whole_c_reports(path(model, baseline, 4))[:40]):
        f.report(slot, report)
        if slot != 10:
            unaware.report(slot, report)
    f.report(10, Within(150, 151, 0.0))
    for each in (f, unaware):
        each.advance(39)
    for one, other in zip(f.cdfs(), unaware.cdfs(), strict=True):
        assert np.array_equal(one, other)
    told, without = f.log_likelihoods(), unaware.log_likelihoods()
    assert np.array_equal(told[:10], without[:10])
    assert told[10:] == pytest.approx(without[10:] + IMPOSSIBLE, abs=1e-9)


@pytest.mark.parametrize("slot", [0, 1, 12])
def test_what_is_left_out_does_not_depend_on_how_far_the_filter_is_brought_at_once(
    slot: int,
) -> None:
    f, stepwise = (made(day_model(), diurnal()) for _ in range(2))
    for each in (f, stepwise):
        each.report(slot, Within(150, 151, 0.0))
        each.report(20, Within(-90, -89, 0.0))
    f.advance(30)
    for k in range(31):
        stepwise.advance(k)
    assert np.array_equal(f.cdfs()[0], stepwise.cdfs()[0])
    assert f.log_likelihood == stepwise.log_likelihood
    assert f.log_likelihood == pytest.approx(2 * IMPOSSIBLE, abs=1e-6)


def test_where_no_path_reaches_the_grid_the_prior_begins_anew_below_what_was_not_passed() -> None:
    model, slots = day_model(40), np.arange(41)
    jump = np.where(slots < 20, 60.0, 110.0)
    held = tuple((40, 80) if k < 20 else (90, 130) for k in slots)
    f = BarrierFilter(replace(Grid.of(jump, model), lo=40, hi=130, held=held), jump, model, EDGES)
    f.advance(19)
    passed = 1 - f.running_cdf()
    # The forecast is withdrawn, and the grid holds nothing of what follows.
    f.rebase(19, np.full(41, 60.0))
    f.advance(40)
    assert np.isfinite(f.log_likelihood)
    assert f.log_likelihood <= IMPOSSIBLE
    assert f.paths()[1][-1].sum() == pytest.approx(1)
    assert (1 - f.running_cdf() >= passed).all()


def test_a_prior_that_lies_off_the_grid_begins_anywhere_on_it_and_reports_are_believed() -> None:
    model, there = day_model(40), np.full(41, 60.0)
    held = ((40, 80),) * 41
    f = BarrierFilter(
        replace(Grid.of(there, model), lo=40, hi=80, held=held), there + 99, model, EDGES
    )
    assert f.log_likelihood == IMPOSSIBLE
    for k in range(5):
        f.report(k, Within(61, 61, 1e-5))
    f.advance(4)
    temp, mass = f.paths()
    assert (temp * mass[-1]).sum() == pytest.approx(61, abs=1)


@pytest.mark.parametrize("eps", [0.0, 1e-5])
def test_a_window_over_reports_that_are_left_out_and_one_that_none_agrees_with(eps: float) -> None:
    f = made(day_model(), diurnal())
    f.report(12, Within(150, 151, 0.0))
    f.window(KnownMaximum(first=10, last=20, max_f=60, eps=eps))
    f.advance(30)
    assert np.isfinite(f.log_likelihood)
    assert f.log_likelihood < IMPOSSIBLE
    assert f.paths()[1][-1].sum() == pytest.approx(1)


def test_an_interpolated_value_says_less_than_an_exact_one() -> None:
    model, baseline = day_model(), diurnal()
    spreads = []
    for kind in ("interp", "whole_c", "tgroup"):
        f = made(model, baseline)
        f.report(150, emission(kind, 68, 68 + (kind == "whole_c"), 68.2))
        f.advance(150)
        temp, mass = f.paths()
        mean = (temp * mass[-1]).sum()
        spreads.append(np.sqrt((mass[-1] * (temp - mean) ** 2).sum()))
    assert spreads[0] > spreads[1] > spreads[2]


def test_hazards_of_both_horizons_and_a_lead_come_from_one_sweep() -> None:
    model, baseline = day_model(), diurnal()
    f = made(model, baseline)
    f.report(150, Within(69, 70, 1e-3))
    f.advance(150)
    both = f.hazards(70.5, 2, (1, 12))
    assert both[0] == pytest.approx(f.hazard(70.5, 2, 1), abs=1e-12)
    assert both[1] == pytest.approx(f.hazard(70.5, 2, 12), abs=1e-12)
    later = made(model, baseline)
    later.report(150, Within(69, 70, 1e-3))
    later.advance(152)
    assert later.hazards(70.5, 0, (1, 12)) == pytest.approx(both, abs=1e-10)


@QUICK
@given(days(), st.integers(0, 12), st.integers(1, 12))
def test_the_hazard_is_the_mass_that_a_barrier_from_now_on_loses(
    day: tuple[ResidualModel, Array], slot: int, horizon: int
) -> None:
    f = made(*day)
    f.advance(slot)
    f._state(slot)[:] = f.paths()[1][-1]
    _, later = f.staying(horizon)
    reaching = 1 - later[2] if slot < 12 else 0.0
    assert f.hazard(70.5, 0, horizon) == pytest.approx(reaching, abs=1e-11)


def test_the_day_ends_so_a_hazard_at_its_last_slot_is_zero() -> None:
    f = made(day_model(), diurnal())
    f.advance(287)
    assert (f.hazards(60.5, 0, (1, 12)) == 0).all()


def test_crossing_is_conditional_on_not_having_crossed() -> None:
    f = made(day_model(), diurnal())
    f.report(140, Within(69, 70, 0.0))
    f.advance(150)
    crossing = f.crossing(12)
    assert (crossing[:2] == 1).all()
    assert 0 < crossing[3] < crossing[2] < 1
    assert f.crossing(0)[2:] == pytest.approx(np.zeros(3), abs=1e-12)
    assert f.crossing(1000)[2:] == pytest.approx(1 - f.cdf()[2:] / f.running_cdf()[2:], abs=1e-9)


def test_a_report_of_every_slot_and_the_maximum_agree_about_the_running_maximum() -> None:
    model, baseline = day_model(), diurnal()
    temps = path(model, baseline, 5)
    f = made(model, baseline)
    for slot, temp in enumerate(temps):
        degree = int(np.floor(temp + 0.5))
        f.report(slot, Within(degree, degree, 1e-5))
    f.advance(287)
    assert f.running_cdf() == pytest.approx((temps.max() < EDGES).astype(float), abs=5e-3)
    assert f.running_cdf() == pytest.approx(f.cdf(), abs=1e-12)


def test_an_under_resolved_grid_is_refused() -> None:
    model, baseline = day_model(sd=0.2), diurnal()
    with pytest.raises(ValueError, match="slot 0 are too few for a width"):
        BarrierFilter(Grid(30, 90, (9,) * 288), baseline, model, EDGES)


def test_a_grid_for_another_day_is_refused() -> None:
    model, baseline = day_model(), diurnal()
    grid = Grid.of(baseline, model)
    with pytest.raises(ValueError, match="leaves the grid"):
        BarrierFilter(grid, baseline + 60, model, EDGES)
    with pytest.raises(ValueError, match="has shape"):
        BarrierFilter(grid, baseline[:-1], model, EDGES)


@pytest.mark.parametrize(
    ("edges", "says"), [([70.0], "not a half-integer"), ([70.5, 68.5], "must ascend"), ([], "must")]
)
def test_edges_that_are_no_half_integers_in_order_are_refused(edges: list, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        made(day_model(), diurnal(), np.array(edges))


def test_a_filter_whose_memory_was_given_away_says_so() -> None:
    model, baseline, work = day_model(), diurnal(), Workspace()
    grid = Grid.of(baseline, model)
    first = BarrierFilter(grid, baseline, model, EDGES, work)
    said = first.cdf()
    second = BarrierFilter(grid, baseline, model, EDGES, work)
    with pytest.raises(RuntimeError, match="given to a later one"):
        first.cdf()
    assert (second.cdf() == said).all()


@pytest.mark.parametrize("field", ["start_sd", "tail_share", "rho"])
def test_a_model_that_is_no_model_is_refused(field: str) -> None:
    wrong = {"start_sd": 0.0, "tail_share": 1.0, "rho": 1.1}
    with pytest.raises(ValueError, match="must"):
        day_model(**{field: wrong[field]})


def test_maxima_so_far_become_windows_that_follow_each_other() -> None:
    so_far = [
        KnownMaximum(first=0, last=last, max_f=n) for last, n in ((60, 70), (90, 70), (120, 73))
    ]
    pieces = [(w.first, w.last, w.max_f, w.reached) for w in disjoint(so_far)]
    assert pieces == [(0, 60, 70, True), (61, 90, 70, False), (91, 120, 73, True)]


def test_a_lesser_maximum_bounds_the_overlap_and_the_greater_was_reached_outside() -> None:
    known = [KnownMaximum(first=0, last=80, max_f=75), KnownMaximum(first=60, last=130, max_f=72)]
    pieces = [(w.first, w.last, w.max_f, w.reached) for w in disjoint(known)]
    assert pieces == [(0, 59, 75, True), (60, 130, 72, True)]


WINDOWS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted), min_size=1, max_size=4
)


@given(WINDOWS, st.lists(st.integers(60, 64), min_size=41, max_size=41))
def test_windows_made_disjoint_are_true_of_the_path_that_they_describe(
    bounds: list[list[int]], degrees: list[int]
) -> None:
    known = [KnownMaximum(first=a, last=b, max_f=max(degrees[a : b + 1])) for a, b in bounds]
    pieces = disjoint(known)
    covered = [k for w in pieces for k in range(w.first, w.last + 1)]
    assert covered == sorted({k for a, b in bounds for k in range(a, b + 1)})
    for w in pieces:
        most = max(degrees[w.first : w.last + 1])
        assert most == w.max_f if w.reached else most <= w.max_f
