"""The mixture over the bias, peaks between samples, and memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from kalshi_assets.families.temperature.bulletins.intervals import whole_f_of_whole_c
from kalshi_assets.families.temperature.filter.emission import KnownMaximum, Within
from kalshi_assets.families.temperature.filter.exact import IMPOSSIBLE, BarrierFilter, Workspace
from kalshi_assets.families.temperature.filter.mixture import MissedPeaks, MixtureFilter
from kalshi_assets.families.temperature.filter.residual_model import Grid, ResidualModel
from kalshi_assets_tests.families.temperature.filter.exact_cases import (
    EDGES,
    STEPS,
    day_model,
    diurnal,
    path,
    whole_c_reports,
)

BIASED = {"bias_sd": 2.0, "bias_nodes": 7}


def _mixture(**model) -> MixtureFilter:
    made, baseline = day_model(**{**BIASED, **model}), diurnal()
    return MixtureFilter(Grid.of(baseline, made), baseline, made, EDGES)


def test_a_mixture_of_one_node_is_the_filter() -> None:
    mixture = _mixture(bias_sd=0.0)
    alone = BarrierFilter(mixture.grid, diurnal(), mixture.model, EDGES)
    for slot, report in enumerate(whole_c_reports(path(mixture.model, diurnal(), 1))[:100]):
        for f in (mixture, alone):
            f.report(slot, report)
            f.advance(slot)
    assert (mixture.cdf() == alone.cdf()).all()
    assert mixture.log_likelihood == pytest.approx(alone.log_likelihood, abs=1e-12)


def test_before_any_report_the_nodes_have_their_prior_weights() -> None:
    mixture = _mixture()
    assert mixture.weights == pytest.approx(mixture.prior, abs=1e-12)
    assert (mixture.weights * mixture.offsets).sum() == pytest.approx(0, abs=1e-12)
    assert (mixture.weights * mixture.offsets**2).sum() == pytest.approx(4, abs=1e-9)
    assert mixture.cdf() == pytest.approx(
        sum(w * f.cdf() for w, f in zip(mixture.prior, mixture.filters, strict=True)), abs=1e-15
    )


def test_a_day_warmer_than_its_forecast_moves_the_weights_to_warm_nodes() -> None:
    mixture = _mixture()
    for slot, report in enumerate(whole_c_reports(diurnal()[:120] + 4)):
        mixture.report(slot, report)
    mixture.advance(119)
    assert (mixture.weights * mixture.offsets).sum() > 2
    blind = BarrierFilter(mixture.grid, diurnal(), day_model(), EDGES)
    for slot, report in enumerate(whole_c_reports(diurnal()[:120] + 4)):
        blind.report(slot, report)
    blind.advance(119)
    # Below the lowest edge both are nought but for what the filter no longer moves on.
    assert (mixture.cdf()[1:4] < blind.cdf()[1:4]).all()


def test_the_mean_over_all_next_reports_is_what_the_mixture_said_before() -> None:
    model, baseline = day_model(40, bias_sd=2.0), np.full(41, 66.0)
    grid, work = Grid.of(baseline, model), Workspace()
    reports = whole_c_reports(path(model, baseline + 3, 2))

    def after(slots: int) -> MixtureFilter:
        mixture = MixtureFilter(grid, baseline, model, EDGES, work)
        for slot in range(slots):
            mixture.report(slot, reports[slot])
        mixture.advance(slots - 1)
        return mixture

    now = after(20)
    said, log_likelihood, mean = now.cdf(), now.log_likelihood, np.zeros(len(EDGES))
    for c in range(10, 32):
        then = after(20)
        then.report(20, Within(*whole_f_of_whole_c(c), 0.0))
        then.advance(20)
        if np.isfinite(then.log_likelihood):
            mean += np.exp(then.log_likelihood - log_likelihood) * then.cdf()
    assert mean == pytest.approx(said, abs=1e-7)


def test_stepwise_and_whole_day_are_the_same_bits_in_a_mixture_that_reuses_memory() -> None:
    model, baseline, work = day_model(**BIASED), diurnal(), Workspace()
    grid = Grid.of(baseline, model)
    reports = whole_c_reports(path(model, baseline + 2, 6))
    stepwise = MixtureFilter(grid, baseline, model, EDGES, work)
    said, told = [], []
    for slot, report in enumerate(reports):
        stepwise.report(slot, report)
        stepwise.advance(slot)
        said.append(stepwise.cdf())
        told.append(stepwise.running_cdf())
    whole = MixtureFilter(grid, baseline, model, EDGES, work)
    for slot, report in enumerate(reports):
        whole.report(slot, report)
    whole.advance(STEPS)
    total, running = whole.cdfs()
    assert (total == np.array(said)).all()
    assert (running == np.array(told)).all()
    with pytest.raises(RuntimeError, match="given to a later one"):
        stepwise.cdf()


def test_truncated_reports_give_the_same_bits() -> None:
    model, baseline = day_model(**BIASED), diurnal()
    grid = Grid.of(baseline, model)
    reports = whole_c_reports(path(model, baseline, 7))
    full, cut = (MixtureFilter(grid, baseline, model, EDGES) for _ in range(2))
    for slot, report in enumerate(reports):
        full.report(slot, report)
        if slot <= 140:
            cut.report(slot, report)
    full.advance(STEPS)
    cut.advance(140)
    assert (cut.cdf() == full.cdfs()[0][140]).all()


def test_windows_vintages_and_hazards_reach_every_node() -> None:
    mixture = _mixture()
    mixture.report(100, Within(62, 63, 1e-3))
    mixture.advance(130)
    mixture.rebase(130, diurnal() + 1)
    mixture.window(KnownMaximum(first=110, last=150, max_f=69))
    assert mixture.head == 150
    assert all(f.head == 150 for f in mixture.filters)
    by_node = np.array([f.hazards(69.5, 1, (1, 12)) for f in mixture.filters])
    assert mixture.hazards(69.5, 1, (1, 12)) == pytest.approx(mixture.weights @ by_node, abs=1e-8)
    assert mixture.hazard(69.5, 1, 12) == pytest.approx(mixture.weights @ by_node[:, 1], abs=1e-8)
    so_far, later = mixture.staying(12)
    assert (so_far >= later - 1e-12).all()
    assert mixture.crossing(12)[2] == pytest.approx(1 - later[2] / so_far[2], abs=1e-12)


def test_a_report_that_no_node_can_explain_changes_nothing_but_the_likelihood() -> None:
    mixture, unaware = _mixture(), _mixture()
    mixture.report(10, Within(150, 151, 0.0))
    for each in (mixture, unaware):
        each.report(20, Within(60, 61, 1e-3))
        each.advance(30)
    assert mixture.cdf() == pytest.approx(unaware.cdf(), abs=1e-12)
    assert mixture.weights == pytest.approx(unaware.weights, abs=1e-12)
    assert mixture.log_likelihood == pytest.approx(unaware.log_likelihood + IMPOSSIBLE)


def test_a_node_that_explains_a_report_outweighs_all_that_cannot() -> None:
    mixture = _mixture()
    for f in mixture.filters[:-1]:
        f.report(10, Within(150, 151, 0.0))
    mixture.advance(10)
    assert mixture.weights[-1] == 1
    assert mixture.weights[:-1].sum() == 0


def test_peaks_missed_shift_mass_up_by_their_share_and_sum_to_one() -> None:
    missed = MissedPeaks((0.9, 0.1))
    known = missed.edges(EDGES)
    cdf = norm.cdf((known - 70) / 2)
    official = missed.cdf(EDGES, known, cdf)
    expected = 0.9 * norm.cdf((EDGES - 70) / 2) + 0.1 * norm.cdf((EDGES - 71) / 2)
    assert official == pytest.approx(expected, abs=1e-15)
    assert (official < norm.cdf((EDGES - 70) / 2)).all()


@given(st.lists(st.integers(0, 500), min_size=4, max_size=4))
def test_counted_shares_go_from_the_prior_to_the_frequencies(counts: list[int]) -> None:
    shares = np.array(MissedPeaks.counted(counts).shares)
    assert shares.sum() == pytest.approx(1)
    prior = np.array([0.55, 0.38, 0.06, 0.01])
    expected = (prior * 20 + counts) / (20 + sum(counts))
    assert shares == pytest.approx(expected)


def test_shares_that_do_not_sum_to_one_are_refused() -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        MissedPeaks((0.5, 0.4))


@pytest.mark.parametrize("fraction", [0.0, 0.25, 0.5, 0.75])
def test_missed_peaks_bring_five_minutes_near_the_filter_of_one_minute(fraction: float) -> None:
    sd, rho = 0.345, 0.985
    baseline = diurnal() + fraction
    rho_minute = rho ** (1 / 5)
    sd_minute = sd * np.sqrt((1 - rho_minute**2) / (1 - rho**2))
    minutes = ResidualModel(
        rho=np.full(5 * STEPS, rho_minute), sd=np.full(5 * STEPS, sd_minute), start_sd=2.0
    )
    by_minute = np.interp(np.arange(5 * STEPS + 1) / 5, np.arange(STEPS + 1), baseline)
    edges = np.arange(66.5, 77.0)
    truth = BarrierFilter(Grid.of(by_minute, minutes), by_minute, minutes, edges).cdf()
    missed = MissedPeaks.of_kappa(1.0, sd)
    known = missed.edges(edges)
    model = day_model(rho=rho, sd=sd)
    sampled = BarrierFilter(Grid.of(baseline, model), baseline, model, known).cdf()
    layered = missed.cdf(edges, known, sampled)
    raw = sampled[np.searchsorted(known, edges)]
    assert np.abs(raw - truth).max() > 0.015
    assert np.abs(layered - truth).max() < 0.004


def test_memory_stays_flat_over_hundreds_of_days() -> None:
    resource = pytest.importorskip("resource")
    work = Workspace()
    model = day_model(96, bias_sd=2.0, bias_nodes=3)

    def a_day(n: int) -> None:
        baseline = diurnal(96, mean=62 + n % 5)
        mixture = MixtureFilter(Grid.of(baseline, model), baseline, model, EDGES, work)
        for slot in range(0, 96, 12):
            mixture.report(slot, Within(60, 70, 1e-3))
        mixture.advance(96)
        mixture.cdf()

    for n in range(20):
        a_day(n)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for n in range(200):
        a_day(n)
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kb < 2048
