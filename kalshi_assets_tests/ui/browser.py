"""Headless Chromium: what a page shows once its scripts have run."""

import base64
import itertools
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

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


class Tab:
    """A page in a running browser, which real time passes for.

    Parameters
    ----------
    socket
        Of the page, by Chromium's DevTools protocol.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._numbers = socket, itertools.count(1)

    def ask(self, method: str, **params: object) -> Mapping[str, Any]:
        """The browser's answer to a command of the protocol."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            answer: dict[str, Any] = json.loads(self._socket.recv(timeout=30.0))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                result: Mapping[str, Any] = answer["result"]
                return result

    def open(self, url: str, *, width: int = 1200, height: int = 900) -> None:
        """Show a page in a window of so many pixels, a phone's if it is narrow."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.ask("Emulation.setDeviceMetricsOverride", **metrics)
        self.ask("Page.navigate", url=url)

    def value(self, expression: str) -> Any:
        """What an expression of the page's scripts says now."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def picture(self, target: Path) -> None:
        """Write what the window shows to a PNG file."""
        shown = self.ask("Page.captureScreenshot", format="png")
        target.write_bytes(base64.b64decode(shown["data"]))


@contextmanager
def tab(profile: Path) -> Iterator[Tab]:
    """An empty page of a browser of its own, which ends with the context."""
    assert CHROMIUM is not None
    found = profile / "DevToolsActivePort"
    found.unlink(missing_ok=True)
    child = subprocess.Popen(
        [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60.0
        while not (found.is_file() and found.read_text("utf-8").count("\n")):
            assert child.poll() is None, "Chromium ended by itself"
            assert time.monotonic() < deadline, "Chromium did not start"
            time.sleep(0.05)
        port = found.read_text("utf-8").splitlines()[0]
        made = httpx.put(f"http://127.0.0.1:{port}/json/new?about:blank", timeout=30.0).json()
        with connect(made["webSocketDebuggerUrl"], max_size=None) as socket:
            yield Tab(socket)
    finally:
        child.terminate()
        child.wait(30.0)
