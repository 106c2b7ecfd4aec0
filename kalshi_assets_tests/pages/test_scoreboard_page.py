"""The scoreboard's page: verdicts as plain either way, the same bytes every time."""

from datetime import timedelta
from functools import cache
from pathlib import Path
from xml.etree.ElementTree import fromstring

import numpy as np
import polars as pl
import pytest

from kalshi_assets.pages.scoreboard_page import (
    anchor_verdict,
    failed_controls,
    page_text,
    verdicts,
    write_page,
)
from kalshi_assets.studies.classifier_skill import CLASSIFIER_DAYS
from kalshi_assets.studies.market_study import MarketStudy
from kalshi_assets_tests.studies.forecasts import FIRST, evaluated, rivals

TITLES = {"new_york": "New York", "chicago": "Chicago"}
COMMAND = "kalshi-assets study market --start 2025-03-01"


@cache
def study_of(
    knows: float, cities: tuple[str, ...] = ("new_york",), *, lagged: float | None = None
) -> MarketStudy:
    """Cities of 40 days whose pool knows more than the market (or, below 0, less)."""
    frames = []
    for seed, city in enumerate(cities):
        sources, winners = rivals(40, seed, knows=knows)
        sources["calibrated"] = sources["fused"]
        sources["weather"] = np.full((40, 6), 1 / 6)
        if lagged is not None:
            sources["fused_lagged"] = rivals(40, seed, knows=lagged)[0]["fused"]
        frames.append(evaluated(sources, winners, city=city, hours=[-3, 15]))
    classifiers = pl.DataFrame(
        [
            {
                "city": "new_york",
                "date": FIRST + timedelta(days=day),
                "target": "move_1m",
                "trees": True,
                "n_rows": 100,
                "cross_entropy": 0.5 + day / 1000,
                "baseline_cross_entropy": 0.52,
                "auc": 0.6,
                "baseline_auc": 0.5,
            }
            for day in range(10)
        ],
        schema=CLASSIFIER_DAYS,
    )
    return MarketStudy(evaluations=pl.concat(frames), classifier_days=classifiers)


@pytest.fixture(scope="module")
def study() -> MarketStudy:
    return study_of(0.2, ("chicago", "new_york"), lagged=0.0)


def test_the_page_and_its_figures_are_written_and_every_figure_is_on_it(
    study: MarketStudy, tmp_path: Path
) -> None:
    page, *pictures = write_page(study, command=COMMAND, titles=TITLES, folder=tmp_path)
    text = page.read_text("utf-8")
    assert len(pictures) == 4
    for picture in pictures:
        assert f"](pictures/{picture.name})" in text
        assert fromstring(picture.read_text("utf-8")).tag.endswith("svg")
    assert COMMAND in text
    assert "nan" not in text.lower()
    assert "None" not in text


def test_the_same_study_gives_the_same_page(study: MarketStudy, tmp_path: Path) -> None:
    again = MarketStudy(evaluations=study.evaluations, classifier_days=study.classifier_days)
    first, second = (
        write_page(s, command=COMMAND, titles=TITLES, folder=tmp_path / name)
        for name, s in (("a", study), ("b", again))
    )
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_lines_of_prose_are_short_enough_to_read_as_text(study: MarketStudy) -> None:
    text = page_text(study, command=COMMAND, titles=TITLES)
    assert all(len(line) <= 100 for line in text.splitlines() if not line.startswith(("|", "!")))


def test_the_market_wins_is_said_as_plainly_as_its_opposite() -> None:
    (won,) = verdicts(study_of(0.2).scoreboard, TITLES)
    (lost,) = verdicts(study_of(-0.5).scoreboard, TITLES)
    (drawn,) = verdicts(study_of(0.0).scoreboard, TITLES)
    assert won.startswith("**New York: the calibrated pool beats the market** by 0.")
    assert lost.startswith("**New York: the market wins.** It beats the calibrated pool by 0.")
    assert drawn.startswith("**New York: a draw.**")
    assert all(said.endswith("on 40 days.") for said in (won, lost, drawn))
    assert "−" not in won + lost


def test_nobody_wins_by_nought() -> None:
    (said,) = verdicts(study_of(1e-4).scoreboard, TITLES)
    assert "beats the market** by 0.000" in said
    assert "by 0.000 nats" not in said


def test_an_interval_around_zero_is_undecided() -> None:
    sources, winners = rivals(40, 3, knows=0.0)
    rng = np.random.default_rng(3)
    other = sources["market"] * rng.uniform(0.8, 1.25, size=(40, 6))
    sources["fused"] = other / other.sum(axis=1, keepdims=True)
    board = MarketStudy(evaluations=evaluated(sources, winners)).scoreboard
    (said,) = verdicts(board, TITLES)
    assert said.startswith("**New York: undecided.** By the mean ")


def test_hours_at_which_the_pool_is_worse_are_named() -> None:
    assert "**Some hours are worse than the market.**" in anchor_verdict(study_of(-0.5).scoreboard)
    assert "worse at 2 (21:00 eve, 15:00)" in anchor_verdict(study_of(-0.5).scoreboard)
    assert "**No hour is worse than the market.**" in anchor_verdict(study_of(0.2).scoreboard)


def test_controls_that_show_skill_are_called_failed(study: MarketStudy) -> None:
    held = page_text(study, command=COMMAND, titles=TITLES)
    assert "**Controls passed**" in held
    failed = page_text(study_of(0.2, lagged=0.2), command=COMMAND, titles=TITLES)
    assert "**Controls failed**" in failed
    assert "fused_lagged against the market" in " ".join(failed.split())


def test_a_classifier_with_skill_on_labels_of_other_days_is_named(study: MarketStudy) -> None:
    learnt = study.classifier_days.with_columns(
        pl.col("cross_entropy") - 0.1, target=pl.lit("lead_1m")
    )
    skilled = MarketStudy(evaluations=study.evaluations, control_days=learnt)
    assert failed_controls(skilled) == ["classifier lead_1m with the labels of other days"]


def test_every_city_has_its_verdict_and_its_days(study: MarketStudy) -> None:
    text = page_text(study, command=COMMAND, titles=TITLES)
    for title in ("Chicago", "New York"):
        assert f"- **{title}: " in text
        assert f"| {title} | 40 | 40 |" in text


def test_a_study_without_a_comparison_makes_no_page(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is none"):
        write_page(MarketStudy.of([]), command=COMMAND, titles=TITLES, folder=tmp_path)
