import numpy as np
import pytest

from kalshi_assets.learning.calibration.days import LEAD_BLOCKS
from kalshi_assets.learning.calibration.maps import (
    FAMILIES,
    IDENTITY,
    TEMPERATURE,
    CalibrationMap,
)
from kalshi_assets.learning.calibration.rolling import (
    FIRST_FIT_DAYS,
    FOLD_DAYS,
    PACKAGED,
    SHRINK_DAYS,
    Stack,
    fitted,
    keys_of,
    origins,
    out_of_sample,
)
from kalshi_assets_tests.learning.calibration.worlds import ALL_HOURS, settled_day, settled_days

NOON = LEAD_BLOCKS.index("12-15")


def test_origins_are_ten_days_apart_and_the_last_has_all_days() -> None:
    assert origins(15) == [15]
    assert origins(20) == [20]
    assert origins(45) == [20, 30, 40, 45]


def test_a_key_is_shrunk_to_its_parent_by_its_days() -> None:
    days = settled_days(70, seed=1, boldness=1.5)
    # Of the 70 days from 1 January 59 are winter's.
    fits = fitted(Stack.of(days, "djf"), IDENTITY)
    city, block, season = keys_of(NOON)
    assert fits.days[-1, [city, block, season]].tolist() == [70, 70, 59]
    for name, family in FAMILIES.items():
        own, theta = fits.own[name][-1], fits.theta[name][-1]
        parent = family.identity
        for key in (city, block, season):
            n = fits.days[-1, key]
            expected = parent + n / (n + SHRINK_DAYS) * (own[key] - parent)
            assert theta[key] == pytest.approx(expected, abs=1e-13), name
            parent = theta[key]


def test_the_city_is_shrunk_to_the_packaged_map() -> None:
    days = settled_days(30, seed=2)
    packaged = CalibrationMap(family=TEMPERATURE, theta=np.array([0.4]))
    stack = Stack.of(days, "djf")
    plain, moved = fitted(stack, IDENTITY), fitted(stack, packaged)
    shift = moved.theta["temperature"][-1, 0] - plain.theta["temperature"][-1, 0]
    assert shift == pytest.approx(0.4 * SHRINK_DAYS / (30 + SHRINK_DAYS))
    assert (moved.theta["platt"] == plain.theta["platt"]).all()


def test_a_season_without_days_takes_its_parents_theta() -> None:
    fits = fitted(Stack.of(settled_days(40, seed=3), "jja"), IDENTITY)
    _, block, season = keys_of(NOON)
    for name in FAMILIES:
        assert (fits.theta[name][-1, season] == fits.theta[name][-1, block]).all()


def test_a_fit_at_an_origin_knows_no_day_after_it() -> None:
    days = settled_days(45, seed=4)
    changed = days[:30] + settled_days(45, seed=5)[30:]
    before, after = (fitted(Stack.of(each, "djf"), IDENTITY) for each in (days, changed))
    for name in FAMILIES:
        assert (before.theta[name][:2] == after.theta[name][:2]).all(), name
        assert (before.theta[name][2] != after.theta[name][2]).any(), name


def test_a_day_is_scored_by_the_fit_before_its_origin() -> None:
    days = settled_days(40, seed=6, boldness=1.5)
    stack = Stack.of(days, "djf")
    fits = fitted(stack, IDENTITY)
    scores = out_of_sample(stack, fits, IDENTITY)
    number = 35
    fold = (number - FIRST_FIT_DAYS) // FOLD_DAYS
    day, at = days[number], days[number].block == NOON
    for scope, key in enumerate(keys_of(NOON)):
        p = TEMPERATURE.apply(fits.theta["temperature"][fold, key], day.p[at])
        outcome = np.eye(6)[day.winner]
        brier, log_loss = scores["temperature"][scope, :, number - FIRST_FIT_DAYS, NOON]
        assert brier == pytest.approx(((p - outcome) ** 2).sum(axis=1).mean())
        assert log_loss == pytest.approx(-np.log(p[:, day.winner]).mean())


def test_what_no_day_has_is_not_scored() -> None:
    early = ALL_HOURS[ALL_HOURS < 9]
    days = settled_days(30, seed=7, hours=early)
    stack = Stack.of(days, "jja")
    scores = out_of_sample(stack, fitted(stack, IDENTITY), IDENTITY)
    assert np.isnan(scores["platt"][2]).all()
    assert np.isnan(scores[PACKAGED][0, :, :, NOON]).all()
    assert not np.isnan(scores["platt"][:2, :, :, 0]).any()
    assert np.isnan(scores["isotonic"][1:]).all()


def test_before_the_first_origin_nothing_is_scored() -> None:
    stack = Stack.of(settled_days(FIRST_FIT_DAYS, seed=8), "djf")
    assert out_of_sample(stack, fitted(stack, IDENTITY), IDENTITY) == {}


def test_a_bracket_more_without_probability_changes_no_fit_and_no_score() -> None:
    days = settled_days(32, seed=9)
    longer = [
        settled_day(n, np.pad(day.p, ((0, 0), (0, n % 2))), day.winner)
        for n, day in enumerate(days)
    ]
    found = []
    for each in (days, longer):
        stack = Stack.of(each, "djf")
        found.append(out_of_sample(stack, fitted(stack, IDENTITY), IDENTITY))
    for name in (*FAMILIES, PACKAGED):
        assert found[1][name] == pytest.approx(found[0][name], nan_ok=True, abs=1e-12), name
