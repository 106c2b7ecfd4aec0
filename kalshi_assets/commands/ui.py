"""The Dagster UI and daemon, with a sandbox unless services are configured.

Not here: the definitions that they load (`definitions`).
"""

import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich.console import Console

from kalshi_assets.commands.services import prepared_archive, sandbox_environment
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


def run_ui(console: Console, archive: Path | None, port: int) -> int:
    """Run until interrupted; returns the exit code of `dagster dev`.

    Raises
    ------
    FileNotFoundError
        The current folder is not the project folder.
    RuntimeError
        The port is in use, or the lake was filled from other services.
    """
    if not WORKSPACE.is_file():
        raise FileNotFoundError(f"no {WORKSPACE} here; run this command in the project folder")
    _demand_free(port)
    settings = Settings()
    lake = Lake(settings.files, TEMPERATURE)
    os.environ.setdefault("DAGSTER_HOME", str(Path.cwd()))
    signal.signal(signal.SIGTERM, _leave)
    with ExitStack() as stack:
        if settings.names_services:
            lake.claim(settings.origin)
        else:
            served = prepared_archive(console, archive, settings.data)
            lake.claim(served.origin)
            sandbox = stack.enter_context(sandbox_environment(served, settings.data))
            console.print(f"sandbox with {served.origin} at {sandbox.url}")
            for name, (start, end) in served.shown.items():
                console.print(f"  try a backfill of {name} {start}..{end}")
        ensure_catalogue(lake)
        console.print(f"Dagster UI at http://{HOST}:{port} in half a minute", highlight=False)
        return _dagster_dev(port)


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
