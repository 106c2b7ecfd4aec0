"""The Dagster UI and daemon, with a sandbox unless services are configured.

Not here: the definitions that they load (`definitions`).
"""

import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import NoReturn

import httpx
from rich.console import Console

from kalshi_assets.commands.services import (
    environment,
    prepared_archive,
    running_day,
    sandbox_environment,
)
from kalshi_assets.families.temperature.cities import TEMPERATURE
from kalshi_assets.lake.catalogue import ensure_catalogue
from kalshi_assets.lake.store import Lake
from kalshi_assets.sandbox.server import stop
from kalshi_assets.settings import Settings

HOST = "127.0.0.1"
WORKSPACE = Path("workspace.yaml")
# `dg dev`, which the warning recommends, does not accept a workspace file.
SUPERSEDED = "ignore:Function `dev_command` is superseded"
PATIENCE_S = 15.0
RUNNING_DAY = "running_day"
"""Folder of the running day's lake, journals and books, in the data folder."""


def run_ui(
    console: Console, archive: Path | None, port: int, *, running_at: float | None = None
) -> int:
    """Run until interrupted; returns the exit code of `dagster dev`.

    Parameters
    ----------
    console, port
        For what to try; of the pages.
    archive
        Recordings for the sandbox; None: those beside the project, or a generated world.
    running_at
        Speed of a sandbox in whose present its last day is in progress, so that a session can
        trade it; None: a sandbox of past days.

    Raises
    ------
    FileNotFoundError
        The current folder is not the project folder.
    RuntimeError
        The port is in use, the lake was filled from other services, or services are configured
        and a running day was asked for.
    """
    if not WORKSPACE.is_file():
        raise FileNotFoundError(f"no {WORKSPACE} here; run this command in the project folder")
    settings = Settings()
    if running_at is not None and settings.names_services:
        raise RuntimeError(
            "services are configured; a running day needs the sandbox: unset KALSHI_API_URL and "
            "VISUAL_CROSSING_KEY"
        )
    _demand_free(port)
    os.environ.setdefault("DAGSTER_HOME", str(Path.cwd()))
    signal.signal(signal.SIGTERM, _leave)
    with ExitStack() as stack:
        if running_at is not None:
            _serve_running_day(stack, console, archive, running_at)
        elif settings.names_services:
            _lake().claim(settings.origin)
        else:
            _serve_past_days(stack, console, archive)
        ensure_catalogue(_lake())
        console.print(f"Dagster UI at http://{HOST}:{port} in half a minute", highlight=False)
        return _dagster_dev(port)


def _lake() -> Lake:
    return Lake(Settings().files, TEMPERATURE)


def _serve_past_days(stack: ExitStack, console: Console, archive: Path | None) -> None:
    data = Settings().data
    served = prepared_archive(console, archive, data)
    _lake().claim(served.origin)
    sandbox = stack.enter_context(sandbox_environment(served, data))
    console.print(f"sandbox with {served.origin} at {sandbox.url}")
    for name, (start, end) in served.shown.items():
        console.print(f"  try a backfill of {name} {start}..{end}")


def _serve_running_day(
    stack: ExitStack, console: Console, archive: Path | None, speed: float
) -> None:
    """A sandbox with time of its own, and a lake of its own that knows no day as past."""
    served = prepared_archive(console, archive, Settings().data, with_recordings=False)
    data = Settings().data / RUNNING_DAY
    active = {"KALSHI_ASSETS_DATA": str(data), "KALSHI_ASSETS_CITIES": ",".join(served.shown)}
    stack.enter_context(environment(active))
    _lake().claim(served.origin)
    trading = running_day(served, data, speed)
    sandbox = stack.enter_context(sandbox_environment(served, data, trading=trading))
    now = httpx.get(f"{sandbox.url}/sandbox/clock").raise_for_status().json()["now"]
    console.print(f"sandbox with {served.origin} at {sandbox.url}")
    console.print(
        f"  there it is {now[:16]}Z, and time runs {speed:g} times as fast", highlight=False
    )
    last = trading.start.date()
    for name, (start, _) in served.shown.items():
        first, day_before = start - timedelta(days=served.behind), last - timedelta(days=1)
        console.print(
            f"  try a backfill of {name} {first}..{day_before}, then the job intraday of {last}: "
            "a session starts",
            soft_wrap=True,
        )


def _dagster_dev(port: int) -> int:
    command = ["dagster", "dev", "-w", str(WORKSPACE), "-h", HOST, "-p", str(port)]
    child = subprocess.Popen([sys.executable, "-W", SUPERSEDED, "-m", *command])
    try:
        return child.wait()
    except KeyboardInterrupt:
        # Ctrl-C is sent to the whole process group, so the child is already shutting down.
        with suppress(subprocess.TimeoutExpired):
            child.wait(PATIENCE_S)
        return 0
    finally:
        stop(child, PATIENCE_S)


def _demand_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise RuntimeError(
                f"port {port} is not available ({error.strerror}); stop the program that uses it, "
                f"or choose another port: kalshi-assets ui --port {port + 1}"
            ) from error


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
