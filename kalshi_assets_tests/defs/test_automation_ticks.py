"""Schedules and the sensor, ticked against a sandbox at chosen times."""

import socket
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import polars as pl
import pytest
from dagster._core.definitions.schedule_definition import ScheduleExecutionData
from dagster._core.definitions.sensor_definition import SensorExecutionData

from kalshi_assets.definitions import build
from kalshi_assets.defs.automation import (
    DESK_TIMEZONE,
    daily_refresh,
    hourly_intraday,
    is_settled,
    newly_settled,
    run_key,
)
from kalshi_assets.defs.lake_io import the_lake
from kalshi_assets.defs.partitions import CITY_DAYS, dagster_key
from kalshi_assets.defs.resources import KalshiResource, WeatherResource
from kalshi_assets.defs.settlement_watch import SENSOR_BUDGET_S, Watch
from kalshi_assets.exchange.errors import UnreachableError
from kalshi_assets.families.temperature.cities import CITIES as REGISTRY
from kalshi_assets.families.temperature.cities import city, city_day, event_ticker
from kalshi_assets.keys import LadderDay
from kalshi_assets.pipeline import services
from kalshi_assets.pipeline.services import KalshiService
from kalshi_assets.sandbox.app import Trading
from kalshi_assets.sandbox.exchange_state import SETTLEMENT_LAG
from kalshi_assets.sandbox.server import Sandbox, running
from kalshi_assets.tables import REPORT, SETTLEMENTS, TABLES
from kalshi_assets_tests.defs.conftest import CITIES, FIRST, LAST, Clock
from kalshi_assets_tests.lake.handmade import settlements
from kalshi_assets_tests.shared_work import shared_world

# Dagster warns of the tags that it itself gives to runs of two-dimensional partitions.
pytestmark = pytest.mark.filterwarnings("ignore:Non-compliant tag keys:DeprecationWarning")

FAILS_A_TICK = (dg.DagsterError, UnreachableError)
CLOSED_PORT = "http://127.0.0.1:9/trade-api/v2"


def clocked(at: datetime) -> KalshiService:
    """The exchange at an instant."""
    return KalshiService(clock=lambda: at)


@pytest.fixture(scope="module")
def platform() -> dg.Definitions:
    return build()


def _schedule(
    platform: dg.Definitions,
    schedule: dg.ScheduleDefinition,
    at: datetime,
    instance: dg.DagsterInstance | None = None,
) -> ScheduleExecutionData:
    with (
        nullcontext(instance) if instance else dg.DagsterInstance.local_temp() as kept,
        dg.build_schedule_context(
            resources={"kalshi": KalshiService()},
            scheduled_execution_time=at,
            repository_def=platform.get_repository_def(),
            instance=kept,
        ) as context,
    ):
        return schedule.evaluate_tick(context)


def _sensor(
    platform: dg.Definitions, kalshi: KalshiService, cursor: str | None = None
) -> SensorExecutionData:
    with (
        dg.DagsterInstance.local_temp() as instance,
        dg.build_sensor_context(
            resources={"kalshi": kalshi}, cursor=cursor, definitions=platform, instance=instance
        ) as context,
    ):
        return newly_settled.evaluate_tick(context)


def _settled_at(key: LadderDay) -> datetime:
    return city(key.ladder).climate_day(key.date)[1] + SETTLEMENT_LAG


def _make_reports(*days: int) -> None:
    for name in CITIES:
        for day in days:
            the_lake().write(REPORT, city_day(name, date(2026, 6, day)), REPORT.empty())


def test_the_refresh_asks_for_yesterday_in_every_city(
    platform: dg.Definitions, at_exchange: Sandbox, clock: Clock
) -> None:
    clock.now = datetime(2026, 6, 30, 14, 30, tzinfo=UTC)
    _make_reports(27, 28)
    tick = _schedule(platform, daily_refresh, clock.now)
    assert tick.run_requests is not None
    assert {(r.partition_key, r.run_key) for r in tick.run_requests} == {
        ("chicago|2026-06-29", "refresh-KXHIGHCHI-26JUN29-20260630T1430Z"),
        ("los_angeles|2026-06-29", "refresh-KXHIGHLAX-26JUN29-20260630T1430Z"),
        ("new_york|2026-06-29", "refresh-KXHIGHNY-26JUN29-20260630T1430Z"),
    }


def test_a_day_that_was_not_made_is_asked_for_again_and_one_that_was_is_not(
    platform: dg.Definitions, at_exchange: Sandbox, clock: Clock
) -> None:
    clock.now = datetime(2026, 6, 30, 14, 30, tzinfo=UTC)
    _make_reports(27, 29)
    clock.now += timedelta(hours=4)
    tick = _schedule(platform, daily_refresh, clock.now)
    assert tick.run_requests is not None
    assert {r.run_key for r in tick.run_requests} == {
        f"refresh-{city(name).series}-26JUN28-20260630T1830Z" for name in CITIES
    }
    _make_reports(28)
    tick = _schedule(platform, daily_refresh, clock.now)
    assert not tick.run_requests
    assert tick.skip_message == "every recent day is complete or in progress"


def test_a_day_that_a_run_is_making_is_not_asked_for_twice(
    platform: dg.Definitions, at_exchange: Sandbox, clock: Clock
) -> None:
    clock.now = datetime(2026, 6, 30, 14, 30, tzinfo=UTC)
    _make_reports(27, 28)
    job = platform.resolve_job_def("refresh")
    with dg.DagsterInstance.local_temp() as instance:
        instance.create_run_for_job(
            job_def=job,
            status=dg.DagsterRunStatus.STARTED,
            tags=dict(
                CITY_DAYS.get_tags_for_partition_key(
                    dagster_key(city_day("chicago", date(2026, 6, 29)))
                )
            ),
        )
        tick = _schedule(platform, daily_refresh, clock.now, instance)
    assert tick.run_requests is not None
    assert {str(r.partition_key).partition("|")[0] for r in tick.run_requests} == {
        "los_angeles",
        "new_york",
    }


def test_the_hourly_run_asks_for_today_and_once_an_hour(
    platform: dg.Definitions, at_exchange: Sandbox, clock: Clock
) -> None:
    keys = set()
    for hour in (15, 16):
        clock.now = datetime(2026, 6, 30, hour, 7, tzinfo=UTC)
        tick = _schedule(platform, hourly_intraday, clock.now)
        assert tick.run_requests is not None
        assert {r.partition_key for r in tick.run_requests} == {
            f"{name}|2026-06-30" for name in CITIES
        }
        keys |= {r.run_key for r in tick.run_requests}
    assert len(keys) == 2 * len(CITIES)


def test_at_a_sandbox_with_a_time_of_its_own_the_days_are_those_of_its_present(
    platform: dg.Definitions,
    at_exchange: Sandbox,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start, tick = datetime(2026, 6, 30, 14, tzinfo=UTC), datetime(2026, 11, 29, 15, 7, tzinfo=UTC)
    world = shared_world(tmp_path_factory, cities=CITIES, start=FIRST, end=LAST, seed=3)
    with running(world, trading=Trading(start=start, speed=1)) as sandbox:
        monkeypatch.setenv("KALSHI_API_URL", sandbox.api_url)
        monkeypatch.setenv("KALSHI_ASSETS_SANDBOX_CLOCK", sandbox.url)
        hourly = _schedule(platform, hourly_intraday, tick)
        daily = _schedule(platform, daily_refresh, tick)
        with dg.build_resources({"kalshi": KalshiResource(), "weather": WeatherResource()}) as made:
            for service in (made.kalshi, made.weather):
                assert start <= service.now() < start + timedelta(minutes=5)
    # Their keys hold the real time, because the sandbox's may begin again.
    assert {(r.partition_key, r.run_key) for r in hourly.run_requests or ()} == {
        (f"{name}|2026-06-30", f"intraday-{city(name).series}-26JUN30-20261129T1507Z")
        for name in CITIES
    }
    dates = {str(r.partition_key).partition("|")[2] for r in daily.run_requests or ()}
    assert dates == {"2026-06-27", "2026-06-28", "2026-06-29"}


def test_no_hour_is_lost_on_the_night_when_clocks_go_back(
    platform: dg.Definitions, at_exchange: Sandbox, clock: Clock
) -> None:
    clock.now = datetime(2026, 6, 30, 15, 7, tzinfo=UTC)
    desk = ZoneInfo(DESK_TIMEZONE)
    twice = [datetime(2026, 11, 1, 1, 7, tzinfo=desk, fold=fold) for fold in (0, 1)]
    assert len({at.strftime("%H%M") for at in twice}) == 1
    key = city_day("new_york", date(2026, 11, 1))
    assert len({run_key("intraday", key, at) for at in twice}) == 2


def test_a_day_that_the_exchange_does_not_list_is_skipped_by_name(
    platform: dg.Definitions, at_exchange: Sandbox, clock: Clock
) -> None:
    clock.now = datetime(2026, 7, 9, 14, 30, tzinfo=UTC)
    for schedule in (daily_refresh, hourly_intraday):
        tick = _schedule(platform, schedule, clock.now)
        assert not tick.run_requests
        assert tick.skip_message is not None
        assert "the exchange has none of: KXHIGHCHI-26JUL0" in tick.skip_message


def test_without_an_active_city_nothing_is_asked(
    platform: dg.Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KALSHI_ASSETS_CITIES", "")
    monkeypatch.setenv("KALSHI_API_URL", CLOSED_PORT)
    tick = _schedule(platform, daily_refresh, datetime(2026, 6, 30, 14, 30, tzinfo=UTC))
    assert tick.skip_message == "no city is active; name some in KALSHI_ASSETS_CITIES"


def test_the_sensor_asks_until_each_settlement_is_stored(
    platform: dg.Definitions, at_exchange: Sandbox, clock: Clock
) -> None:
    ny, la = city_day("new_york", LAST), city_day("los_angeles", LAST)
    for key in (ny, la):
        the_lake().write(REPORT, key, REPORT.empty())

    clock.now = _settled_at(ny) + timedelta(minutes=2)
    first = _sensor(platform, clocked(clock.now))
    assert first.run_requests is not None
    # The days before were not refreshed, so that is what they wait for.
    assert [(r.partition_key, r.run_key) for r in first.run_requests] == [
        (str(dagster_key(ny)), "settled-KXHIGHNY-26JUN30-1")
    ]
    watch = Watch.of(first.cursor)
    assert watch.since == dict.fromkeys(CITIES, clock.now)
    assert "KXHIGHNY-26JUN29" in watch.pending

    clock.now = _settled_at(la) + timedelta(minutes=2)
    second = _sensor(platform, clocked(clock.now), first.cursor)
    assert second.run_requests is not None
    assert {r.run_key for r in second.run_requests} == {
        "settled-KXHIGHNY-26JUN30-2",
        "settled-KXHIGHLAX-26JUN30-1",
    }

    for key in (ny, la):
        the_lake().write(SETTLEMENTS, key, settlements())
    clock.now += timedelta(hours=3)
    third = _sensor(platform, clocked(clock.now), second.cursor)
    assert not third.run_requests
    assert third.skip_message is not None
    assert third.skip_message.startswith("no event has settled since; waiting for: KXHIGH")
    assert not {event_ticker(ny), event_ticker(la)} & Watch.of(third.cursor).pending.keys()


def test_a_settlement_that_may_be_amended_or_is_of_another_version_is_asked_for_again(
    at_exchange: Sandbox,
) -> None:
    key = city_day("new_york", LAST)
    assert not is_settled(the_lake(), key)
    the_lake().write(SETTLEMENTS, key, settlements())
    assert is_settled(the_lake(), key)
    exchange = pl.col("source") == "exchange"
    status = pl.when(exchange).then(pl.lit("determined")).otherwise("status")
    the_lake().write(SETTLEMENTS, key, settlements().with_columns(status=status))
    assert not is_settled(the_lake(), key)
    path = Path(the_lake().address(SETTLEMENTS, key))
    settlements().drop("problem").write_parquet(path)
    assert not is_settled(the_lake(), key)


def test_a_city_that_left_the_registry_is_named_and_the_others_go_on(
    platform: dg.Definitions,
    at_exchange: Sandbox,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KALSHI_ASSETS_CITIES", f"atlantis,{','.join(CITIES)}")
    clock.now = datetime(2026, 7, 9, tzinfo=UTC)
    tick = _sensor(platform, clocked(clock.now))
    assert tick.skip_message is not None
    assert "unknown city atlantis" in tick.skip_message
    assert Watch.of(tick.cursor).since.keys() == set(CITIES)
    clock.now = datetime(2026, 6, 30, 15, 7, tzinfo=UTC)
    hourly = _schedule(platform, hourly_intraday, clock.now)
    assert hourly.run_requests is not None
    assert len(hourly.run_requests) == len(CITIES)


def test_an_exchange_that_is_not_there_fails_every_tick_and_says_so(
    platform: dg.Definitions, at_exchange: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KALSHI_API_URL", CLOSED_PORT)
    now = datetime(2026, 6, 30, 14, 30, tzinfo=UTC)
    for tick in (
        lambda: _schedule(platform, daily_refresh, now),
        lambda: _sensor(platform, KalshiService()),
    ):
        with pytest.raises(FAILS_A_TICK) as failed:
            tick()
        said = str(_as_said(failed.value))
        assert "GET /" in said
        assert "ConnectError" in said
        assert "check the network and the address" in said


def test_an_exchange_that_never_answers_is_given_up_at_the_timeout_and_named(
    platform: dg.Definitions, at_exchange: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "WATCHER_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setenv("KALSHI_API_URL", f"http://127.0.0.1:{port}/trade-api/v2")
        tick = _sensor(platform, KalshiService())
    assert tick.skip_message is not None
    assert tick.skip_message.count("ReadTimeout") == len(CITIES)
    assert Watch.of(tick.cursor).refused.keys() == set(CITIES)


def _as_said(error: BaseException) -> BaseException | None:
    """What the exchange's client raised; a schedule wraps it once."""
    return error if isinstance(error, UnreachableError) else error.__cause__


def test_the_slowest_tick_ends_before_dagster_ends_it() -> None:
    a_city = 2 * services.WATCHER_TIMEOUT_S + 2.0
    assert SENSOR_BUDGET_S + a_city < 60


def test_schedules_run_by_the_desk_s_clock_and_are_on_from_the_start(
    platform: dg.Definitions,
) -> None:
    repository = platform.get_repository_def()
    assert {s.name: s.cron_schedule for s in repository.schedule_defs} == {
        "daily_refresh": "30 10,14,18,22 * * *",
        "hourly_intraday": "7 * * * *",
        "nightly_performance": "30 23 * * *",
        "nightly_promotion": "45 23 * * *",
    }
    assert {s.execution_timezone for s in repository.schedule_defs} == {DESK_TIMEZONE}
    assert all(
        s.default_status is dg.DefaultScheduleStatus.RUNNING for s in repository.schedule_defs
    )
    assert {s.name: s.default_status for s in repository.sensor_defs} == dict.fromkeys(
        ("newly_settled", "start_session", "watch_sessions"), dg.DefaultSensorStatus.RUNNING
    )


def test_the_refresh_comes_after_every_city_s_day_is_over_and_settled() -> None:
    for month in range(1, 13):
        at = datetime(2026, month, 15, 10, 30, tzinfo=ZoneInfo(DESK_TIMEZONE)).astimezone(UTC)
        for name in REGISTRY:
            end = city(name).climate_day(at.date() - timedelta(days=1))[1]
            assert end <= at


def test_every_job_is_partitioned_by_city_and_day(platform: dg.Definitions) -> None:
    for name in ("refresh", "intraday", "settle"):
        job = platform.resolve_job_def(name)
        assert job.partitions_def is not None
        assert job.partitions_def.has_partition_key("new_york|2026-06-30")


def test_no_job_but_the_full_one_makes_what_settlement_makes(platform: dg.Definitions) -> None:
    made = {
        name: {
            "/".join(key.path)
            for key in platform.resolve_job_def(name).asset_layer.selected_asset_keys
        }
        for name in ("refresh", "intraday", "settle")
    }
    assert len(made["refresh"]) == len(TABLES)
    of_a_whole_day = {"panel/activity", "market/order_book"}
    assert made["intraday"] | made["settle"] | of_a_whole_day == made["refresh"]
    assert not made["intraday"] & made["settle"]
