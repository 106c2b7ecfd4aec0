"""A backfill launched in the UI over ten days, of which two cannot be read in different tables."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from kalshi_assets.defs.partitions import dagster_key
from kalshi_assets.families.temperature.cities import city_days
from kalshi_assets.keys import LadderDay
from kalshi_assets.tables import EVENTS, MC_PARAMS, REPORT, TABLES, TRADES, Table
from kalshi_assets_tests.chain.spoilt import OF_EARLIER_DAYS, made_of
from kalshi_assets_tests.ui.conftest import UNREADABLE_EVENT, UNREADABLE_TRADES
from kalshi_assets_tests.ui.dagster_ui import DagsterUI, button_params

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

DAYS = city_days(["chicago"], date(2026, 6, 18), date(2026, 6, 27))
MADE = made_of(DAYS, event=UNREADABLE_EVENT, trades=UNREADABLE_TRADES)
# A backfill asks for nothing behind a day that failed, though what is learnt rests on earlier days.
MADE[MC_PARAMS] = MADE[MC_PARAMS] - {UNREADABLE_EVENT}
for _learnt in OF_EARLIER_DAYS - {MC_PARAMS}:
    MADE[_learnt] = MADE[_learnt] - {UNREADABLE_EVENT, UNREADABLE_TRADES}
ASSETS = [(table.schema, table.name) for table in TABLES]
BACKFILLED_WITHIN_S = 600.0

_PARTITION = """
query Partition($asset: AssetKeyInput!, $partition: String!) {
  assetNodeOrError(assetKey: $asset) {
    ... on AssetNode {
      latestRunForPartition(partition: $partition) { runId status }
      latestMaterializationByPartition(partitions: [$partition]) { runId }
    }
  }
}
"""
_FAILURES = """
query Failures($run: ID!) {
  runOrError(runId: $run) {
    ... on Run {
      eventConnection(limit: 10000) {
        events {
          ... on ExecutionStepFailureEvent {
            stepKey
            failureMetadata { description }
          }
        }
      }
    }
  }
}
"""


@pytest.fixture(scope="module")
def backfill(ui: DagsterUI) -> Mapping[str, Any]:
    """The backfill once it has ended."""
    return ui.backfill(button_params(ASSETS, DAYS), BACKFILLED_WITHIN_S)


def test_the_good_days_are_made_to_the_report_in_the_same_backfill(
    ui: DagsterUI, backfill: Mapping[str, Any]
) -> None:
    there = {table: {key for key in ui.lake.keys(table) if key in DAYS} for table in TABLES}
    assert there == MADE
    assert len(there[REPORT]) == 8


def test_nothing_is_green_that_is_not_there_and_what_is_not_there_is_red(
    backfill: Mapping[str, Any],
) -> None:
    assert backfill["status"] == "COMPLETED_FAILED"
    counts = {
        tuple(found["assetKey"]["path"]): (
            found["numPartitionsMaterialized"],
            found["numPartitionsFailed"],
        )
        for found in backfill["assetBackfillData"]["assetBackfillStatuses"]
    }
    assert counts == {
        (table.schema, table.name): (len(made), len(DAYS) - len(made))
        for table, made in MADE.items()
    }


@pytest.mark.parametrize(
    ("table", "key", "cause"),
    [
        (EVENTS, UNREADABLE_EVENT, "gap between"),
        (TRADES, UNREADABLE_TRADES, "'1.5000' is above one dollar"),
    ],
    ids=["events", "trades"],
)
def test_a_bad_day_is_red_with_its_reason_and_its_run(
    ui: DagsterUI, backfill: Mapping[str, Any], table: Table, key: LadderDay, cause: str
) -> None:
    bad = _partition(ui, table, key)
    assert bad["latestRunForPartition"]["status"] == "FAILURE"
    assert bad["latestMaterializationByPartition"] == [None]
    (reason,) = _reasons(ui, bad["latestRunForPartition"]["runId"], table)
    assert f"{key}: " in reason
    assert cause in reason

    good = _partition(ui, table, DAYS[0])
    assert good["latestMaterializationByPartition"][0]["runId"]

    behind = _partition(ui, REPORT, key)
    assert behind["latestMaterializationByPartition"] == [None]


def _partition(ui: DagsterUI, table: Table, key: LadderDay) -> Mapping[str, Any]:
    asset = {"path": [table.schema, table.name]}
    answer = ui.ask(_PARTITION, asset=asset, partition=str(dagster_key(key)))
    return answer["assetNodeOrError"]


def _reasons(ui: DagsterUI, run: str, table: Table) -> list[str]:
    events = ui.ask(_FAILURES, run=run)["runOrError"]["eventConnection"]["events"]
    step = f"{table.schema}__{table.name}"
    return [
        event["failureMetadata"]["description"] for event in events if event.get("stepKey") == step
    ]
