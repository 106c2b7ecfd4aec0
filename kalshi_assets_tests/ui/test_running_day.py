"""A day in progress: the sensor starts its session, which is seen, stopped and ingested."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from kalshi_assets.defs.partitions import CITY_DAYS, dagster_key
from kalshi_assets.families.temperature.cities import city_day
from kalshi_assets.keys import LadderDay
from kalshi_assets.live.journal import Journal
from kalshi_assets.live.opening import session_name
from kalshi_assets.tables import LIVE_DECISIONS, LIVE_PARITY, LIVE_SESSIONS
from kalshi_assets_tests.shared_work import shared_world
from kalshi_assets_tests.ui.dagster_ui import (
    DagsterUI,
    free_port,
    started,
    wait_until,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

DAY = city_day("new_york", date(2026, 6, 30))
FIRST = date(2026, 6, 20)
SPEED = 60
"""A minute a second: the rest of the day takes fifteen minutes."""
PATIENCE_S = 240.0

_RUNS = """
query Runs($filter: RunsFilter!) {
  runsOrError(filter: $filter) {
    ... on Runs { results { runId status tags { key value } } }
    ... on PythonError { message }
  }
}
"""
_LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on PythonError { message }
  }
}
"""
_TERMINATE = """
mutation Stop($run: String!) { terminateRun(runId: $run) { __typename } }
"""
_EVENTS = """
query Events($run: ID!) {
  runOrError(runId: $run) {
    ... on Run { eventConnection(limit: 200) { events { ... on MessageEvent { message } } } }
  }
}
"""
_MATERIALIZED = """
query Partitions($asset: AssetKeyInput!) {
  assetNodeOrError(assetKey: $asset) {
    ... on AssetNode { assetMaterializations(limit: 10) { partition } }
  }
}
"""
_TICKS = """
query Ticks($selector: InstigationSelector!) {
  instigationStateOrError(instigationSelector: $selector) {
    ... on InstigationState { ticks(limit: 5) { status skipReason error { message } } }
  }
}
"""
_SELECTOR = {"repositoryName": "__repository__", "repositoryLocationName": "kalshi_assets"}


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A UI of a day in progress, and what was seen while its session ran."""

    ui: DagsterUI
    page: str
    run: str
    state: Mapping[str, Any]

    @property
    def messages(self) -> str:
        """What the session's run has said so far."""
        answer = self.ui.ask(_EVENTS, run=self.run)["runOrError"]["eventConnection"]
        return "\n".join(event.get("message", "") for event in answer["events"])


def runs(ui: DagsterUI, job: str) -> Sequence[Mapping[str, Any]]:
    """Runs of a job, the latest first."""
    found: Sequence[Mapping[str, Any]]
    found = ui.ask(_RUNS, filter={"pipelineName": job})["runsOrError"]["results"]
    return found


def wait_for_run(ui: DagsterUI, job: str, status: str) -> str:
    """The latest run of a job, once it has a status."""

    def reached() -> bool:
        latest = runs(ui, job)[:1]
        ended = {run["status"] for run in latest} & {"FAILURE", "CANCELED", "SUCCESS"} - {status}
        assert not ended, ui.log[-4000:]
        return [run["status"] for run in latest] == [status]

    wait_until(reached, PATIENCE_S, every_s=0.5)
    return str(runs(ui, job)[0]["runId"])


def launch(ui: DagsterUI, job: str, keys: Sequence[LadderDay]) -> None:
    """Start a run of a job for every ladder-day, as the job's page does."""
    for key in keys:
        tags = CITY_DAYS.get_tags_for_partition_key(dagster_key(key))
        params = {
            "selector": {**_SELECTOR, "jobName": job},
            "executionMetadata": {"tags": [{"key": k, "value": v} for k, v in tags.items()]},
        }
        launched = ui.ask(_LAUNCH, params=params)["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DagsterUI, str]]:
    folder: Path = tmp_path_factory.mktemp("running-day")
    world = shared_world(tmp_path_factory, cities=[DAY.ladder], start=FIRST, end=DAY.date, seed=7)
    port = free_port()
    settings = {"KALSHI_ASSETS_SESSION_PORT": str(port)}
    with started(folder, world, running_at=SPEED, environment=settings) as running:
        yield running, f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def seen(ui: tuple[DagsterUI, str]) -> Seen:
    """The session that the sensor started once the day's fits were made; it is running."""
    running, page = ui
    launch(running, "intraday", [DAY])
    wait_for_run(running, "intraday", "SUCCESS")
    run = wait_for_run(running, "session", "STARTED")
    state: Mapping[str, Any] = {}

    def decides() -> bool:
        nonlocal state
        try:
            state = httpx.get(f"{page}/state.json").json()
        except httpx.TransportError:
            return False
        return bool(state["decisions"])

    wait_until(decides, PATIENCE_S)
    return Seen(ui=running, page=page, run=run, state=state)


@pytest.fixture(scope="module")
def beside(seen: Seen) -> Sequence[Mapping[str, Any]]:
    """Runs of two days that were started while the session ran, once both have."""
    earlier = DAY.earlier(2)
    launch(seen.ui, "refresh", earlier)

    def together() -> bool:
        found = runs(seen.ui, "refresh") + runs(seen.ui, "session")
        return [run["status"] for run in found] == ["STARTED"] * 3

    wait_until(together, PATIENCE_S)
    return runs(seen.ui, "refresh")


@pytest.fixture(scope="module")
def stopped(seen: Seen) -> Seen:
    """The same after its run was terminated as from its page."""
    answer = seen.ui.ask(_TERMINATE, run=seen.run)["terminateRun"]
    assert answer["__typename"] == "TerminateRunSuccess"
    wait_for_run(seen.ui, "session", "CANCELED")
    return seen


def test_the_sensor_starts_the_session_of_the_day_in_progress(seen: Seen) -> None:
    assert seen.state["session"] == session_name([DAY])
    assert seen.state["mode"] == "shadow"
    assert seen.state["now"].startswith(str(DAY.date))
    (ladder,) = seen.state["ladders"]
    assert len(ladder["brackets"]) == 6
    assert not ladder["over"]


def test_the_run_says_where_the_session_s_page_is(seen: Seen) -> None:
    assert f"page of the session: {seen.page}/" in seen.messages


def test_two_runs_and_the_session_work_side_by_side(
    seen: Seen, beside: Sequence[Mapping[str, Any]]
) -> None:
    before = httpx.get(f"{seen.page}/state.json").json()["decisions"]

    def all_went_on() -> bool:
        now = httpx.get(f"{seen.page}/state.json").json()["decisions"]
        ended = {run["status"] for run in runs(seen.ui, "refresh")} <= {"SUCCESS", "FAILURE"}
        return now > before and ended

    wait_until(all_went_on, PATIENCE_S, every_s=1.0)
    assert [run["status"] for run in runs(seen.ui, "session")] == ["STARTED"]


def test_stopping_the_run_ends_the_session_in_its_journal_and_its_process(stopped: Seen) -> None:
    with Journal.of(stopped.ui.lake.files, session_name([DAY]), clock_us=lambda: 0) as journal:
        session = journal.session()
        assert session is not None
        assert session.end_reason == "stopped: SIGINT"
        assert journal.decisions().height > 0
    found = re.search(r"Started process for run \(pid: (\d+)\)", stopped.messages)
    assert found is not None, stopped.messages
    wait_until(lambda: not Path("/proc", found[1]).exists(), 30.0)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{stopped.page}/healthz")


def test_its_assets_appear(stopped: Seen) -> None:
    wait_for_run(stopped.ui, "sessions", "SUCCESS")
    asset = {"path": [LIVE_SESSIONS.schema, LIVE_SESSIONS.name]}
    node = stopped.ui.ask(_MATERIALIZED, asset=asset)["assetNodeOrError"]
    assert [each["partition"] for each in node["assetMaterializations"]] == [str(dagster_key(DAY))]
    (row,) = stopped.ui.lake.read(LIVE_SESSIONS, DAY).to_dicts()
    assert (row["mode"], row["end_reason"]) == ("shadow", "stopped: SIGINT")
    assert stopped.ui.lake.read(LIVE_DECISIONS, DAY).height == row["decisions"] > 0
    # The day has no backtest yet, so that there is nothing to compare with.
    assert not stopped.ui.lake.has(LIVE_PARITY, DAY)


def test_a_session_that_was_stopped_is_not_started_again(stopped: Seen) -> None:
    selector = {**_SELECTOR, "name": "start_session"}

    def skipped() -> bool:
        state = stopped.ui.ask(_TICKS, selector=selector)["instigationStateOrError"]
        assert not [tick["error"] for tick in state["ticks"] if tick["error"]]
        reasons = [tick["skipReason"] for tick in state["ticks"] if tick["status"] == "SKIPPED"]
        return "every ladder of the day has its session" in reasons

    wait_until(skipped, PATIENCE_S, every_s=1.0)
    assert [run["runId"] for run in runs(stopped.ui, "session")] == [stopped.run]
