"""Schedules for the clock, a sensor for settlements.

Each is a pure decision over what the exchange says and the lake holds, and a thin shell that asks
them. A city-day whose event the exchange does not have is skipped with its name, so that nothing
fails where there is nothing to fetch. A finished day is refreshed by `daily_refresh` alone, until
its report is there; `newly_settled` adds the settlement to days refreshed before it was known.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

import dagster as dg

from kalshi_assets.cities import CITIES, city
from kalshi_assets.defs.jobs import intraday, refresh, settle
from kalshi_assets.defs.lake_io import the_lake
from kalshi_assets.defs.resources import KalshiResource
from kalshi_assets.defs.settlement_watch import Watch, overdue
from kalshi_assets.ladder.settlement import FINALIZED
from kalshi_assets.lake.store import Lake
from kalshi_assets.partitions import CityDay
from kalshi_assets.settings import Settings
from kalshi_assets.tables import REPORT, SETTLEMENTS

Tick = dg.SkipReason | Sequence[dg.RunRequest]

DESK_TIMEZONE = "America/New_York"

REFRESHED_DAYS = 3
"""How many days back a day that could not be made is tried again."""

PARTITION = "dagster/partition"
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def today(cities: Iterable[str], now: datetime) -> list[CityDay]:
    """The present climate day of every city."""
    return [CityDay(name, city(name).climate_date(now)) for name in cities]


def requests_for(
    wanted: Sequence[CityDay], listed: frozenset[str], key_of: Callable[[CityDay], str]
) -> Tick:
    """A run per city-day whose event the exchange has; else one reason that names the others.

    Parameters
    ----------
    wanted
        City-days, one at least.
    listed
        Tickers of the events that the exchange has.
    key_of
        What makes a run the same as an earlier one, and so not started again.
    """
    there = [key for key in wanted if key.event_ticker in listed]
    if not there:
        missing = ", ".join(key.event_ticker for key in wanted)
        return dg.SkipReason(f"the exchange has none of: {missing}")
    return [dg.RunRequest(run_key=key_of(key), partition_key=key.dagster_key) for key in there]


def settlement_requests(tries: Mapping[CityDay, int], lake: Lake) -> list[dg.RunRequest]:
    """A run per settled city-day, under a key of its own for every try.

    Of a day that `daily_refresh` has given up, or never saw, everything is made.
    """
    return [
        dg.RunRequest(
            run_key=f"settled-{key.event_ticker}-{count}",
            partition_key=key.dagster_key,
            job_name="settle" if lake.has(REPORT, key) else "refresh",
        )
        for key, count in tries.items()
    ]


def is_left_to_the_sensor(lake: Lake, key: CityDay, now: datetime) -> bool:
    """Whether `daily_refresh` has made the day, or no longer looks at it."""
    age = (city(key.city).climate_date(now) - key.date).days
    return lake.has(REPORT, key) or age > REFRESHED_DAYS


def is_settled(lake: Lake, key: CityDay) -> bool:
    """Whether the exchange's own settlement of a city-day is stored, and cannot be amended."""
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
        "The day before in every active city, from the exchange to the report; tried again "
        f"until it is there, for {REFRESHED_DAYS} days."
    ),
)
def daily_refresh(context: dg.ScheduleEvaluationContext, kalshi: KalshiResource) -> Tick:
    now = context.scheduled_execution_time
    if not (cities := _active(context.log)):
        return NO_CITY
    lake = the_lake()
    wanted = overdue(
        cities,
        now,
        REFRESHED_DAYS,
        made=lambda key: lake.has(REPORT, key),
        running=_at_work(context.instance),
    )
    if not wanted:
        return dg.SkipReason("every recent day is complete or in progress")
    return requests_for(wanted, _listed(kalshi, wanted), lambda key: run_key("refresh", key, now))


@dg.schedule(
    job=intraday,
    cron_schedule="7 * * * *",
    execution_timezone=DESK_TIMEZONE,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Today so far in every active city, every hour after the hourly reports.",
)
def hourly_intraday(context: dg.ScheduleEvaluationContext, kalshi: KalshiResource) -> Tick:
    now = context.scheduled_execution_time
    if not (cities := _active(context.log)):
        return NO_CITY
    wanted = today(cities, now)
    return requests_for(wanted, _listed(kalshi, wanted), lambda key: run_key("intraday", key, now))


@dg.sensor(
    jobs=[settle, refresh],
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Sees newly settled events and makes their settlement and result, again and again until "
        "the settlement is stored."
    ),
)
def newly_settled(context: dg.SensorEvaluationContext, kalshi: KalshiResource) -> dg.SensorResult:
    watch, lake = Watch.of(context.cursor), the_lake()
    with kalshi.watcher() as client:
        now = client.now()
        said = watch.look(client, Settings().cities, now, time.monotonic)
    for sentence in said:
        context.log.warning(sentence)
    tries = watch.due(
        now,
        stored=lambda key: is_settled(lake, key),
        running=_at_work(context.instance),
        refreshed=lambda key: is_left_to_the_sensor(lake, key, now),
    )
    cursor = watch.model_dump_json()
    if tries:
        return dg.SensorResult(run_requests=settlement_requests(tries, lake), cursor=cursor)
    waiting = f"waiting for: {', '.join(watch.pending)}" if watch.pending else ""
    reason = "; ".join(filter(None, ["no event has settled since", waiting, *said]))
    return dg.SensorResult(skip_reason=reason, cursor=cursor)


NO_CITY = dg.SkipReason("no city is active; name some in KALSHI_ASSETS_CITIES")


def _active(log: logging.Logger) -> list[str]:
    """The active cities; names that the registry does not have are told and left out."""
    settings = Settings()
    for name in settings.unknown_cities:
        log.warning(f"unknown city {name}: see KALSHI_ASSETS_CITIES")
    return [name for name in settings.cities if name in CITIES]


def run_key(job: str, key: CityDay, now: datetime) -> str:
    """What makes a run the same as an earlier one: its job, its city-day and the tick's instant.

    In UTC: on the night when clocks go back an hour of the desk's clock comes twice.
    """
    return f"{job}-{key.event_ticker}-{now.astimezone(UTC):%Y%m%dT%H%M}Z"


def _at_work(instance: dg.DagsterInstance) -> frozenset[CityDay]:
    """City-days that a run is making, or about to."""
    runs = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
    return frozenset(CityDay.of(run.tags[PARTITION]) for run in runs if PARTITION in run.tags)


def _listed(kalshi: KalshiResource, wanted: Sequence[CityDay]) -> frozenset[str]:
    with kalshi.watcher() as client:
        return client.listed_events([key.event_ticker for key in wanted])


@dg.definitions
def automation() -> dg.Definitions:
    """The schedules and the sensor."""
    return dg.Definitions(schedules=[daily_refresh, hourly_intraday], sensors=[newly_settled])
