"""A lake of its own for every test."""

from pathlib import Path

import pytest

from kalshi_assets.families.temperature.cities import TEMPERATURE
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(Files(tmp_path / "data"), TEMPERATURE)
