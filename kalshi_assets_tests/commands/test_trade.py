"""`kalshi-assets trade`: what it refuses, and a session of a generated day."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kalshi_assets.lake.store import Lake
from kalshi_assets_tests.commands.conftest import Command
from kalshi_assets_tests.live.worlds import DAY, fill_lake, write_world
from kalshi_assets_tests.shared_work import of_this_run, once

TRADE = ("trade", "--city", DAY.ladder, "--date", f"{DAY.date}")
DEMO_URL = "https://external-api.demo.kalshi.co/trade-api/v2"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once(of_this_run(tmp_path_factory) / "live-world", write_world)


@pytest.fixture(scope="module")
def filled(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return fill_lake(archive, tmp_path_factory.mktemp("filled") / "data")


@pytest.fixture
def key(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key, which no exchange knows."""
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (home / "key.pem").write_bytes(pem)
    monkeypatch.setenv("KALSHI_API_KEY_ID", "a-key")
    monkeypatch.setenv("KALSHI_PRIVATE_KEY_PEM_PATH", str(home / "key.pem"))


def test_orders_are_not_sent_without_a_key(home: Path, command: Command) -> None:
    said = command(*TRADE, "--mode", "live")
    assert said.code == 2
    assert "KALSHI_API_KEY_ID" in said.err


def test_demo_does_not_trade_at_the_real_exchange(home: Path, key: None, command: Command) -> None:
    said = command(*TRADE, "--mode", "demo")
    assert said.code == 2
    assert "set it and KALSHI_WS_URL to the demo environment" in " ".join(said.err.split())


def test_live_does_not_trade_at_the_demo_exchange(
    home: Path, key: None, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KALSHI_API_URL", DEMO_URL)
    said = command(*TRADE, "--mode", "live", "--i-understand-the-risks")
    assert said.code == 2
    assert "--mode live, but KALSHI_API_URL" in " ".join(said.err.split())


def test_live_needs_the_risks_understood(home: Path, key: None, command: Command) -> None:
    said = command(*TRADE, "--mode", "live")
    assert said.code == 2
    assert "--i-understand-the-risks" in said.err


def test_live_needs_a_promotion_and_says_what_is_missing(
    home: Path, key: None, command: Command
) -> None:
    said = command(*TRADE, "--mode", "live", "--i-understand-the-risks")
    assert said.code == 2
    assert "NO-GO: days: 14 more days of shadow" in " ".join(said.err.split())


def test_a_sandbox_is_not_traded_live_and_an_account_by_one_strategy(
    home: Path, command: Command
) -> None:
    said = command(*TRADE, "--mode", "live", "--sandbox")
    assert "a sandbox is traded with --mode demo" in " ".join(said.err.split())
    both = ("--strategy", "value", "--strategy", "move")
    said = command(*TRADE, "--mode", "demo", "--sandbox", *both)
    assert "one strategy trades an account" in said.err


def test_a_day_that_is_not_ready_is_refused_with_the_remedy(home: Path, command: Command) -> None:
    said = command(*TRADE)
    assert said.code == 2
    assert "not made: learning.calibrators, market.events" in " ".join(said.err.split())
    assert "kalshi-assets backfill --city new_york" in " ".join(said.err.split())


@pytest.mark.parametrize("since", ["2026-06-01T00:00", "2026-07-01T05:00"])
def test_a_time_at_which_the_day_does_not_trade_is_refused(
    since: str,
    home: Path,
    archive: Path,
    filled: Lake,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KALSHI_ASSETS_DATA", filled.files.address("."))
    said = command(*TRADE, "--sandbox", "--archive", archive, "--since", since)
    assert said.code == 2
    assert f"--since {since}: the day trades from 2026-06-29" in " ".join(said.err.split())


@pytest.mark.parametrize("mode", ["shadow", "demo"])
def test_the_end_of_a_day_at_a_sandbox_is_the_backtest_s(
    mode: str,
    home: Path,
    archive: Path,
    filled: Lake,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KALSHI_ASSETS_DATA", filled.files.address("."))
    monkeypatch.setenv("KALSHI_ASSETS_CONFIG", str(archive))
    since = ("--since", "2026-07-01T04:53")
    said = command(*TRADE, "--sandbox", "--archive", archive, *since, "--mode", mode)
    assert said.code == 0, said.err
    assert "equal" in said.out
    assert "unexplained" not in said.out
    for left in (f"live/{mode}-2026-06-30-new_york.journal.sqlite", "reports/sessions/"):
        assert left in said.out
    assert filled.files.exists(f"reports/sessions/{mode}-2026-06-30-new_york.html")
