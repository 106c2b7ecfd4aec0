"""Trading sessions as runs: a job, a sensor that starts it, another that notices its death.

The sensors are pure decisions in a thin shell. What a session is, is in `live`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import dagster as dg

from kalshi_assets.defs.automation import UNFINISHED
from kalshi_assets.defs.lake_io import ASSET_KEYS, the_lake
from kalshi_assets.defs.partitions import dagster_key
from kalshi_assets.families.temperature.checks import CHECKS
from kalshi_assets.families.temperature.cities import CITIES, city, city_day
from kalshi_assets.families.temperature.services import WeatherService
from kalshi_assets.keys import LadderDay
from kalshi_assets.live.clock import WallClock, sandbox_clock
from kalshi_assets.live.journals import last_beat_us
from kalshi_assets.live.ladder_session import LadderSession, Said
from kalshi_assets.live.opening import Opening, PagePlace, present, session_name
from kalshi_assets.live.readiness import reasons_against
from kalshi_assets.live.session import TRADING_ENDED
from kalshi_assets.pipeline.services import KalshiService
from kalshi_assets.settings import Settings
from kalshi_assets.tables import OF_SESSIONS
from kalshi_assets.units import SECOND_US

SESSION_TAG = "kalshi_assets/session"
LONGEST_SILENCE = timedelta(minutes=10)
"""A session's heart beats every minute; with none for so long its process is dead or hangs."""
MOST_TRIES = 5


class SessionConfig(dg.Config):
    """Which ladders a session trades."""

    cities: list[str]
    date: str


@dg.op(
    description="Trades ladders in shadow until their trading ends, minute by minute.",
    required_resource_keys={"models"},
)
def shadow_session(context: dg.OpExecutionContext, config: SessionConfig) -> None:
    day = datetime.fromisoformat(config.date).date()
    keys = [city_day(name, day) for name in config.cities]
    clock = the_clock()
    now = present(clock)
    # The services of other runs have the wall clock; a session has its own time.
    kalshi, weather = KalshiService(clock=now), WeatherService(clock=now)

    def progress(key: LadderDay, ladder: LadderSession, said: Said) -> None:
        traded = said.decisions.filter(reason="trade").height
        if traded:
            context.log.info(f"{key}: {traded} orders decided, {said.fills.height} fills so far")

    try:
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
    finally:
        kalshi.close()
        weather.close()
    context.log.info(ended)
    if ended != TRADING_ENDED:
        raise dg.Failure(f"the session ended before trading did: {ended}")


@dg.job(
    description="A trading session of one day, in shadow: real data, simulated orders.",
    tags={"dagster/max_runtime": "0", "dagster/max_retries": "0"},
)
def session() -> None:
    shadow_session()


sessions_ingest = dg.define_asset_job(
    "sessions",
    selection=dg.AssetSelection.assets(*(ASSET_KEYS[table] for table in OF_SESSIONS)),
    description="What sessions did on a city-day, from their journals, and their parity.",
)


def the_clock() -> WallClock:
    """The time of sessions: that of this machine, or of the sandbox that the settings name."""
    url = Settings().sandbox_clock_url
    return WallClock() if url is None else sandbox_clock(url)


def session_to_start(
    keys: Sequence[LadderDay], against: Mapping[LadderDay, Sequence[str]], *, waits: bool
) -> list[LadderDay] | str:
    """The ladders of the session to start now, or why none is started.

    Parameters
    ----------
    keys
        Ladder-days that are open and not traded yet.
    against
        For each, why it must not be traded; see `readiness.reasons_against`.
    waits
        Whether those that are ready wait for the others, so that one session holds all.
    """
    ready = [key for key in keys if not against[key]]
    if not keys:
        return "every ladder of the day has its session"
    if not ready or (waits and len(ready) < len(keys)):
        return "; ".join(f"{key}: {', '.join(against[key])}" for key in keys if against[key])
    return ready


@dg.sensor(
    job=session,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Starts the day's shadow session when events are open and their fits have passed their "
        "checks; starts it again if it died."
    ),
)
def start_session(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    lake, now = the_lake(), present(the_clock())()
    names = [name for name in Settings().cities if name in CITIES]
    keys = [city_day(name, city(name).climate_date(now)) for name in names]
    taken, tries = _sessions(context.instance, keys)
    free = [key for key in keys if key not in taken]
    against = {key: reasons_against(lake, CHECKS, key, now) for key in free}
    waits = any(now < city(key.ladder).climate_day(key.date)[0] for key in free)
    found = session_to_start(free, against, waits=waits)
    if isinstance(found, str):
        return dg.SkipReason(found)
    name = session_name(found)
    count = tries.get(name, 0)
    if count >= MOST_TRIES:
        return dg.SkipReason(f"session {name} ended early {count} times: look at its runs")
    request = dg.RunRequest(
        run_key=f"{name}-{count + 1}",
        run_config=_config(found),
        tags={SESSION_TAG: name},
    )
    return dg.SensorResult(run_requests=[request])


def _config(keys: Iterable[LadderDay]) -> dict[str, Any]:
    chosen = list(keys)
    config = {"cities": [key.ladder for key in chosen], "date": str(chosen[0].date)}
    return {"ops": {"shadow_session": {"config": config}}}


def _config_of(run: dg.DagsterRun) -> Mapping[str, Any]:
    ops: Any = run.run_config["ops"]
    config: Mapping[str, Any] = ops["shadow_session"]["config"]
    return config


def _sessions(
    instance: dg.DagsterInstance, keys: Sequence[LadderDay]
) -> tuple[frozenset[LadderDay], Mapping[str, int]]:
    """Ladder-days in a session that runs or succeeded, and how often each session ended early."""
    taken: set[LadderDay] = set()
    early: dict[str, int] = {}
    dates = {str(key.date) for key in keys}
    for run in instance.get_runs(dg.RunsFilter(job_name=session.name), limit=100):
        config = _config_of(run)
        if config["date"] not in dates:
            continue
        if run.status in (*UNFINISHED, dg.DagsterRunStatus.SUCCESS):
            taken |= {key for key in keys if key.ladder in config["cities"]}
        elif SESSION_TAG in run.tags:
            early[run.tags[SESSION_TAG]] = early.get(run.tags[SESSION_TAG], 0) + 1
    return frozenset(taken), early


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Fails session runs whose journal has no heartbeat for ten minutes: the launcher does "
        "not notice a dead process."
    ),
    job=sessions_ingest,
)
def watch_sessions(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    lake, now_us = the_lake(), the_clock().now_us()
    runs = context.instance.get_runs(dg.RunsFilter(job_name=session.name), limit=50)
    for run in runs:
        if run.status is dg.DagsterRunStatus.STARTED and SESSION_TAG in run.tags:
            beat = last_beat_us(lake.files, run.tags[SESSION_TAG])
            if beat is not None and now_us - beat > LONGEST_SILENCE.total_seconds() * SECOND_US:
                silent = (now_us - beat) / SECOND_US / 60
                context.instance.report_run_failed(
                    run, f"no heartbeat for {silent:.0f} minutes: the session's process is dead"
                )
    ended = [run for run in runs if run.is_finished]
    requests = [
        dg.RunRequest(run_key=f"ingest-{run.run_id}-{name}", partition_key=dagster_key(key))
        for run in ended
        for name, key in _ladders(run)
    ]
    if not requests:
        return dg.SkipReason("no session has ended")
    return dg.SensorResult(run_requests=requests)


def _ladders(run: dg.DagsterRun) -> list[tuple[str, LadderDay]]:
    config = _config_of(run)
    day = datetime.fromisoformat(config["date"]).date()
    return [(name, city_day(name, day)) for name in config["cities"]]


@dg.definitions
def live() -> dg.Definitions:
    """The session's job and sensors."""
    return dg.Definitions(jobs=[session, sessions_ingest], sensors=[start_session, watch_sessions])
