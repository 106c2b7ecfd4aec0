"""Ten days, of which two cannot be read in different tables: the others are made to the report.

By the command line and by the schedule; the same by a backfill in the UI is in `ui`.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from kalshi_assets.commands.backfill import instance
from kalshi_assets.definitions import build
from kalshi_assets.defs.automation import daily_refresh
from kalshi_assets.defs.in_process import run_in_process
from kalshi_assets.defs.lake_io import ASSET_KEYS
from kalshi_assets.defs.partitions import CITY_DAYS, dagster_key, key_of
from kalshi_assets.families.temperature.cities import TEMPERATURE, city_days
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake
from kalshi_assets.pipeline.services import KalshiService
from kalshi_assets.sandbox.server import Sandbox, running
from kalshi_assets.tables import EVENTS, TABLES, TRADES, Table
from kalshi_assets_tests.chain.backfills import Home, service_settings
from kalshi_assets_tests.chain.conftest import ENDLESS, WORLD_CITY, WORLD_END
from kalshi_assets_tests.chain.spoilt import made_of, spoilt_copy

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:Non-compliant tag keys:DeprecationWarning"),
]

PROJECT = Path(__file__).parents[2]
DAYS = city_days([WORLD_CITY], WORLD_END - timedelta(days=9), WORLD_END)
EVENT, TAPE = DAYS[3], DAYS[6]
GOOD = [key for key in DAYS if key not in (EVENT, TAPE)]
SPOILT = {EVENT: (EVENTS, "gap between"), TAPE: (TRADES, "'1.5000' is above one dollar")}


@pytest.fixture(scope="module")
def spoilt_sandbox(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The generated archive with two days spoilt, served."""
    folder = tmp_path_factory.mktemp("spoilt") / "world"
    archive = spoilt_copy(world, folder, event=EVENT, trades=TAPE)
    with running(archive, read_bucket=ENDLESS, anonymous_bucket=ENDLESS) as served:
        yield served


def _made(lake: Lake) -> dict[Table, set[LadderDay]]:
    return {table: {key for key in lake.keys(table) if key in DAYS} for table in TABLES}


def _materialised(kept: dg.DagsterInstance, table: Table) -> dict[str, str]:
    """The run that materialised each partition."""
    records = kept.fetch_materializations(ASSET_KEYS[table], limit=1000).records
    return {record.partition_key or "": record.run_id for record in records}


def _failed(kept: dg.DagsterInstance, table: Table) -> set[str]:
    """The partitions that the UI shows red."""
    status = get_and_update_asset_status_cache_value(kept, ASSET_KEYS[table], CITY_DAYS)
    assert status is not None
    return set(status.deserialize_failed_partition_subsets(CITY_DAYS).get_partition_keys())


def _assert_red_and_green(kept: dg.DagsterInstance) -> None:
    """What is there is green, with the id of a run; what is not is red."""
    wanted = made_of(DAYS, event=EVENT, trades=TAPE)
    asked = {str(dagster_key(key)) for key in DAYS}
    for table in TABLES:
        made = {str(dagster_key(key)) for key in wanted[table]}
        green = {k: run for k, run in _materialised(kept, table).items() if k in asked}
        assert green.keys() == made, table.full_name
        assert all(kept.get_run_by_id(run) for run in green.values()), table.full_name
        assert _failed(kept, table) & asked == asked - made, table.full_name


def test_the_command_makes_the_good_days_whole_and_names_the_bad_ones(
    spoilt_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home.of(tmp_path, spoilt_sandbox, WORLD_CITY, DAYS[0].date, DAYS[-1].date)
    (tmp_path / "dagster.yaml").write_text((PROJECT / "dagster.yaml").read_text("utf-8"))
    child = home.started()
    said, _ = child.communicate(timeout=600)
    assert child.returncode == 1, said
    assert _made(home.lake) == made_of(DAYS, event=EVENT, trades=TAPE)
    pages = {path.stem for path in (tmp_path / "data/reports" / WORLD_CITY).glob("*.html")}
    assert pages == {f"{key.date}" for key in GOOD}

    failed, *last = said.strip().splitlines()[-3:]
    run_id = failed.removeprefix(f"{WORLD_CITY} failed, run ").removesuffix(":")
    for (key, (table, cause)), line in zip(SPOILT.items(), last, strict=True):
        assert line.startswith(f"{key} {table.full_name}: ")
        assert cause in line
        assert line.endswith("downstream tables skipped)")

    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with instance() as kept:
        _assert_red_and_green(kept)
        run = kept.get_run_by_id(run_id)
        assert run is not None
        assert run.status is dg.DagsterRunStatus.FAILURE
        reasons = _reasons(kept, run_id)
    for key, (table, cause) in SPOILT.items():
        assert cause in reasons[table.full_name.replace(".", "__")]
        assert f"{key}: not made, since {table.full_name} failed" in reasons["backtest__report"]


def _reasons(kept: dg.DagsterInstance, run_id: str) -> Mapping[str, str]:
    """Why each failed step failed, as the run's page shows it."""
    found = {}
    for record in kept.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        event = record.get_dagster_event()
        failure = event.step_failure_data.user_failure_data
        assert event.step_key is not None
        found[event.step_key] = (failure.description if failure else None) or ""
    return found


def test_the_schedule_makes_the_good_days_and_asks_for_the_bad_ones_again(
    spoilt_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in service_settings(spoilt_sandbox, tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KALSHI_ASSETS_CITIES", WORLD_CITY)
    platform = build()
    asked: list[LadderDay] = []
    with dg.DagsterInstance.local_temp(overrides={"telemetry": {"enabled": False}}) as kept:
        for key in DAYS:
            for request in _tick(platform, key.date + timedelta(days=1), kept):
                day = key_of(str(request.partition_key))
                asked.append(day)
                if asked.count(day) == 1:
                    _run(platform, day, kept, ok=day not in SPOILT)
        _assert_red_and_green(kept)
    assert _made(Lake(Files(tmp_path / "data"), TEMPERATURE)) == made_of(
        DAYS, event=EVENT, trades=TAPE
    )
    # The two days before the first are there in the archive, too.
    tries = {key: asked.count(key) for key in DAYS[:-2]}
    assert tries == {key: 1 if key in GOOD else 3 for key in DAYS[:-2]}


def _tick(platform: dg.Definitions, day: date, kept: dg.DagsterInstance) -> Sequence[dg.RunRequest]:
    at = datetime(day.year, day.month, day.day, 14, 30, tzinfo=UTC)
    with dg.build_schedule_context(
        resources={"kalshi": KalshiService()},
        scheduled_execution_time=at,
        repository_def=platform.get_repository_def(),
        instance=kept,
    ) as context:
        return daily_refresh.evaluate_tick(context).run_requests or []


def _run(platform: dg.Definitions, key: LadderDay, kept: dg.DagsterInstance, *, ok: bool) -> None:
    result = run_in_process(
        platform.resolve_job_def("refresh"),
        list(map(ASSET_KEYS.__getitem__, TABLES)),
        instance=kept,
        tags=dict(CITY_DAYS.get_tags_for_partition_key(dagster_key(key))),
    )
    assert result.success == ok
