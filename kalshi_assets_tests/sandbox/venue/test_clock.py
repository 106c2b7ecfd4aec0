"""The simulated present: steps on request, and running time."""

import asyncio
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from kalshi_assets.instants import microseconds_of
from kalshi_assets.sandbox.clock import SandboxClock
from kalshi_assets.sandbox.exchange_wire import rfc3339
from kalshi_assets.sandbox.venue.driver import Driver
from kalshi_assets_tests.sandbox.tiny import CHI_BIN
from kalshi_assets_tests.sandbox.venue.tools import START, START_US, Client, Trader, trading


class Real:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_clock_runs_at_its_speed_and_stands_at_zero() -> None:
    real = Real()
    clock = SandboxClock(START, speed=60, monotonic=real)
    real.now += 2
    assert clock.now() == START + timedelta(minutes=2)
    clock.speed = 0
    real.now += 2
    assert clock.now() == START + timedelta(minutes=2)
    clock.move_to(START_US)
    assert clock.now_us() == START_US == microseconds_of(START)


@pytest.mark.parametrize("speed", [-1, 1001])
def test_a_speed_out_of_range_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="not between 0 and 1000"):
        SandboxClock(START, speed=speed, monotonic=Real())


def test_a_step_answers_when_all_frames_are_with_the_sockets(client: Client) -> None:
    with client.socket() as socket:
        socket.command("subscribe", channels=["orderbook_delta", "trade"], market_tickers=[CHI_BIN])
        answer = client.step(minutes=30)
        told = answer["frames"][socket.id]
        socket.read_until(told)
        with pytest.raises(TimeoutError):
            socket.connection.recv(timeout=0)
    assert answer["now"] == rfc3339(START + timedelta(minutes=30))
    assert told == len(socket.frames) > 20
    assert client.http.get("/sandbox/clock").json()["frames"][socket.id] == told


def test_two_worlds_stepped_alike_send_the_same_frames(tiny_root: Path) -> None:
    seen = []
    for steps in (1, 6):
        with trading(tiny_root) as client, client.socket() as socket:
            socket.command("subscribe", channels=["orderbook_delta"], market_tickers=[CHI_BIN])
            client.create(client_order_id="a")
            for _ in range(steps):
                answer = client.step(minutes=60 / steps)
            socket.read_until(answer["frames"][socket.id])
            seen.append(socket.frames)
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"{}", b'{"advance_to":"soon"}', b'{"advance_to":"2025-05-04T14:00:00"}'],
)
def test_a_wrong_step_is_refused(client: Client, body: bytes) -> None:
    answer = client.http.post("/sandbox/clock", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("clock: ")


def test_time_does_not_go_back(client: Client) -> None:
    earlier = rfc3339(START - timedelta(seconds=1))
    answer = client.http.post("/sandbox/clock", json={"advance_to": earlier})
    assert answer.status_code == 400
    assert "is before" in answer.json()["error"]


def test_running_time_moves_the_book_and_expires_orders(tiny_root: Path) -> None:
    with trading(tiny_root, speed=1000.0) as client, client.socket() as socket:
        socket.command("subscribe", channels=["orderbook_delta"], market_tickers=[CHI_BIN])
        deadline = time.monotonic() + 10
        while len(socket.frames) < 12 and time.monotonic() < deadline:
            socket.read()
        assert [f["seq"] for f in socket.frames[1:]] == list(range(1, len(socket.frames)))
        assert len(socket.frames) >= 12
        stopped = client.http.post("/sandbox/clock", json={"speed": 0}).json()
        assert client.http.get("/sandbox/clock").json()["now"] == stopped["now"] > rfc3339(START)


class NoStreams:
    """Nobody listens."""

    async def drained(self) -> None:
        pass


def test_a_venue_that_failed_says_so_for_ever(tiny_root: Path) -> None:
    trader = Trader(tiny_root)
    clock = SandboxClock(START, speed=0, monotonic=Real())
    driver = Driver(trader.venue, NoStreams(), clock)  # type: ignore[arg-type]
    trader.venue.schedule.add(START_US + 5, lambda: 1 // 0)  # type: ignore[arg-type, return-value]
    with pytest.raises(ZeroDivisionError):
        asyncio.run(driver.advance_to(START_US + 9))
    with pytest.raises(RuntimeError, match="restart the sandbox"):
        asyncio.run(driver.advance_to(START_US + 10))


def test_the_lists_of_markets_follow_the_clock(client: Client) -> None:
    assert client.get(f"/markets/{CHI_BIN}")["market"]["status"] == "active"
    client.step(hours=39)
    assert client.get(f"/markets/{CHI_BIN}")["market"]["status"] == "closed"


def test_a_step_waits_for_a_slow_reader_and_not_for_one_that_left(client: Client) -> None:
    with client.socket() as socket:
        socket.command("subscribe", channels=["orderbook_delta"], market_tickers=[CHI_BIN])
    answers: list[dict] = []
    stepping = threading.Thread(target=lambda: answers.append(client.step(minutes=60)))
    stepping.start()
    stepping.join(timeout=20)
    assert answers
    assert answers[0]["now"] == rfc3339(START + timedelta(hours=1))
