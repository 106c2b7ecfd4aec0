"""Oracle 10: the exact filter against simulated paths, and against paths weighed by reports."""

import numpy as np
import pytest

from kalshi_assets.families.temperature.filter.emission import KnownMaximum, Near, Within
from kalshi_assets.families.temperature.filter.exact import BarrierFilter
from kalshi_assets.families.temperature.filter.mixture import MixtureFilter
from kalshi_assets.families.temperature.filter.monte_carlo import (
    Start,
    simulate,
)
from kalshi_assets.families.temperature.filter.residual_model import Grid, ResidualModel
from kalshi_assets.units import Array
from kalshi_assets_tests.families.temperature.filter.exact_cases import (
    EDGES,
    STEPS,
    day_model,
    diurnal,
    made,
    path,
    whole_c_reports,
)
from kalshi_assets_tests.families.temperature.filter.simulated import Weighed, from_state, weighed

SOURCE = np.random.SeedSequence((10_521_164_561_793_790_570, 739617, 0))
NIGHTS_CALM = 0.3 + 0.15 * np.sin(2 * np.pi * (np.arange(STEPS) / STEPS - 0.33))
CASES = {
    "usual": (day_model(), diurnal()),
    "short memory": (day_model(rho=0.9, sd=0.8), diurnal()),
    "random walk": (day_model(rho=1.0, sd=0.2), diurnal(swing=6.0, mean=65.0)),
    "calm nights": (
        ResidualModel(rho=np.full(STEPS, 0.98), sd=NIGHTS_CALM, start_sd=1.5),
        diurnal(),
    ),
    "falling all day": (day_model(), np.linspace(70.0, 50.0, STEPS + 1)),
    "heavy tails": (day_model(tail_share=0.1), diurnal()),
}


def _z(estimate: Array, error: Array, exact: Array) -> Array:
    undecided = (exact > 1e-3) & (exact < 1 - 1e-3)
    return (estimate - exact)[undecided] / error[undecided]


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_oracle_10_the_day_from_every_second_hour_agrees_with_a_million_paths(name: str) -> None:
    model, baseline = CASES[name]
    reports = whole_c_reports(path(model, baseline, 11))
    f = made(model, baseline)
    starts, exact, hazards, high = {}, [], [], []
    for slot in range(288):
        f.report(slot, reports[slot])
        if slot % 24 == 0:
            f.advance(slot)
            starts[slot] = Start.of(f)
            exact.append(f.cdf())
            high.append(max(r.hi_f for r in reports[: slot + 1]) + 0.5)
            hazards.append(f.hazards(high[-1], 0, (1, 12)))
    mc = simulate(model, baseline, EDGES, starts, SOURCE, paths=1_000_000, new_high=high)
    z = np.concatenate(
        [
            _z(mc.cdf, mc.cdf_error, np.array(exact)),
            _z(mc.hazards, mc.hazards_error, np.array(hazards)),
        ]
    )
    assert len(z) > 3
    assert np.abs(z).max() < 4.5
    assert np.abs(mc.cdf - np.array(exact)).max() < 3e-3


def _agrees(exact: Array, log_likelihood: float, mc: Weighed) -> None:
    z = _z(mc.cdf, mc.cdf_error, exact)
    assert len(z) > 0
    assert np.abs(z).max() < 4.5
    assert abs(np.exp(log_likelihood) - mc.likelihood) < 4.5 * mc.likelihood_error


REPORTS = {
    "intervals, by rejection": {100: Within(62, 63, 0.0), 150: Within(71, 73, 0.0)},
    "robust intervals": {100: Within(59, 64, 0.1), 150: Within(76, 77, 0.1)},
    "interpolated values": {90: Near(61.3), 170: Near(71.8)},
}


@pytest.mark.parametrize("name", REPORTS)
def test_cdf_and_likelihood_given_reports_agree_with_weighed_paths(name: str) -> None:
    model, baseline = day_model(), diurnal()
    f = made(model, baseline)
    for slot, report in REPORTS[name].items():
        f.report(slot, report)
    f.advance(STEPS)
    mc = weighed(model, baseline, EDGES, REPORTS[name], SOURCE, paths=100_000)
    _agrees(f.cdf(), f.log_likelihood, mc)


@pytest.mark.parametrize(
    "known",
    [
        [KnownMaximum(first=140, last=190, max_f=72, eps=0.0)],
        [KnownMaximum(first=120, last=180, max_f=71, eps=0.05)],
        [KnownMaximum(first=120, last=180, max_f=71, reached=False, eps=0.0)],
        [
            KnownMaximum(first=0, last=150, max_f=70, eps=0.0),
            KnownMaximum(first=0, last=190, max_f=72, eps=0.0),
        ],
        [
            KnownMaximum(first=100, last=160, max_f=71, eps=0.0),
            KnownMaximum(first=155, last=170, max_f=70, eps=0.0),
        ],
    ],
)
def test_oracle_window_a_known_maximum_agrees_with_weighed_paths(
    known: list[KnownMaximum],
) -> None:
    model, baseline = day_model(), diurnal()
    reports = {130: Within(66, 69, 0.0)}
    f = made(model, baseline)
    for slot, report in reports.items():
        f.report(slot, report)
    for window in known:
        f.window(window)
    mc = weighed(model, baseline, EDGES, reports, SOURCE, known=known, paths=150_000)
    _agrees(f.cdf(), f.log_likelihood, mc)


def test_the_bias_mixture_agrees_with_weighed_paths() -> None:
    model, baseline = day_model(bias_sd=2.0), diurnal()
    reports = {80: Within(58, 61, 0.0), 130: Within(69, 72, 0.0)}
    f = MixtureFilter(Grid.of(baseline, model), baseline, model, EDGES)
    for slot, report in reports.items():
        f.report(slot, report)
    f.advance(STEPS)
    mc = weighed(model, baseline, EDGES, reports, SOURCE, paths=200_000)
    _agrees(f.cdf(), f.log_likelihood, mc)


def test_the_tail_mixture_agrees_with_weighed_paths() -> None:
    model, baseline = day_model(tail_share=0.1, sd=0.5), diurnal()
    reports = {130: Within(67, 69, 0.01), 134: Within(70, 71, 0.01)}
    f = made(model, baseline)
    for slot, report in reports.items():
        f.report(slot, report)
    f.advance(STEPS)
    _agrees(f.cdf(), f.log_likelihood, weighed(model, baseline, EDGES, reports, SOURCE))


def test_crossing_within_an_hour_agrees_with_paths() -> None:
    model, baseline = day_model(), diurnal()
    f = made(model, baseline)
    f.report(150, Within(69, 70, 1e-3))
    f.advance(150)
    hour = ResidualModel(rho=model.rho[:162], sd=model.sd[:162], start_sd=2.0)
    start = Start.of(f)
    mc = simulate(hour, baseline[:163], EDGES, {150: start}, SOURCE, paths=400_000)
    _, later = f.staying(12)
    assert np.abs(_z(mc.cdf[0], mc.cdf_error[0], later)).max() < 4.5


def test_start_of_a_filter_and_start_at_a_temperature_are_the_same_where_it_is_known() -> None:
    model, baseline = day_model(), diurnal()
    grid = Grid.of(baseline, model)
    f = BarrierFilter(grid, baseline, model, EDGES)
    temp, _ = grid.nodes(150)
    node = int(np.abs(temp - 69.1).argmin())
    f.report(150, np.eye(len(temp))[node])
    f.advance(150)
    mc = simulate(model, baseline, EDGES, {150: Start.at(float(temp[node]), 0.0, EDGES)}, SOURCE)
    survival = f.survival(150)[1][:, node]
    assert np.abs(_z(mc.cdf[0], mc.cdf_error[0], survival)).max() < 4.5


def test_the_mixture_and_paths_from_its_state_agree() -> None:
    model, baseline = day_model(bias_sd=2.0), diurnal()
    reports = whole_c_reports(path(model, baseline + 2, 12))
    f = MixtureFilter(Grid.of(baseline, model), baseline, model, EDGES)
    for slot in range(140):
        f.report(slot, reports[slot])
    f.advance(141)
    high = max(r.hi_f for r in reports[:140]) + 0.5
    mc = from_state(f, SOURCE, new_high=high, paths=32_768)
    z = np.concatenate(
        [
            _z(mc.cdf[0], mc.cdf_error[0], f.cdf()),
            _z(mc.hazards[0], mc.hazards_error[0], f.hazards(high, 0, (1, 12))),
        ]
    )
    assert len(z) > 3
    assert np.abs(z).max() < 4.5


def test_hazards_after_a_lead_leave_out_what_happens_before_it() -> None:
    model, baseline = day_model(), diurnal()
    f = made(model, baseline)
    for slot, report in enumerate(whole_c_reports(path(model, baseline, 12))[:200]):
        f.report(slot, report)
    f.advance(200)
    high, lead = 71.5, 6
    mc = from_state(f, SOURCE, new_high=high, paths=32_768, lead=lead)
    from_now = from_state(f, SOURCE, new_high=high, paths=32_768, horizons=(lead + 1, lead + 12))
    exact = f.hazards(high, lead, (1, 12))
    assert np.abs(_z(mc.hazards[0], mc.hazards_error[0], exact)).max() < 4.5
    assert (mc.cdf == from_now.cdf).all()
    assert (mc.hazards < from_now.hazards).all()
    near_midnight = simulate(
        model, baseline, EDGES, {285: Start.at(66.0, 66.0, EDGES)}, SOURCE, paths=2_000, lead=2
    )
    assert (near_midnight.hazards == 0).all()
