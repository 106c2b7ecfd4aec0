"""Commands as processes: the demonstration from start to end, and nothing left behind."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from kalshi_assets.families.temperature.cities import TEMPERATURE
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake
from kalshi_assets.tables import TABLES
from kalshi_assets_tests.commands.conftest import FIRST, LAST

PATIENCE_S = 180.0
KALSHI_ASSETS = (sys.executable, "-m", "kalshi_assets.cli")

pytestmark = pytest.mark.slow


def _started(*arguments: object, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*KALSHI_ASSETS, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "KALSHI_ASSETS_DATA": "data"},
        **options,  # type: ignore[arg-type]
    )


def _until(condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def _state() -> dict:
    return json.loads(Path("data/sandbox/sandbox.json").read_text("utf-8"))


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/exchange/status", timeout=5.0).is_success
    except httpx.TransportError:
        return False


def test_the_demonstration_ends_with_a_report_that_is_there(world: Path) -> None:
    child = _started("demo", "--archive", world)
    out, err = child.communicate(timeout=PATIENCE_S)
    assert child.returncode == 0, out + err
    assert err == ""

    found = re.search(r"^report +(/.*)$", out, re.MULTILINE)
    assert found is not None, out
    index = Path(found[1])
    assert "New York" in index.read_text("utf-8")
    days = [LAST - timedelta(days=n) for n in range(8)]
    assert all((index.parent / "new_york" / f"{day}.html").is_file() for day in days)
    lake = Lake(Files(Path("data")), TEMPERATURE)
    assert all(len(lake.keys(table)) >= len(days) for table in TABLES)
    assert all(str(day) in out for day in days)
    assert "make ui, then http://127.0.0.1:3000" in out
    assert not _answers(_state()["api_url"])


def test_a_demonstration_killed_outright_leaves_no_sandbox(world: Path) -> None:
    child = _started("demo", "--archive", world)
    _until(Path("data/sandbox/sandbox.json").is_file)
    url = _state()["api_url"]
    assert _answers(url)
    child.kill()
    child.communicate()
    _until(lambda: not _answers(url), patience_s=15.0)
    _until(lambda: not Path(f"/proc/{_state()['pid']}").exists(), patience_s=15.0)


def test_a_sandbox_in_the_foreground_serves_until_it_is_interrupted(world: Path) -> None:
    child = _started("sandbox", "serve", "--archive", world, "--port", 0)
    _until(Path("data/sandbox/sandbox.json").is_file)
    state = _state()
    assert state["pid"] == child.pid
    assert _answers(state["api_url"])
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=15.0)
    assert "Traceback" not in err
    assert not _answers(state["api_url"])


def test_a_taken_port_of_the_sandbox_is_one_sentence(world: Path) -> None:
    first = _started("sandbox", "serve", "--archive", world, "--port", 0)
    try:
        _until(Path("data/sandbox/sandbox.json").is_file)
        port = _state()["api_url"].split(":")[2].split("/")[0]
        second = _started("sandbox", "serve", "--archive", world, "--port", port)
        _, err = second.communicate(timeout=30.0)
    finally:
        first.terminate()
        first.communicate()
    assert second.returncode == 2
    assert err.startswith(f"error: port {port} on 127.0.0.1 is not available")
    assert "choose another, or 0" in err


def test_a_world_of_a_command_is_the_same_as_the_archive_s(world: Path) -> None:
    child = _started(
        *("sandbox", "generate", "--out", "again", "--cities", "new_york"),
        *("--start", FIRST, "--end", LAST, "--seed", 5),
    )
    _, err = child.communicate(timeout=PATIENCE_S)
    assert child.returncode == 0, err
    for path in world.rglob("*.parquet"):
        assert (Path("again") / path.relative_to(world)).read_bytes() == path.read_bytes()
