"""One UI on a small generated archive, for the tests that look at it."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from kalshi_assets_tests.shared_work import shared_world
from kalshi_assets_tests.ui.dagster_ui import DagsterUI, started

CITIES = ("chicago", "new_york")
FIRST, LAST = date(2026, 6, 17), date(2026, 6, 30)


@pytest.fixture(scope="session")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterUI]:
    """The UI, on two cities and fourteen days of a generated world."""
    folder: Path = tmp_path_factory.mktemp("ui")
    world = shared_world(tmp_path_factory, cities=CITIES, start=FIRST, end=LAST, seed=7)
    with started(folder, world) as running:
        yield running
