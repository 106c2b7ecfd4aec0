"""The session's page: who may see it, what it says, and that a browser keeps up with it."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from kalshi_assets.live.session_page import DEAD_AFTER_US, PageError, served
from kalshi_assets.live.status import Board
from kalshi_assets.units import MINUTE_US, SECOND_US
from kalshi_assets_tests.ui.browser import Tab, needs_chromium, tab
from kalshi_assets_tests.ui.dagster_ui import wait_until

STARTED_US = 1_782_828_000 * SECOND_US
UPDATES, A_SECOND = 200, 50
TOKEN = "of this test"
LADDER = {
    "key": "new_york 2026-06-30",
    "event": "KXHIGHNY-26JUN30",
    "minute": "2026-06-30 14:00",
    "done": 1440,
    "minutes": 2280,
    "over": False,
    "ages_s": {"market.events": 12.0, "weather.observations": 190.0},
    "brackets": [
        {
            "label": f"{70 + 2 * n} to {71 + 2 * n} degrees",
            "bid_cc": 1200.0,
            "ask_cc": None if n == 2 else 1450.0,
            "p_mkt": 0.13,
            "p_used": 0.15,
            "reason": dict.fromkeys(("value", "move", "sets"), "after_the_spread"),
            "held": {"value": n},
        }
        for n in range(6)
    ],
    "runs": [
        {
            "strategy": name,
            "fill_model": model,
            "orders": 3,
            "working": 1,
            "fills": 2,
            "fees_cc": 350,
            "worst_cc": -41_000,
        }
        for name in ("value", "move", "sets")
        for model in ("touch", "queue", "cross")
    ],
}


class ShownBoard(Board):
    """A board with one ladder that looks as in a session."""

    def state(self) -> dict[str, Any]:
        strategies = ["value", "move", "sets"]
        tail = [["14:00", "value: bid 10 KXHIGHNY-26JUN30-B76.5 at 12 cents (maker)"]] * 40
        return super().state() | {"ladders": [LADDER], "strategies": strategies, "tail": tail}


class Time:
    """A session's time that a test sets."""

    def __init__(self) -> None:
        self.now_us = STARTED_US

    def __call__(self) -> int:
        return self.now_us


@pytest.fixture
def board() -> Board:
    return ShownBoard("shadow-2026-06-30-new_york", "shadow", STARTED_US)


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def page(board: Board, clock: Time) -> Iterator[str]:
    with served(board, clock_us=clock) as address:
        yield address


# Who may see it.


def test_without_a_token_this_machine_sees_everything(page: str, board: Board) -> None:
    for path in ("", "state.json", "metrics", "healthz"):
        assert httpx.get(page + path).status_code == 200, path
    assert httpx.get(f"{page}state.json").json()["session"] == board.session


def test_with_a_token_only_those_who_know_it_do(board: Board, clock: Time) -> None:
    with served(board, clock_us=clock, token=TOKEN) as address:
        for path in ("", "state.json", "events", "metrics"):
            for wrong in ({}, {"token": ""}, {"token": TOKEN[:-1]}, {"token": "§"}):
                refused = httpx.get(address + path, params=wrong)
                assert refused.status_code == 401, (path, wrong)
                assert board.session not in refused.text
        for path in ("", "state.json", "metrics"):
            assert httpx.get(address + path, params={"token": TOKEN}).status_code == 200, path
        # Whoever watches whether it lives need not see what it does.
        assert httpx.get(f"{address}healthz").status_code == 200


def test_another_host_is_served_with_a_token_only(board: Board, clock: Time) -> None:
    for token in (None, ""):
        with (
            pytest.raises(PageError, match="only with a token"),
            served(board, clock_us=clock, host="0.0.0.0", token=token),
        ):
            pass
    with served(board, clock_us=clock, host="0.0.0.0", token=TOKEN) as address:
        assert httpx.get(address, params={"token": TOKEN}).status_code == 200


def test_a_port_in_use_is_named(page: str, board: Board, clock: Time) -> None:
    port = httpx.URL(page).port
    assert port is not None
    with (
        pytest.raises(PageError, match=f"port {port} of 127.0.0.1: Address already in use"),
        served(board, clock_us=clock, port=port),
    ):
        pass


def test_nothing_can_be_changed_through_it(page: str) -> None:
    for path in ("", "state.json", "events", "metrics", "healthz"):
        assert httpx.post(page + path).status_code == 405, path


# What it says.


def test_a_session_without_a_heartbeat_is_not_healthy(page: str, board: Board, clock: Time) -> None:
    def health() -> tuple[int, object]:
        answer = httpx.get(f"{page}healthz")
        return answer.status_code, answer.json()["silent_s"]

    assert health() == (200, 0.0)
    clock.now_us += DEAD_AFTER_US - 1
    assert health()[0] == 200
    clock.now_us += 1
    assert health() == (503, 300.0)
    board.beat(clock.now_us)
    assert health() == (200, 0.0)


def test_its_figures_are_metrics_of_prometheus(page: str, board: Board, clock: Time) -> None:
    clock.now_us += MINUTE_US
    board.beat(clock.now_us - 5 * SECOND_US)
    families = text_string_to_metric_families(httpx.get(f"{page}metrics").text)
    values = {sample.name: sample.value for family in families for sample in family.samples}
    assert values == {
        "kalshi_session_decisions": 0.0,
        "kalshi_session_orders": 0.0,
        "kalshi_session_failures": 0.0,
        "kalshi_session_ladders_trading": 1.0,
        "kalshi_session_silence_seconds": 5.0,
    }


def test_the_stream_ends_with_the_session_and_its_last_state(page: str, board: Board) -> None:
    with httpx.stream("GET", f"{page}events", timeout=30.0) as answer:
        lines = (line for line in answer.iter_lines() if line.startswith("data: "))
        assert '"ended":""' in next(lines)
        board.end("trading ended")
        last = list(lines)[-1]
    assert '"ended":"trading ended"' in last


# In a browser.


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Tab]:
    with tab(tmp_path / "profile") as opened:
        yield opened


def version(shown: Tab) -> int:
    """The version of the state that the page shows; 0: none yet."""
    return int(shown.value("document.body?.dataset.version") or 0)


def published(board: Board, count: int) -> None:
    """Publish states at `A_SECOND` a second, then end the session."""
    pace = threading.Event()
    for n in range(count):
        pace.wait(1 / A_SECOND)
        board.beat(STARTED_US + n * SECOND_US)
    board.end("trading ended")


@pytest.mark.browser
@needs_chromium
def test_it_keeps_up_with_fifty_updates_a_second(browser: Tab, page: str, board: Board) -> None:
    board.beat(STARTED_US)
    browser.open(page)
    wait_until(lambda: version(browser) == 1, 30.0)
    publisher = threading.Thread(target=published, args=(board, UPDATES))
    publisher.start()
    seen = set()
    while publisher.is_alive():
        seen.add(version(browser))
    publisher.join()
    last = board.state()["version"]
    assert last == UPDATES + 2
    wait_until(lambda: version(browser) == last, 1.0, every_s=0.05)
    assert browser.value("document.getElementById('alarm').textContent") == (
        "The session ended: trading ended."
    )
    # It showed what was new while it was new, not the end alone.
    assert len(seen) > 10


@pytest.mark.browser
@needs_chromium
def test_a_phone_shows_it_without_scrolling_sideways(browser: Tab, page: str, board: Board) -> None:
    board.beat(STARTED_US)
    browser.open(page, width=390, height=844)
    wait_until(lambda: version(browser) == 1, 30.0)
    assert browser.value("document.querySelectorAll('table.live tbody tr').length") == 15
    assert browser.value("innerWidth") == 390
    assert browser.value("document.documentElement.scrollWidth") <= 390


@pytest.mark.browser
@needs_chromium
def test_still_shows_one_state_and_no_stream(browser: Tab, page: str, board: Board) -> None:
    board.beat(STARTED_US)
    browser.open(f"{page}?still=1")
    wait_until(lambda: version(browser) == 1, 30.0)
    board.beat(STARTED_US + MINUTE_US)
    board.end("trading ended")
    names = browser.value(
        "performance.getEntriesByType('resource').map(e => new URL(e.name).pathname).join()"
    )
    assert set(names.split(",")) - {"/favicon.ico"} == {"/state.json"}
    assert version(browser) == 1


@pytest.mark.browser
@needs_chromium
def test_it_says_when_the_session_does_not_answer_any_more(
    browser: Tab, board: Board, clock: Time
) -> None:
    with served(board, clock_us=clock) as address:
        board.beat(STARTED_US)
        browser.open(address)
        wait_until(lambda: version(browser) == 1, 30.0)
    alarm = "document.getElementById('alarm').textContent"
    wait_until(lambda: "does not answer" in browser.value(alarm), 30.0)
