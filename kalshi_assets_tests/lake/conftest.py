"""A lake of its own for every test."""

from pathlib import Path

import pytest

from kalshi_assets.lake.store import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "data" / "lake")


@pytest.fixture
def settings_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The platform's data folder, below the test's own folder; no settings from elsewhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("KALSHI_ASSETS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("KALSHI_ASSETS_ORIGIN", "a test")
    return tmp_path / "data"
