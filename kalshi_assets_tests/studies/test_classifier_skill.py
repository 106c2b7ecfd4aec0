from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from kalshi_assets.statistics.bootstrap import Bootstrap
from kalshi_assets.studies.classifier_skill import CLASSIFIER_DAYS, classifier_skill
from kalshi_assets_tests.studies.forecasts import FIRST


def scored_days(gain: float, *, days: int = 40, auc: float | None = 0.6) -> pl.DataFrame:
    rng = np.random.default_rng(1)
    rows = []
    for city in ("chicago", "new_york"):
        for day in range(days):
            baseline = float(rng.normal(0.7, 0.05))
            rows.append(
                {
                    "city": city,
                    "date": FIRST + timedelta(days=day),
                    "target": "move_1m",
                    "trees": day % 2 == 0,
                    "n_rows": 500,
                    "cross_entropy": baseline - gain + float(rng.normal(0, 0.01)),
                    "baseline_cross_entropy": baseline,
                    "auc": auc,
                    "baseline_auc": 0.5,
                }
            )
    return pl.DataFrame(rows, schema=CLASSIFIER_DAYS)


def test_skill_is_found_and_its_absence_too() -> None:
    for gain, verdict in ((0.02, "better"), (0.0, "undecided"), (-0.02, "worse")):
        found = classifier_skill(scored_days(gain), Bootstrap(seed=1, resamples=300))
        row = found.filter(slice="all", score="cross_entropy").to_dicts()[0]
        assert row["verdict"] == verdict
        assert row["difference"] == pytest.approx(row["value"] - row["baseline"])
        assert row["skill"] == pytest.approx(1 - row["value"] / row["baseline"])
        assert (row["n_days"], row["n_dates"], row["days_with_trees"]) == (80, 40, 40)
        assert row["discovery"] == (verdict != "undecided")


def test_of_areas_more_is_better() -> None:
    found = classifier_skill(scored_days(0.0), Bootstrap(seed=1, resamples=50))
    row = found.filter(slice="all", score="auc").to_dicts()[0]
    assert row["verdict"] == "better"
    assert row["skill"] is None


def test_every_city_has_its_rows() -> None:
    found = classifier_skill(scored_days(0.0), Bootstrap(seed=1, resamples=50))
    assert found.filter(slice="city")["slice_value"].unique().sort().to_list() == [
        "chicago",
        "new_york",
    ]


def test_days_of_one_class_have_no_area_and_count_for_cross_entropy_only() -> None:
    found = classifier_skill(scored_days(0.01, auc=None), Bootstrap(seed=1, resamples=50))
    assert set(found["score"]) == {"cross_entropy"}


def test_no_classifiers_make_no_rows() -> None:
    assert classifier_skill(pl.DataFrame(schema=CLASSIFIER_DAYS), Bootstrap(seed=1)).is_empty()
