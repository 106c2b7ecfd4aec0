"""Whole studies of made-up days: what is gathered, and that days are let go one by one."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from kalshi_assets.statistics.bootstrap import Bootstrap
from kalshi_assets.statistics.reliability import reliability
from kalshi_assets.studies.evaluations import PMF, MarketDay
from kalshi_assets.studies.market_study import MarketStudy
from kalshi_assets_tests.studies.forecasts import FIRST, perfect, rivals


def market_days(count: int) -> list[MarketDay]:
    sources, winners = rivals(count, 21, knows=0.2)
    made = []
    for number in range(count):
        date = FIRST + timedelta(days=number)
        start = datetime(date.year, date.month, date.day, 5, tzinfo=UTC)
        frames = {
            name: pl.DataFrame(
                {
                    "minute": [start + timedelta(hours=h) for h in (9, 15) for _ in range(6)],
                    "bracket": [*range(6)] * 2,
                    "p": [*p[number]] * 2,
                },
                schema=PMF,
            )
            for name, p in sources.items()
        }
        made.append(
            MarketDay(
                city="new_york",
                date=date,
                day_start=start,
                winner=int(winners[number]),
                sources=frames,
            )
        )
    return made


def test_a_study_takes_days_from_any_stream() -> None:
    study = MarketStudy.of(iter(market_days(25)))
    assert study.days.height == 25
    gap = study.scoreboard.filter(
        slice="all", source="fused", against="market", score="log_loss"
    ).to_dicts()
    assert [row["verdict"] for row in gap] == ["better"]
    assert set(study.diagrams) == {"market", "fused"}
    assert set(study.controls["winners"]) == {"true", "shuffled"}
    assert study.classifier_skill.is_empty()


def test_a_study_without_days_is_empty_and_no_error() -> None:
    study = MarketStudy.of([])
    assert study.scoreboard.is_empty()
    assert study.controls.is_empty()
    assert study.diagrams == {}


def test_bars_reach_the_diagonal_about_as_often_as_they_say_when_forecasts_are_right() -> None:
    rng = np.random.default_rng(22)
    reached = []
    for _ in range(40):
        f = perfect(200, rng, hours=2)
        pairs = f.probability, f.outcome, f.day_of_pair, f.date_of_pair
        bins = reliability(*pairs, bootstrap=Bootstrap(seed=1, resamples=200)).bins
        well_filled = bins.filter(pl.col("n_days") > 40)
        at, lo, hi = (well_filled[name].to_numpy() for name in ("probability", "lo", "hi"))
        reached += ((lo <= at) & (at <= hi)).tolist()
        assert bins["n"].sum() == 200 * 2 * 6
        assert bins["n_days"].max() <= 200
    assert 0.84 <= np.mean(reached) <= 0.96
