"""Headless Chromium: what a page shows once its scripts have run."""

import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="needs Chromium, which is not installed: apt-get install chromium"
)


def dom(url: str, profile: Path, *, budget_ms: int = 30_000) -> str:
    """The page's document after `budget_ms` of its own time, in a window that holds all of it."""
    return _run(url, profile, budget_ms, "--dump-dom", "--window-size=4200,12000")


def visible_text(url: str, profile: Path, *, budget_ms: int = 30_000) -> str:
    """The words of the page's document, without scripts, styles and marks."""
    document = dom(url, profile, budget_ms=budget_ms)
    for hidden in ("script", "style", "noscript"):
        document = re.sub(rf"<{hidden}\b.*?</{hidden}>", " ", document, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", document)).split())


def screenshot(url: str, profile: Path, target: Path, size: tuple[int, int]) -> None:
    """A picture of the page, in pixels."""
    _run(url, profile, 30_000, f"--screenshot={target}", f"--window-size={size[0]},{size[1]}")


def _run(url: str, profile: Path, budget_ms: int, *action: str) -> str:
    assert CHROMIUM is not None
    ended = subprocess.run(
        [
            CHROMIUM,
            *FLAGS,
            f"--user-data-dir={profile}",
            f"--virtual-time-budget={budget_ms}",
            *action,
            url,
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    return ended.stdout
