from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from kalshi_assets.families.temperature.pool import WEATHER
from kalshi_assets.pooling import rolling_origin
from kalshi_assets.pooling.conditional_logit import (
    FittedLogit,
    conditional_logit,
)
from kalshi_assets.pooling.inputs import (
    Training,
    half_hours,
    pool_inputs,
    training_of,
)
from kalshi_assets.pooling.model import MARKET_CONDITIONS
from kalshi_assets.pooling.rolling_origin import out_of_sample
from kalshi_assets.pooling.weights import PoolWeights, fusion_weights
from kalshi_assets.tables.probability import FUSION_WEIGHTS
from kalshi_assets.units import MINUTE_US
from kalshi_assets_tests.pooling.worlds import START, examples, inputs_of, pooled_by, settled_days

STRENGTH = (0.0, 0.0, 1.3, 1.3, 0.0)
WORLD = settled_days(42, STRENGTH, seed=0)
DAYS = [examples(day, WORLD) for day in range(42)]
PRIOR = PoolWeights.prior(WEATHER)
MORNING = START + timedelta(days=41)

Day = tuple[datetime, pl.DataFrame]


@pytest.fixture(scope="module")
def weights() -> pl.DataFrame:
    return fusion_weights(WEATHER, MORNING, DAYS)


def test_the_weights_keep_their_contract(weights: pl.DataFrame) -> None:
    FUSION_WEIGHTS.conform(weights)
    assert weights.height == len(WEATHER.coefficients) + 5


def test_the_weights_say_what_they_rest_on(weights: pl.DataFrame) -> None:
    assert set(weights["window_start"]) == {date(2025, 1, 1)}
    assert set(weights["window_end"]) == {date(2025, 2, 9)}
    assert set(weights["n_days"]) == {40}
    assert set(weights["event_time"]) == {MORNING}
    assert set(weights["known_at"]) == {MORNING - timedelta(hours=15)}
    assert set(weights.filter(pl.col("parameter") != "share")["status"]) == {"fitted"}


def test_shares_say_what_was_proved(weights: pl.DataFrame) -> None:
    shares = weights.filter(pl.col("parameter") == "share").sort("hour_from")
    assert shares["hour_from"].to_list() == [0, 9, 12, 15, 18]
    assert shares["hour_to"].to_list() == [9, 12, 15, 18, 24]
    assert shares["value"][2] == shares["value"][3] == 1
    assert shares["status"][2] == "whole"
    assert shares["difference"][2] < 0
    assert shares["difference_bound"][2] <= 0.01
    assert max(shares["value"][0], shares["value"][4]) <= 0.25


def test_the_weights_come_back_from_their_table(weights: pl.DataFrame) -> None:
    back = PoolWeights.from_frame(weights.sample(fraction=1.0, shuffle=True, seed=0), WEATHER)
    fitted = conditional_logit(training_of([frame for _, frame in DAYS[:40]], WEATHER))
    assert back.coefficients == tuple(fitted.coefficients)
    shares = weights.filter(pl.col("parameter") == "share").sort("hour_from")
    assert back.shares == tuple(shares["value"])


def test_weights_know_nothing_of_the_day_before_nor_of_any_later_one(weights: pl.DataFrame) -> None:
    def other(day: Day) -> Day:
        start, frame = day
        wins = pl.col("bracket") == 5
        return start, frame.with_columns(
            pays=wins, outcome_pays=pl.concat_list(wins), p_wx=pl.lit(1 / 6)
        )

    assert fusion_weights(WEATHER, MORNING, DAYS[:40]).equals(weights)
    assert fusion_weights(WEATHER, MORNING, [*DAYS[:40], *map(other, DAYS[40:])]).equals(weights)
    assert not fusion_weights(WEATHER, MORNING, [*DAYS[:39], other(DAYS[39])]).equals(weights)


def test_the_half_hours_of_a_day_are_all_that_is_learnt_from(weights: pl.DataFrame) -> None:
    kept = [
        (start, half_hours(frame.with_columns(other=pl.lit(0)), WEATHER)) for start, frame in DAYS
    ]
    assert kept[0][1].height < DAYS[0][1].height
    assert fusion_weights(WEATHER, MORNING, kept).equals(weights)


def test_the_order_of_days_and_rows_does_not_matter(weights: pl.DataFrame) -> None:
    mixed = [
        (start, frame.sample(fraction=1.0, shuffle=True, seed=1)) for start, frame in DAYS[::-1]
    ]
    assert fusion_weights(WEATHER, MORNING, mixed).equals(weights)


def test_days_without_outcome_or_weather_are_not_learnt_from(weights: pl.DataFrame) -> None:
    before, long_before = timedelta(days=20), timedelta(days=40)
    stale = [examples(day, WORLD, status="stale", earlier_by=before) for day in range(10)]
    unsettled = [examples(day, WORLD, pays=False, earlier_by=long_before) for day in range(10)]
    assert fusion_weights(WEATHER, MORNING, [*unsettled, *stale, *DAYS]).equals(weights)


@pytest.mark.parametrize("day", [0, 20, 39])
def test_an_outcome_that_comes_days_late_reaches_no_fit_before_it_was_known(day: int) -> None:
    late = MORNING - (DAYS[day][0] + timedelta(days=1)) + timedelta(microseconds=1)
    others = [DAYS[n] for n in range(42) if n != day]
    without = fusion_weights(WEATHER, MORNING, others)
    assert not without.equals(fusion_weights(WEATHER, MORNING, DAYS))
    settled_late = examples(day, WORLD, known_after=late)
    assert fusion_weights(WEATHER, MORNING, [*others, settled_late]).equals(without)
    in_time = examples(day, WORLD, known_after=late - timedelta(microseconds=1))
    assert set(fusion_weights(WEATHER, MORNING, [*others, in_time])["known_at"]) == {MORNING}


def test_a_later_word_on_an_outcome_changes_no_fit_before_it(weights: pl.DataFrame) -> None:
    def revised(day: Day) -> Day:
        start, frame = day
        wins = pl.col("bracket") == 5
        said = pl.lit(MORNING + timedelta(hours=1), pl.Datetime("us", "UTC"))
        return start, frame.with_columns(
            pays=wins,
            outcome_known_at=pl.concat_list("outcome_known_at", said),
            outcome_pays=pl.concat_list("outcome_pays", wins),
        )

    changed = [revised(day) for day in DAYS]
    assert fusion_weights(WEATHER, MORNING, changed).equals(weights)
    assert not fusion_weights(WEATHER, MORNING + timedelta(days=1), changed).equals(
        fusion_weights(WEATHER, MORNING + timedelta(days=1), DAYS)
    )


def test_no_origin_of_the_proof_learns_an_outcome_that_was_not_known_when_it_began(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    training = settled_days(60, STRENGTH, seed=4)
    asked: list[np.ndarray] = []

    def watched(training: Training) -> FittedLogit:
        asked.append(training.days)
        return conditional_logit(training)

    monkeypatch.setattr(rolling_origin, "conditional_logit", watched)
    five_days = 5 * 24 * 60 * MINUTE_US
    late = np.where(training.day == 28, training.known_at + five_days, training.known_at)
    out_of_sample(replace(training, known_at=late))
    assert [28 in days for days in asked] == [False, False, False, True]
    assert [len(days) for days in asked] == [0, 14, 28, 44]


def test_days_with_another_number_of_brackets_are_left_out(weights: pl.DataFrame) -> None:
    seven = settled_days(3, STRENGTH, seed=3, brackets=7)
    older = [examples(day, seven, earlier_by=timedelta(days=9)) for day in range(3)]
    assert fusion_weights(WEATHER, MORNING, [*older, *DAYS]).equals(weights)


@pytest.mark.parametrize("days", [0, 1, 9])
def test_without_days_to_speak_of_the_prior_stands_and_the_market_is_in_force(days: int) -> None:
    frame = fusion_weights(WEATHER, MORNING, DAYS[:days])
    FUSION_WEIGHTS.conform(frame)
    of_pool = frame.filter(pl.col("parameter") != "share")
    assert set(of_pool["status"]) == {"prior"}
    assert (of_pool["value"] == of_pool["prior"]).all()
    shares = frame.filter(pl.col("parameter") == "share")
    assert set(shares["status"]) == {"unproven"}
    assert set(shares["n_days"]) == {days}
    assert set(shares["value"]) == {0.0}
    assert (frame["known_at"] <= frame["event_time"]).all()


def test_below_thirty_days_the_prior_has_to_prove_itself() -> None:
    frame = fusion_weights(WEATHER, MORNING, DAYS[:29])
    assert set(frame.filter(pl.col("parameter") != "share")["status"]) == {"prior"}
    shares = frame.filter(pl.col("parameter") == "share").sort("hour_from")["value"]
    assert shares[2] > 0.5
    assert shares[0] < 0.5


def test_a_share_lies_on_the_path_from_the_market_to_the_pool() -> None:
    p_m, p_w = np.array([0.1, 0.6, 0.3]), np.array([0.5, 0.3, 0.2])
    coefficients = (0.5, 0.2, 0.0, 0.1, 0.3, 0.2, 0.0, 0.1)
    inputs = inputs_of(p_m, p_w)
    whole = PoolWeights(model=WEATHER, coefficients=coefficients)
    half = PoolWeights(model=WEATHER, coefficients=coefficients, shares=(0.5,) * 5)
    none = PoolWeights(model=WEATHER, coefficients=coefficients, shares=(0.0,) * 5)
    assert (pooled_by(none, inputs) == p_m).all()
    assert [float(w[0]) for w in whole.exponents(inputs)] == pytest.approx([0.65, 0.45])
    assert [float(w[0]) for w in half.exponents(inputs)] == pytest.approx([0.825, 0.225])
    market = pooled_by(PoolWeights(model=WEATHER, coefficients=(1.0, *(0.0,) * 7)), inputs)
    path = np.sqrt(market * pooled_by(whole, inputs))
    assert pooled_by(half, inputs) == pytest.approx(path / path.sum(), abs=5e-4)


def test_the_hour_decides_the_share() -> None:
    p_m, p_w = np.array([0.1, 0.6, 0.3]), np.array([0.5, 0.3, 0.2])
    weights = replace(PRIOR, shares=(0.0, 0.0, 1.0, 0.0, 0.0))
    assert (pooled_by(weights, inputs_of(p_m, p_w, hour=11.9)) == p_m).all()
    assert (pooled_by(weights, inputs_of(p_m, p_w, hour=12.0)) != p_m).any()


def test_impossible_weights_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must not be negative.*'weather_constant': -0.1"):
        PoolWeights(model=WEATHER, coefficients=(0.65, 0, 0, 0, -0.1, 0, 0, 0))
    with pytest.raises(ValueError, match="between 0 and 1"):
        replace(PRIOR, shares=(1.0, 1.0, 1.2, 1.0, 1.0))
    with pytest.raises(ValueError, match="8 coefficients and 5 shares, got 8 and 4"):
        replace(PRIOR, shares=(1.0,) * 4)


def test_conditions_are_means_over_brackets_and_half_where_nothing_is_known() -> None:
    _, day = examples(0, WORLD)
    frame = day.filter(pl.col("minute") == day["minute"][0]).sort("bracket")
    known = frame.with_columns(
        volume_percentile=pl.Series([0.2, 0.4, None, None, None, None]),
        spread_percentile=pl.Series([0.1] * 6),
        volatility_percentile=pl.lit(None, pl.Float64),
        hazard_next_60m=pl.lit(0.2),
        observation_age_s=pl.lit(1800.0),
    )
    inputs = pool_inputs(known, WEATHER)
    assert inputs.market_conditions[0].tolist() == pytest.approx([1, 0.3, 0.5, 0.9])
    assert inputs.model_conditions[0].tolist() == pytest.approx([1, 0.8, 0.5, np.exp(-1)])
    unknown = pool_inputs(
        known.with_columns(
            hazard_next_60m=pl.lit(None, pl.Float64), observation_age_s=pl.lit(None, pl.Float64)
        ),
        WEATHER,
    )
    assert unknown.model_conditions[0].tolist() == [1, 0.5, 0.5, 0]
    assert len(MARKET_CONDITIONS) == inputs.market_conditions.shape[1]


def test_weather_of_another_status_than_ok_does_not_enter() -> None:
    _, day = examples(0, WORLD, status="day_ahead")
    inputs = pool_inputs(day.sort("minute", "bracket"), WEATHER)
    assert not inputs.known.any()
    assert (pooled_by(PRIOR, inputs) == inputs.market).all()


def test_the_market_is_learnt_from_without_its_dead_brackets() -> None:
    _, day = examples(0, WORLD)
    loser = day.filter(~pl.col("pays"))["bracket"][0]
    marked = day.with_columns(dead=pl.col("bracket") == loser)
    training = training_of([marked], WEATHER)
    assert (training.inputs.market[:, loser] == 0).all()
    assert training.inputs.market.sum(axis=1) == pytest.approx(1)
    assert training.impossible[:, loser].all()
    winner = day.filter(pl.col("pays"))["bracket"][0]
    contradicted = day.with_columns(dead=pl.col("bracket") == winner)
    assert training_of([contradicted], WEATHER).n_days == 0
