"""Desks that are closed at the end of a test, and lakes of generated days for sessions."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kalshi_assets.families.temperature.cities import TEMPERATURE
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake
from kalshi_assets.tables import OF_SESSIONS
from kalshi_assets_tests.live.desk import Desk
from kalshi_assets_tests.live.drills import DAYS
from kalshi_assets_tests.live.worlds import DAY, fill_lake, write_world
from kalshi_assets_tests.shared_work import of_this_run, once


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated world whose last day is `DAY`."""
    return once(of_this_run(tmp_path_factory) / "live-world", write_world)


@pytest.fixture(scope="session")
def filled(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """This process's copy of the world's lake, which is filled once a run."""
    made = once(
        of_this_run(tmp_path_factory) / "live-lake", lambda folder: fill_lake(archive, folder)
    )
    copy = tmp_path_factory.mktemp("filled") / "data"
    shutil.copytree(made, copy)
    return Lake(Files(copy), TEMPERATURE)


@pytest.fixture(scope="session")
def drill_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated world with the days of the drills."""
    return once(
        of_this_run(tmp_path_factory) / "drill-world", lambda folder: write_world(folder, DAYS)
    )


@pytest.fixture(scope="session")
def drill_lake(drill_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """This process's copy of its lake: sessions write journals to it."""
    made = once(
        of_this_run(tmp_path_factory) / "drill-lake",
        lambda folder: fill_lake(drill_archive, folder, DAYS),
    )
    copy = tmp_path_factory.mktemp("drilled") / "data"
    shutil.copytree(made, copy)
    return Lake(Files(copy), TEMPERATURE)


@pytest.fixture
def lake(filled: Lake) -> Lake:
    """The lake, without what sessions of other tests left."""
    for name in filled.files.names("live"):
        filled.files.delete(f"live/{name}")
    for table in OF_SESSIONS:
        filled.files.delete(filled.name(table, DAY))
    return filled


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
