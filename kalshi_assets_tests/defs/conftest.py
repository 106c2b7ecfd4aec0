"""A small generated archive behind a sandbox whose clock the tests set."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from kalshi_assets.sandbox.server import Sandbox, running
from kalshi_assets_tests.shared_work import shared_world

FIRST, LAST = date(2026, 6, 27), date(2026, 6, 30)
CITIES = ("chicago", "los_angeles", "new_york")


class Clock:
    """Says the time that a test set."""

    def __init__(self) -> None:
        self.now = datetime(2026, 7, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="session")
def clock() -> Clock:
    """The time at the sandbox's exchange, and at its clients."""
    return Clock()


@pytest.fixture(scope="session")
def exchange(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[Sandbox]:
    """Three cities and four days, shown as of `clock`; nothing is archived yet."""
    root = shared_world(tmp_path_factory, cities=CITIES, start=FIRST, end=LAST, seed=3)
    before = datetime(2026, 6, 1, tzinfo=UTC)
    with running(root, now=clock, cutoff=before) as sandbox:
        yield sandbox


@pytest.fixture
def at_exchange(exchange: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Sandbox:
    """Settings of this process point at the sandbox, without a key; the lake is empty."""
    monkeypatch.chdir(tmp_path)
    for name in ("KALSHI_API_KEY_ID", "KALSHI_PRIVATE_KEY_PEM_PATH", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KALSHI_ASSETS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("KALSHI_ASSETS_CITIES", ",".join(CITIES))
    monkeypatch.setenv("KALSHI_API_URL", exchange.api_url)
    return exchange
