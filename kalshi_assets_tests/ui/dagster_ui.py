"""`kalshi-assets ui` as a process, and the questions that its pages ask over GraphQL."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx

from kalshi_assets.commands.ui import RUNNING_DAY
from kalshi_assets.defs.partitions import dagster_key
from kalshi_assets.families.temperature.cities import TEMPERATURE
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake
from kalshi_assets.settings import Settings

PROJECT = Path(__file__).parents[2]
STARTS_WITHIN_S = 120.0
ENDS_WITHIN_S = 30.0
ENDED = frozenset({"COMPLETED_SUCCESS", "COMPLETED_FAILED", "CANCELED", "FAILED"})

_LAUNCH = """
mutation Launch($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message stack }
  }
}
"""
_BACKFILL = """
query Backfill($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    ... on PartitionBackfill {
      status
      error { message }
      runs(limit: 100) { runId status tags { key value } }
      assetBackfillData {
        assetBackfillStatuses {
          ... on AssetPartitionsStatusCounts {
            assetKey { path }
            numPartitionsTargeted
            numPartitionsMaterialized
            numPartitionsFailed
          }
        }
      }
    }
    ... on PythonError { message }
  }
}
"""


@dataclass(frozen=True, kw_only=True)
class DagsterUI:
    """A running UI, in a folder of its own that holds the project's Dagster files."""

    folder: Path
    data: Path
    port: int
    group: int

    @property
    def url(self) -> str:
        """Where the pages are."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def lake(self) -> Lake:
        """What its runs fill."""
        return Lake(Files(self.data), TEMPERATURE)

    @property
    def log(self) -> str:
        """What it has said so far, without colours."""
        text = (self.folder / "ui.log").read_text("utf-8", errors="replace")
        return re.sub(r"\x1b\[[0-9;]*m", "", text)

    def ask(self, question: str, **variables: object) -> Mapping[str, Any]:
        """The answer to a GraphQL question."""
        answer = httpx.post(
            f"{self.url}/graphql", json={"query": question, "variables": variables}, timeout=60.0
        ).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def backfill(self, params: Mapping[str, object], patience_s: float) -> Mapping[str, Any]:
        """Launch a backfill as a page does and wait until it has ended."""
        return self.ended(self.launch(params), patience_s)

    def launch(self, params: Mapping[str, object]) -> str:
        """Launch a backfill as a page does; its id."""
        launched = self.ask(_LAUNCH, params=params)["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        return str(launched["backfillId"])

    def ended(self, backfill_id: str, patience_s: float) -> Mapping[str, Any]:
        """A backfill once it has ended."""
        backfill: Mapping[str, Any] = {}

        def ended() -> bool:
            nonlocal backfill
            answer = self.ask(_BACKFILL, id=backfill_id)
            backfill = answer["partitionBackfillOrError"]
            return backfill["status"] in ENDED

        wait_until(ended, patience_s, every_s=1.0)
        return backfill


def wait_until(condition: Callable[[], bool], patience_s: float, every_s: float = 0.2) -> None:
    """Wait, but not for ever."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {patience_s} s in vain"
        time.sleep(every_s)


def button_params(assets: Sequence[Sequence[str]], keys: Sequence[LadderDay]) -> dict[str, object]:
    """What the Materialize button of a page sends: assets, and partitions for all of them."""
    return {
        "assetSelection": [{"path": list(path)} for path in assets],
        "partitionNames": [str(dagster_key(key)) for key in keys],
        "fromFailure": False,
        "tags": [],
    }


def named_params(ranges: Mapping[Sequence[str], tuple[LadderDay, LadderDay]]) -> dict[str, object]:
    """The same with the first and last partition named per asset."""
    return {
        "partitionsByAssets": [
            {
                "assetKey": {"path": list(path)},
                "partitions": {
                    "range": {"start": str(dagster_key(first)), "end": str(dagster_key(last))}
                },
            }
            for path, (first, last) in ranges.items()
        ],
        "fromFailure": False,
        "tags": [],
    }


@contextmanager
def started(
    folder: Path,
    archive: Path | None,
    *,
    running_at: int | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[DagsterUI]:
    """A UI in `folder` that serves `archive`; on leaving, all of its processes have ended.

    Parameters
    ----------
    archive
        None: the recordings beside the folder, or a generated world.
    running_at
        Speed of a sandbox whose last day is in progress; None: one of past days.
    environment
        More settings.
    """
    for name in ("workspace.yaml", "dagster.yaml"):
        shutil.copy(PROJECT / name, folder)
    arguments = ["--archive", str(archive)] if archive is not None else []
    data = folder / "data"
    if running_at is not None:
        arguments += ["--running-day", "--speed", str(running_at)]
    port = free_port()
    with (folder / "ui.log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "kalshi_assets.cli", "ui", "--port", str(port), *arguments],
            cwd=folder,
            env=_without_settings() | {"KALSHI_ASSETS_DATA": str(data), **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    filled = data if running_at is None else data / RUNNING_DAY
    ui = DagsterUI(folder=folder, data=filled, port=port, group=child.pid)
    try:
        wait_until(lambda: _answers(child, ui), STARTS_WITHIN_S)
        yield ui
        child.terminate()
        child.wait(ENDS_WITHIN_S)
        wait_until(lambda: not members(ui.group), ENDS_WITHIN_S)
    finally:
        if members(ui.group):
            os.killpg(ui.group, signal.SIGKILL)
        child.wait()


def members(group: int) -> list[str]:
    """The command lines of the processes that live in a session's group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text("utf-8").rpartition(")")[2].split()
            if int(fields[2]) == group and fields[0] != "Z":
                line = (stat.parent / "cmdline").read_bytes()
                found.append(line.replace(b"\0", b" ").decode("utf-8", "replace").strip())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def _answers(child: subprocess.Popen, ui: DagsterUI) -> bool:
    assert child.poll() is None, ui.log
    try:
        return httpx.get(f"{ui.url}/server_info", timeout=5.0).is_success
    except httpx.TransportError:
        return False


def free_port() -> int:
    """A port that nobody uses yet."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def _without_settings() -> dict[str, str]:
    ours = {str(field.validation_alias) for field in Settings.model_fields.values()}
    return {k: v for k, v in os.environ.items() if k not in ours | {"DAGSTER_HOME", "ARCHIVE"}}
