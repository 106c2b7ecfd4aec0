from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from kalshi_assets.lake.files import Files
from kalshi_assets.learning.classifiers.predict import LeakError, predictions
from kalshi_assets.learning.classifiers.scores import DAILY_SCORES, daily_scores
from kalshi_assets.learning.classifiers.store import ModelFileError, ModelStore
from kalshi_assets.learning.classifiers.walk_forward import classifiers
from kalshi_assets.tables.classifiers import PREDICTIONS
from kalshi_assets_tests.learning.classifiers.days import (
    DAY,
    FEATURES,
    example_day,
    features_of,
    history,
    start_of,
)

ONE = timedelta(days=1)
TODAY = example_day(DAY, skill=1.0)
LIVE = features_of(TODAY)
WINNERS = ["p_lead_1m", "p_lead_5m", "p_pays_model"]
DIRECTIONS = ["p_up_1m", "p_down_1m", "p_up_5m", "p_down_5m"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ModelStore:
    return ModelStore(Files(tmp_path_factory.mktemp("models")))


@pytest.fixture(scope="module")
def in_force(store: ModelStore) -> pl.DataFrame:
    return classifiers(DAY, start_of(DAY), history(DAY, skill=1.0), FEATURES, store)


@pytest.fixture(scope="module")
def unfitted(store: ModelStore) -> pl.DataFrame:
    return classifiers(DAY, start_of(DAY), {}, FEATURES, store)


def no_trees(in_force: pl.DataFrame) -> pl.DataFrame:
    return in_force.with_columns(status=pl.lit("baseline"), model_sha256=pl.lit(None, pl.String))


def test_winners_sum_to_one_and_directions_to_no_more(
    in_force: pl.DataFrame, store: ModelStore
) -> None:
    said = PREDICTIONS.conform(predictions(DAY, LIVE, in_force, store))
    during = said.filter(pl.col("status") == "ok")
    assert during.height == TODAY.height
    assert (said["known_at"] <= said["minute"]).all()
    sums = during.group_by("minute").agg(pl.col(WINNERS).sum())
    assert np.abs(sums.select(WINNERS).to_numpy() - 1).max() < 1e-9
    for h in ("1m", "5m"):
        assert (during[f"p_up_{h}"] + during[f"p_down_{h}"]).is_between(0, 1).all()


def test_on_the_eve_nothing_is_said(in_force: pl.DataFrame, store: ModelStore) -> None:
    eve = predictions(DAY, LIVE, in_force, store).filter(pl.col("minute") < start_of(DAY))
    assert eve["status"].unique().to_list() == ["before_climate_day"]
    assert eve.select(WINNERS + DIRECTIONS).null_count().sum_horizontal().item() == eve.height * 7
    assert (eve["known_at"] <= eve["minute"]).all()


@pytest.mark.parametrize("late", [0, 3])
def test_a_model_that_has_seen_the_day_is_refused_and_both_days_are_named(
    in_force: pl.DataFrame, store: ModelStore, late: int
) -> None:
    leaking = in_force.with_columns(validation_end=DAY + late * ONE)
    with pytest.raises(LeakError, match=rf"predictions of {DAY}: .* up to {DAY + late * ONE}"):
        predictions(DAY, LIVE, leaking, store)


def test_a_minute_does_not_change_when_later_ones_are_cut_or_altered(
    in_force: pl.DataFrame, store: ModelStore
) -> None:
    whole = predictions(DAY, LIVE, in_force, store)
    now = start_of(DAY) + timedelta(hours=9)
    past, future = (
        LIVE.filter(later) for later in (pl.col("minute") <= now, pl.col("minute") > now)
    )
    expected = whole.filter(pl.col("minute") <= now)
    assert predictions(DAY, past, in_force, store).equals(expected)
    altered = future.with_columns(signal=-pl.col("signal"), impossible=True)
    found = predictions(DAY, pl.concat([past, altered]), in_force, store)
    assert found.filter(pl.col("minute") <= now).equals(expected)


def test_without_days_everything_is_null_and_the_status_says_why(
    unfitted: pl.DataFrame, store: ModelStore
) -> None:
    said = PREDICTIONS.conform(predictions(DAY, LIVE, unfitted, store))
    assert set(said["status"]) == {"before_climate_day", "too_few_days"}
    assert said.select(WINNERS + DIRECTIONS).null_count().sum_horizontal().item() == said.height * 7


def test_without_trees_who_is_paid_is_the_market(in_force: pl.DataFrame, store: ModelStore) -> None:
    said = predictions(DAY, LIVE, no_trees(in_force), store).join(
        TODAY, on=["market_ticker", "minute"]
    )
    assert said["p_pays_model"].to_numpy() == pytest.approx(said["p_mkt"].to_numpy(), rel=1e-3)


def test_a_dead_bracket_is_not_paid_unless_all_are_dead(
    in_force: pl.DataFrame, store: ModelStore
) -> None:
    first, second = TODAY["minute"].unique().sort()[:2]
    known = (pl.col("minute") == first) & (pl.col("bracket") == 0)
    dead = LIVE.with_columns(impossible=known | (pl.col("minute") == second))
    said = predictions(DAY, dead, in_force, store)
    gone = said.filter(known)
    assert gone["p_pays_model"].item() == 0
    assert gone["p_lead_1m"].item() > 0
    assert said.filter(pl.col("minute") == second)["p_pays_model"].sum() == pytest.approx(1)


def test_a_lost_model_stops_predictions_and_says_what_to_do(
    in_force: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.raises(ModelFileError, match=r"materialise learning\.classifiers"):
        predictions(DAY, LIVE, in_force, ModelStore(Files(tmp_path_factory.mktemp("elsewhere"))))


def test_scores_show_the_planted_skill_on_a_day_that_no_model_saw(
    in_force: pl.DataFrame, store: ModelStore
) -> None:
    scores = daily_scores(predictions(DAY, LIVE, in_force, store), TODAY, in_force)
    assert scores.schema == DAILY_SCORES
    assert scores["trees"].all()
    assert set(scores["target"]) == set(in_force["target"])
    assert (scores["cross_entropy"] < scores["baseline_cross_entropy"]).all()
    assert (scores["auc"] > scores["baseline_auc"]).all()


def test_without_trees_both_scores_are_the_same(in_force: pl.DataFrame, store: ModelStore) -> None:
    plain = no_trees(in_force)
    scores = daily_scores(predictions(DAY, LIVE, plain, store), TODAY, plain)
    assert not scores["trees"].any()
    # To the last bit: a rounding error of one sign would be skill in a comparison of many days.
    for score in ("cross_entropy", "auc"):
        assert scores[score].to_list() == scores[f"baseline_{score}"].to_list()


def test_move_and_up_add_up_to_the_log_score_of_three_classes(
    in_force: pl.DataFrame, store: ModelStore
) -> None:
    said = predictions(DAY, LIVE, in_force, store)
    scores = daily_scores(said, TODAY, in_force)
    loss = dict(scores.select("target", "cross_entropy").iter_rows())
    rows = dict(scores.select("target", "n_rows").iter_rows())
    up, down = pl.col("p_up_1m"), pl.col("p_down_1m")
    given = pl.when(pl.col("y_dir_1m") > 0).then(up).when(pl.col("y_dir_1m") < 0).then(down)
    three = said.join(TODAY, on=["market_ticker", "minute"]).select(
        -given.otherwise(1 - up - down).log().mean()
    )
    expected = loss["move_1m"] + loss["up_1m"] * rows["up_1m"] / rows["move_1m"]
    assert three.item() == pytest.approx(expected)


def test_a_day_without_models_has_no_scores(unfitted: pl.DataFrame, store: ModelStore) -> None:
    said = predictions(DAY, LIVE, unfitted, store)
    assert daily_scores(said, TODAY, unfitted).is_empty()
