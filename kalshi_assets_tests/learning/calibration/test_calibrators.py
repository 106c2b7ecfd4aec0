from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from kalshi_assets.lake import checks
from kalshi_assets.learning.calibration import rows
from kalshi_assets.learning.calibration.calibrators import calibrated, calibrators
from kalshi_assets.learning.calibration.days import LEAD_BLOCKS, CalibrationDay, as_of
from kalshi_assets.learning.calibration.maps import (
    FAMILIES,
    IDENTITY,
    KNOTS,
    TEMPERATURE,
    CalibrationMap,
)
from kalshi_assets.tables.calibration import CALIBRATED, CALIBRATORS
from kalshi_assets_tests.learning.calibration.worlds import (
    START,
    forecasts,
    fused_frame,
    settled_days,
)

TODAY = 153


def start_of(number: int) -> datetime:
    return START + timedelta(days=number)


@pytest.fixture(scope="module")
def bold_days() -> list[CalibrationDay]:
    """150 days whose forecasts are too bold; all are known when day 153 is calibrated."""
    return settled_days(150, seed=2, boldness=2.0)


@pytest.fixture(scope="module")
def mended(bold_days: list[CalibrationDay]) -> pl.DataFrame:
    return calibrators(start_of(TODAY), bold_days)


@pytest.fixture(scope="module")
def fused() -> pl.DataFrame:
    return fused_frame(TODAY, forecasts(1, seed=50, boldness=2.0)[0][0])


def test_both_tables_keep_their_contracts(mended: pl.DataFrame, fused: pl.DataFrame) -> None:
    made = calibrated(fused, mended, start_of(TODAY))
    for table, frame in ((CALIBRATORS, mended), (CALIBRATED, made)):
        assert table.conform(frame).equals(frame)
        assert checks.nothing_from_the_future(table, frame).passed
    assert checks.pmfs_sum_to_one(CALIBRATED, made).passed
    assert checks.impossible_at_zero(CALIBRATED, made).passed
    assert made["p_raw"].equals(fused["p_fused"].alias("p_raw"))


def test_boldness_that_is_proved_is_taken_back(mended: pl.DataFrame, fused: pl.DataFrame) -> None:
    made = calibrated(fused, mended, start_of(TODAY))
    assert made["map"].n_unique() == 1
    assert "identity" not in made["map"].to_list()
    largest = made.group_by("minute").agg(pl.max("p_raw", "p_calibrated"))
    assert (largest["p_calibrated"] < largest["p_raw"]).mean() > 0.9


def test_it_helps_on_days_to_come(mended: pl.DataFrame) -> None:
    p, winners = forecasts(200, seed=51, boldness=2.0)
    before, after = [], []
    for day in range(0, 200, 5):
        made = calibrated(fused_frame(TODAY, p[day]), mended, start_of(TODAY))
        paid = made.filter(pl.col("bracket") == winners[day])
        before.append(-np.log(paid["p_raw"]).mean())
        after.append(-np.log(paid["p_calibrated"]).mean())
    assert np.mean(after) < np.mean(before) - 0.02


def test_without_earlier_days_the_packaged_map_is_in_force(fused: pl.DataFrame) -> None:
    nothing = calibrators(start_of(TODAY), [])
    assert CALIBRATORS.conform(nothing).height == len(LEAD_BLOCKS)
    made = calibrated(fused, nothing, start_of(TODAY))
    assert made["p_calibrated"].equals(made["p_raw"].alias("p_calibrated"))
    assert set(made["map"]) == {"identity"}
    assert made["cumulative_lo"].null_count() == made.height

    packaged = CalibrationMap(family=TEMPERATURE, theta=np.array([-0.5]))
    cooled = calibrated(fused, calibrators(start_of(TODAY), [], packaged), start_of(TODAY))
    order = ("minute", "bracket")
    p = fused.sort(order)["p_fused"].to_numpy().reshape(-1, 6)
    assert cooled.sort(order)["p_calibrated"].to_numpy() == pytest.approx(packaged(p).ravel())
    assert set(cooled["scope"]) == {"packaged"}


def test_right_forecasts_are_left_alone() -> None:
    frame = calibrators(start_of(TODAY), settled_days(150, seed=20))
    maps = frame.filter(pl.col("in_force") & (pl.col("verdict") != "band"))
    assert maps["map"].to_list() == ["identity"] * len(LEAD_BLOCKS)


def test_every_map_that_was_tried_says_why_it_is_not_in_force(mended: pl.DataFrame) -> None:
    for block in LEAD_BLOCKS:
        rows_ = mended.filter(pl.col("lead_block") == block)
        assert set(rows_["map"]) == {"identity", *FAMILIES}
        assert rows_.filter("in_force").filter(pl.col("verdict") != "band")["map"].n_unique() == 1
    used = mended.filter(pl.col("in_force") & ~pl.col("verdict").is_in(["band"]))
    assert set(used["verdict"]) == {"adopted"}


def test_a_days_outcome_counts_only_once_it_was_known(bold_days: list[CalibrationDay]) -> None:
    early = calibrators(start_of(100), bold_days)
    known = [day for day in bold_days if day.known_at <= as_of(start_of(100))]
    assert len(known) == 98
    assert early.equals(calibrators(start_of(100), known))
    wrong = [
        day if day in known else replace(day, winner=0, hits=day.hits * 0, losses=day.losses + 9)
        for day in bold_days
    ]
    assert early.equals(calibrators(start_of(100), wrong))
    assert early["known_at"].max() <= as_of(start_of(100))


def test_the_order_of_days_does_not_matter(
    bold_days: list[CalibrationDay], mended: pl.DataFrame
) -> None:
    assert calibrators(start_of(TODAY), bold_days[::-1]).equals(mended)


def test_minutes_are_calibrated_each_for_itself(mended: pl.DataFrame, fused: pl.DataFrame) -> None:
    until = start_of(TODAY) + timedelta(hours=10)
    whole = calibrated(fused, mended, start_of(TODAY))
    cut = calibrated(fused.filter(pl.col("minute") <= until), mended, start_of(TODAY))
    assert cut.equals(whole.filter(pl.col("minute") <= until))


def test_dead_brackets_stay_at_zero(mended: pl.DataFrame) -> None:
    frame = fused_frame(TODAY, forecasts(1, seed=50)[0][0], dead=3)
    made = calibrated(frame, mended, start_of(TODAY))
    assert (made.filter("impossible")["p_calibrated"] == 0).all()
    assert (made.filter(~pl.col("impossible"))["p_calibrated"] > 0).all()
    dead = made.filter("impossible")
    assert (dead["cumulative_lo"] == 0).all()
    assert (dead["cumulative_hi"] == 0).all()


def test_the_band_is_of_the_cumulative_probability(
    mended: pl.DataFrame, fused: pl.DataFrame
) -> None:
    made = calibrated(fused, mended, start_of(TODAY)).sort("minute", "bracket")
    assert (made["cumulative_lo"] <= made["cumulative_hi"]).all()
    assert (made.filter(pl.col("bracket") == 5)["cumulative_lo"] == 1).all()
    band = mended.filter(pl.col("verdict") == "band")
    assert band.height == 2 * len(KNOTS) * len(LEAD_BLOCKS)
    steps = made.group_by("minute").agg(pl.col("cumulative_lo").diff().min())
    assert steps["cumulative_lo"].min() > -1e-12  # type: ignore[operator]


def test_a_band_needs_thirty_days(bold_days: list[CalibrationDay]) -> None:
    assert "band" in calibrators(start_of(33), bold_days[:30])["verdict"]
    assert "band" not in calibrators(start_of(33), bold_days[:29])["verdict"]


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_written_is_read(name: str) -> None:
    family = FAMILIES[name]
    theta = np.linspace(0.1, 0.8, len(family.identity))
    frame = calibrators(start_of(TODAY), [], CalibrationMap(family=family, theta=theta))
    for block in rows.in_force(CALIBRATORS.conform(frame)):
        assert block.map.family is family
        assert (block.map.theta == theta).all()
        assert block.band is None


def test_calibrators_without_a_map_in_force_are_refused(mended: pl.DataFrame) -> None:
    torn = mended.filter(pl.col("lead_block") != "09-12")
    with pytest.raises(ValueError, match="lead block 09-12 has 0 maps in force"):
        rows.in_force(torn)


def test_a_market_open_before_its_calibrators_is_refused(
    mended: pl.DataFrame, fused: pl.DataFrame
) -> None:
    with pytest.raises(ValueError, match="lies before the calibrators"):
        calibrated(fused, mended.with_columns(pl.col("event_time").dt.offset_by("1d")), START)


def test_a_bracket_without_a_minute_is_refused(mended: pl.DataFrame, fused: pl.DataFrame) -> None:
    with pytest.raises(ValueError, match="brackets have different minutes"):
        calibrated(fused[1:], mended, start_of(TODAY))


def test_an_event_without_minutes_has_no_rows(mended: pl.DataFrame, fused: pl.DataFrame) -> None:
    assert calibrated(fused.clear(), mended, start_of(TODAY)).equals(CALIBRATED.empty())


def test_identity_in_force_changes_not_a_bit(fused: pl.DataFrame) -> None:
    made = calibrated(fused, calibrators(start_of(TODAY), [], IDENTITY), start_of(TODAY))
    assert (made["p_calibrated"] == made["p_raw"]).all()
