from dataclasses import replace

import numpy as np
import pytest

from kalshi_assets.families.temperature.pool import WEATHER
from kalshi_assets.pooling.anchor import (
    BLOCKS,
    MARGIN,
    MIN_DAYS,
    SHARES,
    anchored,
    block_of,
)
from kalshi_assets.pooling.conditional_logit import conditional_logit
from kalshi_assets.pooling.inputs import Training
from kalshi_assets.pooling.rolling_origin import (
    ORIGIN_EVERY_DAYS,
    PURGE_DAYS,
    out_of_sample,
)
from kalshi_assets.pooling.weights import PoolWeights
from kalshi_assets_tests.pooling.worlds import excess_log_loss, pooled_by, settled_days

USELESS, INFORMED = 0.0, 1.3


def test_hours_fall_into_blocks_and_the_first_and_last_are_open() -> None:
    hours = np.array([-3.0, 0.0, 8.99, 9.0, 12.0, 14.5, 15.0, 18.0, 23.9, 25.0])
    assert block_of(hours).tolist() == [0, 0, 0, 1, 2, 2, 3, 4, 4, 4]


def test_with_too_few_days_nothing_is_proved_and_the_market_stands() -> None:
    few = settled_days(MIN_DAYS - 1, (INFORMED,) * 5, seed=0)
    anchor = anchored(few, out_of_sample(few))
    assert anchor.share.tolist() == [0.0] * BLOCKS
    assert anchor.n_days.tolist() == [MIN_DAYS - 1] * BLOCKS
    assert np.isnan(anchor.difference).all()


def test_without_any_day_the_market_stands() -> None:
    none = settled_days(3, (INFORMED,) * 5, seed=0)
    none = none.where(none.day < 0)
    anchor = anchored(none, out_of_sample(none))
    assert anchor.share.tolist() == [0.0] * BLOCKS
    assert anchor.n_days.tolist() == [0] * BLOCKS


def test_hours_at_which_the_weather_knows_more_are_told_from_those_at_which_it_does_not() -> None:
    training = settled_days(120, (USELESS, USELESS, INFORMED, INFORMED, USELESS), seed=1)
    anchor = anchored(training, out_of_sample(training))
    assert (anchor.share[[0, 1, 4]] <= 0.25).all()
    assert (anchor.share[[2, 3]] == 1).all()
    assert (anchor.bound[[2, 3]] < 0).all()


def test_a_block_that_no_day_has_stays_with_the_market() -> None:
    training = settled_days(40, (INFORMED, INFORMED), seed=2)
    anchor = anchored(training, out_of_sample(training))
    assert anchor.n_days.tolist() == [40, 40, 0, 0, 0]
    assert (anchor.share[:2] > 0).all()
    assert (anchor.share[2:] == 0).all()
    assert np.isnan(anchor.difference[2:]).all()


def test_the_pool_that_is_the_market_is_the_market_at_any_share() -> None:
    training = settled_days(40, (INFORMED,) * 5, seed=3)
    anchor = anchored(training, training.inputs.market)
    assert np.abs(anchor.difference).max() < 0.005


def test_what_is_in_force_kept_to_the_rule() -> None:
    training = settled_days(50, (USELESS, 0.4, 0.6, 0.9, INFORMED), seed=4)
    anchor = anchored(training, out_of_sample(training))
    moved = anchor.share > 0
    assert moved.any()
    assert np.isin(anchor.share, SHARES).all()
    assert (anchor.difference <= 0).all()
    assert (anchor.bound[moved] <= MARGIN).all()


def test_the_same_days_give_the_same_shares() -> None:
    training = settled_days(30, (0.5,) * 5, seed=5)
    pooled = out_of_sample(training)
    one, other = anchored(training, pooled), anchored(training, pooled)
    assert one.bound.tobytes() == other.bound.tobytes()


def _changed_from(training: Training, day: int) -> Training:
    """The same days up to `day`; from it on other outcomes."""
    winner = np.where(training.day >= day, (training.winner + 3) % 6, training.winner)
    return replace(training, winner=winner)


@pytest.mark.parametrize("first", [3 * ORIGIN_EVERY_DAYS, 4 * ORIGIN_EVERY_DAYS])
def test_a_prediction_knows_no_outcome_from_the_day_before_its_origin_on(first: int) -> None:
    training = settled_days(75, (INFORMED,) * 5, seed=6)
    block = (training.day >= first) & (training.day < first + ORIGIN_EVERY_DAYS)
    predicted = out_of_sample(training)[block]
    later = _changed_from(training, first - PURGE_DAYS)
    assert (out_of_sample(later)[block] == predicted).all()
    earlier = _changed_from(training, first - PURGE_DAYS - 1)
    assert (out_of_sample(earlier)[block] != predicted).any()


def test_a_prediction_stays_the_same_when_more_days_have_come() -> None:
    training = settled_days(75, (INFORMED,) * 5, seed=7)
    early = training.where(training.day < 50)
    whole = out_of_sample(training)
    assert (out_of_sample(early) == whole[: len(early.day)]).all()


@pytest.mark.slow
@pytest.mark.parametrize("days", [20, 60])
def test_a_weather_that_knows_nothing_does_no_harm_and_one_that_knows_is_let_in(days: int) -> None:
    """Fewer replications than behind the table in `anchor`: twice its means are allowed."""
    fresh = settled_days(3000, (USELESS, USELESS, INFORMED, INFORMED, INFORMED), seed=99)
    harm, gain = [], []
    for seed in range(25):
        training = settled_days(days, (USELESS, USELESS, INFORMED, INFORMED, INFORMED), seed)
        anchor = anchored(training, out_of_sample(training))
        weights = PoolWeights(
            model=WEATHER,
            coefficients=tuple(conditional_logit(training).coefficients),
            shares=tuple(anchor.share),
        )
        excess = excess_log_loss(fresh, pooled_by(weights, fresh.inputs))
        harm.extend(excess[:2])
        gain.extend(excess[2:])
    assert np.mean(harm) < MARGIN
    assert np.quantile(harm, 0.9) < 0.03
    assert np.mean(gain) < -0.15
