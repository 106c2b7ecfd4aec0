import numpy as np
import pytest

from kalshi_assets.families.temperature.filter.monte_carlo import (
    Start,
    innovations,
    simulate,
)
from kalshi_assets_tests.families.temperature.filter.exact_cases import (
    EDGES,
    day_model,
    diurnal,
    made,
)
from kalshi_assets_tests.families.temperature.filter.simulated import weighed

SOURCE = np.random.SeedSequence(20250505)


def test_the_same_seed_gives_the_same_bits_whatever_ran_before() -> None:
    model, baseline = day_model(), diurnal()
    start = {100: Start.at(62.0, 63.0, EDGES)}
    first = simulate(model, baseline, EDGES, start, SOURCE, paths=20_000)
    simulate(model, baseline, EDGES, start, np.random.SeedSequence(1), paths=3_000)
    again = simulate(model, baseline, EDGES, start, SOURCE, paths=20_000)
    assert (first.cdf == again.cdf).all()
    assert (first.hazards == again.hazards).all()


def test_oracle_12_autocovariances_follow_the_formula() -> None:
    rho, sd, paths = 0.95, 0.5, 100_000
    model = day_model(40, rho=rho, sd=sd)
    z = innovations(model, 0, paths, np.random.default_rng(1))
    residual = np.zeros((41, paths))
    for k in range(40):
        residual[k + 1] = rho * residual[k] + sd * z[k]
    for n, m in ((1, 1), (5, 5), (40, 40), (5, 10), (10, 40)):
        formula = sd**2 * rho ** (m - n) * (1 - rho ** (2 * n)) / (1 - rho**2)
        assert np.mean(residual[n] * residual[m]) == pytest.approx(formula, rel=0.03)


def test_innovations_have_unit_variance_and_no_correlation() -> None:
    model = day_model(30, rho=0.95, sd=0.5)
    z = innovations(model, 4, 16384, np.random.default_rng(2))
    assert (z[:4] == 0).all()
    assert np.cov(z[4:]) == pytest.approx(np.eye(26), abs=0.05)
    assert z[4:].mean(axis=1) == pytest.approx(np.zeros(26), abs=0.03)


def test_heavy_tails_keep_unit_variance_and_raise_the_kurtosis() -> None:
    model = day_model(20, tail_share=0.1)
    z = innovations(model, 0, 100_000, np.random.default_rng(3))
    assert z.var() == pytest.approx(1, abs=0.01)
    (narrow, wide), (most, few) = model.components()
    expected = 3 * (most * narrow**4 + few * wide**4)
    assert np.mean(z**4) == pytest.approx(expected, rel=0.03)


def test_a_running_maximum_beyond_an_edge_leaves_it_no_probability() -> None:
    start = {200: Start.at(66.0, 71.0, EDGES)}
    mc = simulate(day_model(), diurnal(), EDGES, start, SOURCE, paths=2_000)
    assert (mc.cdf[0, :3] == 0).all()
    assert mc.cdf[0, 3] > 0


def test_at_the_last_slot_nothing_can_happen_any_more() -> None:
    start = {287: Start.at(66.0, 71.0, EDGES)}
    mc = simulate(day_model(), diurnal(), EDGES, start, SOURCE, paths=1_000)
    assert mc.cdf[0].tolist() == [0, 0, 0, 1, 1]
    assert (mc.hazards == 0).all()


def test_weighed_paths_without_reports_are_the_unconditional_law() -> None:
    model, baseline = day_model(), diurnal()
    mc = weighed(model, baseline, EDGES, {}, SOURCE, paths=50_000)
    assert mc.likelihood == 1
    assert (np.abs(mc.cdf - made(model, baseline).cdf()) < 4.5 * mc.cdf_error).all()
