import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kalshi_assets.learning.calibration.kernels import pava
from kalshi_assets.learning.calibration.maps import (
    BETA,
    CELLS,
    EXPONENTS,
    FAMILIES,
    IDENTITY,
    ISOTONIC,
    KNOTS,
    LEAST,
    PLATT,
    RIDGE,
    TEMPERATURE,
    CalibrationMap,
    Family,
    Statistics,
    cumulatives,
    interpolated,
    venn_abers_band,
)
from kalshi_assets.statistics.scores import brier_score
from kalshi_assets.units import Array
from kalshi_assets_tests.learning.calibration.worlds import MORNING, forecasts, settled_day

pmfs = st.lists(st.floats(0, 1), min_size=2, max_size=8).filter(lambda x: sum(x) > 0.01)
families = st.sampled_from(list(FAMILIES.values()))


def normalised(weights: list[float]) -> Array:
    return np.array(weights) / np.sum(weights)


@st.composite
def thetas(draw: st.DrawFn, family: Family) -> Array:
    """Any parameters within the family's bounds."""
    if family is TEMPERATURE:
        return np.array([draw(st.floats(-1.2, 1.2))])
    if family is PLATT:
        return np.array([draw(st.floats(-3, 3)), draw(st.floats(0, 4))])
    if family is BETA:
        slopes = [draw(st.floats(0, 4)) for _ in range(2)]
        return np.array([*slopes, draw(st.floats(-3, 3))])
    values = draw(st.lists(st.floats(0, 1), min_size=len(KNOTS), max_size=len(KNOTS)))
    return np.sort(values)


@st.composite
def mapped(draw: st.DrawFn) -> tuple[Array, Array]:
    """A PMF before and after a map."""
    family = draw(families)
    p = normalised(draw(pmfs))
    return p, CalibrationMap(family=family, theta=draw(thetas(family)))(p)


def test_oracle_15_a_temperature_of_one_is_the_identity() -> None:
    p, _ = forecasts(20, seed=1)
    assert CalibrationMap(family=TEMPERATURE, theta=np.zeros(1))(p) == pytest.approx(p, abs=1e-14)


def test_oracle_15_pava_leaves_sorted_data_as_they_are() -> None:
    values = np.array([0.0, 0.1, 0.1, 0.4, 0.9])
    assert (pava(values, np.array([1.0, 5.0, 2.0, 0.3, 4.0])) == values).all()


def test_oracle_15_the_brier_score_of_a_constant_base_rate_is_twice_its_variance() -> None:
    rate = 0.3
    forecast = np.array([1 - rate, rate])
    expected = (1 - rate) * brier_score(forecast, 0) + rate * brier_score(forecast, 1)
    assert expected == pytest.approx(2 * rate * (1 - rate))


@settings(deadline=None)
@given(mapped())
def test_every_map_makes_a_pmf(before_and_after: tuple[Array, Array]) -> None:
    _, after = before_and_after
    assert (after >= 0).all()
    assert abs(after.sum() - 1) < 1e-12
    assert (np.diff(np.cumsum(after)) >= 0).all()


@settings(deadline=None)
@given(mapped())
def test_what_has_no_probability_gets_none(before_and_after: tuple[Array, Array]) -> None:
    before, after = before_and_after
    assert (after[before == 0] == 0).all()


@settings(deadline=None)
@given(pmfs, st.floats(-1.2, 1.2))
def test_a_temperature_keeps_the_likeliest_bracket(weights: list[float], theta: float) -> None:
    p = normalised(weights)
    after = CalibrationMap(family=TEMPERATURE, theta=np.array([theta]))(p)
    assert after[p.argmax()] == pytest.approx(after.max(), abs=1e-15)


@settings(deadline=None)
@given(pmfs, st.floats(-1.2, 1.2), st.randoms())
def test_a_temperature_does_not_see_the_order_of_brackets(
    weights: list[float], theta: float, random: st.DataObject
) -> None:
    p = normalised(weights)
    order = np.arange(len(p))
    random.shuffle(order)  # type: ignore[attr-defined]
    heat = CalibrationMap(family=TEMPERATURE, theta=np.array([theta]))
    assert heat(p[order]) == pytest.approx(heat(p)[order], abs=1e-13)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_identity_theta_changes_nothing(name: str) -> None:
    family = FAMILIES[name]
    p, _ = forecasts(20, seed=2)
    same = CalibrationMap(family=family, theta=family.identity)(p)
    assert same == pytest.approx(p, abs=1e-12)
    assert IDENTITY(p) is p


@pytest.mark.parametrize("name", FAMILIES)
def test_a_theta_per_row_does_what_each_does_alone(name: str) -> None:
    family = FAMILIES[name]
    p = forecasts(3, seed=3)[0][:, 20]
    share = np.array([0.2, 0.5, 0.9])[:, None]
    theta = share * family.identity + (1 - share) * np.linspace(0.3, 0.6, len(family.identity))
    together = family.apply(theta, p)
    for row in range(3):
        assert (together[row] == family.apply(theta[row], p[row])).all()


def test_mixing_knots_mixes_the_maps() -> None:
    p, _ = forecasts(5, seed=4)
    below, _ = cumulatives(p)
    bent = KNOTS**2
    mixture = interpolated(0.3 * bent + 0.7 * KNOTS, below)
    assert mixture == pytest.approx(0.3 * interpolated(bent, below) + 0.7 * below, abs=1e-12)


def test_cumulative_probabilities_keep_the_digits_of_both_tails() -> None:
    below, above = cumulatives(np.array([1e-20, 0.5, 0.5, 1e-20]))
    assert below[0] == above[-1] == 1e-20


def test_a_theta_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="platt takes 2 values"):
        CalibrationMap(family=PLATT, theta=np.zeros(3))


@pytest.fixture(scope="module")
def bold() -> tuple[Array, NDArray[np.int64], Statistics]:
    """PMFs of 200 mornings that are too bold, what paid, and their statistics."""
    p, winners = forecasts(200, seed=5, boldness=1.4, hours=MORNING)
    days = [settled_day(0, day, int(w), MORNING) for day, w in zip(p, winners, strict=True)]
    summed = {
        name: sum(getattr(day, name).sum(axis=0) for day in days)[None] / len(MORNING)
        for name in ("counts", "hits", "losses")
    }
    return (
        p,
        winners,
        Statistics(weight=summed["counts"], hits=summed["hits"], losses=summed["losses"]),
    )


def mean_log_loss(p: Array, winners: NDArray[np.int64]) -> float:
    return float(-np.log(p[np.arange(len(p)), :, winners]).mean())


def test_the_temperature_is_the_one_of_least_log_loss(
    bold: tuple[Array, NDArray[np.int64], Statistics],
) -> None:
    from scipy.optimize import minimize_scalar

    p, winners, statistics = bold
    exact = minimize_scalar(
        lambda t: mean_log_loss(TEMPERATURE.apply(np.array([t]), p), winners), bounds=(-1, 1)
    )
    fitted = TEMPERATURE.fit(statistics)[0]
    assert fitted[0] == pytest.approx(exact.x, abs=1e-3)
    assert fitted[0] < -0.2
    at_one = len(EXPONENTS) // 2
    assert statistics.losses[0, at_one] / 200 == pytest.approx(mean_log_loss(p, winners))


@pytest.mark.parametrize("family", [PLATT, BETA], ids=lambda f: f.name)
def test_rounding_log_odds_to_cells_hardly_moves_a_logistic_fit(
    bold: tuple[Array, NDArray[np.int64], Statistics], family: Family
) -> None:
    from scipy.optimize import minimize

    p, winners, statistics = bold
    happened = np.arange(5) >= winners[:, None, None]

    def loss(theta: Array) -> float:
        q = np.cumsum(family.apply(theta, p), axis=-1)[..., :-1]
        terms = np.where(happened, -np.log(q + 1e-300), -np.log1p(-q + 1e-300))
        penalty = RIDGE / 2 * ((theta - family.identity) ** 2).sum()
        return float(terms.sum() / len(MORNING) + penalty)

    exact = minimize(loss, family.identity, method="Nelder-Mead", options={"xatol": 1e-5})
    fitted = family.fit(statistics)[0]
    assert fitted == pytest.approx(exact.x, abs=0.02)
    assert loss(fitted) == pytest.approx(exact.fun, abs=0.02)


def test_a_slope_that_wants_to_be_negative_stays_at_zero() -> None:
    weight = np.ones((1, len(CELLS)))
    hits = np.where(CELLS < 0, 0.9, 0.1)[None]
    statistics = Statistics(weight=weight, hits=hits, losses=np.zeros((1, len(EXPONENTS))))
    assert PLATT.fit(statistics)[0, 1] == 0
    assert BETA.fit(statistics)[0, :2] == pytest.approx([0, 0])


def test_outcomes_that_are_all_foreseen_leave_the_fits_finite() -> None:
    weight = np.full((1, len(CELLS)), 5.0)
    statistics = Statistics(
        weight=weight, hits=weight * (CELLS > 0), losses=np.zeros((1, len(EXPONENTS)))
    )
    for family in (PLATT, BETA):
        theta = family.fit(statistics)
        assert np.isfinite(theta).all()
        assert np.abs(theta).max() < 50


def test_the_isotonic_map_is_isotonic_regression_between_knots(
    bold: tuple[Array, NDArray[np.int64], Statistics],
) -> None:
    from scipy.optimize import isotonic_regression

    _, _, statistics = bold
    weight, hits = at_knots(statistics)
    known = weight > 0
    level = isotonic_regression(hits[known] / weight[known], weights=weight[known]).x
    expected = np.clip(np.interp(KNOTS, KNOTS[known], level), LEAST, 1 - LEAST)
    assert ISOTONIC.fit(statistics)[0] == pytest.approx(expected, abs=1e-12)


def at_knots(statistics: Statistics) -> tuple[Array, Array]:
    """Sums over the cells nearest to each knot in arcsin sqrt p."""
    p = 1 / (1 + np.exp(-CELLS))
    distance = np.abs(np.arcsin(np.sqrt(p))[:, None] - np.arcsin(np.sqrt(KNOTS)))
    nearest = distance.argmin(axis=1)
    return tuple(
        np.bincount(nearest, x[0], len(KNOTS)) for x in (statistics.weight, statistics.hits)
    )


def test_the_venn_abers_band_is_pava_with_one_day_more(
    bold: tuple[Array, NDArray[np.int64], Statistics],
) -> None:
    from scipy.optimize import isotonic_regression

    _, _, statistics = bold
    weight, hits = at_knots(statistics)
    bands = venn_abers_band(statistics)
    for k in (0, 7, 15, 30):
        for label, band in enumerate(bands):
            more = weight + (np.arange(len(KNOTS)) == k)
            happened = hits + label * (np.arange(len(KNOTS)) == k)
            known = more > 0
            level = isotonic_regression(happened[known] / more[known], weights=more[known]).x
            assert band[0, k] == pytest.approx(level[known[:k].sum()], abs=1e-12)


def test_the_venn_abers_band_holds_the_isotonic_map_and_narrows_with_days(
    bold: tuple[Array, NDArray[np.int64], Statistics],
) -> None:
    _, _, statistics = bold
    lower, upper = venn_abers_band(statistics)
    assert (lower <= upper).all()
    assert np.diff(lower).min() > -1e-12
    assert np.diff(upper).min() > -1e-12
    tenfold = Statistics(
        weight=10 * statistics.weight, hits=10 * statistics.hits, losses=statistics.losses
    )
    narrow = venn_abers_band(tenfold)
    assert (narrow[1] - narrow[0]).mean() < 0.3 * (upper - lower).mean()


def test_without_data_the_band_is_everything() -> None:
    nothing = np.zeros((1, len(CELLS)))
    lower, upper = venn_abers_band(
        Statistics(weight=nothing, hits=nothing, losses=np.zeros((1, len(EXPONENTS))))
    )
    assert (lower == 0).all()
    assert (upper == 1).all()
