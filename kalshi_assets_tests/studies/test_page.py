"""The page and its figures: every number from the study, the same bytes every time."""

from datetime import date, timedelta
from pathlib import Path
from xml.etree.ElementTree import fromstring

import numpy as np
import polars as pl
import pytest

from kalshi_assets.families.temperature.cities import city
from kalshi_assets.pages.verification_page import page_text, write_page
from kalshi_assets.studies.scoring import FORECASTS
from kalshi_assets.studies.weather_days import MISSED_PEAKS, NEW_HIGHS, DayEvaluation
from kalshi_assets.studies.weather_study import WEATHER_METHODS, WeatherStudy

PLACE = city("new_york")
FIRST = date(2025, 6, 1)


def handmade(day: date, rng: np.random.Generator, *, market: bool) -> DayEvaluation:
    methods = [*WEATHER_METHODS, "market"] if market else WEATHER_METHODS
    winner = int(rng.integers(6))
    forecasts = [
        {"date": day, "method": m, "lst_hour": h, "p": rng.dirichlet(np.ones(6)), "winner": winner}
        for m in methods
        for h in (9, 12, 15)
    ]
    highs = [
        {
            "date": day,
            "method": method,
            "lst_hour": hour,
            "probability": (hour % 10) / 10,
            "new_high": bool(rng.random() < (hour % 10) / 10),
            "proved": True,
        }
        for method in ("exact", "analogue")
        for hour in range(8, 18)
    ]
    peak = {
        "date": day,
        "official_f": 70,
        "reported_lo_f": 70,
        "reported_hi_f": 70,
        "missed_peak": [0.9, 0.1, 0.0, 0.0],
    }
    return DayEvaluation(
        date=day,
        recorded=market,
        forecasts=pl.DataFrame(forecasts, schema=FORECASTS),
        new_highs=pl.DataFrame(highs, schema=NEW_HIGHS),
        missed_peak=pl.DataFrame([peak], schema=MISSED_PEAKS),
        market_valid=1 if market else None,
        in_tail=winner in (0, 5),
    )


def study(*, market: bool = True) -> WeatherStudy:
    rng = np.random.default_rng(2)
    days = [
        handmade(FIRST + timedelta(days=n), rng, market=market and n % 2 == 0) for n in range(12)
    ]
    return WeatherStudy([DayEvaluation(date=date(2025, 5, 31), left_out="no reports"), *days])


def test_the_page_says_what_the_study_found() -> None:
    made = study()
    text = page_text(made, PLACE)
    row = made.summary.filter(
        pl.col("days") == "all",
        pl.col("method") == "exact",
        pl.col("against") == "nothing",
        pl.col("lst_hour") == 12,
        pl.col("score") == "rps",
    ).to_dicts()[0]
    assert f"{row['value']:.3f} [{row['lo']:.3f}, {row['hi']:.3f}]" in text
    assert "| scored | 12 | 2025-06-01 .. 2025-06-12 |" in text
    assert "| no reports | 1 | 05-31 |" in text
    assert "6 scored days have a recorded market" in text
    assert "| 0 | 12 | 10.8 |" in text


def test_a_study_without_a_market_does_not_speak_of_one() -> None:
    assert "## Against the market" not in page_text(study(market=False), PLACE)


def test_the_same_study_gives_the_same_bytes(tmp_path: Path) -> None:
    once, again = (write_page(study(), PLACE, tmp_path / name) for name in ("once", "again"))
    assert [path.name for path in once] == [path.name for path in again]
    assert [path.read_bytes() for path in once] == [path.read_bytes() for path in again]


def test_figures_stand_by_themselves_and_the_page_shows_each(tmp_path: Path) -> None:
    page, *figures = write_page(study(), PLACE, tmp_path)
    for figure in figures:
        text = figure.read_text("utf-8")
        assert fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
        assert "var(--" not in text
        assert f"(pictures/{figure.name})" in page.read_text("utf-8")


def test_a_study_without_a_scored_day_makes_no_page(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one scored day"):
        write_page(
            WeatherStudy([DayEvaluation(date=FIRST, left_out="no reports")]), PLACE, tmp_path
        )
