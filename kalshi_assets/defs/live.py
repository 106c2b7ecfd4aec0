"""Trading sessions as runs: a job, a sensor that starts it, another that notices its death.

The sensors are pure decisions in a thin shell. What a session is, is in `live`.
"""

import json
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from kalshi_assets.defs.automation import UNFINISHED, at_work, today
from kalshi_assets.defs.clocks import the_clock
from kalshi_assets.defs.lake_io import ASSET_KEYS, the_lake
from kalshi_assets.defs.partitions import dagster_key
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

FAILED = dg.DagsterRunStatus.FAILURE


class SessionConfig(dg.Config):
    """Which ladders a session trades."""

    cities: list[str]
    date: str


@dg.op(
    description="Trades ladders in shadow until their trading ends, minute by minute.",
    required_resource_keys={"models"},
)
def shadow_session(context: dg.OpExecutionContext, config: SessionConfig) -> None:
    keys = _ladders(config.cities, config.date)
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
        return "; ".join(f"{key}: {', '.join(against[key])}" for key in keys if against[key])
    return ready


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
    runs = [run for run in _session_runs(context.instance) if _config_of(run)["date"] == str(day)]
    if running := [run for run in runs if run.status in UNFINISHED]:
        return dg.SkipReason(f"session {_name(running[0])} has not ended: run {running[0].run_id}")
    over = {key for run in runs if run.status is not FAILED for key in _keys(run)}
    free = [key for key in (city_day(name, day) for name in names) if key not in over]
    wall = datetime.now(UTC)
    against = {key: reasons_against(lake, CHECKS, key, now, wall) for key in free}
    found = session_to_start(
        free,
        against,
        waits=now < _begun(free) + PATIENCE or not at_work(context.instance).isdisjoint(free),
        died=[_keys(run) for run in runs if run.status is FAILED],
    )
    if isinstance(found, str):
        return dg.SkipReason(found)
    name = session_name(found)
    tries = sum(_name(run) == name for run in runs)
    if tries >= MOST_TRIES:
        return dg.SkipReason(f"session {name} failed {tries} times: look at its runs")
    request = dg.RunRequest(run_key=f"{name}-{tries + 1}", run_config=_config(found))
    return dg.SensorResult(run_requests=[request])


def _begun(keys: Iterable[LadderDay]) -> datetime:
    """When the climate day of the last of some ladders begins."""
    begin = (city(key.ladder).climate_day(key.date)[0] for key in keys)
    return max(begin, default=datetime.min.replace(tzinfo=UTC))


def _config(keys: Sequence[LadderDay]) -> dict[str, Any]:
    config = {"cities": [key.ladder for key in keys], "date": str(keys[0].date)}
    return {"ops": {shadow_session.name: {"config": config}}}


def _config_of(run: dg.DagsterRun) -> Mapping[str, Any]:
    ops: Any = run.run_config["ops"]
    config: Mapping[str, Any] = ops[shadow_session.name]["config"]
    return config


def _keys(run: dg.DagsterRun) -> list[LadderDay]:
    config = _config_of(run)
    return _ladders(config["cities"], config["date"])


def _ladders(cities: Iterable[str], day: str) -> list[LadderDay]:
    return [city_day(name, date.fromisoformat(day)) for name in cities]


def _name(run: dg.DagsterRun) -> str:
    return session_name(_keys(run))


def _session_runs(instance: dg.DagsterInstance) -> Sequence[dg.DagsterRun]:
    """The latest runs of sessions."""
    return instance.get_runs(dg.RunsFilter(job_name=session.name), limit=100)


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
        for run in _session_runs(context.instance)
        if run.is_finished and last_beat_us(lake.files, _name(run)) is not None
        for request in _ingests(run, lake)
    }
    # What left the latest runs needs no memory: it is not wanted again.
    cursor = json.dumps(sorted(str(key) for key in wanted))
    requests = [request for key, request in wanted.items() if key not in asked]
    if not requests:
        return dg.SensorResult(skip_reason="no session has ended since", cursor=cursor)
    return dg.SensorResult(run_requests=requests, cursor=cursor)


def _ingests(run: dg.DagsterRun, lake: Lake) -> Iterable[dg.RunRequest]:
    """Runs that store what a session's run did on each ladder-day, and compare it."""
    recorded = [table for table in OF_SESSIONS if table is not LIVE_PARITY]
    for key in _keys(run):
        yield _ingest(f"ingest-{run.run_id}-{key.ladder}", key, recorded)
        if lake.has(DECISIONS, key):
            yield _ingest(f"compare-{run.run_id}-{key.ladder}", key, OF_SESSIONS)


def _ingest(run_key: str, key: LadderDay, tables: Iterable[Any]) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=run_key,
        partition_key=dagster_key(key),
        asset_selection=[ASSET_KEYS[table] for table in tables],
    )


def _fail_the_dead(instance: dg.DagsterInstance, lake: Lake) -> None:
    clock = the_clock()
    running = dg.RunsFilter(job_name=session.name, statuses=[dg.DagsterRunStatus.STARTED])
    for record in instance.get_run_records(running):
        run, since = record.dagster_run, record.start_time or record.create_timestamp.timestamp()
        silent = silence(
            last_beat_us(lake.files, _name(run)),
            clock.now_us(),
            clock.speed,
            timedelta(seconds=time.time() - since),
        )
        if silent > LONGEST_SILENCE:
            minutes = silent.total_seconds() / 60
            instance.report_run_failed(
                run, f"no heartbeat for {minutes:.0f} minutes: the session's process is dead"
            )


@dg.definitions
def live() -> dg.Definitions:
    """The session's job and sensors."""
    return dg.Definitions(jobs=[session, sessions_ingest], sensors=[start_session, watch_sessions])
