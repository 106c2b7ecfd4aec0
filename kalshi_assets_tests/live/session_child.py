"""Whole sessions in processes of their own, which kill or stop themselves at a step.

Run as a module it waits for tasks, one JSON object a line, and forks a session for each, so that
only one process pays for the imports.
"""

import json
import os
import signal
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from kalshi_assets.families.temperature.cities import TEMPERATURE, city_day
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake
from kalshi_assets.sandbox.server import Sandbox
from kalshi_assets_tests.live.drills import QUICKLY, SLICE_US
from kalshi_assets_tests.live.restless import Restless
from kalshi_assets_tests.live.worlds import session_at


@dataclass
class Steps:
    """Counts steps by name; at one of them the process is killed or stopped."""

    at: str
    nth: int
    signal: signal.Signals
    pid_file: Path
    count: Counter[str] = field(default_factory=Counter)

    def __call__(self, name: str) -> None:
        self.count.update((name, "any"))
        if self.at in (name, "any") and self.count[self.at] == self.nth:
            self.pid_file.write_text(str(os.getpid()))
            os.kill(os.getpid(), self.signal)


def session(task: dict[str, Any]) -> dict[str, Any]:
    """One session from start to end, which resumes what the last one left."""
    day = city_day("new_york", date.fromisoformat(task["date"]))
    lake = Lake(Files(task["data"]), TEMPERATURE)
    sandbox = Sandbox(
        url=task["url"], key_id=task["key_id"], private_key_pem=task["pem"].encode("ascii")
    )
    steps = Steps(
        task["at"], task["nth"], signal.Signals[task["signal"]], Path(task["folder"]) / "hung.pid"
    )
    if task["seconds"] is not None:
        timer = threading.Timer(task["seconds"], os.kill, (os.getpid(), signal.SIGKILL))
        timer.daemon = True
        timer.start()
    with session_at(
        sandbox,
        Path(task["archive"]),
        lake,
        minutes=task["minutes"],
        strategy=Restless(),
        retry=QUICKLY,
        slice_us=SLICE_US,
        on_step=steps,
        on_write=steps,
    ) as (opening, venue):
        ended = opening.run_exchange([day], venue, "demo")
    return {"ended": ended, "steps": dict(steps.count)}


def main() -> None:
    for line in sys.stdin:
        task = json.loads(line)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                result = session(task)
            except Exception as error:  # noqa: BLE001  told to whoever asked
                result = {"ended": f"{type(error).__name__}: {error}", "steps": {}}
            os.write(write, json.dumps(result).encode())
            os._exit(0)
        os.close(write)
        _, status = os.waitpid(child, 0)
        with os.fdopen(read) as pipe:
            text = pipe.read()
        answer = {"code": os.waitstatus_to_exitcode(status), "result": json.loads(text or "{}")}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
