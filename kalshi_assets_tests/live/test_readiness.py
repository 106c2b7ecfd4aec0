"""Why a session must not trade a ladder-day."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from kalshi_assets.families.temperature.checks import CHECKS
from kalshi_assets.families.temperature.cities import TEMPERATURE
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake
from kalshi_assets.lake.verdicts import judge
from kalshi_assets.live.readiness import OLDEST_FIT, reasons_against
from kalshi_assets.tables import CALIBRATORS, EVENTS, FUSION_WEIGHTS, MC_PARAMS, Table
from kalshi_assets_tests.lake.handmade import KEY, NOON
from kalshi_assets_tests.live.worlds import FITS, make_ready


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake in which `KEY` is ready."""
    lake = Lake(Files(tmp_path), TEMPERATURE)
    make_ready(lake, KEY)
    return lake


def against(lake: Lake, now: datetime = NOON, later: timedelta = timedelta()) -> list[str]:
    return reasons_against(lake, CHECKS, KEY, now, datetime.now(UTC) + later)


def test_a_ladder_with_judged_fits_and_an_open_event_may_be_traded(lake: Lake) -> None:
    assert against(lake) == []


def test_what_was_not_made_is_named(tmp_path: Path) -> None:
    lake = Lake(Files(tmp_path), TEMPERATURE)
    assert against(lake) == [
        "not made: learning.calibrators, market.events, probability.fusion_weights, "
        "probability.mc_params"
    ]
    make_ready(lake, KEY)
    lake.files.delete(lake.name(MC_PARAMS, KEY))
    assert against(lake) == ["not made: probability.mc_params"]


@pytest.mark.parametrize("table", FITS, ids=lambda table: table.full_name)
def test_a_fit_without_a_verdict_refuses_the_ladder(tmp_path: Path, table: Table) -> None:
    lake = Lake(Files(tmp_path), TEMPERATURE)
    make_ready(lake, KEY, not_judged=[table])
    reasons = against(lake)
    assert reasons
    assert all(each.startswith(f"not passed: {table.full_name}") for each in reasons)
    assert all(each.endswith("not judged") for each in reasons)


def test_a_fit_that_was_made_again_must_be_judged_again(lake: Lake) -> None:
    fit = lake.read(FUSION_WEIGHTS, KEY)
    lake.write(FUSION_WEIGHTS, KEY, fit.with_columns(known_at=pl.col("known_at") - timedelta(1)))
    assert {each.rpartition(": ")[2] for each in against(lake)} == {"not judged since it changed"}


def test_a_failed_blocking_check_refuses_the_ladder_and_says_what_it_found(lake: Lake) -> None:
    fit = lake.read(CALIBRATORS, KEY)
    lake.write(CALIBRATORS, KEY, fit.clear())
    judge(lake, CHECKS.of(CALIBRATORS), CALIBRATORS, [KEY], "run")
    assert against(lake) == ["not passed: learning.calibrators not_empty: 0 rows"]


def test_fits_older_than_the_limit_are_refused_with_their_age(lake: Lake) -> None:
    assert against(lake, later=OLDEST_FIT - timedelta(minutes=1)) == []
    (reason,) = against(lake, later=OLDEST_FIT + timedelta(minutes=1))
    assert reason.startswith("made and judged at 20")
    assert reason.endswith("more than 24 hours ago")


def test_a_ladder_is_traded_from_its_open_to_its_close(lake: Lake) -> None:
    opens, closes = lake.read(EVENTS, KEY).select("open_time", "close_time").row(0)
    assert against(lake, opens - timedelta(seconds=1)) == [f"opens at {opens:%Y-%m-%d %H:%MZ}"]
    assert against(lake, opens) == []
    assert against(lake, closes - timedelta(seconds=1)) == []
    assert against(lake, closes) == [f"closed at {closes:%Y-%m-%d %H:%MZ}"]
