"""Schedules for the clock, a sensor for settlements.

Each is a pure decision over what the exchange says, and a thin shell that asks it. A city-day
whose event the exchange does not have is skipped with its name, so that nothing fails where there
is nothing to fetch.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from kalshi_assets.cities import CITIES, city, city_of_series
from kalshi_assets.defs.jobs import intraday, refresh, settle
from kalshi_assets.defs.lake_io import the_lake
from kalshi_assets.defs.resources import KalshiResource
from kalshi_assets.exchange.client import KalshiClient
from kalshi_assets.lake.store import Lake
from kalshi_assets.partitions import CityDay
from kalshi_assets.settings import Settings
from kalshi_assets.tables import DECISIONS

Tick = dg.SkipReason | Sequence[dg.RunRequest]

DESK_TIMEZONE = "America/New_York"

# A tick is killed after 60 s; the rest of the cities wait for the next one.
SENSOR_BUDGET_S = 30.0
FIRST_LOOK_BACK = timedelta(days=2)
# Settlement times are written before they can be read.
OVERLAP = timedelta(hours=1)


def yesterday(cities: Iterable[str], now: datetime) -> list[CityDay]:
    """The climate day before the present one, of every city."""
    return [CityDay(name, city(name).climate_date(now) - timedelta(days=1)) for name in cities]


def today(cities: Iterable[str], now: datetime) -> list[CityDay]:
    """The present climate day of every city."""
    return [CityDay(name, city(name).climate_date(now)) for name in cities]


def requests_for(
    wanted: Sequence[CityDay], listed: frozenset[str], run_key: Callable[[CityDay], str]
) -> Tick:
    """A run per city-day whose event the exchange has; else one reason that names the others.

    Parameters
    ----------
    wanted
        City-days.
    listed
        Tickers of the events that the exchange has.
    run_key
        What makes a run the same as an earlier one, and so not started again.
    """
    if not wanted:
        return dg.SkipReason("no city is active; name some in KALSHI_ASSETS_CITIES")
    there = [key for key in wanted if key.event_ticker in listed]
    if not there:
        missing = ", ".join(key.event_ticker for key in wanted)
        return dg.SkipReason(f"the exchange has none of: {missing}")
    return [dg.RunRequest(run_key=run_key(key), partition_key=key.dagster_key) for key in there]


def settled_city_days(event_tickers: Iterable[str]) -> list[CityDay]:
    """The city-days of events, by their tickers; tickers of other series are left out."""
    found = set()
    for ticker in event_tickers:
        series, _, day = ticker.partition("-")
        place = city_of_series(series)
        if place is not None:
            found.add(CityDay(place.name, _date_of(day)))
    return sorted(found)


def settlement_requests(keys: Sequence[CityDay], lake: Lake) -> list[dg.RunRequest]:
    """A run per newly settled city-day: its settlement and result, or all of it if it is new."""
    return [
        dg.RunRequest(
            run_key=f"settled-{key.event_ticker}",
            partition_key=key.dagster_key,
            job_name="settle" if lake.has(DECISIONS, key) else "refresh",
        )
        for key in keys
    ]


def look_for_settled(
    client: KalshiClient,
    cities: Sequence[str],
    since: Mapping[str, datetime],
    now: datetime,
    clock: Callable[[], float],
) -> tuple[list[CityDay], dict[str, datetime]]:
    """Ask for settled events city by city, longest unasked first, while the budget lasts.

    Parameters
    ----------
    since
        When each city was last asked.
    clock
        Seconds.

    Returns
    -------
    tuple
        City-days settled since, and the new times by city.
    """
    began = clock()
    asked = dict(since)
    found: set[CityDay] = set()
    first = now - FIRST_LOOK_BACK
    for name in sorted(cities, key=lambda name: since.get(name, datetime.min.replace(tzinfo=UTC))):
        if clock() - began > SENSOR_BUDGET_S:
            break
        markets = client.settled_markets(city(name).series, since.get(name, first) - OVERLAP)
        found.update(settled_city_days(market.event_ticker for market in markets))
        asked[name] = now
    return sorted(found), asked


@dg.schedule(
    job=refresh,
    cron_schedule="30 10 * * *",
    execution_timezone=DESK_TIMEZONE,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Yesterday in every active city, after the exchange has settled it.",
)
def daily_refresh(context: dg.ScheduleEvaluationContext, kalshi: KalshiResource) -> Tick:
    now = context.scheduled_execution_time
    wanted = yesterday(Settings().cities, now)
    return requests_for(wanted, _listed(kalshi, wanted), lambda key: f"refresh-{key.event_ticker}")


@dg.schedule(
    job=intraday,
    cron_schedule="7 * * * *",
    execution_timezone=DESK_TIMEZONE,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Today so far in every active city, every hour after the hourly reports.",
)
def hourly_intraday(context: dg.ScheduleEvaluationContext, kalshi: KalshiResource) -> Tick:
    now = context.scheduled_execution_time
    wanted = today(Settings().cities, now)
    return requests_for(
        wanted, _listed(kalshi, wanted), lambda key: f"intraday-{key.event_ticker}-{now:%H%M}"
    )


@dg.sensor(
    jobs=[settle, refresh],
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sees newly settled events and makes their settlement and backtest.",
)
def newly_settled(context: dg.SensorEvaluationContext, kalshi: KalshiResource) -> dg.SensorResult:
    since = {
        name: datetime.fromisoformat(text)
        for name, text in json.loads(context.cursor or "{}").items()
        if name in CITIES
    }
    with kalshi.watcher() as client:
        found, asked = look_for_settled(
            client, Settings().cities, since, client.now(), time.monotonic
        )
    cursor = json.dumps({name: when.isoformat() for name, when in asked.items()})
    if not found:
        return dg.SensorResult(skip_reason="no event has settled since", cursor=cursor)
    return dg.SensorResult(run_requests=settlement_requests(found, the_lake()), cursor=cursor)


def _listed(kalshi: KalshiResource, wanted: Sequence[CityDay]) -> frozenset[str]:
    # Without tickers the question would be for every event that the exchange has.
    if not wanted:
        return frozenset()
    with kalshi.watcher() as client:
        return client.listed_events([key.event_ticker for key in wanted])


def _date_of(text: str) -> date:
    return datetime.strptime(text, "%y%b%d").replace(tzinfo=UTC).date()


@dg.definitions
def automation() -> dg.Definitions:
    """The schedules and the sensor."""
    return dg.Definitions(schedules=[daily_refresh, hourly_intraday], sensors=[newly_settled])
