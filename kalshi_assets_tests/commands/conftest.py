"""The command line in this process: arguments in, exit code and what was said out."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
import stamina

from kalshi_assets.cli import main
from kalshi_assets.sandbox.buckets import BucketSize
from kalshi_assets.sandbox.server import Sandbox, running
from kalshi_assets.settings import Settings
from kalshi_assets_tests.chain.backfills import service_settings
from kalshi_assets_tests.shared_work import shared_world

PROJECT = Path(__file__).parents[2]
ENDLESS = BucketSize(refill_rate=1e9, capacity=1e9)
CLOSED = "http://127.0.0.1:9"
FIRST, LAST = date(2026, 6, 19), date(2026, 6, 30)


@dataclass(frozen=True)
class Said:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Both streams on one line, as a reader takes them in."""
        return " ".join((self.out + self.err).split())


Command = Callable[..., Said]


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder to work in, and no settings but those that a test makes."""
    monkeypatch.chdir(tmp_path)
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.validation_alias), raising=False)
    for name in ("DAGSTER_HOME", "ARCHIVE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Command]:
    """Runs `kalshi-assets` with the given arguments."""

    def run(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["kalshi-assets", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return Said(int(left.value.code or 0), said.out, said.err)

    yield run
    stamina.instrumentation.set_on_retry_hooks(None)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated archive of one city and twelve days."""
    return shared_world(tmp_path_factory, cities=["new_york"], start=FIRST, end=LAST, seed=5)


@pytest.fixture(scope="session")
def sandbox(world: Path) -> Iterator[Sandbox]:
    """The generated archive, served without limits."""
    with running(world, read_bucket=ENDLESS, anonymous_bucket=ENDLESS) as served:
        yield served


@pytest.fixture
def at_sandbox(sandbox: Sandbox, home: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Settings that point at the sandbox; runs leave no trace, as there is no dagster.yaml."""
    for name, value in settings_for(sandbox, home).items():
        monkeypatch.setenv(name, value)
    return sandbox


def settings_for(sandbox: Sandbox, home: Path) -> dict[str, str]:
    """The environment of somebody who works in `home` with the services of `sandbox`."""
    return {**service_settings(sandbox, home), "KALSHI_ASSETS_CITIES": "new_york"}
