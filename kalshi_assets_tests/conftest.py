"""What holds for every test: no lake but its own, and properties are about values, never speed.

Properties are drawn the same way at every run of `make test`, so that a change fails or passes by
itself. The profile ``drill`` (``--hypothesis-profile=drill``, `make drill`) draws others each time;
its seed stands at the report's end, and ``--hypothesis-seed`` with it draws the same again.
"""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from kalshi_assets_tests.properties import DRILL

settings.register_profile(
    "every change", deadline=None, database=None, print_blob=True, derandomize=True
)
settings.register_profile(
    DRILL, deadline=None, database=None, print_blob=True, derandomize=False, max_examples=500
)
settings.load_profile("every change")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """A drill has one seed, which the workers get from the process that starts them."""
    drill = config.getoption("--hypothesis-profile") == DRILL
    if drill and config.getoption("--hypothesis-seed") is None:
        config.option.hypothesis_seed = str(secrets.randbelow(2**32))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """The seed of a drill, at the end, where a quiet run shows it, too."""
    if config.getoption("--hypothesis-profile") == DRILL:
        seed = config.option.hypothesis_seed
        terminalreporter.line(f"again: --hypothesis-profile={DRILL} --hypothesis-seed={seed}")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Before several workers start, kernels are compiled once; else each of them would do it."""
    if getattr(session.config.option, "numprocesses", None):
        from kalshi_assets_tests.shared_work import compile_kernels

        compile_kernels()


@pytest.fixture(scope="session", autouse=True)
def nobodys_lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What writes to the data folder of the settings writes to an empty one, not to the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KALSHI_ASSETS_DATA", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture
def settings_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The platform's data folder, below the test's own folder; no settings from elsewhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("KALSHI_ASSETS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("KALSHI_ASSETS_ORIGIN", "a test")
    return tmp_path / "data"
