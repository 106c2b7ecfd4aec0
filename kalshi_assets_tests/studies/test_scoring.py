from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.statistics.bootstrap import Bootstrap
from kalshi_assets.studies.scoring import ALL_HOURS, FORECASTS, NOTHING, scored, summarised

FIRST = date(2025, 6, 1)


def forecast(day: int, method: str, hour: int, p: list[float] | None, winner: int | None) -> dict:
    return {
        "date": FIRST + timedelta(days=day),
        "method": method,
        "lst_hour": hour,
        "p": p,
        "winner": winner,
    }


def forecasts(*rows: dict) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=FORECASTS)


def cell(summary: pl.DataFrame, **where: object) -> dict:
    (row,) = summary.filter(*(pl.col(name) == value for name, value in where.items())).to_dicts()
    return row


def test_scores_are_those_worked_out_by_hand() -> None:
    (row,) = scored(forecasts(forecast(0, "exact", 9, [0.2, 0.5, 0.3], 1))).to_dicts()
    assert row["log_loss"] == pytest.approx(np.log(2))
    assert row["brier_score"] == pytest.approx(0.2**2 + 0.5**2 + 0.3**2)
    assert row["rps"] == pytest.approx((0.2**2 + 0.3**2) / 2)


def test_a_bracket_given_nothing_costs_the_floor_and_not_infinity() -> None:
    (row,) = scored(forecasts(forecast(0, "exact", 9, [1.0, 0.0], 1))).to_dicts()
    assert row["log_loss"] == pytest.approx(-np.log(1e-6))


@given(st.floats(0, 1), st.integers(0, 1))
def test_the_rps_of_two_classes_is_half_the_brier_score(p: float, winner: int) -> None:
    (row,) = scored(forecasts(forecast(0, "exact", 9, [p, 1 - p], winner))).to_dicts()
    assert row["rps"] == pytest.approx(row["brier_score"] / 2, abs=1e-12)


def test_ladders_of_different_length_are_scored_side_by_side() -> None:
    scores = scored(
        forecasts(
            forecast(0, "exact", 9, [0.5, 0.5], 0),
            forecast(1, "exact", 9, [0.25, 0.5, 0.25], 0),
        )
    )
    assert scores["log_loss"].to_list() == pytest.approx([np.log(2), np.log(4)])


def test_a_forecast_without_pmf_or_outcome_is_no_forecast() -> None:
    rows = [forecast(0, "exact", 9, None, 0), forecast(1, "exact", 9, [0.5, 0.5], None)]
    assert scored(forecasts(*rows)).is_empty()


def test_methods_are_compared_on_the_days_that_all_of_them_have() -> None:
    scores = scored(
        forecasts(
            forecast(0, "exact", 9, [0.5, 0.5], 0),
            forecast(0, "market", 9, [0.25, 0.75], 0),
            forecast(1, "exact", 9, [0.1, 0.9], 0),
        )
    )
    summary = summarised(
        scores,
        {"alone": ["exact"], "both": ["exact", "market"]},
        Bootstrap(resamples=50),
        compared=["exact"],
    )
    of = {"method": "exact", "against": NOTHING, "lst_hour": 9, "score": "log_loss"}
    alone, both = cell(summary, days="alone", **of), cell(summary, days="both", **of)
    assert (alone["n_days"], both["n_days"]) == (2, 1)
    assert alone["value"] == pytest.approx((np.log(2) + np.log(10)) / 2)
    assert both["value"] == pytest.approx(np.log(2))
    gain = cell(summary, days="both", against="market", lst_hour=9, score="log_loss")
    assert gain["method"] == "exact"
    assert gain["value"] == pytest.approx(np.log(2) - np.log(4))
    assert gain["n_days"] == 1


def test_the_mean_over_all_hours_takes_days_that_have_every_hour() -> None:
    scores = scored(
        forecasts(
            forecast(0, "exact", 9, [0.5, 0.5], 0),
            forecast(0, "exact", 10, [0.8, 0.2], 0),
            forecast(1, "exact", 9, [0.1, 0.9], 0),
        )
    )
    summary = summarised(scores, {"all": ["exact"]}, Bootstrap(resamples=50))
    whole = cell(summary, lst_hour=ALL_HOURS, score="log_loss")
    assert whole["n_days"] == 1
    assert whole["value"] == pytest.approx((np.log(2) + np.log(1.25)) / 2)


def test_a_paired_difference_is_tighter_than_the_two_means_apart() -> None:
    rng = np.random.default_rng(3)
    rows = []
    for day in range(60):
        hard = rng.uniform(0.05, 0.9)
        rows += [
            forecast(day, "exact", 9, [hard, 1 - hard], 0),
            forecast(day, "market", 9, [0.9 * hard, 1 - 0.9 * hard], 0),
        ]
    summary = summarised(scored(forecasts(*rows)), {"all": ["exact", "market"]}, compared=["exact"])
    mean = cell(summary, method="exact", against=NOTHING, lst_hour=9, score="log_loss")
    gain = cell(summary, against="market", lst_hour=9, score="log_loss")
    assert gain["value"] == pytest.approx(np.log(0.9))
    assert gain["hi"] - gain["lo"] < 1e-9 < mean["hi"] - mean["lo"]


def test_the_same_seed_gives_the_same_intervals() -> None:
    rng = np.random.default_rng(4)
    rows = [forecast(d, "exact", 9, [p, 1 - p], 0) for d, p in enumerate(rng.uniform(size=20))]
    scores = scored(forecasts(*rows))
    once, again, other = (
        summarised(scores, {"all": ["exact"]}, Bootstrap(seed=seed, resamples=200))
        for seed in (1, 1, 2)
    )
    assert once.equals(again)
    assert not once.equals(other)


def test_no_scores_make_an_empty_summary() -> None:
    assert summarised(scored(forecasts()), {"all": ["exact"]}, compared=["exact"]).is_empty()
