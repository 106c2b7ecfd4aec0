"""A backfill that is killed, or run four times at once, leaves the lake of one quiet run."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from kalshi_assets.commands.backfill import LOOK_BACK_TABLES
from kalshi_assets.families.temperature.steps import LOOK_BACK_DAYS
from kalshi_assets.sandbox.server import Sandbox
from kalshi_assets.tables import TABLES
from kalshi_assets_tests.chain.backfills import PATIENCE_S, Home, assert_whole
from kalshi_assets_tests.chain.conftest import WORLD_CITY, WORLD_END

pytestmark = pytest.mark.slow

DAYS = 2
PARTITIONS = DAYS * len(TABLES) + LOOK_BACK_DAYS * len(LOOK_BACK_TABLES)
DAGSTER_YAML = Path(__file__).parents[2] / "dagster.yaml"


def _home(folder: Path, sandbox: Sandbox) -> Home:
    """With the project's Dagster configuration: backfills of a home share an instance."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(DAGSTER_YAML, folder)
    start = WORLD_END - timedelta(days=DAYS - 1)
    return Home.of(folder, sandbox, WORLD_CITY, start, WORLD_END)


@pytest.fixture(scope="module")
def undisturbed(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home whose only backfill ran to its end."""
    home = _home(tmp_path_factory.mktemp("undisturbed"), sandbox)
    home.finished()
    assert len(home.partitions()) == PARTITIONS
    return home


def _assert_same(home: Home, undisturbed: Home) -> None:
    assert_whole(home)
    found, wanted = home.partitions(), undisturbed.partitions()
    assert found.keys() == wanted.keys()
    different = [
        f"{t.full_name} {k}" for (t, k), frame in wanted.items() if not frame.equals(found[t, k])
    ]
    assert different == []
    assert home.lake_bytes() == undisturbed.lake_bytes()
    assert home.raw_requests() == undisturbed.raw_requests()
    assert home.raw_bodies() == undisturbed.raw_bodies()


def test_a_backfill_killed_again_and_again_ends_with_the_same_lake(
    undisturbed: Home, sandbox: Sandbox, tmp_path: Path
) -> None:
    home = _home(tmp_path, sandbox)
    for partitions in (7, LOOK_BACK_DAYS + 5, PARTITIONS - 6):
        home.killed_at(partitions)
        assert_whole(home)
        assert partitions <= len(home.partitions()) < PARTITIONS
    leftover = (
        home.lake.files.root / "lake/market/trades" / f"city={WORLD_CITY}" / f"date={WORLD_END}"
    )
    (leftover / ".part.parquet.4711.0badcafe.tmp").write_bytes(b"PAR1 half a partition")
    home.finished()
    _assert_same(home, undisturbed)


def test_four_backfills_of_the_same_partitions_at_once_lose_nothing(
    undisturbed: Home, sandbox: Sandbox, tmp_path: Path
) -> None:
    home = _home(tmp_path, sandbox)
    children = [home.started() for _ in range(4)]
    said = [child.communicate(timeout=PATIENCE_S)[0] for child in children]
    assert [child.returncode for child in children] == [0] * 4, "\n".join(said)
    _assert_same(home, undisturbed)
