"""The kill switch: nothing rests, nothing is sent, and nothing starts until it is off by name."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from typer.testing import CliRunner

from kalshi_assets.cli import app
from kalshi_assets.exchange.account import AccountReader
from kalshi_assets.exchange.rest import RetryPolicy
from kalshi_assets.lake.files import Files
from kalshi_assets.live.gateway import Blocked
from kalshi_assets.live.kill_switch import (
    NAME,
    ClearBounds,
    Cleared,
    Switch,
    clear_account,
    guard,
    read_switch,
    release,
    trip,
    write_switch,
)
from kalshi_assets_tests.live.desk import START_US, Clock, Desk, intent
from kalshi_assets_tests.live.fake_exchange import (
    BASE_URL,
    KEY_ID,
    PRIVATE_KEY,
    SIGNER,
    FakeExchange,
    FakeTransport,
    Fault,
    serving,
)

RUNNER = CliRunner()


def clear(desk: Desk, patience_s: int = 60) -> Cleared:
    reader = AccountReader(
        BASE_URL,
        signer=SIGNER,
        transport=FakeTransport(desk.exchange),
        clock=desk.clock.s,
        retry=RetryPolicy(attempts=1),
    )
    with reader:
        return clear_account(
            desk.writer,
            reader,
            clock_us=desk.clock,
            sleep=desk.clock.sleep,
            bounds=ClearBounds(patience_us=patience_s * 1_000_000),
        )


@pytest.fixture
def busy(desk: Desk) -> Desk:
    """A desk with three orders that rest, one of them outside any group."""
    desk.gateway.place(intent(1))
    desk.gateway.place(intent(2))
    desk.exchange.rest("by hand")
    return desk


def test_it_triggers_the_groups_cancels_all_and_verifies(busy: Desk) -> None:
    cleared = clear(busy)
    assert (cleared.verified, cleared.resting_after, cleared.errors) == (True, 0, ())
    assert cleared.rounds == 2
    assert busy.exchange.resting() == []
    assert busy.exchange.groups == {"group-1": False}


def test_it_works_twice_in_a_row(busy: Desk) -> None:
    assert clear(busy).verified
    assert clear(busy).verified


@pytest.mark.parametrize("kind", ["500_before", "500_after", "timeout_after", "lost_after"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/portfolio/events/orders"),
        ("PUT", "/portfolio/order_groups"),
        ("GET", "/portfolio/order_groups"),
        ("GET", "/portfolio/orders"),
    ],
)
def test_whatever_fails_is_tried_again(busy: Desk, kind: str, method: str, path: str) -> None:
    fault = Fault(method=method, path=path, kind=kind, times=5)
    busy.exchange.faults.append(fault)
    cleared = clear(busy)
    assert cleared.verified
    assert fault.times == 0
    assert cleared.errors
    assert busy.exchange.resting() == []


@pytest.mark.parametrize("seed", [None, 1, 2, 3, 4, 5])
def test_it_works_while_the_exchange_fails_half_of_the_time(busy: Desk, seed: int | None) -> None:
    """Every second request, or a random half, carried out or not."""
    respond, calls, random = busy.exchange.respond, count(), Random(seed or 0)

    def flaky(*request: Any) -> tuple[int, Any]:
        fails = next(calls) % 2 == 0 if seed is None else random.random() < 0.5
        if fails and random.random() < 0.5:
            return 500, {"error": {"code": "internal"}}
        answer = respond(*request)
        return (500, {"error": {"code": "internal"}}) if fails else answer

    busy.exchange.respond = flaky  # type: ignore[method-assign]
    cleared = clear(busy)
    assert cleared.verified
    assert cleared.took_us < 10_000_000
    assert busy.exchange.resting() == []


def test_a_list_that_lags_behind_the_cancel_is_read_again(busy: Desk) -> None:
    busy.exchange.freeze(reads=4)
    cleared = clear(busy)
    assert cleared.verified
    assert cleared.rounds == 6
    assert cleared.seen_resting == 3


@pytest.mark.parametrize("lie", ["endless orders", "no cursor orders"])
def test_an_incomplete_list_verifies_nothing(busy: Desk, lie: str) -> None:
    busy.exchange.lie = lie
    cleared = clear(busy, patience_s=5)
    assert not cleared.verified
    assert cleared.resting_after is None
    assert cleared.took_us == 5_000_000


def test_what_cancel_all_left_is_cancelled_one_by_one(busy: Desk) -> None:
    fault = Fault(method="DELETE", path="/portfolio/events/orders", kind="ignored")
    busy.exchange.faults.append(fault)
    cleared = clear(busy)
    assert cleared.verified
    assert cleared.seen_resting == 1
    assert busy.exchange.resting() == []


def test_an_order_that_will_not_go_is_not_called_verified(busy: Desk) -> None:
    busy.exchange.faults.append(
        Fault(method="DELETE", path="/portfolio/events/orders", kind="500_before", times=1000)
    )
    cleared = clear(busy, patience_s=5)
    assert not cleared.verified
    # Both groups' orders are gone, the one by hand rests.
    assert cleared.resting_after == 1
    assert "500" in cleared.errors[-1]


def test_without_a_file_the_switch_is_off_and_with_a_damaged_one_it_is_on(tmp_path: Path) -> None:
    files = Files(tmp_path)
    assert guard(files)("M") is None
    for content in (b"", b"[]", b'{"on": false}', b'{"on": "no", "cleared": null}'):
        files.write(NAME, content)
        assert read_switch(files).on
        assert "the kill switch is on" in str(guard(files)("M"))


def test_the_state_comes_back_as_it_was_written(tmp_path: Path) -> None:
    cleared = Cleared(
        verified=False, seen_resting=1, resting_after=None, took_us=1, rounds=2, errors=("a", "b")
    )
    for switch in (Switch(on=True, by="a", reason="b", at_us=3, cleared=cleared), Switch(on=False)):
        write_switch(Files(tmp_path), switch)
        assert read_switch(Files(tmp_path)) == switch


def test_it_is_on_before_anything_is_cancelled(tmp_path: Path) -> None:
    files, seen = Files(tmp_path), []

    def clear_() -> Cleared:
        seen.append(read_switch(files).on)
        raise RuntimeError("killed here")

    with pytest.raises(RuntimeError, match="killed here"):
        trip(files, by="a", reason="b", clock_us=Clock(), clear=clear_)
    assert seen == [True]
    assert read_switch(files).on


def test_a_full_disk_keeps_nothing_from_being_cancelled(busy: Desk) -> None:
    class Full(Files):
        def write(self, *args: object, **options: object) -> None:  # type: ignore[override]
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        trip(Full(busy.folder), by="a", reason="b", clock_us=Clock(), clear=lambda: clear(busy))
    assert busy.exchange.resting() == []


def test_it_is_switched_off_by_name_only(tmp_path: Path) -> None:
    files = Files(tmp_path)
    trip(files, by="a", reason="b", clock_us=Clock(), clear=None)
    with pytest.raises(ValueError, match="by name"):
        release(files, by=" ", clock_us=Clock())
    assert read_switch(files).on
    assert release(files, by="risk", clock_us=Clock()).reason == "b"
    assert read_switch(files) == Switch(on=False, by="risk", reason="switched off", at_us=START_US)


def test_a_running_session_sends_nothing_once_it_is_on(tmp_path: Path) -> None:
    desk = Desk(tmp_path, guards=[guard(Files(tmp_path))])
    try:
        desk.gateway.place(intent(1))
        trip(desk.files, by="risk", reason="drill", clock_us=desk.clock, clear=lambda: clear(desk))
        blocked = desk.gateway.place(intent(2))
        assert isinstance(blocked, Blocked)
        assert "by risk: drill" in blocked.why
        release(desk.files, by="risk", clock_us=desk.clock)
        # The group stays triggered: a new session makes a new one.
        desk.gateway.place(intent(2))
        assert desk.exchange.resting() == []
    finally:
        desk.close()


# The command, as a process of its own.


def wall_us() -> int:
    return time.time_ns() // 1000


@pytest.fixture
def account(tmp_path: Path) -> dict[str, str]:
    """Settings with a key of the fake exchange."""
    pem = tmp_path / "key.pem"
    pem.write_bytes(
        PRIVATE_KEY.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return {
        "KALSHI_ASSETS_DATA": str(tmp_path / "data"),
        "KALSHI_API_KEY_ID": KEY_ID,
        "KALSHI_PRIVATE_KEY_PEM_PATH": str(pem),
        "TRADE_MODE": "live",
    }


def exchange_with_orders() -> FakeExchange:
    exchange = FakeExchange(clock_us=wall_us)
    exchange.groups["group-1"] = True
    for number in range(3):
        exchange.rest(f"order {number}").group = "group-1"
    return exchange


def test_the_command_clears_the_account_and_says_so(
    account: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    exchange = exchange_with_orders()
    with serving(exchange) as url:
        variables = {**account, "KALSHI_API_URL": url}
        on = RUNNER.invoke(app, ["kill-switch", "on", "--reason", "drill"], env=variables)
        again = RUNNER.invoke(app, ["kill-switch", "on"], env=variables)
        status = RUNNER.invoke(app, ["kill-switch", "status"], env=variables)
        nameless = RUNNER.invoke(app, ["kill-switch", "off"], env=variables)
        off = RUNNER.invoke(app, ["kill-switch", "off", "--by", "risk"], env=variables)
        after = RUNNER.invoke(app, ["kill-switch", "status"], env=variables)
    codes = [each.exit_code for each in (on, again, status, nameless, off, after)]
    assert codes == [0, 0, 1, 2, 0, 0]
    assert "verified: no order rests" in on.output
    assert "by operator: switched on by hand" in status.output
    assert "switched off by risk" in off.output
    assert exchange.resting() == []
    [lines] = (tmp_path / "data" / "telemetry").rglob("*.jsonl")
    told = [json.loads(line) for line in lines.read_text("utf-8").splitlines()]
    assert [line["data"]["on"] for line in told] == [True, True, False]
    assert KEY_ID not in lines.read_text("utf-8")


def test_without_a_key_it_is_recorded_and_is_a_failure_of_live_mode_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for mode, code in (("shadow", 0), ("live", 1)):
        variables = {"KALSHI_ASSETS_DATA": str(tmp_path), "TRADE_MODE": mode}
        on = RUNNER.invoke(app, ["kill-switch", "on"], env=variables)
        assert on.exit_code == code
        assert "no key is set" in on.output
        assert read_switch(Files(tmp_path)).on


@pytest.mark.slow
def test_it_works_with_the_session_stopped_and_its_journal_locked(
    account: dict[str, str], tmp_path: Path
) -> None:
    exchange = exchange_with_orders()
    data = tmp_path / "data"
    desk = Desk(data)
    desk.close()
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None);"
            "db.execute('BEGIN EXCLUSIVE'); print('locked', flush=True); sys.stdin.read()",
            desk.journal.path,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "locked\n"
        holder.send_signal(signal.SIGSTOP)
        other = sqlite3.connect(desk.journal.path, timeout=0)
        with closing(other), pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        with serving(exchange) as url:
            started = time.monotonic()
            done = subprocess.run(
                [sys.executable, "-m", "kalshi_assets.cli", "kill-switch", "on"],
                env={**os.environ, **account, "KALSHI_API_URL": url},
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=60,
            )
            took = time.monotonic() - started
        assert done.returncode == 0, done.stdout + done.stderr
        assert exchange.resting() == []
        assert took < 30
    finally:
        holder.send_signal(signal.SIGCONT)
        holder.stdin.close()
        holder.wait(timeout=10)
        holder.stdout.close()
    assert "the kill switch is on" in str(guard(Files(data))("M"))
