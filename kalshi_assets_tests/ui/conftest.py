"""One UI on a small generated archive, for the tests that look at it.

Two of its days cannot be read: a backfill over them must make the others.
"""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from kalshi_assets.families.temperature.cities import city_day
from kalshi_assets_tests.chain.spoilt import spoilt_copy
from kalshi_assets_tests.shared_work import shared_world
from kalshi_assets_tests.ui.dagster_ui import DagsterUI, started

CITIES = ("chicago", "new_york")
FIRST, LAST = date(2026, 6, 17), date(2026, 6, 30)
UNREADABLE_EVENT = city_day("chicago", date(2026, 6, 20))
UNREADABLE_TRADES = city_day("chicago", date(2026, 6, 24))


@pytest.fixture(scope="session")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterUI]:
    """The UI, on two cities and fourteen days of a generated world."""
    folder: Path = tmp_path_factory.mktemp("ui")
    shared = shared_world(tmp_path_factory, cities=CITIES, start=FIRST, end=LAST, seed=7)
    world = spoilt_copy(shared, folder / "world", event=UNREADABLE_EVENT, trades=UNREADABLE_TRADES)
    with started(folder, world) as running:
        yield running
