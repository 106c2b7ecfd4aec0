"""Clocks of sessions that follow something else than this machine."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from kalshi_assets.instants import microseconds_of
from kalshi_assets.live.clock import SandboxTime, SessionStopped, WallClock, stopped_by_signals
from kalshi_assets.sandbox.app import Trading
from kalshi_assets.sandbox.server import Sandbox, running
from kalshi_assets.units import MINUTE_US, SECOND_US
from kalshi_assets_tests.sandbox.tiny import write_archive

START = datetime(2026, 6, 30, 14, tzinfo=UTC)


@pytest.fixture
def sandboxes(tmp_path: Path) -> Iterator[tuple[Sandbox, ExitStack]]:
    """A sandbox at a thousand times real time, and what ends it."""
    write_archive(tmp_path)
    with ExitStack() as stack:
        trading = Trading(start=START, speed=1000)
        yield stack.enter_context(running(tmp_path, trading=trading)), stack


def test_a_session_s_time_is_the_sandbox_s_at_its_speed(
    sandboxes: tuple[Sandbox, ExitStack],
) -> None:
    clock = SandboxTime(sandboxes[0].url)
    at = clock.now_us()
    assert at >= microseconds_of(START)
    clock.wait_until(at + MINUTE_US)
    answer = httpx.get(f"{sandboxes[0].url}/sandbox/clock").json()["now"]
    assert at + MINUTE_US <= microseconds_of(datetime.fromisoformat(answer))
    assert clock.now_us() - microseconds_of(datetime.fromisoformat(answer)) < 10 * MINUTE_US


def test_a_change_of_the_sandbox_s_speed_is_followed(sandboxes: tuple[Sandbox, ExitStack]) -> None:
    url = sandboxes[0].url
    clock = SandboxTime(url)
    httpx.post(f"{url}/sandbox/clock", json={"speed": 500}).raise_for_status()
    clock.wait_until(clock.now_us() + SECOND_US)
    assert clock.speed == 500
    httpx.post(f"{url}/sandbox/clock", json={"speed": 0}).raise_for_status()
    with pytest.raises(ValueError, match="stands still; start it with --speed 1"):
        SandboxTime(url)


def test_a_session_ends_with_the_sandbox_whose_time_it_has(
    sandboxes: tuple[Sandbox, ExitStack],
) -> None:
    sandbox, stack = sandboxes
    clock = SandboxTime(sandbox.url)
    stack.close()
    with pytest.raises(SessionStopped, match=f"the sandbox at {sandbox.url} has ended"):
        clock.wait_until(clock.now_us() + MINUTE_US)


def test_elsewhere_than_in_the_main_thread_signals_change_nothing() -> None:
    clock, entered = WallClock(), threading.Event()

    def enter() -> None:
        with stopped_by_signals(clock.stop):
            entered.set()

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join(10.0)
    assert entered.is_set()
    clock.wait_until(clock.now_us())
