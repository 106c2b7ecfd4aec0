from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.statistics.hourly_scores import scoreboard
from kalshi_assets.statistics.scores import brier_score, log_loss, ranked_probability_score
from kalshi_assets.tables import REPORT

pmfs = st.lists(st.floats(0, 1), min_size=2, max_size=8).map(
    lambda x: (np.array(x) + 1e-3) / (np.sum(x) + 1e-3 * len(x))
)
SCORES = [log_loss, brier_score, ranked_probability_score]


@given(st.floats(0, 1))
def test_the_brier_score_of_a_constant_base_rate_is_twice_its_variance(p: float) -> None:
    two = np.array([p, 1 - p])
    expected = p * brier_score(two, 0) + (1 - p) * brier_score(two, 1)
    assert expected == pytest.approx(2 * p * (1 - p), abs=1e-12)


@given(st.floats(0, 1), st.integers(0, 1))
def test_the_rps_of_two_brackets_is_half_the_brier_score(p: float, winner: int) -> None:
    two = np.array([p, 1 - p])
    assert ranked_probability_score(two, winner) == pytest.approx(brier_score(two, winner) / 2)


@pytest.mark.parametrize("winner", range(6))
def test_a_certain_and_right_pmf_scores_zero(winner: int) -> None:
    for score in SCORES:
        assert score(np.eye(6)[winner], winner) == 0


def test_certain_and_wrong_is_worst_and_the_log_is_floored() -> None:
    wrong = np.eye(6)[0]
    assert log_loss(wrong, 5) == pytest.approx(-np.log(1e-6))
    assert brier_score(wrong, 5) == 2
    assert ranked_probability_score(wrong, 5) == 1


def test_a_near_miss_costs_less_rps_than_a_far_one() -> None:
    p = np.eye(6)[2]
    rps = [float(ranked_probability_score(p, winner)) for winner in (2, 3, 4, 5)]
    assert rps == pytest.approx([0, 1 / 5, 2 / 5, 3 / 5])


@given(pmfs, pmfs, st.data())
def test_no_other_pmf_expects_a_better_score_than_the_truth(
    truth: np.ndarray, other: np.ndarray, data: st.DataObject
) -> None:
    n = min(len(truth), len(other))
    truth, other = truth[:n] / truth[:n].sum(), other[:n] / other[:n].sum()
    score = data.draw(st.sampled_from(SCORES))
    honest = sum(truth[w] * score(truth, w) for w in range(n))
    pretended = sum(truth[w] * score(other, w) for w in range(n))
    assert honest <= pretended + 1e-9


def test_many_pmfs_are_scored_each_for_itself() -> None:
    p = np.array([[0.2, 0.5, 0.3], [1.0, 0.0, 0.0]])
    for score in SCORES:
        assert score(p, 1).tolist() == [score(p[0], 1), score(p[1], 1)]


DAY_START = datetime(2025, 4, 25, 5, tzinfo=UTC)


def _fused() -> pl.DataFrame:
    minutes = [DAY_START + timedelta(hours=h) for h in range(-2, 3)]
    return pl.DataFrame(
        [
            {
                "bracket": i,
                "minute": minute,
                "p_mkt": p,
                "p_model": p if minute > DAY_START else None,
                "p_fused": p,
            }
            for minute in minutes
            for i, p in enumerate((0.25, 0.5, 0.25))
        ],
        schema_overrides={"minute": pl.Datetime("us", "UTC"), "bracket": pl.Int8},
    )


def test_the_scoreboard_scores_every_source_at_every_full_hour_of_the_day() -> None:
    report = scoreboard(_fused(), DAY_START, winner=1, model="weather")
    assert report.columns == list(REPORT.dtypes)
    assert report.filter(pl.col("source") == "market")["lst_hour"].to_list() == [0, 1, 2]
    market = report.filter(pl.col("source") == "market").row(0, named=True)
    assert market["p_win"] == 0.5
    assert market["log_loss"] == pytest.approx(np.log(2))
    assert market["brier_score"] == pytest.approx(0.375)


def test_a_source_without_a_pmf_has_no_score() -> None:
    report = scoreboard(_fused(), DAY_START, winner=1, model="weather")
    weather = report.filter(pl.col("source") == "weather").sort("lst_hour")
    assert weather["log_loss"].is_null().to_list() == [True, False, False]


def test_an_unsettled_day_has_hours_and_no_scores() -> None:
    report = scoreboard(_fused(), DAY_START, winner=None, model="weather")
    assert report.height == 9
    assert report.select("p_win", "log_loss", "brier_score", "rps").null_count().row(0) == (9,) * 4


def test_a_day_without_a_minute_of_trading_has_an_empty_scoreboard() -> None:
    assert scoreboard(_fused(), DAY_START + timedelta(days=9), winner=1, model="weather").equals(
        REPORT.empty()
    )
