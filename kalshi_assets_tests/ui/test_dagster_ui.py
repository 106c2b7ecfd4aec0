"""The Dagster UI starts, shows the graph, backfills what its button asks for, and ticks."""

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import pytest

from kalshi_assets.defs.partitions import dagster_key
from kalshi_assets.families.temperature.checks import CHECKS
from kalshi_assets.families.temperature.cities import city_day, city_days
from kalshi_assets.keys import LadderDay
from kalshi_assets.tables import (
    HAZARD_PMF,
    OBSERVATIONS,
    OF_SESSIONS,
    STUDIES,
    SUMMARIES,
    SWEEPS,
    TABLES,
)
from kalshi_assets_tests.ui.conftest import CITIES, LAST
from kalshi_assets_tests.ui.dagster_ui import (
    DagsterUI,
    button_params,
    members,
    named_params,
    wait_until,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ASSETS = [(table.schema, table.name) for table in TABLES]
BACKFILLED_WITHIN_S = 400.0

_LOCATION = """
{
  workspaceOrError {
    ... on Workspace {
      locationEntries {
        name
        loadStatus
        locationOrLoadError {
          __typename
          ... on PythonError { message }
          ... on RepositoryLocation {
            repositories {
              schedules { name scheduleState { status } }
              sensors { name sensorState { status } }
              jobs { name }
            }
          }
        }
      }
    }
  }
}
"""
_ASSETS = "{ assetNodes { assetKey { path } groupName description kinds owners { __typename } } }"
_EVENTS = """
query Events($run: ID!, $cursor: String) {
  runOrError(runId: $run) {
    ... on Run {
      eventConnection(limit: 1000, afterCursor: $cursor) {
        cursor
        hasMore
        events {
          __typename
          ... on MaterializationEvent { assetKey { path } partition }
          ... on AssetCheckEvaluationEvent {
            evaluation { assetKey { path } checkName success partition }
          }
        }
      }
    }
  }
}
"""
_TICKS = """
query Ticks($selector: InstigationSelector!) {
  instigationStateOrError(instigationSelector: $selector) {
    ... on InstigationState { status ticks(limit: 20) { status skipReason error { message } } }
  }
}
"""
_SELECTOR = {"repositoryName": "__repository__", "repositoryLocationName": "kalshi_assets"}
_DRY_SCHEDULE = """
mutation Dry($selector: ScheduleSelector!, $at: Float) {
  scheduleDryRun(selectorData: $selector, timestamp: $at) {
    __typename
    ... on PythonError { message }
    ... on DryRunInstigationTick {
      evaluationResult { skipReason error { message } runRequests { runKey jobName } }
    }
  }
}
"""
_DRY_SENSOR = """
mutation Dry($selector: SensorSelector!) {
  sensorDryRun(selectorData: $selector, cursor: "{}") {
    __typename
    ... on PythonError { message }
    ... on DryRunInstigationTick {
      evaluationResult { skipReason error { message } runRequests { runKey } cursor }
    }
  }
}
"""


def test_the_code_location_loads_and_its_schedules_and_sensor_are_on(ui: DagsterUI) -> None:
    (entry,) = ui.ask(_LOCATION)["workspaceOrError"]["locationEntries"]
    assert (entry["name"], entry["loadStatus"]) == ("kalshi_assets", "LOADED")
    location = entry["locationOrLoadError"]
    assert location["__typename"] == "RepositoryLocation", location
    (repository,) = location["repositories"]
    schedules = {s["name"]: s["scheduleState"]["status"] for s in repository["schedules"]}
    sensors = {s["name"]: s["sensorState"]["status"] for s in repository["sensors"]}
    named = ("daily_refresh", "hourly_intraday", "nightly_performance", "nightly_promotion")
    assert schedules == dict.fromkeys(named, "RUNNING")
    assert sensors == dict.fromkeys(("newly_settled", "start_session", "watch_sessions"), "RUNNING")
    assert {job["name"] for job in repository["jobs"]} >= {"refresh", "intraday", "settle", "judge"}


def test_all_assets_are_there_with_group_description_kind_and_owner(ui: DagsterUI) -> None:
    nodes = ui.ask(_ASSETS)["assetNodes"]
    others = {(table.schema, table.name) for table in (*STUDIES, *SUMMARIES, *SWEEPS, *OF_SESSIONS)}
    assert {tuple(node["assetKey"]["path"]) for node in nodes} == {*ASSETS, *others}
    for node in nodes:
        assert node["groupName"] == node["assetKey"]["path"][0]
        assert node["description"]
        assert node["kinds"]
        assert node["owners"]


def test_what_it_prints_tells_where_it_is_and_what_to_try(ui: DagsterUI) -> None:
    lines = ui.log.splitlines()
    assert lines[0].startswith("sandbox with archive world at http://127.0.0.1:")
    for name, line in zip(CITIES, lines[1:3], strict=True):
        assert line == f"  try a backfill of {name} {LAST - timedelta(days=7)}..{LAST}"
    assert lines[3].startswith(f"Dagster UI at {ui.url}")
    assert "SupersessionWarning" not in ui.log
    assert "code location name" not in ui.log
    assert "Traceback" not in ui.log


PRESSED = city_days(["chicago"], LAST - timedelta(days=1), LAST)
NAMED = city_day("new_york", LAST)
OF_THIRTEEN_DAYS = (OBSERVATIONS.schema, OBSERVATIONS.name)


@pytest.fixture(scope="module")
def backfills(ui: DagsterUI) -> tuple[str, str]:
    """Two of them at once, as the defaults allow: the button's, and one with days per asset."""
    first = NAMED.earlier(13)[0]
    named = {asset: (first if asset == OF_THIRTEEN_DAYS else NAMED, NAMED) for asset in ASSETS}
    return ui.launch(button_params(ASSETS, PRESSED)), ui.launch(named_params(named))


def test_the_button_s_backfill_makes_what_was_asked_and_nothing_else(
    ui: DagsterUI, backfills: tuple[str, str]
) -> None:
    backfill = ui.ended(backfills[0], BACKFILLED_WITHIN_S)
    assert_made(ui, backfill, PRESSED)
    lines = {_tag(run, "dagster/asset_partition_range_end") for run in backfill["runs"]}
    assert lines == {f"chicago|{LAST}"}


def test_a_backfill_with_partitions_per_asset_brings_its_look_back_along(
    ui: DagsterUI, backfills: tuple[str, str]
) -> None:
    backfill = ui.ended(backfills[1], BACKFILLED_WITHIN_S)
    assert_made(ui, backfill, [NAMED], {OF_THIRTEEN_DAYS: [*NAMED.earlier(13), NAMED]})
    hazard = ui.lake.read(HAZARD_PMF, NAMED)
    assert hazard["p_wx"].drop_nulls().len() > 0
    assert hazard["days"].max() == 13


@pytest.mark.parametrize("schedule", ["daily_refresh", "hourly_intraday"])
def test_a_schedule_s_tick_skips_days_that_the_exchange_lacks_and_asks_for_those_it_has(
    ui: DagsterUI, schedule: str
) -> None:
    selector = {**_SELECTOR, "scheduleName": schedule}
    answer = ui.ask(_DRY_SCHEDULE, selector=selector, at=1_782_828_420.0)["scheduleDryRun"]
    result = answer["evaluationResult"]
    assert result["error"] is None
    asked = {request["runKey"] for request in result["runRequests"]}
    assert len(asked) >= len(CITIES)
    assert all("26JUN" in key for key in asked)

    answer = ui.ask(_DRY_SCHEDULE, selector=selector, at=time.time())["scheduleDryRun"]
    today = answer["evaluationResult"]
    assert today["error"] is None
    assert today["skipReason"].startswith("the exchange has none of: KXHIGHNY-")


def test_the_sensor_ticks_and_never_fails(ui: DagsterUI) -> None:
    selector = {**_SELECTOR, "name": "newly_settled"}
    ticks: Sequence[Mapping[str, Any]] = []

    def ticked() -> bool:
        nonlocal ticks
        state = ui.ask(_TICKS, selector=selector)["instigationStateOrError"]
        ticks = [tick for tick in state["ticks"] if tick["status"] != "STARTED"]
        return bool(ticks)

    wait_until(ticked, 90.0, every_s=1.0)
    assert {tick["status"] for tick in ticks} <= {"SKIPPED", "SUCCESS"}, ticks

    dry = ui.ask(_DRY_SENSOR, selector={**_SELECTOR, "sensorName": "newly_settled"})
    result = dry["sensorDryRun"]["evaluationResult"]
    assert result["error"] is None
    assert result["skipReason"] == "no event has settled since"
    assert "new_york" in result["cursor"]


def test_the_sandbox_and_the_daemon_belong_to_the_ui_and_end_with_it(ui: DagsterUI) -> None:
    """That they end is what the fixture waits for."""
    family = members(ui.group)
    assert any("sandbox serve" in line for line in family)
    assert any("dagster_webserver" in line for line in family)
    assert any("dagster._daemon" in line for line in family)


def assert_made(
    ui: DagsterUI,
    backfill: Mapping[str, Any],
    keys: Sequence[LadderDay],
    others: Mapping[tuple[str, str], Sequence[LadderDay]] = MappingProxyType({}),
) -> None:
    """Partitions in the lake, and their materialisations and checks in the event log."""
    failed = [run["runId"] for run in backfill["runs"] if run["status"] != "SUCCESS"]
    assert (backfill["status"], failed) == ("COMPLETED_SUCCESS", []), ui.log[-4000:]
    asked = {asset: others.get(asset, keys) for asset in ASSETS}
    counts = {
        tuple(found["assetKey"]["path"]): (
            found["numPartitionsTargeted"],
            found["numPartitionsMaterialized"],
            found["numPartitionsFailed"],
        )
        for found in backfill["assetBackfillData"]["assetBackfillStatuses"]
    }
    assert counts == {asset: (len(days), len(days), 0) for asset, days in asked.items()}
    for table in TABLES:
        for key in asked[table.schema, table.name]:
            frame = ui.lake.read(table, key)
            assert table.conform(frame).equals(frame)

    events = _events(ui, backfill)
    materialised = {
        (tuple(event["assetKey"]["path"]), event["partition"])
        for event in events
        if event["__typename"] == "MaterializationEvent"
    }
    assert materialised == {
        (asset, str(dagster_key(key))) for asset, days in asked.items() for key in days
    }
    verdicts = [
        event["evaluation"]
        for event in events
        if event["__typename"] == "AssetCheckEvaluationEvent"
    ]
    checked = {
        (*verdict["assetKey"]["path"], verdict["checkName"]): verdict["success"]
        for verdict in verdicts
    }
    assert checked.keys() == {
        (table.schema, table.name, check.name) for table in TABLES for check in CHECKS.of(table)
    }
    bad = {name for name, passed in checked.items() if not passed}
    # Recorded days differ between the exchange and the official maximum, and a feed can be wrong.
    assert bad <= {
        ("weather", "settlements", "sources_agree"),
        ("probability", "hazard_pmf", "feed_alarm"),
    }


def _events(ui: DagsterUI, backfill: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for run in backfill["runs"]:
        cursor, more = None, True
        while more:
            answer = ui.ask(_EVENTS, run=run["runId"], cursor=cursor)
            page = answer["runOrError"]["eventConnection"]
            found += page["events"]
            cursor, more = page["cursor"], page["hasMore"]
    return found


def _tag(run: Mapping[str, Any], name: str) -> str:
    return next(tag["value"] for tag in run["tags"] if tag["key"] == name)
