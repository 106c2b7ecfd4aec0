"""The Dagster UI and daemon, with a sandbox beside them unless services are configured."""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from kalshi_assets.commands.services import prepared_archive, sandbox_environment
from kalshi_assets.lake.catalogue import create_catalogue
from kalshi_assets.lake.store import Lake
from kalshi_assets.settings import Settings

WORKSPACE = Path("workspace.yaml")


def run_ui(console: Console, archive: Path | None, port: int) -> int:
    """Run until interrupted; the exit code of `dagster dev`.

    Raises
    ------
    FileNotFoundError
        Not started from the project folder.
    """
    if not WORKSPACE.is_file():
        raise FileNotFoundError(f"no {WORKSPACE} here; start the UI from the project folder")
    settings = Settings()
    os.environ.setdefault("DAGSTER_HOME", str(Path.cwd()))
    create_catalogue(settings.data / "kalshi.duckdb", Lake(settings.data / "lake"))
    with ExitStack() as stack:
        if not settings.names_services:
            served = prepared_archive(console, archive, settings.data)
            sandbox = stack.enter_context(sandbox_environment(served, settings.data))
            console.print(f"sandbox with {served.origin} at {sandbox.url}")
            for name, (start, end) in served.shown.items():
                console.print(f"  try a backfill of {name} {start}..{end}")
        console.print(f"Dagster UI at http://127.0.0.1:{port}", highlight=False)
        return subprocess.call(
            [sys.executable, "-m", "dagster", "dev", "-w", str(WORKSPACE), "-p", str(port)]
        )
