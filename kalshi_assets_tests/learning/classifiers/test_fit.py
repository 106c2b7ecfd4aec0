from collections.abc import Callable
from datetime import timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest

from kalshi_assets.learning.classifiers.fit import (
    BoostingParams,
    Fit,
    _softmax_objective,
    area_under_curve,
    fit_target,
)
from kalshi_assets.learning.classifiers.targets import (
    TARGETS,
    Sample,
    Target,
    labelled,
    sample,
    training_rows,
)
from kalshi_assets_tests.learning.classifiers.days import DAY, FEATURES, LATER, example_day

BY_NAME = {target.name: target for target in TARGETS}
QUICK = BoostingParams(num_leaves=4, max_rounds=15, patience=5)
EVERY_KIND = ["move_1m", "up_1m", "lead_1m", "pays"]


@cache
def fifty_days(skill: float, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    wanted = [DAY + timedelta(days=n) for n in range(50)]
    days = {day: example_day(day, skill=skill, seed=seed) for day in wanted}
    return training_rows(days, wanted[:40], FEATURES, LATER), training_rows(
        days, wanted[40:], FEATURES, LATER
    )


def parts(target: Target, *, skill: float, seed: int = 0) -> tuple[Sample, Sample]:
    train, validation = (
        sample(target, labelled(target, rows), FEATURES) for rows in fifty_days(skill, seed)
    )
    return train, validation


def fitted(name: str, *, skill: float, seed: int = 0, target: Target | None = None) -> Fit:
    target = target or BY_NAME[name]
    return fit_target(
        target, *parts(target, skill=skill, seed=seed), FEATURES, lambda text: text, QUICK
    )


@pytest.mark.parametrize("name", EVERY_KIND)
def test_a_planted_signal_is_found(name: str) -> None:
    fit = fitted(name, skill=1.0)
    assert fit.model_sha256 is not None
    gain = fit.baseline_cross_entropy - fit.validation_cross_entropy
    assert gain > 2 * fit.improvement_se
    assert fit.gain_share[FEATURES.index("signal")] > 0.5
    assert fit.validation_auc is not None
    assert fit.baseline_auc is not None
    assert fit.validation_auc > fit.baseline_auc + 0.03


@pytest.mark.parametrize("name", EVERY_KIND)
def test_without_a_signal_no_trees_come_into_force_more_often_than_chance(name: str) -> None:
    """At 95 % confidence, two or more of six worlds with trees have a chance of 3 %."""
    worlds = [fitted(name, skill=0.0, seed=seed) for seed in range(6)]
    assert sum(fit.model_sha256 is not None for fit in worlds) < 2


def test_trees_learn_nothing_of_a_position_that_the_baseline_does_not_know() -> None:
    """What labels of other days still tell, see `controls`: how often each position leads."""
    target, wanted = BY_NAME["lead_1m"], [DAY + timedelta(days=n) for n in range(50)]
    adopted = 0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        days = {}
        for day in wanted:
            rows = example_day(day, seed=seed)
            leader = rng.choice(3, p=[0.15, 0.7, 0.15], size=rows.height // 3).repeat(3)
            days[day] = rows.with_columns(y_win_1m=pl.col("bracket") == pl.Series(leader))
        seen = (*FEATURES, "bracket")
        train, validation = (
            sample(target, labelled(target, training_rows(days, part, seen, LATER)), seen)
            for part in (wanted[:40], wanted[40:])
        )
        fit = fit_target(target, train, validation, seen, lambda text: text, QUICK)
        adopted += fit.model_sha256 is not None
    assert adopted < 2


@pytest.mark.parametrize("name", ["up_1m", "pays"])
def test_the_same_data_give_the_same_trees_to_the_last_character(name: str) -> None:
    assert fitted(name, skill=1.0) == fitted(name, skill=1.0)


def test_the_objective_is_the_gradient_of_the_cross_entropy() -> None:
    train, _ = parts(BY_NAME["pays"], skill=1.0)
    objective = _softmax_objective(train)
    score = train.prices.log_price + 0.1 * train.x[:, FEATURES.index("noise")]

    def loss(shift: np.ndarray) -> float:
        moved = np.exp(score + shift)
        sizes = np.diff(train.starts, append=len(score))
        p = moved / np.repeat(np.add.reduceat(moved, train.starts), sizes)
        return float(-(train.weight * train.y * np.log(p)).sum())

    gradient, hessian = objective(score, None)
    step = 1e-5
    for row in (0, 7, len(score) - 1):
        at = step * (np.arange(len(score)) == row)
        assert gradient[row] == pytest.approx((loss(at) - loss(-at)) / (2 * step), rel=1e-4)
    assert (hessian > 0).all()


def test_a_monotone_constraint_holds_over_the_whole_range() -> None:
    import lightgbm as lgb

    bound = Target(name="pays", label="pays", kind="winner", monotone={"signal": 1})
    fit = fitted("pays", skill=1.0, target=bound)
    x = np.zeros((200, len(FEATURES)))
    x[:, FEATURES.index("signal")] = np.linspace(-4, 4, 200)
    score = np.asarray(lgb.Booster(model_str=fit.model_sha256).predict(x, raw_score=True))
    assert (np.diff(score) >= 0).all()
    assert score[-1] > score[0]


def test_a_direction_of_which_one_side_never_happened_stays_with_its_base_rate() -> None:
    target = BY_NAME["move_1m"]
    calm = [
        Sample(
            x=part.x,
            y=np.zeros_like(part.y),
            day=part.day,
            starts=part.starts,
            prices=part.prices,
        )
        for part in parts(target, skill=1.0)
    ]
    fit = fit_target(target, calm[0], calm[1], FEATURES, _refuse, QUICK)
    assert fit.model_sha256 is None
    assert fit.validation_auc is None


_refuse: Callable[[str], str] = pytest.fail


def test_area_under_curve_counts_pairs_and_halves_ties() -> None:
    y, p = np.array([1, 1, 0, 0.0]), np.array([0.9, 0.4, 0.4, 0.1])
    assert area_under_curve(y, p, np.ones(4)) == pytest.approx(3.5 / 4)


@pytest.mark.parametrize(
    "wrong", [{"num_leaves": 1}, {"leaf_share": 0.5}, {"feature_fraction": 0}, {"l2": -1}]
)
def test_parameters_out_of_range_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match="must"):
        BoostingParams(**wrong)
