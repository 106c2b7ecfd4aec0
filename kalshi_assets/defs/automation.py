"""Schedules, and a sensor for settlements.

Each consists of a pure decision and a thin wrapper that queries the exchange and the lake. A
city-day whose event the exchange does not list is skipped by name, so that nothing fails if there
is nothing to fetch. A finished day is refreshed by `daily_refresh` alone until its report exists;
`newly_settled` adds the settlement to days that were refreshed before it was known. Not here: the
jobs (`jobs`), the sensor's state (`settlement_watch`).
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

import dagster as dg

from kalshi_assets.defs.clocks import time_of_tick
from kalshi_assets.defs.jobs import intraday, refresh, settle
from kalshi_assets.defs.lake_io import the_lake
from kalshi_assets.defs.partitions import dagster_key, key_of
from kalshi_assets.defs.settlement_watch import Watch, overdue
from kalshi_assets.families.temperature.cities import CITIES, city, city_day, event_ticker
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.store import Lake
from kalshi_assets.pipeline.services import KalshiService
from kalshi_assets.settings import Settings
from kalshi_assets.settlement.rule import FINALIZED
from kalshi_assets.tables import REPORT, SETTLEMENTS

Tick = dg.SkipReason | Sequence[dg.RunRequest]
Kalshi = dg.ResourceParam[KalshiService]

DESK_TIMEZONE = "America/New_York"

REFRESHED_DAYS = 3
"""For how many days a day that could not be completed is tried again."""

PARTITION = "dagster/partition"
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def today(cities: Iterable[str], now: datetime) -> list[LadderDay]:
    """The current climate day of every city."""
    return [city_day(name, city(name).climate_date(now)) for name in cities]


def requests_for(
    wanted: Sequence[LadderDay], listed: frozenset[str], key_of: Callable[[LadderDay], str]
) -> Tick:
    """A run for every city-day whose event is listed; a skip reason with the tickers if none is.

    Parameters
    ----------
    wanted
        City-days, at least one.
    listed
        Tickers of the events that the exchange lists.
    key_of
        The run key; Dagster does not start a second run with the same key.
    """
    there = [key for key in wanted if event_ticker(key) in listed]
    if not there:
        missing = ", ".join(event_ticker(key) for key in wanted)
        return dg.SkipReason(f"the exchange has none of: {missing}")
    return [dg.RunRequest(run_key=key_of(key), partition_key=dagster_key(key)) for key in there]


def settlement_requests(tries: Mapping[LadderDay, int], lake: Lake) -> list[dg.RunRequest]:
    """A run for every settled city-day, with a different run key for every attempt.

    A day without a report, which `daily_refresh` no longer tries or never saw, is made completely.
    """
    return [
        dg.RunRequest(
            run_key=f"settled-{event_ticker(key)}-{count}",
            partition_key=dagster_key(key),
            job_name="settle" if lake.has(REPORT, key) else "refresh",
        )
        for key, count in tries.items()
    ]


def is_left_to_the_sensor(lake: Lake, key: LadderDay, now: datetime) -> bool:
    """Whether `daily_refresh` has completed the day, or no longer tries."""
    age = (city(key.ladder).climate_date(now) - key.date).days
    return lake.has(REPORT, key) or age > REFRESHED_DAYS


def is_settled(lake: Lake, key: LadderDay) -> bool:
    """Whether the exchange's settlement of a city-day is stored and can no longer be amended."""
    stored = lake.read_current(SETTLEMENTS, key)
    return stored is not None and ("exchange", FINALIZED) in zip(
        stored["source"], stored["status"], strict=True
    )


@dg.schedule(
    job=refresh,
    cron_schedule="30 10,14,18,22 * * *",
    execution_timezone=DESK_TIMEZONE,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description=(
        "The previous day of every active city, from the exchange to the report; tried again "
        f"until the report exists, for {REFRESHED_DAYS} days."
    ),
)
def daily_refresh(context: dg.ScheduleEvaluationContext, kalshi: Kalshi) -> Tick:
    tick = context.scheduled_execution_time
    if not (cities := _active(context.log)):
        return NO_CITY
    lake, now = the_lake(), time_of_tick(tick)
    wanted = overdue(
        cities,
        now,
        REFRESHED_DAYS,
        made=lambda key: lake.has(REPORT, key),
        running=at_work(context.instance),
    )
    if not wanted:
        return dg.SkipReason("every recent day is complete or in progress")
    return requests_for(wanted, _listed(kalshi, wanted), lambda key: run_key("refresh", key, tick))


@dg.schedule(
    job=intraday,
    cron_schedule="7 * * * *",
    execution_timezone=DESK_TIMEZONE,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="The current day of every active city so far, hourly after the station reports.",
)
def hourly_intraday(context: dg.ScheduleEvaluationContext, kalshi: Kalshi) -> Tick:
    tick = context.scheduled_execution_time
    if not (cities := _active(context.log)):
        return NO_CITY
    wanted = today(cities, time_of_tick(tick))
    return requests_for(wanted, _listed(kalshi, wanted), lambda key: run_key("intraday", key, tick))


@dg.sensor(
    jobs=[settle, refresh],
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Detects newly settled events and materialises their settlement and result; tried again "
        "until the settlement is stored."
    ),
)
def newly_settled(context: dg.SensorEvaluationContext, kalshi: Kalshi) -> dg.SensorResult:
    watch, lake = Watch.of(context.cursor), the_lake()
    now = kalshi.now()
    with kalshi.watcher() as client:
        problems = watch.look(client, Settings().cities, now, time.monotonic)
    for problem in problems:
        context.log.warning(problem)
    tries = watch.due(
        now,
        stored=lambda key: is_settled(lake, key),
        running=at_work(context.instance),
        refreshed=lambda key: is_left_to_the_sensor(lake, key, now),
    )
    cursor = watch.model_dump_json()
    if tries:
        return dg.SensorResult(run_requests=settlement_requests(tries, lake), cursor=cursor)
    waiting = f"waiting for: {', '.join(watch.pending)}" if watch.pending else ""
    reason = "; ".join(filter(None, ["no event has settled since", waiting, *problems]))
    return dg.SensorResult(skip_reason=reason, cursor=cursor)


NO_CITY = dg.SkipReason("no city is active; name some in KALSHI_ASSETS_CITIES")


def _active(log: logging.Logger) -> list[str]:
    """The active cities; names that the registry does not have are logged and omitted."""
    settings = Settings()
    for name in settings.unknown_cities:
        log.warning(f"unknown city {name}: see KALSHI_ASSETS_CITIES")
    return [name for name in settings.cities if name in CITIES]


def run_key(job: str, key: LadderDay, tick: datetime) -> str:
    """The run key: job, city-day and time of the tick, which is this machine's.

    The time is in UTC, because local times repeat for an hour when clocks are set back.
    """
    return f"{job}-{event_ticker(key)}-{tick.astimezone(UTC):%Y%m%dT%H%M}Z"


def at_work(instance: dg.DagsterInstance) -> frozenset[LadderDay]:
    """City-days of queued and running runs."""
    runs = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
    return frozenset(key_of(run.tags[PARTITION]) for run in runs if PARTITION in run.tags)


def _listed(kalshi: KalshiService, wanted: Sequence[LadderDay]) -> frozenset[str]:
    with kalshi.watcher() as client:
        return client.listed_events([event_ticker(key) for key in wanted])


@dg.definitions
def automation() -> dg.Definitions:
    """The schedules and the sensor."""
    return dg.Definitions(schedules=[daily_refresh, hourly_intraday], sensors=[newly_settled])
