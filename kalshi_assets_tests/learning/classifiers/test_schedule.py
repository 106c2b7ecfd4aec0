from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.learning.classifiers.schedule import (
    LOOK_BACK_DAYS,
    Fold,
    fold_of,
    recent_days,
)

DAYS = st.dates(date(2022, 1, 1), date(2032, 12, 31))
ONE = timedelta(days=1)


@given(DAYS)
def test_training_precedes_validation_and_validation_precedes_prediction(day: date) -> None:
    fold = fold_of(day)
    assert day in fold.prediction
    assert fold.training[-1] + ONE == fold.validation[0]
    assert (len(fold.training), len(fold.validation), len(fold.prediction)) == (60, 10, 5)
    for days in (fold.training, fold.validation, fold.prediction):
        assert all(later - earlier == ONE for earlier, later in pairwise(days))


@given(DAYS)
def test_no_day_within_one_day_of_a_prediction_is_learnt_from(day: date) -> None:
    fold = fold_of(day)
    learnt = {*fold.training, *fold.validation}
    assert not learnt & {each + n * ONE for each in fold.prediction for n in (-1, 0, 1)}


@given(DAYS)
def test_every_day_is_predicted_by_exactly_one_fold(day: date) -> None:
    folds = {fold_of(day + n * ONE) for n in range(-6, 7)}
    assert sum(day in fold.prediction for fold in folds) == 1


@given(DAYS)
def test_no_fold_reaches_further_back_than_the_look_back(day: date) -> None:
    assert fold_of(day).training[0] >= day - timedelta(days=LOOK_BACK_DAYS)
    last = fold_of(day).prediction[-1]
    assert fold_of(last).training[0] == last - timedelta(days=LOOK_BACK_DAYS)


@given(DAYS)
def test_the_recent_days_were_over_before_the_day_began(day: date) -> None:
    recent = recent_days(day)
    assert recent[-1] == day - 2 * ONE
    assert len(recent) == 5


def test_a_fold_off_the_grid_is_refused_and_the_right_one_named() -> None:
    start = fold_of(date(2025, 4, 1)).start
    with pytest.raises(ValueError, match=f"starts on {start}"):
        Fold(start + ONE)
