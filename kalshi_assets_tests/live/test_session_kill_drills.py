"""Sessions and exchanges that are killed in the middle of trading, and started again."""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from kalshi_assets.lake.store import Lake
from kalshi_assets.sandbox.faults import Fault
from kalshi_assets.sandbox.server import Sandbox, launched, running
from kalshi_assets_tests.live.drills import (
    ACCOUNT,
    BUSY,
    QUICKLY,
    SLICE_US,
    CountedFaults,
    forget,
)
from kalshi_assets_tests.live.invariants import must_agree
from kalshi_assets_tests.live.restless import Restless
from kalshi_assets_tests.live.test_kill_drill import hung
from kalshi_assets_tests.live.worlds import (
    ENDLESS,
    beginning,
    books_of,
    environment,
    session_at,
)

pytestmark = pytest.mark.slow

DAY, LEFT = BUSY[0]
MINUTES = 6
STEPS = (
    *(("session", 1), ("opening", 1), ("partly_filled", 1), ("session_end", 1)),
    *((name, nth) for name in ("event", "decisions", "heartbeat") for nth in (1, 5)),
    *((name, nth) for name in ("intent", "handed", "sent", "answered") for nth in (1, 4, 8)),
    *((name, nth) for name in ("acknowledged", "done", "fill") for nth in (1, 4)),
    *((name, nth) for name in ("cancel", "cancel_answered") for nth in (1, 3)),
)
"""Writes to the journal and steps of the gateway at which a session is killed, and which one."""
KILLED = -9
PORTFOLIO = "/trade-api/v2/portfolio/"
ORDERS = f"{PORTFOLIO}events/orders"


class Sessions:
    """Starts sessions in processes of their own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kalshi_assets_tests.live.session_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, **task: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()


@pytest.fixture(scope="module")
def sessions() -> Iterator[Sessions]:
    sessions = Sessions()
    yield sessions
    sessions.close()


class Drill:
    """One world, one exchange, and sessions that are started one after the other."""

    def __init__(self, sessions: Sessions, archive: Path, lake: Lake, folder: Path) -> None:
        forget(lake)
        self.archive, self.lake, self.folder = archive, lake, folder
        self.books = folder / "books.sqlite"
        self._sessions = sessions

    def run(
        self,
        sandbox: Sandbox,
        at: str = "",
        nth: int = 0,
        kind: str = "SIGKILL",
        seconds: float | None = None,
    ) -> dict[str, Any]:
        """A session; `at` the n-th step of that name it gets the signal."""
        return self._sessions.run(
            archive=str(self.archive),
            data=self.lake.files.address("."),
            folder=str(self.folder),
            url=sandbox.url,
            key_id=sandbox.key_id,
            pem=sandbox.private_key_pem.decode("ascii"),
            date=DAY.date.isoformat(),
            minutes=MINUTES,
            at=at,
            nth=nth,
            signal=kind,
            seconds=seconds,
        )

    @contextmanager
    def exchange(self, faults: CountedFaults | None = None) -> Iterator[Sandbox]:
        """The exchange, with its books in a file."""
        with running(
            self.archive,
            trading=beginning(self.lake, DAY, LEFT, self.books),
            faults=faults,
            read_bucket=ENDLESS,
            anonymous_bucket=ENDLESS,
        ) as sandbox:
            yield sandbox


@pytest.fixture
def drill(sessions: Sessions, drill_archive: Path, drill_lake: Lake, tmp_path: Path) -> Drill:
    return Drill(sessions, drill_archive, drill_lake, tmp_path)


def agree(drill: Drill) -> None:
    outcome = must_agree(drill.lake, drill.archive, drill.books, DAY, ACCOUNT)
    assert outcome.ended == "stopped: the end"
    assert outcome.orders > 3


@pytest.mark.parametrize(("name", "nth"), STEPS)
def test_a_session_killed_at_a_step_resumes_in_agreement(drill: Drill, name: str, nth: int) -> None:
    with drill.exchange() as sandbox:
        first = drill.run(sandbox, name, nth)
        assert first["code"] == KILLED, first
        second = drill.run(sandbox)
    assert second["code"] == 0
    agree(drill)


@pytest.mark.parametrize("seed", range(4))
def test_a_session_killed_again_and_again_resumes_in_agreement(drill: Drill, seed: int) -> None:
    drawn = random.Random(seed)
    with drill.exchange() as sandbox:
        for _ in range(2):
            assert drill.run(sandbox, "any", drawn.randint(5, 60))["code"] == KILLED
        drill.run(sandbox, seconds=drawn.uniform(0.5, 2.0))
        last = drill.run(sandbox)
    assert last["code"] == 0
    agree(drill)


class Restarted:
    """An exchange in a process that is killed at some steps, and started again with its books."""

    def __init__(self, drill: Drill, stack: ExitStack, at: str, nths: tuple[int, ...]) -> None:
        self._drill, self._stack, self._at, self._nths = drill, stack, at, nths
        self.count = self.kills = 0
        self.sandbox = self._launched(0)

    def __call__(self, name: str) -> None:
        """Kill the exchange and start it again, if it is time."""
        if name != self._at:
            return
        self.count += 1
        if self.count in self._nths:
            self.kills += 1
            assert self.sandbox.pid is not None
            os.kill(self.sandbox.pid, signal.SIGKILL)
            self.sandbox = self._launched(int(self.sandbox.url.rpartition(":")[2]))

    def _launched(self, port: int) -> Sandbox:
        return self._stack.enter_context(
            launched(
                self._drill.archive,
                port=port,
                state_dir=self._drill.folder / "sandbox",
                trading=beginning(self._drill.lake, DAY, LEFT, self._drill.books),
                read_bucket=ENDLESS,
            )
        )


@pytest.mark.parametrize("name", ["handed", "answered", "acknowledged", "cancel", "decisions"])
def test_a_session_outlives_an_exchange_that_is_killed_and_started_again(
    drill: Drill, name: str
) -> None:
    with ExitStack() as stack:
        exchange = Restarted(drill, stack, name, (2, 5))
        session = stack.enter_context(
            session_at(
                exchange.sandbox,
                drill.archive,
                drill.lake,
                minutes=2 * MINUTES,
                strategy=Restless(),
                retry=QUICKLY,
                slice_us=SLICE_US,
                on_step=exchange,
                on_write=exchange,
            )
        )
        opening, venue = session
        opening.run_exchange([DAY], venue, "demo")
    assert exchange.kills == 2
    agree(drill)


def switch_on(drill: Drill, sandbox: Sandbox) -> subprocess.CompletedProcess[str]:
    pem = drill.folder / "key.pem"
    pem.write_bytes(sandbox.private_key_pem)
    key = {"KALSHI_API_KEY_ID": sandbox.key_id, "KALSHI_PRIVATE_KEY_PEM_PATH": str(pem)}
    return subprocess.run(
        [sys.executable, "-m", "kalshi_assets.cli", "kill-switch", "on", "--reason", "drill"],
        env=os.environ | environment(sandbox, drill.archive, drill.lake) | key,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("name", "nth", "every"),
    [("heartbeat", 3, 0), ("intent", 4, 0), ("handed", 5, 2), ("decisions", 3, 2)],
)
def test_the_kill_switch_clears_the_account_of_a_session_that_hangs(
    drill: Drill, name: str, nth: int, every: int
) -> None:
    """Also of an exchange that answers every other request with 500."""
    faults = CountedFaults()
    with drill.exchange(faults) as sandbox, ThreadPoolExecutor(1) as background:
        ended = background.submit(drill.run, sandbox, name, nth, "SIGSTOP")
        pid = hung(drill.folder)
        try:
            if every:
                faults.set([Fault(kind="http_500", path=PORTFOLIO, every=every)])
            switched = switch_on(drill, sandbox)
            faults.clear()
            before = books_of(sandbox)
            creates = faults.asked["POST", ORDERS]
        finally:
            os.kill(pid, signal.SIGCONT)
        result = ended.result(timeout=120)
        after = books_of(sandbox)
        placed = faults.asked["POST", ORDERS] - creates
    assert switched.returncode == 0, switched.stdout + switched.stderr
    assert before["resting_orders"] == after["resting_orders"] == 0
    assert before["fills"] == after["fills"]
    assert before["orders"] == after["orders"]
    # A request that had passed the guards leaves when the session wakes, and is refused.
    assert placed == (1 if name == "intent" else 0)
    assert result["code"] == 0
    assert "kill switch is on" in result["result"]["ended"]
    must_agree(drill.lake, drill.archive, drill.books, DAY, ACCOUNT)
