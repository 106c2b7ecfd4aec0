"""City-days that the tests of the whole chain walk: recorded ones, and generated ones anywhere."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from kalshi_assets.families.temperature.cities import city_day
from kalshi_assets.keys import LadderDay
from kalshi_assets.sandbox.buckets import BucketSize
from kalshi_assets.sandbox.server import Sandbox, running
from kalshi_assets_tests.chain.inputs import Inputs, read_inputs, with_usual_activity
from kalshi_assets_tests.shared import ARCHIVE
from kalshi_assets_tests.shared_work import shared_world

WORLD_SEED = 7
WORLD_CITY = "new_york"
WORLD_START, WORLD_END = date(2026, 6, 17), date(2026, 6, 30)
ENDLESS = BucketSize(refill_rate=1e9, capacity=1e9)


@pytest.fixture(autouse=True)
def _no_instance_of_the_project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Runs of tests are kept out of the project's Dagster instance, settings out of the tests."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated archive of one city and fourteen days."""
    return shared_world(
        tmp_path_factory, cities=[WORLD_CITY], start=WORLD_START, end=WORLD_END, seed=WORLD_SEED
    )


@pytest.fixture(scope="session")
def sandbox(world: Path) -> Iterator[Sandbox]:
    """The generated archive, served."""
    with running(world, read_bucket=ENDLESS, anonymous_bucket=ENDLESS) as served:
        yield served


@pytest.fixture(scope="session")
def recordings() -> Iterator[Sandbox]:
    """The recorded archive, served."""
    with running(ARCHIVE, read_bucket=ENDLESS, anonymous_bucket=ENDLESS) as served:
        yield served


@pytest.fixture(scope="session")
def generated_day(sandbox: Sandbox) -> Inputs:
    """A lively day of the generated world, with twelve days before it."""
    day = read_inputs(sandbox, city_day(WORLD_CITY, WORLD_END - timedelta(days=1)))
    return with_usual_activity(day)


@pytest.fixture(scope="session")
def recorded(request: pytest.FixtureRequest) -> Iterator[Callable[[LadderDay], Inputs]]:
    """City-days of the recordings, each read once."""
    read: dict[LadderDay, Inputs] = {}

    def of(key: LadderDay) -> Inputs:
        if key not in read:
            day = read_inputs(request.getfixturevalue("recordings"), key)
            read[key] = with_usual_activity(day)
        return read[key]

    return of
