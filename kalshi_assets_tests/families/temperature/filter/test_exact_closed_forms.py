"""Oracles of methods, section 11, that have a formula."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from kalshi_assets.families.temperature.filter.emission import KnownMaximum, Within
from kalshi_assets.families.temperature.filter.residual_model import ResidualModel
from kalshi_assets_tests.families.temperature.filter.exact_cases import (
    EDGES,
    STEPS,
    day_model,
    diurnal,
    made,
)


@pytest.mark.parametrize("sd", [0.12, 0.345, 0.9])
def test_oracle_2_one_step_before_the_end_is_one_normal(sd: float) -> None:
    model, baseline = day_model(3, rho=0.9, sd=sd), np.array([69.0, 70.0, 70.4, 70.1])
    temp, survival = made(model, baseline, nodes_per_sd=3.0).survival(2)
    mean = baseline[3] + 0.9 * (temp - baseline[2])
    for edge, row in zip(EDGES, survival, strict=True):
        near = (temp < edge) & (temp > 60)
        assert row[near] == pytest.approx(norm.cdf((edge - mean[near]) / sd), abs=1e-8)


def test_oracle_3_without_memory_the_slots_are_independent() -> None:
    model, baseline = day_model(rho=0.0, sd=1.1, start_sd=1.5), diurnal()
    sd = np.append(1.5, model.sd)
    expected = norm.cdf((EDGES[:, None] - baseline) / sd).prod(axis=1)
    assert made(model, baseline, nodes_per_sd=3.0).cdf() == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("steps", [50, 100, 288])
def test_oracle_4_a_random_walk_has_the_reflected_law(steps: int) -> None:
    sd = 0.345
    model, baseline = day_model(steps, rho=1.0, sd=sd), np.full(steps + 1, 68.0)
    temp, survival = made(model, baseline).survival(0)
    near = (temp < 70.0) & (temp > 64)
    closed = 2 * norm.cdf((70.5 + 0.5826 * sd - temp[near]) / (sd * np.sqrt(steps))) - 1
    assert survival[2][near] == pytest.approx(closed, abs=2e-3)


def test_oracle_5_without_noise_the_maximum_is_that_of_the_baseline() -> None:
    model = day_model(24, rho=0.5, sd=0.05, start_sd=0.05)
    baseline = diurnal(24, mean=62.0, swing=9.0)
    cdf = made(model, baseline).cdf()
    assert cdf == pytest.approx(np.where(baseline.max() < EDGES, 1.0, 0.0), abs=1e-9)


def test_an_innovation_beyond_the_range_of_doubles_is_refused() -> None:
    with pytest.raises(ValueError, match="too narrow for the kernels"):
        made(day_model(24, sd=0.02, start_sd=0.3), diurnal(24))


@pytest.mark.parametrize(("reach", "error"), [(1.0, 3e-13), (100.0, 3e-13), (300.0, 5e-11)])
def test_the_exponential_of_the_rows_is_one_as_far_as_they_need(reach: float, error: float) -> None:
    from kalshi_assets.families.temperature.filter.row_kernels import exponential

    for x in np.linspace(-reach, reach, 401):
        assert exponential(x) == pytest.approx(np.exp(x), rel=error)


def test_oracle_6_two_steps_before_the_end_is_a_bivariate_normal() -> None:
    rho, sd = 0.9, 0.5
    model, baseline = day_model(4, rho=rho, sd=sd), np.array([69.0, 70.0, 70.4, 70.1, 70.9])
    temp, survival = made(model, baseline, nodes_per_sd=3.0).survival(2)
    covariance = sd**2 * np.array([[1, rho], [rho, 1 + rho**2]])
    for i in np.flatnonzero((temp > 67) & (temp < 70.4))[::3]:
        residual = temp[i] - baseline[2]
        mean = [baseline[3] + rho * residual, baseline[4] + rho**2 * residual]
        joint = multivariate_normal(mean, covariance).cdf([70.5, 70.5])
        assert survival[2][i] == pytest.approx(joint, abs=1e-7)


def test_oracle_11_the_five_minute_hazard_is_one_step_forward() -> None:
    model, baseline = day_model(), diurnal()
    f = made(model, baseline, nodes_per_sd=3.0)
    f.report(170, Within(70, 71, 1e-3))
    f.advance(170)
    temp, mass = f.paths()
    mean = baseline[171] + 0.985 * (temp - baseline[170])
    above = (mass[-1] * norm.sf((71.5 - mean) / 0.345)).sum()
    assert f.hazard(71.5, 0, 1) == pytest.approx(above, abs=1e-8)


def test_oracle_window_without_memory_the_maximum_of_a_window_is_a_difference_of_products() -> None:
    model, baseline = day_model(20, rho=0.0, sd=1.1), np.full(21, 68.0)
    f = made(model, baseline, nodes_per_sd=3.0)
    f.window(KnownMaximum(first=5, last=10, max_f=69, eps=0.0))
    below = norm.cdf((np.array([68.5, 69.5]) - 68) / 1.1) ** 6
    assert np.exp(f.log_likelihood) == pytest.approx(below[1] - below[0], abs=1e-9)
    edges_within = np.minimum(EDGES, 69.5)
    within = norm.cdf((edges_within - 68) / 1.1) ** 6 - below[0]
    others = norm.cdf((EDGES - 68) / 2.0) * norm.cdf((EDGES - 68) / 1.1) ** 14
    expected = others * within.clip(0) / (below[1] - below[0])
    assert f.cdf() == pytest.approx(expected, abs=1e-8)


def test_oracle_window_of_one_slot_is_a_report_of_that_degree() -> None:
    model, baseline = day_model(), diurnal()
    by_window, by_report = made(model, baseline), made(model, baseline)
    by_window.window(KnownMaximum(first=150, last=150, max_f=69, eps=1e-5))
    by_report.report(150, Within(69, 69, 1e-5))
    by_report.advance(150)
    assert by_window.cdf() == pytest.approx(by_report.cdf(), abs=1e-12)
    assert by_window.log_likelihood == pytest.approx(by_report.log_likelihood, abs=1e-9)


def test_a_new_forecast_without_memory_changes_the_slots_behind_it_alone() -> None:
    model, old = day_model(40, rho=0.0, sd=1.1), np.full(41, 66.0)
    new = old + 3.0
    f = made(model, old, nodes_per_sd=3.0, vintages=new)
    f.advance(20)
    f.rebase(20, new)
    sd = np.append(2.0, model.sd)
    followed = np.where(np.arange(41) <= 20, old, new)
    expected = norm.cdf((EDGES[:, None] - followed) / sd).prod(axis=1)
    assert f.cdf() == pytest.approx(expected, abs=1e-8)


def test_a_new_forecast_keeps_the_temperature_so_a_random_walk_ignores_its_level() -> None:
    model, baseline = day_model(60, rho=1.0), np.full(61, 67.0)
    f = made(model, baseline, vintages=baseline + 4)
    f.report(30, Within(67, 68, 1e-3))
    f.advance(30)
    before = f.cdf()
    f.rebase(30, baseline + 4)
    assert f.cdf() == pytest.approx(before, abs=1e-12)


def test_steps_of_different_widths_use_different_grids_and_agree_with_a_fine_one() -> None:
    sd = 0.32 + 0.2 * np.sin(2 * np.pi * np.arange(STEPS) / STEPS)
    model = ResidualModel(rho=np.full(STEPS, 0.985), sd=sd, start_sd=2.0)
    coarse, fine = made(model, diurnal()), made(model, diurnal(), nodes_per_sd=3.5)
    assert len(set(coarse.grid.q)) > 5
    for f in (coarse, fine):
        f.report(150, Within(66, 68, 1e-3))
        f.advance(160)
    assert coarse.cdf() == pytest.approx(fine.cdf(), abs=2e-6)
