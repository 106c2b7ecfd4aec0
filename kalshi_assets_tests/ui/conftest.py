"""One UI on a small generated archive, for the tests that look at it."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from kalshi_assets.sandbox.world import generate
from kalshi_assets_tests.ui.dagster_ui import DagsterUI, started

CITIES = ("chicago", "new_york")
FIRST, LAST = date(2026, 6, 17), date(2026, 6, 30)


@pytest.fixture(scope="session")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterUI]:
    """The UI, on two cities and fourteen days of a generated world."""
    folder: Path = tmp_path_factory.mktemp("ui")
    world = folder / "world"
    generate(world, cities=CITIES, start=FIRST, end=LAST, seed=7)
    with started(folder, world) as running:
        yield running
