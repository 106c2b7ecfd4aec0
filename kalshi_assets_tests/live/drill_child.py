"""Processes of the drill: a small session that kills itself at a step, started over and over.

Run as a module it waits for tasks, one JSON object a line, and forks a session for each, so that
only one process pays for the imports.
"""

import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kalshi_assets.exchange.account import AccountReader
from kalshi_assets.exchange.orders import OrderWriter
from kalshi_assets.lake.files import Files
from kalshi_assets.live.gateway import Gateway, GatewayParams
from kalshi_assets.live.journal import Journal
from kalshi_assets.live.kill_switch import guard
from kalshi_assets.live.reconciliation import Bounds, Reconciler
from kalshi_assets_tests.live.desk import ACCOUNT, LIMITS, SESSION, Clock, intent
from kalshi_assets_tests.live.fake_exchange import SIGNER
from kalshi_assets_tests.live.test_journal import decisions


@dataclass
class Steps:
    """Counts steps; at one of them the process ends at once, or hangs until it is woken."""

    die_at: int
    hang_at: int
    pid_file: Path
    count: int = 0

    def __call__(self, name: str) -> None:
        self.count += 1
        if self.count == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.count == self.hang_at:
            self.pid_file.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGSTOP)


def session(task: dict[str, Any]) -> dict[str, Any]:
    """One session from start to end, which resumes what the last one left."""
    folder, clock = Path(task["folder"]), Clock(task["now_us"])
    step = Steps(task["die_at"], task.get("hang_at", 0), folder / "hung.pid")
    writer = OrderWriter(task["url"], signer=SIGNER, clock=clock.s)
    reader = AccountReader(task["url"], signer=SIGNER, clock=clock.s)
    files = Files(folder)
    with writer, reader, Journal.of(files, SESSION, clock_us=clock, on_write=step) as journal:
        journal.begin(SESSION, account=ACCOUNT, mode="demo", versions={})
        params = GatewayParams(
            limits=LIMITS, order_group_id="group-1", exchange_index=0, lifetime_us=300_000_000
        )
        both = Reconciler(
            journal, reader, clock_us=clock, sleep=clock.sleep, bounds=Bounds(wait_s=0.5)
        )
        gateway = Gateway(
            journal, writer, params, clock_us=clock, guards=[both.guard, guard(files)], on_step=step
        )
        start = both.run("start")
        journal.keep_decisions(decisions())
        gateway.place(intent(0))
        gateway.place(intent(1))
        gateway.place(intent(2, execution="taker", price_cc=4500))
        gateway.place(intent(3, price_cc=4500))
        both.run("timer")
        gateway.cancel(intent(1).client_order_id, "pulled")
        gateway.place(intent(4))
        gateway.cancel_all("end")
        end = both.run("end")
        journal.beat({})
        journal.end("end of day")
        refused = journal.events("gate_refused")
    return {
        "refused": [each["why"] for each in refused],
        "steps": step.count,
        "start": [finding.kind for finding in start.findings],
        "end": [finding.kind for finding in end.findings],
    }


def main() -> None:
    for line in sys.stdin:
        task = json.loads(line)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(write, json.dumps(session(task)).encode())
            os._exit(0)
        os.close(write)
        _, status = os.waitpid(child, 0)
        with os.fdopen(read) as pipe:
            result = pipe.read()
        answer = {"code": os.waitstatus_to_exitcode(status), "result": json.loads(result or "{}")}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
