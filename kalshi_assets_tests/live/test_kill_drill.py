"""Sessions that are killed or hang at a step of the journal: no duplicate, nothing unknown."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from kalshi_assets.exchange.account import AccountReader
from kalshi_assets.exchange.orders import OrderWriter
from kalshi_assets.exchange.rest import RetryPolicy
from kalshi_assets.lake.files import Files
from kalshi_assets.live.journal import Journal
from kalshi_assets.live.kill_switch import clear_account, trip
from kalshi_assets_tests.live.desk import MARKETS, SESSION, START_US, Clock
from kalshi_assets_tests.live.fake_exchange import SIGNER, FakeExchange, serving

STEPS = 46
"""Of a session that nobody kills: writes to the journal, and requests handed over or answered."""

LAST_GUARD = 30
"""Step before which the guards let the last order pass."""

KILLED = -9


class Sessions:
    """Starts sessions in processes of their own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kalshi_assets_tests.live.drill_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, **task: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

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


def exchange_at(clock: Clock) -> FakeExchange:
    exchange = FakeExchange(clock_us=clock)
    exchange.quotes = dict.fromkeys(MARKETS, (4000, 4400))
    exchange.groups["group-1"] = True
    exchange.eager = {MARKETS[0]: 300, MARKETS[4]: 1000}
    return exchange


def placed(exchange: FakeExchange) -> Counter[str]:
    """How often each order was sent, by its client order ID."""
    return Counter(
        body["client_order_id"]
        for method, path, body in exchange.requests
        if (method, path) == ("POST", "/portfolio/events/orders")
    )


def assert_equal(folder: Path, exchange: FakeExchange) -> None:
    """The journal's orders, fills and positions are the exchange's."""
    with Journal.of(Files(folder), SESSION, clock_us=Clock()) as journal:
        ours = {o.client_order_id: o for o in journal.orders()}
        there = {o.client_order_id: o for o in exchange.orders.values()}
        assert there.keys() <= ours.keys()
        for name, order in ours.items():
            if order.state == "rejected":
                assert name not in there
            else:
                assert order.state == "done"
                assert (order.order_id, order.filled, order.booked) == (
                    there[name].order_id,
                    there[name].filled,
                    there[name].filled,
                )
        assert {f.trade_id: f.size for f in journal.fills()} == {
            fill["trade_id"]: round(float(fill["count_fp"]) * 100) for fill in exchange.fills
        }
        held = {market: size for market, size in journal.positions().items() if size}
        assert held == {market: size for market, size in exchange.positions.items() if size}


def test_a_session_that_nobody_kills_has_all_the_steps_of_the_drill(
    sessions: Sessions, tmp_path: Path
) -> None:
    exchange = exchange_at(Clock())
    with serving(exchange) as url:
        ended = sessions.run(url=url, folder=str(tmp_path), now_us=START_US, die_at=0)
    expected = {"refused": [], "steps": STEPS, "start": [], "end": []}
    assert ended == {"code": 0, "result": expected}
    assert_equal(tmp_path, exchange)
    assert len(exchange.orders) == 4
    assert exchange.resting() == []


@pytest.mark.slow
@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_a_session_killed_at_any_step_resumes_without_duplicate_or_unknown_position(
    sessions: Sessions, tmp_path: Path, step: int
) -> None:
    clock = Clock()
    exchange = exchange_at(clock)
    with serving(exchange) as url:
        first = sessions.run(url=url, folder=str(tmp_path), now_us=START_US, die_at=step)
        assert first["code"] == KILLED
        # A request that had not arrived cannot arrive any more.
        clock.sleep(61)
        exchange.expire()
        second = sessions.run(url=url, folder=str(tmp_path), now_us=clock.us, die_at=0)
    assert second["code"] == 0
    assert (second["result"]["start"], second["result"]["end"]) == ([], [])
    assert max(placed(exchange).values()) == 1
    assert exchange.resting() == []
    assert_equal(tmp_path, exchange)


@pytest.mark.slow
@pytest.mark.parametrize("step", range(1, STEPS + 1, 6))
def test_a_session_killed_and_started_at_once_trades_no_market_that_is_not_resolved(
    sessions: Sessions, tmp_path: Path, step: int
) -> None:
    clock = Clock()
    exchange = exchange_at(clock)
    with serving(exchange) as url:
        for die_at in (step, max(1, step // 2), 0):
            sessions.run(url=url, folder=str(tmp_path), now_us=clock.us, die_at=die_at)
            clock.sleep(1)
        clock.sleep(61)
        last = sessions.run(url=url, folder=str(tmp_path), now_us=clock.us, die_at=0)
    assert last["result"]["end"] == []
    assert max(placed(exchange).values()) == 1
    assert exchange.resting() == []
    assert_equal(tmp_path, exchange)


def hung(folder: Path) -> int:
    """Process ID of the session once it is stopped."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with suppress(FileNotFoundError, ValueError):
            pid = int((folder / "hung.pid").read_text())
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
            if state == "T":
                return pid
        time.sleep(0.005)
    raise AssertionError("the session did not hang")


@pytest.mark.slow
@pytest.mark.parametrize("step", range(1, LAST_GUARD + 1, 2))
def test_the_kill_switch_works_while_the_session_hangs_and_when_it_wakes(
    sessions: Sessions, tmp_path: Path, step: int
) -> None:
    """An order whose intent was written before the switch leaves after it, and is refused."""
    clock = Clock()
    exchange = exchange_at(clock)
    retry = RetryPolicy(attempts=1)
    with (
        serving(exchange) as url,
        ThreadPoolExecutor(1) as background,
        OrderWriter(url, signer=SIGNER, clock=clock.s) as writer,
        AccountReader(url, signer=SIGNER, clock=clock.s, retry=retry) as reader,
    ):
        task = {"url": url, "folder": str(tmp_path), "now_us": START_US, "die_at": 0}
        ended = background.submit(sessions.run, **task, hang_at=step)
        pid = hung(tmp_path)
        try:
            switch = trip(
                Files(tmp_path),
                by="risk",
                reason="drill",
                clock_us=clock,
                clear=lambda: clear_account(writer, reader, clock_us=clock, sleep=clock.sleep),
            )
            filled = len(exchange.fills)
        finally:
            os.kill(pid, signal.SIGCONT)
        result = ended.result(timeout=60)
    assert switch.cleared is not None
    assert switch.cleared.verified
    assert result["code"] == 0
    assert exchange.resting() == []
    assert len(exchange.fills) == filled
    assert any("kill switch is on" in why for why in result["result"]["refused"])
    assert_equal(tmp_path, exchange)
