"""Desks that are closed at the end of a test, and the world of the drills."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kalshi_assets.lake.store import Lake
from kalshi_assets_tests.live.desk import Desk
from kalshi_assets_tests.live.drills import DAYS
from kalshi_assets_tests.live.worlds import fill_lake, write_world
from kalshi_assets_tests.shared_work import of_this_run, once


@pytest.fixture(scope="session")
def drill_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated world with the days of the drills."""
    return once(
        of_this_run(tmp_path_factory) / "drill-world", lambda folder: write_world(folder, DAYS)
    )


@pytest.fixture(scope="session")
def drill_lake(drill_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Its lake, of this process alone: sessions write journals to it."""
    return fill_lake(drill_archive, tmp_path_factory.mktemp("drilled") / "data", DAYS)


@pytest.fixture
def open_desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Opens desks in folders of their own."""
    desks: list[Desk] = []

    def opened(**options: Any) -> Desk:
        desks.append(Desk(tmp_path / f"desk-{len(desks)}", **options))
        return desks[-1]

    yield opened
    for each in desks:
        each.close()


@pytest.fixture
def desk(open_desk: Callable[..., Desk]) -> Desk:
    """One desk."""
    return open_desk()
