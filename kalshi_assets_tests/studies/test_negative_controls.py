from datetime import date

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from kalshi_assets.statistics.bootstrap import Bootstrap
from kalshi_assets.studies.negative_controls import (
    controls,
    shuffled_winners,
    with_base_rate,
)
from kalshi_assets_tests.studies.forecasts import evaluated, rivals


def two_months() -> pl.DataFrame:
    sources, winners = rivals(59, 11, knows=0.3)
    return evaluated(sources, winners, first=date(2025, 2, 1), hours=[9, 15])


def test_a_shuffle_deals_each_months_winners_among_its_days() -> None:
    rows = two_months()
    dealt = shuffled_winners(rows, seed=1)
    assert_frame_equal(dealt.drop("winner"), rows.drop("winner"))
    assert (dealt["winner"] != rows["winner"]).mean() > 0.5
    month = pl.col("date").dt.month()
    for number in (2, 3):
        before, after = (f.filter(month == number)["winner"].sort() for f in (rows, dealt))
        assert before.to_list() == after.to_list()
    of_day = dealt.group_by("city", "date").agg(pl.col("winner").n_unique())
    assert of_day["winner"].to_list() == [1] * 59


def test_the_same_seed_deals_the_same() -> None:
    rows = two_months()
    assert_frame_equal(shuffled_winners(rows, seed=1), shuffled_winners(rows, seed=1))
    assert not shuffled_winners(rows, seed=1).equals(shuffled_winners(rows, seed=2))


def test_skill_vanishes_with_shuffled_winners_and_not_with_true_ones() -> None:
    found = controls(two_months(), Bootstrap(seed=1, resamples=300))
    true, shuffled = (found.filter(winners=name) for name in ("true", "shuffled"))
    assert set(true["source"]) == {"market", "fused"}
    assert set(true["verdict"]) == {"better"}
    assert "better" not in set(shuffled["verdict"])
    assert (shuffled["value"] > 0).all()


def test_the_base_rate_of_a_day_does_not_know_its_own_winner() -> None:
    market = np.full((4, 2), 0.5)
    rows = evaluated({"market": market}, np.array([0, 0, 0, 1]), hours=[9])
    base = with_base_rate(rows).filter(source="base_rate").sort("date")
    # Three other days and an imagined one per bracket.
    assert base["p"].to_list() == [
        pytest.approx(p) for p in ([0.6, 0.4], [0.6, 0.4], [0.6, 0.4], [0.8, 0.2])
    ]


def test_ladders_of_different_length_do_not_share_winners() -> None:
    short = evaluated({"market": np.full((3, 2), 0.5)}, np.array([0, 1, 0]), hours=[9])
    long = evaluated(
        {"market": np.full((3, 4), 0.25)}, np.array([3, 3, 2]), first=date(2025, 3, 10), hours=[9]
    )
    for seed in range(20):
        dealt = shuffled_winners(pl.concat([short, long]), seed=seed)
        assert (dealt["winner"] < dealt["p"].list.len()).all()


def test_nothing_to_control_is_no_error() -> None:
    assert controls(evaluated({}, np.array([], dtype=int)), Bootstrap(seed=1)).is_empty()
