from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from kalshi_assets.statistics.bootstrap import Bootstrap
from kalshi_assets.studies.scoreboard import scoreboard
from kalshi_assets.tables.scoreboard import POOLED_SCORES, PROPER_SCORES, SCOREBOARD
from kalshi_assets_tests.studies.forecasts import FIRST, evaluated, rivals


def cell(board: pl.DataFrame, **where: str) -> dict:
    known = {"instants": "all", "slice": "all", "against": "nothing", "score": "log_loss"}
    (row,) = board.filter(**(known | where)).to_dicts()
    return row


@pytest.fixture(scope="module")
def board() -> pl.DataFrame:
    """Two cities of 40 days; the pool has seen the winner; the weather is known on 25 days."""
    frames = []
    for seed, city in enumerate(("chicago", "new_york")):
        sources, winners = rivals(40, seed, knows=0.2)
        weather = np.full((40, 6), 1 / 6)
        weather[25:] = np.nan
        frames.append(evaluated(sources | {"weather": weather}, winners, city=city))
    return scoreboard(pl.concat(frames), Bootstrap(resamples=300))


def test_the_board_keeps_its_contract(board: pl.DataFrame) -> None:
    assert_frame_equal(SCOREBOARD.conform(board), board)
    assert set(board["score"]) == {*PROPER_SCORES, *POOLED_SCORES}


def test_a_pool_that_knows_more_is_better_and_one_that_knows_less_is_worse() -> None:
    for knows, verdict in ((0.2, "better"), (-0.4, "worse")):
        sources, winners = rivals(80, 5, knows=knows)
        found = scoreboard(evaluated(sources, winners, hours=[12]), Bootstrap(resamples=300))
        for score in ("log_loss", "auc"):
            gap = cell(found, source="fused", against="market", score=score)
            assert gap["verdict"] == verdict or (score == "auc" and knows < 0)
        gap = cell(found, source="fused", against="market")
        assert gap["discovery"]
        assert (gap["dm"] < 0) == (knows > 0)


def test_the_same_forecast_is_neither_better_nor_tested() -> None:
    sources, winners = rivals(30, 6, knows=0.0)
    gap = cell(
        scoreboard(evaluated(sources, winners), Bootstrap(resamples=100)),
        source="fused",
        against="market",
    )
    assert (gap["value"], gap["lo"], gap["hi"]) == (0, 0, 0)
    assert gap["verdict"] == "undecided"
    assert gap["dm"] is None
    assert gap["dm_p"] is None
    assert gap["discovery"] is None


def test_sources_are_compared_at_the_instants_that_both_have(board: pl.DataFrame) -> None:
    weather = cell(board, source="weather", against="market")
    assert (weather["n_days"], weather["n_dates"], weather["n_instants"]) == (50, 25, 150)
    with_weather = cell(board, instants="with_weather", source="weather", against="market")
    assert weather["value"] == pytest.approx(with_weather["value"])
    assert cell(board, source="fused")["n_days"] == 80
    assert cell(board, instants="with_weather", source="fused")["n_days"] == 50


def test_the_difference_of_means_is_the_mean_of_differences(board: pl.DataFrame) -> None:
    gap = cell(board, source="fused", against="market")
    fused, market = (cell(board, source=s)["value"] for s in ("fused", "market"))
    assert gap["value"] == pytest.approx(fused - market)
    assert gap["skill"] == pytest.approx(1 - fused / market)


def test_slices_of_a_kind_add_up_to_all(board: pl.DataFrame) -> None:
    own = board.filter(instants="all", source="fused", against="nothing", score="rps")
    for kind in ("city", "season", "time_of_day", "hazard", "lead"):
        assert own.filter(slice=kind)["n_instants"].sum() == 240
    hours = own.filter(slice="lst_hour")
    assert hours["slice_value"].to_list() == ["09", "10", "11"]
    assert hours["n_days"].to_list() == [80, 80, 80]


def test_a_city_day_weighs_the_same_however_many_instants_it_has() -> None:
    sure, torn = np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])
    winners = np.array([0])
    rows = [
        evaluated({"market": sure, "fused": sure}, winners, hours=[9]),
        evaluated(
            {"market": torn, "fused": torn}, winners, hours=range(24), first=FIRST + timedelta(1)
        ),
    ]
    found = cell(scoreboard(pl.concat(rows), Bootstrap(resamples=50)), source="market")
    assert found["value"] == pytest.approx(np.log(2) / 2)
    assert found["n_instants"] == 25


def test_cities_of_a_date_are_drawn_together() -> None:
    sources, winners = rivals(40, 7, knows=0.1)
    one = evaluated(sources, winners, hours=[12])
    twins = pl.concat([one, one.with_columns(city=pl.lit("chicago"))])
    alone, both = (
        cell(scoreboard(rows, Bootstrap(resamples=400)), source="fused", against="market")
        for rows in (one, twins)
    )
    assert (both["n_days"], both["n_dates"]) == (80, 40)
    for name in ("value", "lo", "hi", "dm"):
        assert both[name] == pytest.approx(alone[name])


def test_order_of_rows_does_not_matter() -> None:
    sources, winners = rivals(20, 8, knows=0.1)
    rows = evaluated(sources, winners)
    shuffled = rows.sample(fraction=1, shuffle=True, seed=3)
    assert_frame_equal(
        scoreboard(rows, Bootstrap(resamples=50)), scoreboard(shuffled, Bootstrap(resamples=50))
    )


def test_calibration_error_stands_beside_what_perfect_forecasts_have(board: pl.DataFrame) -> None:
    error = cell(board, source="market", score="ece")
    assert 0 < error["null_mean"] < error["null_hi"]
    assert error["value"] < 1.5 * error["null_hi"]  # the market of this test is right
    assert cell(board, source="market", score="log_loss")["null_hi"] is None


def test_ladders_of_different_length_are_scored_side_by_side() -> None:
    short, long = np.array([[0.5, 0.5]]), np.array([[0.25, 0.25, 0.5]])
    rows = [
        evaluated({"market": short, "fused": short}, np.array([0])),
        evaluated({"market": long, "fused": long}, np.array([0]), first=FIRST + timedelta(1)),
    ]
    found = cell(scoreboard(pl.concat(rows), Bootstrap(resamples=50)), source="market")
    assert found["value"] == pytest.approx((np.log(2) + np.log(4)) / 2)


def test_a_source_that_the_board_does_not_know_is_refused_by_name() -> None:
    p = np.full((1, 2), 0.5)
    with pytest.raises(
        ValueError, match="unknown sources \\['guess'\\]; the scoreboard knows market"
    ):
        scoreboard(evaluated({"guess": p}, np.array([0])))


def test_nothing_evaluated_makes_an_empty_board() -> None:
    assert scoreboard(evaluated({}, np.array([], dtype=int))).is_empty()
