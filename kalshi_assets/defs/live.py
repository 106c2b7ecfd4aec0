"""Trading sessions as runs: a job, a sensor that starts it, another that notices its death.

The sensors are pure decisions in a thin shell. What a session is, is in `live`.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from kalshi_assets.defs.automation import UNFINISHED, at_work, today
from kalshi_assets.defs.clocks import the_clock
from kalshi_assets.defs.lake_io import ASSET_KEYS, the_lake
from kalshi_assets.defs.partitions import dagster_key
from kalshi_assets.defs.session_runs import (
    JOB,
    OP,
    SessionRun,
    config_of,
    ladders_of,
    session_runs,
)
from kalshi_assets.families.temperature.checks import CHECKS
from kalshi_assets.families.temperature.cities import CITIES, city, city_day
from kalshi_assets.families.temperature.services import WeatherService
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.store import Lake
from kalshi_assets.live.clock import stopped_by_signals
from kalshi_assets.live.journals import last_beat_us
from kalshi_assets.live.ladder_session import LadderSession, Said
from kalshi_assets.live.opening import Opening, PagePlace, present, session_name
from kalshi_assets.live.readiness import reasons_against
from kalshi_assets.pipeline.services import KalshiService
from kalshi_assets.settings import Settings
from kalshi_assets.tables import DECISIONS, LIVE_PARITY, OF_SESSIONS
from kalshi_assets.tables.live import TRADING_ENDED

SESSION_TAG = "kalshi_assets/session"
"""Of every session's run; `dagster.yaml` allows one at a time."""
PATIENCE = timedelta(minutes=90)
"""So long after the day has begun everywhere, ladders that are ready wait for the others."""
LONGEST_SILENCE = timedelta(minutes=10)
"""A session's heart beats every minute; with none for so long its process is dead or hangs."""
MOST_TRIES = 5


class SessionConfig(dg.Config):
    """Which ladders a session trades."""

    cities: list[str]
    date: str


@dg.op(
    name=OP,
    description="Trades ladders in shadow until their trading ends, minute by minute.",
    required_resource_keys={"models"},
)
def shadow_session(context: dg.OpExecutionContext, config: SessionConfig) -> None:
    keys = ladders_of(config.cities, config.date)
    clock = the_clock()
    now = present(clock)

    def progress(key: LadderDay, ladder: LadderSession, said: Said) -> None:
        traded = said.decisions.filter(reason="trade").height
        if traded:
            context.log.info(f"{key}: {traded} orders decided, {said.fills.height} fills so far")

    # One clock for all: the services of other runs read a sandbox's time on their own.
    with (
        closing(KalshiService(clock=now)) as kalshi,
        closing(WeatherService(clock=now)) as weather,
        stopped_by_signals(clock.stop),
    ):
        opening = Opening(
            lake=the_lake(),
            kalshi=kalshi,
            services={"weather": weather, "models": context.resources.models},
            clock=clock,
            page=PagePlace(
                tell=lambda address: context.log.info(f"page of the session: {address}"),
                port=Settings().session_page_port,
            ),
        )
        ended = opening.run_shadow(keys, progress)
    context.log.info(ended)
    if ended == TRADING_ENDED:
        return
    run = context.instance.get_run_by_id(context.run_id)
    if run is not None and run.status is dg.DagsterRunStatus.CANCELING:
        # The answer to a termination by which Dagster shows the run as cancelled.
        raise dg.DagsterExecutionInterruptedError
    raise dg.Failure(f"the session ended before trading did: {ended}")


@dg.job(
    name=JOB,
    description="A trading session of one day, in shadow: real data, simulated orders.",
    tags={"dagster/max_runtime": "0", "dagster/max_retries": "0", SESSION_TAG: "shadow"},
)
def session() -> None:
    shadow_session()


sessions_ingest = dg.define_asset_job(
    "sessions",
    selection=dg.AssetSelection.assets(*(ASSET_KEYS[table] for table in OF_SESSIONS)),
    description="What sessions did on a city-day, from their journals, and their parity.",
)


def date_to_trade(cities: Iterable[str], now: datetime) -> date:
    """The date that has begun in every city.

    Parameters
    ----------
    cities
        At least one.
    now
        The session's time.
    """
    return min(key.date for key in today(cities, now))


def session_to_start(
    keys: Sequence[LadderDay],
    against: Mapping[LadderDay, Collection[str]],
    *,
    waits: bool,
    died: Iterable[Sequence[LadderDay]] = (),
) -> list[LadderDay] | str:
    """The ladders of the session to start now, or why none is started.

    Parameters
    ----------
    keys
        Ladder-days of one date that no session has traded.
    against
        For each, why it must not be traded; see `readiness.reasons_against`.
    waits
        Whether those that are ready wait for the others, so that one session holds all.
    died
        Ladders of sessions of the date that failed: they start again as they were, in their
        journals.
    """
    ready = [key for key in keys if not against[key]]
    if not keys:
        return "every ladder of the day has its session"
    for ladders in died:
        if set(ladders) <= set(ready):
            return list(ladders)
    if not ready or (waits and len(ready) < len(keys)):
        return _said(keys, against)
    return ready


def _said(keys: Iterable[LadderDay], against: Mapping[LadderDay, Collection[str]]) -> str:
    """Every reason once, with the ladders that it holds for."""
    held: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        if against[key]:
            held[", ".join(against[key])].append(str(key))
    return "; ".join(f"{', '.join(ladders)}: {reasons}" for reasons, ladders in held.items())


@dg.sensor(
    job=session,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Starts the day's shadow session when events are open and their fits have passed their "
        "checks; starts it again if it died."
    ),
)
def start_session(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    names = [name for name in Settings().cities if name in CITIES]
    if not names:
        return dg.SkipReason("no city is active; name some in KALSHI_ASSETS_CITIES")
    lake, now = the_lake(), present(the_clock())()
    day = date_to_trade(names, now)
    runs = [each for each in session_runs(context.instance) if each.keys[0].date == day]
    for each in runs:
        if each.run.status in UNFINISHED:
            return dg.SkipReason(f"session {each.name} has not ended: run {each.run.run_id}")
    failed = [each for each in runs if each.run.status is dg.DagsterRunStatus.FAILURE]
    over = {key for each in runs if each not in failed for key in each.keys}
    free = [key for key in (city_day(name, day) for name in names) if key not in over]
    wall = datetime.now(UTC)
    against = {key: reasons_against(lake, CHECKS, key, now, wall) for key in free}
    found = session_to_start(
        free,
        against,
        waits=now < _begun(free) + PATIENCE or not at_work(context.instance).isdisjoint(free),
        died=[each.keys for each in failed],
    )
    if isinstance(found, str):
        return dg.SkipReason(found)
    name = session_name(found)
    tries = sum(each.name == name for each in runs)
    if tries >= MOST_TRIES:
        return dg.SkipReason(f"session {name} failed {tries} times: look at its runs")
    request = dg.RunRequest(run_key=f"{name}-{tries + 1}", run_config=config_of(found))
    return dg.SensorResult(run_requests=[request])


def _begun(keys: Iterable[LadderDay]) -> datetime:
    """When the climate day of the last of some ladders begins."""
    begin = (city(key.ladder).climate_day(key.date)[0] for key in keys)
    return max(begin, default=datetime.min.replace(tzinfo=UTC))


def silence(beat_us: int | None, now_us: int, speed: float, age: timedelta) -> timedelta:
    """For how long a session has given no sign of life, in real time.

    Parameters
    ----------
    beat_us
        Its last heartbeat, in the session's time; None: none yet.
    now_us
        The session's time.
    speed
        By how much that time is faster than real time.
    age
        For how long its run has existed: an earlier run's heartbeat does not count.
    """
    if beat_us is None:
        return age
    return min(age, timedelta(microseconds=(now_us - beat_us) / speed))


@dg.sensor(
    job=sessions_ingest,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Fails session runs whose journal has no heartbeat for ten minutes, as the launcher does "
        "not notice a dead process; ingests what ended sessions did, once, and compares it with "
        "the backtest when there is one."
    ),
)
def watch_sessions(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    lake = the_lake()
    _fail_the_dead(context.instance, lake)
    asked = set(json.loads(context.cursor or "[]"))
    wanted = {
        request.run_key: request
        for each in session_runs(context.instance)
        if each.run.is_finished and last_beat_us(lake.files, each.name) is not None
        for request in _ingests(each, lake)
    }
    # What left the latest runs needs no memory: it is not wanted again.
    cursor = json.dumps(sorted(str(key) for key in wanted))
    requests = [request for key, request in wanted.items() if key not in asked]
    if not requests:
        return dg.SensorResult(skip_reason="no session has ended since", cursor=cursor)
    return dg.SensorResult(run_requests=requests, cursor=cursor)


def _ingests(of: SessionRun, lake: Lake) -> Iterable[dg.RunRequest]:
    """Runs that store what a session's run did on each ladder-day, and compare it."""
    recorded = [table for table in OF_SESSIONS if table is not LIVE_PARITY]
    for key in of.keys:
        yield _ingest(f"ingest-{of.run.run_id}-{key.ladder}", key, recorded)
        if lake.has(DECISIONS, key):
            yield _ingest(f"compare-{of.run.run_id}-{key.ladder}", key, OF_SESSIONS)


def _ingest(run_key: str, key: LadderDay, tables: Iterable[Any]) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=run_key,
        partition_key=dagster_key(key),
        asset_selection=[ASSET_KEYS[table] for table in tables],
    )


def _fail_the_dead(instance: dg.DagsterInstance, lake: Lake) -> None:
    clock, wall = the_clock(), datetime.now(UTC)
    for each in session_runs(instance, [dg.DagsterRunStatus.STARTED]):
        beat = last_beat_us(lake.files, each.name)
        silent = silence(beat, clock.now_us(), clock.speed, wall - each.since)
        if silent > LONGEST_SILENCE:
            minutes = silent.total_seconds() / 60
            instance.report_run_failed(
                each.run, f"no heartbeat for {minutes:.0f} minutes: the session's process is dead"
            )


@dg.definitions
def live() -> dg.Definitions:
    """The session's job and sensors."""
    return dg.Definitions(jobs=[session, sessions_ingest], sensors=[start_session, watch_sessions])
