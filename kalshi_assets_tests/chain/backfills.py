"""The command `kalshi-assets backfill` as processes of their own, and what they leave on disk."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from kalshi_assets.families.temperature.cities import TEMPERATURE
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake
from kalshi_assets.sandbox.server import Sandbox
from kalshi_assets.tables import TABLES, Table

PATIENCE_S = 240.0
KEY_FILE = "sandbox.pem"


def service_settings(sandbox: Sandbox, folder: Path) -> dict[str, str]:
    """Environment of a process that talks to `sandbox` and keeps its data below `folder`."""
    key = folder / KEY_FILE
    key.write_bytes(sandbox.private_key_pem)
    return {
        "KALSHI_ASSETS_DATA": str(folder / "data"),
        "KALSHI_ASSETS_ORIGIN": "a generated world",
        "KALSHI_API_URL": sandbox.api_url,
        "KALSHI_API_KEY_ID": sandbox.key_id,
        "KALSHI_PRIVATE_KEY_PEM_PATH": str(key),
        "VISUAL_CROSSING_URL": sandbox.url,
        "VISUAL_CROSSING_KEY": sandbox.weather_key,
        "CLIMATE_REPORT_URL": sandbox.url,
        "WEATHER_COMPANY_URL": sandbox.url,
    }


@dataclass(frozen=True, kw_only=True)
class Home:
    """A folder in which backfills run, with a data folder of its own.

    Attributes
    ----------
    arguments
        City and days, as the command line takes them.
    """

    folder: Path
    sandbox: Sandbox
    arguments: Sequence[str]

    @classmethod
    def of(cls, folder: Path, sandbox: Sandbox, city: str, start: date, end: date) -> "Home":
        """A home in `folder` for backfills of `city` from `start` to `end`."""
        folder.mkdir(parents=True, exist_ok=True)
        arguments = ("--city", city, "--start", f"{start}", "--end", f"{end}")
        return cls(folder=folder, sandbox=sandbox, arguments=arguments)

    @property
    def lake(self) -> Lake:
        """What the backfills fill."""
        return Lake(Files(self.folder / "data"), TEMPERATURE)

    def started(self) -> subprocess.Popen[str]:
        """A backfill that has just been started."""
        environment = {k: v for k, v in os.environ.items() if k != "DAGSTER_HOME"}
        return subprocess.Popen(
            [sys.executable, "-m", "kalshi_assets.cli", "backfill", *self.arguments],
            cwd=self.folder,
            env=environment | service_settings(self.sandbox, self.folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finished(self) -> None:
        """Run a backfill to its end and demand that it went well."""
        child = self.started()
        said, _ = child.communicate(timeout=PATIENCE_S)
        assert child.returncode == 0, said

    def killed_at(self, partitions: int) -> None:
        """Start a backfill and kill it, without warning, once so many partitions are there."""
        child = self.started()
        deadline = time.monotonic() + PATIENCE_S
        while self.count() < partitions and time.monotonic() < deadline:
            assert child.poll() is None, f"ended by itself: {child.communicate()[0]}"
            time.sleep(0.005)
        child.kill()
        child.communicate()

    def count(self) -> int:
        """How many partitions the lake holds, those written beside others left out."""
        return sum(1 for table in TABLES for _ in self.lake.keys(table))

    def partitions(self) -> dict[tuple[Table, LadderDay], pl.DataFrame]:
        """Every partition that the lake says it has."""
        return {
            (table, key): self.lake.read(table, key)
            for table in TABLES
            for key in self.lake.keys(table)
        }

    def raw_bodies(self) -> dict[str, bytes]:
        """Every raw answer, by its path."""
        return self._files("raw/**/*.json.gz")

    def lake_bytes(self) -> dict[str, bytes]:
        """Every file of the lake that is a partition, by its path."""
        return self._files("lake/**/part.parquet")

    def raw_requests(self) -> dict[str, Mapping[str, str]]:
        """What was asked, by list and request, and the hash of its answer."""
        return {
            name: {asked: answer["sha256"] for asked, answer in json.loads(content).items()}
            for name, content in self._files("raw/**/*.requests.json").items()
        }

    def _files(self, pattern: str) -> dict[str, bytes]:
        data = self.folder / "data"
        return {
            str(path.relative_to(data)): path.read_bytes() for path in sorted(data.glob(pattern))
        }


def assert_whole(home: Home) -> None:
    """Every partition that is there reads and keeps its table's contract."""
    for (table, _), frame in home.partitions().items():
        assert table.conform(frame).equals(frame)
