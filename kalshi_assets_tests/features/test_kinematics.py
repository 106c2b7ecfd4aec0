import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kalshi_assets.features import kinematics as k
from kalshi_assets.units import Array

# Multiples of a sixteenth: sums of them are exact, so results can be compared exactly.
prices = st.integers(1, 15).map(lambda n: n / 16)
grids = hnp.arrays(
    np.float64,
    st.tuples(st.integers(2, 6), st.integers(1, 40)),
    elements=st.one_of(prices, st.just(float("nan"))),
)

CAUSAL = {
    "velocity": lambda x: k.velocity(x, 5),
    "acceleration": lambda x: k.acceleration(x, 5),
    "logit velocity": lambda x: k.velocity(k.logit(x), 5),
    "sum": lambda x: k.trailing_sum(x, 15),
    "low": lambda x: k.trailing_extremes(x, 15)[0],
    "high": lambda x: k.trailing_extremes(x, 15)[1],
    "close location": lambda x: k.close_location(x, 15),
    "volatility": lambda x: k.realised_volatility(x, 30),
    "relative acceleration": lambda x: k.relative_acceleration(x, 3, 10),
}


@pytest.mark.parametrize("name", CAUSAL)
@given(grids, st.data())
def test_the_past_does_not_know_the_future(name: str, x: Array, data: st.DataObject) -> None:
    t = data.draw(st.integers(1, x.shape[1]))
    whole = CAUSAL[name](x)[:, :t]
    assert np.array_equal(CAUSAL[name](x[:, :t].copy()), whole, equal_nan=True)
    noise = x.copy()
    noise[:, t:] = data.draw(st.sampled_from([0.99, 0.01, float("nan")]))
    assert np.array_equal(CAUSAL[name](noise)[:, :t], whole, equal_nan=True)


@given(grids, st.integers(1, 50))
def test_sums_and_extremes_are_those_of_the_last_minutes(x: Array, minutes: int) -> None:
    low, high = k.trailing_extremes(x, minutes)
    total = k.trailing_sum(x, minutes)
    for t in range(x.shape[1]):
        window = x[:, max(0, t + 1 - minutes) : t + 1]
        assert np.array_equal(total[:, t], np.nansum(window, axis=1))
        for row, seen in enumerate(window):
            known = seen[~np.isnan(seen)]
            expected = (known.min(), known.max()) if known.size else (np.nan, np.nan)
            assert np.array_equal((low[row, t], high[row, t]), expected, equal_nan=True)


@given(grids)
def test_the_close_location_lies_between_minus_one_and_one(x: Array) -> None:
    location = k.close_location(x, 15)
    known = ~np.isnan(x)
    assert np.isnan(location[~known]).all()
    assert ((location[known] >= -1) & (location[known] <= 1)).all()


def test_velocity_is_change_per_minute_and_unknown_before_the_grid_reaches_back() -> None:
    x = np.array([[0.10, 0.10, 0.12, 0.18, 0.20, 0.30]])
    assert k.velocity(x, 1)[0].tolist() == pytest.approx(
        [np.nan, 0.0, 0.02, 0.06, 0.02, 0.10], nan_ok=True
    )
    assert k.velocity(x, 5)[0].tolist() == pytest.approx([np.nan] * 5 + [0.04], nan_ok=True)
    assert np.isnan(k.velocity(x, 15)).all()


def test_acceleration_is_the_change_of_velocity() -> None:
    x = np.array([np.arange(12.0) ** 2])
    a = k.acceleration(x, 2)[0]
    assert np.isnan(a[:4]).all()
    assert a[4:] == pytest.approx(4.0)  # velocity over 2 is 2t - 2, two minutes later 4 more


def test_a_minute_without_a_price_has_no_velocity_and_does_not_shift_the_others() -> None:
    x = np.array([[0.10, np.nan, 0.30, 0.30]])
    assert k.velocity(x, 1)[0].tolist() == pytest.approx([np.nan, np.nan, np.nan, 0.0], nan_ok=True)
    assert k.velocity(x, 2)[0, 2] == pytest.approx(0.10)


def test_the_logit_is_clipped_half_a_cent_from_the_ends() -> None:
    assert k.logit(np.array([0.0, 0.004, 0.005])).tolist() == [k.logit(np.array([0.005]))[0]] * 3
    assert k.logit(np.array([1.0]))[0] == pytest.approx(-k.logit(np.array([0.0]))[0])
    assert k.logit(np.array([0.5]))[0] == 0


def test_a_cent_at_two_cents_moves_more_in_logits_than_at_fifty() -> None:
    moved = k.velocity(k.logit(np.array([[0.02, 0.03], [0.50, 0.51]])), 1)[:, 1]
    assert moved[0] > 10 * moved[1]


def test_the_close_location_of_a_flat_line_is_zero() -> None:
    assert k.close_location(np.full((1, 20), 0.4), 15).tolist() == [[0.0] * 20]


def test_the_close_location_is_one_at_the_high_and_minus_one_at_the_low() -> None:
    x = np.array([[0.2, 0.4, 0.6, 0.3, 0.2]])
    assert k.close_location(x, 15)[0].tolist() == pytest.approx([0, 1, 1, -0.5, -1])


def test_realised_volatility_forgets_after_its_window() -> None:
    x = np.full((1, 50), 0.5)
    x[0, 10:] = 0.6
    jump = np.log(0.6 / 0.4)
    volatility = k.realised_volatility(x, 30)[0]
    assert volatility[9] == 0
    assert volatility[10:40] == pytest.approx(jump)
    assert volatility[40:] == pytest.approx(0, abs=1e-7)


def test_relative_acceleration_is_measured_against_the_neighbours() -> None:
    x = np.full((3, 30), 0.3)
    x[1, 20:] = 0.4
    score = k.relative_acceleration(x, 5, 60)
    assert score[1, 20] > 0
    assert score[0, 20] < 0
    assert score[2, 20] == score[0, 20]


def test_brackets_that_move_together_have_no_relative_acceleration() -> None:
    x = np.tile(np.linspace(0.1, 0.9, 40) ** 2, (4, 1))
    assert np.isnan(k.relative_acceleration(x)).all()


def test_an_unknown_neighbour_makes_the_score_unknown() -> None:
    rng = np.random.default_rng(0)
    x = 0.3 + rng.normal(0, 0.05, (4, 40))
    x[3] = np.nan
    score = k.relative_acceleration(x)
    assert np.isnan(score[2:]).all()
    assert not np.isnan(score[:2, -1]).any()
