"""`kalshi-assets record` as a process: events found by REST, frames kept, a clean end."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kalshi_assets.exchange.signing import Signer
from kalshi_assets.families.temperature.cities import city
from kalshi_assets.lake.files import Files
from kalshi_assets.sandbox.server import Sandbox, running
from kalshi_assets.sandbox.world import generate
from kalshi_assets.stream.market_stream import MarketStream
from kalshi_assets.stream.recording import Recordings
from kalshi_assets.units import DAY_US
from kalshi_assets_tests.commands.conftest import Command, settings_for
from kalshi_assets_tests.stream.scripted_exchange import scripted
from kalshi_assets_tests.stream.test_recorder import script

PATIENCE_S = 120.0


def test_the_stream_needs_a_key_and_the_error_says_so(command: Command) -> None:
    said = command("record", "--city", "new_york")
    assert said.code == 2
    assert "set KALSHI_API_KEY_ID and KALSHI_PRIVATE_KEY_PEM_PATH" in said.text


def test_an_end_that_has_passed_is_refused(at_sandbox: Sandbox, command: Command) -> None:
    said = command("record", "--city", "new_york", "--until", "2026-01-01T00:00")
    assert said.code == 2
    assert "--until 2026-01-01T00:00 (UTC) has passed" in said.text


def test_a_city_that_is_not_known_is_refused(command: Command) -> None:
    assert "unknown city 'atlantis'" in command("record", "--city", "atlantis").text


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_recorder_finds_open_events_and_what_it_took_is_there_after_its_end(
    home: Path, tmp_path_factory: pytest.TempPathFactory, end: signal.Signals
) -> None:
    today = city("new_york").climate_date(datetime.now(UTC))
    archive = tmp_path_factory.mktemp("today") / "world"
    tomorrow = today + timedelta(days=1)
    generate(archive, cities=["new_york"], start=today, end=tomorrow, seed=3)
    with running(archive) as sandbox:
        signer = Signer.from_pem(sandbox.key_id, sandbox.private_key_pem)
        with scripted(script, signer=signer) as exchange:
            environment = {**settings_for(sandbox, home), "KALSHI_WS_URL": exchange.url}
            child = subprocess.Popen(
                [sys.executable, "-m", "kalshi_assets.cli", "record", "--city", "new_york"],
                env={**os.environ, **environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            known = _until_books_are_known(Files(home / "data"), child)
            child.send_signal(end)
            out, err = child.communicate(timeout=30.0)
    assert "Traceback" not in err
    assert {ticker.rpartition("-")[0] for ticker in known} >= {city("new_york").event_ticker(today)}
    if end is not signal.SIGKILL:
        assert child.returncode == 0
        assert "ended; the recording is complete" in out


def _until_books_are_known(files: Files, child: subprocess.Popen[str]) -> set[str]:
    """Markets whose books a replay of the recording knows, once there are any."""
    recordings, deadline = Recordings(files), time.monotonic() + PATIENCE_S
    now_us = time.time_ns() // 1000
    while True:
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        stream = MarketStream()
        for parts in recordings.runs_between(now_us - DAY_US, now_us + DAY_US):
            for message in recordings.messages(parts, print):
                stream.take(message)
        known = {ticker for ticker, book in stream.books.items() if book.fresh}
        if known:
            return known
        time.sleep(0.1)
