import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.learning.classifiers.baseline import (
    MARKET,
    Baseline,
    baseline_of,
    daily_cross_entropy,
    probabilities,
    softmax,
)
from kalshi_assets.learning.classifiers.targets import (
    TARGETS,
    Prices,
    Sample,
    labelled,
    sample,
    training_rows,
)
from kalshi_assets_tests.learning.classifiers.days import BRACKETS, DAY, FEATURES, LATER, history

BY_NAME = {target.name: target for target in TARGETS}


def sample_of(name: str, skill: float = 0.0) -> Sample:
    days = history(DAY, n=20, skill=skill)
    rows = training_rows(days, list(days), FEATURES, LATER)
    return sample(BY_NAME[name], labelled(BY_NAME[name], rows), FEATURES)


@given(st.lists(st.lists(st.floats(-700, 700), min_size=1, max_size=9), min_size=1, max_size=5))
def test_winner_probabilities_sum_to_one_in_every_minute_of_any_size(minutes: list) -> None:
    sizes = [len(minute) for minute in minutes]
    starts = np.cumsum([0, *sizes[:-1]])
    p = softmax(np.concatenate(minutes), starts)
    assert np.add.reduceat(p, starts) == pytest.approx(np.ones(len(minutes)))
    assert (p >= 0).all()


def test_the_baseline_of_who_is_paid_is_the_market_itself() -> None:
    paid = sample_of("pays")
    assert baseline_of(BY_NAME["pays"], paid) == MARKET
    score = MARKET.score(paid.prices)
    p = probabilities(BY_NAME["pays"], score, paid.starts)
    assert p == pytest.approx(np.exp(paid.prices.log_price), rel=1e-3)


def test_the_baseline_of_a_direction_is_the_base_rate_with_days_weighing_the_same() -> None:
    moves = sample_of("move_1m")
    baseline = baseline_of(BY_NAME["move_1m"], moves)
    assert 1 / (1 + np.exp(-baseline.intercept)) == pytest.approx(moves.y.mean())


def test_the_baseline_of_the_leader_knows_that_leaders_stay() -> None:
    """Against the market's probability alone, persistence would pass for skill."""
    days = {
        day: rows.with_columns(y_win_1m=pl.col("ask_cc") == pl.col("ask_cc").max().over("minute"))
        for day, rows in history(DAY, n=20).items()
    }
    target = BY_NAME["lead_1m"]
    rows = sample(
        target, labelled(target, training_rows(days, list(days), FEATURES, LATER)), FEATURES
    )
    fitted = baseline_of(target, rows)
    losses = {}
    for name, baseline in (("market", MARKET), ("fitted", fitted)):
        p = probabilities(target, baseline.score(rows.prices), rows.starts)
        losses[name] = daily_cross_entropy(target, p, rows.y, rows.day).mean()
    assert losses["fitted"] < 0.05 < losses["market"]


def test_where_prices_are_honest_the_leader_baseline_is_the_market() -> None:
    fitted = baseline_of(BY_NAME["lead_1m"], sample_of("lead_1m"))
    assert fitted.slope == pytest.approx(1, abs=0.3)
    assert fitted.leader_bonus == pytest.approx(0, abs=0.3)
    assert fitted.position_bonus == pytest.approx((0,) * BRACKETS, abs=0.1)


def test_what_is_true_of_a_position_on_any_day_the_leader_baseline_knows() -> None:
    """Labels exchanged between days keep how often each position leads, and nothing else."""
    rates = np.array([0.15, 0.7, 0.15])
    target, rows = BY_NAME["lead_1m"], positions_that_lead(rates)
    fitted = baseline_of(target, rows)
    p = probabilities(target, fitted.score(rows.prices), rows.starts)
    loss = daily_cross_entropy(target, p, rows.y, rows.day).mean()
    happened = np.array([rows.y[rows.prices.bracket == place].mean() for place in range(BRACKETS)])
    assert loss == pytest.approx(-(happened * np.log(happened)).sum(), abs=0.02)


def positions_that_lead(rates: np.ndarray) -> Sample:
    """Days whose leader is drawn from the rates of the positions, whatever the prices are."""
    target, rng, days = BY_NAME["lead_1m"], np.random.default_rng(5), {}
    for day, rows in history(DAY, n=20).items():
        leader = rng.choice(BRACKETS, p=rates, size=rows.height // BRACKETS).repeat(BRACKETS)
        days[day] = rows.with_columns(y_win_1m=pl.col("bracket") == pl.Series(leader))
    return sample(
        target, labelled(target, training_rows(days, list(days), FEATURES, LATER)), FEATURES
    )


def test_a_position_that_no_training_day_had_gets_nothing() -> None:
    known = Prices(log_price=np.zeros(4), leads=np.zeros(4), bracket=np.array([0, 1, 2, 7]))
    assert Baseline(position_bonus=(0.5, -0.5)).score(known).tolist() == [0.5, -0.5, 0, 0]
    assert MARKET.score(known).tolist() == [0, 0, 0, 0]


def test_cross_entropy_of_a_uniform_pmf_is_the_log_of_its_size() -> None:
    paid = sample_of("pays")
    p = np.full(len(paid.y), 1 / BRACKETS)
    losses = daily_cross_entropy(BY_NAME["pays"], p, paid.y, paid.day)
    assert losses == pytest.approx(np.full(20, np.log(BRACKETS)))


def test_a_winner_that_was_given_nothing_costs_a_finite_price() -> None:
    y, day = np.array([1.0, 0.0]), np.zeros(2, dtype=np.int64)
    losses = daily_cross_entropy(BY_NAME["pays"], np.array([0.0, 1.0]), y, day)
    assert losses == pytest.approx([-np.log(1e-6)])
