"""Schedules and the sensor, ticked against a sandbox at chosen times."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.definitions.schedule_definition import ScheduleExecutionData
from dagster._core.definitions.sensor_definition import SensorExecutionData

from kalshi_assets.cities import CITIES as REGISTRY
from kalshi_assets.cities import city
from kalshi_assets.definitions import build
from kalshi_assets.defs import resources
from kalshi_assets.defs.automation import (
    DESK_TIMEZONE,
    SENSOR_BUDGET_S,
    daily_refresh,
    hourly_intraday,
    newly_settled,
)
from kalshi_assets.defs.lake_io import the_lake
from kalshi_assets.defs.resources import KalshiResource
from kalshi_assets.exchange.client import KalshiClient
from kalshi_assets.exchange.errors import UnreachableError
from kalshi_assets.partitions import CityDay
from kalshi_assets.sandbox.exchange_state import SETTLEMENT_LAG
from kalshi_assets.sandbox.server import Sandbox
from kalshi_assets.settings import Settings
from kalshi_assets.tables import DECISIONS, TABLES
from kalshi_assets_tests.defs.conftest import CITIES, LAST, Clock

# Dagster warns of the tags that it itself gives to runs of two-dimensional partitions.
pytestmark = pytest.mark.filterwarnings("ignore:Non-compliant tag keys:DeprecationWarning")

FAILS_A_TICK = (dg.DagsterError, UnreachableError)
CLOSED_PORT = "http://127.0.0.1:9/trade-api/v2"


class ClockedKalshi(KalshiResource):
    """Whose watcher goes by the clock of a test."""

    at: str

    @contextmanager
    def watcher(self) -> Iterator[KalshiClient]:
        seconds = datetime.fromisoformat(self.at).timestamp()
        with KalshiClient(Settings().kalshi_api_url, clock=lambda: seconds) as client:
            yield client


@pytest.fixture(scope="module")
def platform() -> dg.Definitions:
    return build()


def _schedule(
    platform: dg.Definitions,
    schedule: dg.ScheduleDefinition,
    at: datetime,
    kalshi: KalshiResource | None = None,
) -> ScheduleExecutionData:
    with dg.build_schedule_context(
        resources={"kalshi": kalshi or KalshiResource()},
        scheduled_execution_time=at,
        repository_def=platform.get_repository_def(),
    ) as context:
        return schedule.evaluate_tick(context)


def _sensor(
    platform: dg.Definitions, kalshi: KalshiResource, cursor: str | None = None
) -> SensorExecutionData:
    with dg.build_sensor_context(
        resources={"kalshi": kalshi},
        cursor=cursor,
        definitions=platform,
    ) as context:
        return newly_settled.evaluate_tick(context)


def _settled_at(key: CityDay) -> datetime:
    return city(key.city).climate_day(key.date)[1] + SETTLEMENT_LAG


def test_the_refresh_asks_for_yesterday_in_every_city(
    platform: dg.Definitions, at_exchange: Sandbox, clock: Clock
) -> None:
    clock.now = datetime(2026, 6, 30, 14, 30, tzinfo=UTC)
    tick = _schedule(platform, daily_refresh, clock.now)
    assert tick.run_requests is not None
    assert {(r.partition_key, r.run_key) for r in tick.run_requests} == {
        ("chicago|2026-06-29", "refresh-KXHIGHCHI-26JUN29"),
        ("los_angeles|2026-06-29", "refresh-KXHIGHLAX-26JUN29"),
        ("new_york|2026-06-29", "refresh-KXHIGHNY-26JUN29"),
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


def test_the_sensor_sees_each_settlement_once_and_moves_its_cursor(
    platform: dg.Definitions, at_exchange: Sandbox, clock: Clock
) -> None:
    ny, la = CityDay("new_york", LAST), CityDay("los_angeles", LAST)
    the_lake().write(DECISIONS, ny, DECISIONS.empty())

    clock.now = _settled_at(ny) + timedelta(minutes=2)
    first = _sensor(platform, ClockedKalshi(at=clock.now.isoformat()))
    assert first.run_requests is not None
    asked = {r.partition_key: r for r in first.run_requests}
    assert asked[str(ny.dagster_key)].job_name == "settle"
    assert asked["new_york|2026-06-29"].job_name == "refresh"
    assert str(la.dagster_key) not in asked
    assert json.loads(first.cursor or "") == {name: clock.now.isoformat() for name in CITIES}

    clock.now = _settled_at(la) + timedelta(minutes=2)
    second = _sensor(platform, ClockedKalshi(at=clock.now.isoformat()), first.cursor)
    assert second.run_requests is not None
    fresh = {r.run_key for r in second.run_requests} - {r.run_key for r in first.run_requests}
    assert "settled-KXHIGHLAX-26JUN30" in fresh
    assert "settled-KXHIGHNY-26JUN30" not in fresh

    # Within the overlap the same events come again, under run keys that Dagster has seen.
    clock.now += timedelta(hours=3)
    third = _sensor(platform, ClockedKalshi(at=clock.now.isoformat()), second.cursor)
    assert third.run_requests is not None
    assert {r.run_key for r in third.run_requests} <= {r.run_key for r in second.run_requests}

    clock.now += timedelta(hours=3)
    fourth = _sensor(platform, ClockedKalshi(at=clock.now.isoformat()), third.cursor)
    assert not fourth.run_requests
    assert fourth.skip_message == "no event has settled since"
    assert json.loads(fourth.cursor or "") == {name: clock.now.isoformat() for name in CITIES}


def test_a_cursor_with_a_city_that_left_the_registry_is_read(
    platform: dg.Definitions, at_exchange: Sandbox, clock: Clock
) -> None:
    clock.now = datetime(2026, 7, 9, tzinfo=UTC)
    cursor = json.dumps({"atlantis": "2026-07-08T00:00:00+00:00"})
    tick = _sensor(platform, ClockedKalshi(at=clock.now.isoformat()), cursor)
    assert json.loads(tick.cursor or "").keys() == set(CITIES)


def test_an_exchange_that_is_not_there_fails_every_tick_soon_and_says_so(
    platform: dg.Definitions, at_exchange: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KALSHI_API_URL", CLOSED_PORT)
    now = datetime(2026, 6, 30, 14, 30, tzinfo=UTC)
    began = time.monotonic()
    for tick in (
        lambda: _schedule(platform, daily_refresh, now),
        lambda: _sensor(platform, KalshiResource()),
    ):
        with pytest.raises(FAILS_A_TICK) as failed:
            tick()
        said = str(_as_said(failed.value))
        assert "GET /" in said
        assert "ConnectError" in said
        assert "check the network and the address" in said
    assert time.monotonic() - began < 10


def test_an_exchange_that_never_answers_fails_the_tick_at_its_timeout(
    platform: dg.Definitions, at_exchange: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "WATCHER_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setenv("KALSHI_API_URL", f"http://127.0.0.1:{port}/trade-api/v2")
        with pytest.raises(FAILS_A_TICK) as failed:
            _sensor(platform, KalshiResource())
    assert "ReadTimeout" in str(_as_said(failed.value))


def _as_said(error: BaseException) -> BaseException | None:
    """What the exchange's client raised; a schedule wraps it once."""
    return error if isinstance(error, UnreachableError) else error.__cause__


def test_the_slowest_tick_ends_before_dagster_ends_it() -> None:
    a_city = 2 * resources.WATCHER_TIMEOUT_S + 2.0
    assert SENSOR_BUDGET_S + a_city < 60


def test_schedules_run_by_the_desk_s_clock_and_are_on_from_the_start(
    platform: dg.Definitions,
) -> None:
    repository = platform.get_repository_def()
    assert {s.name: s.cron_schedule for s in repository.schedule_defs} == {
        "daily_refresh": "30 10 * * *",
        "hourly_intraday": "7 * * * *",
    }
    assert {s.execution_timezone for s in repository.schedule_defs} == {DESK_TIMEZONE}
    assert all(
        s.default_status is dg.DefaultScheduleStatus.RUNNING for s in repository.schedule_defs
    )
    assert [s.name for s in repository.sensor_defs] == ["newly_settled"]
    assert repository.sensor_defs[0].default_status is dg.DefaultSensorStatus.RUNNING


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
    of_a_whole_day = {"backtest/decisions", "panel/activity"}
    assert made["intraday"] | made["settle"] | of_a_whole_day == made["refresh"]
    assert not made["intraday"] & made["settle"]
