"""The sensors of sessions: what they start, when they wait, whom they declare dead."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from kalshi_assets.definitions import build
from kalshi_assets.defs import live
from kalshi_assets.defs.lake_io import the_lake
from kalshi_assets.defs.live import (
    LONGEST_SILENCE,
    MOST_TRIES,
    PATIENCE,
    date_to_trade,
    session_to_start,
    silence,
    start_session,
    watch_sessions,
)
from kalshi_assets.defs.partitions import CITY_DAYS, dagster_key
from kalshi_assets.defs.session_runs import config_of
from kalshi_assets.families.temperature.cities import city, city_day
from kalshi_assets.instants import microseconds_of
from kalshi_assets.keys import LadderDay
from kalshi_assets.live.clock import WallClock
from kalshi_assets.live.journal import Journal
from kalshi_assets.live.opening import session_name
from kalshi_assets.tables import DECISIONS
from kalshi_assets.units import MINUTE_US
from kalshi_assets_tests.lake.handmade import KEY, NOON
from kalshi_assets_tests.live.worlds import make_ready

# Dagster warns of the tags that it itself gives to runs of two-dimensional partitions.
pytestmark = pytest.mark.filterwarnings("ignore:Non-compliant tag keys:DeprecationWarning")

NEW_YORK, CHICAGO = KEY, city_day("chicago", KEY.date)
BOTH = [CHICAGO, NEW_YORK]
STARTED, FAILURE = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.FAILURE
CANCELED, SUCCESS = dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.SUCCESS


@pytest.fixture(scope="module")
def platform() -> dg.Definitions:
    return build()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp() as kept:
        yield kept


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, settings_at: Path) -> Callable[[datetime], None]:
    """Sets the sessions' time; it is noon, and two cities are active."""

    def set_to(now: datetime) -> None:
        clock = WallClock(lambda: microseconds_of(now))
        monkeypatch.setattr(live, "the_clock", lambda: clock)

    monkeypatch.setenv("KALSHI_ASSETS_CITIES", "chicago,new_york")
    set_to(NOON)
    return set_to


class Desk:
    """Runs of sessions in an instance, and ticks of the sensors."""

    def __init__(self, platform: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self.platform, self.instance = platform, instance

    def add_run(
        self,
        keys: Sequence[LadderDay],
        status: dg.DagsterRunStatus,
        age: timedelta = timedelta(0),
    ) -> dg.DagsterRun:
        return self.add_configured_run(config_of(keys), status, age)

    def add_configured_run(
        self,
        config: Mapping[str, object],
        status: dg.DagsterRunStatus,
        age: timedelta = timedelta(0),
    ) -> dg.DagsterRun:
        run = dg.DagsterRun(job_name="session", status=status, run_config=config)
        self.instance.run_storage.add_historical_run(run, datetime.now(UTC) - age)
        return run

    def starts(self) -> Sequence[dg.RunRequest] | str:
        """What `start_session` asks for, or why for nothing."""
        with dg.build_sensor_context(instance=self.instance, definitions=self.platform) as context:
            tick = start_session.evaluate_tick(context)
        return tick.run_requests or str(tick.skip_message)

    def watches(self, cursor: str | None = None) -> tuple[Sequence[dg.RunRequest], str | None]:
        """What `watch_sessions` asks for, and its cursor."""
        with dg.build_sensor_context(
            instance=self.instance, definitions=self.platform, cursor=cursor
        ) as context:
            tick = watch_sessions.evaluate_tick(context)
        return tick.run_requests or [], tick.cursor

    def status(self, run: dg.DagsterRun) -> dg.DagsterRunStatus:
        """The present status of a run."""
        found = self.instance.get_run_by_id(run.run_id)
        assert found is not None
        return found.status


@pytest.fixture
def desk(
    platform: dg.Definitions, instance: dg.DagsterInstance, at: Callable[[datetime], None]
) -> Desk:
    return Desk(platform, instance)


def ladders_of(requests: Sequence[dg.RunRequest] | str) -> list[str]:
    """The cities of the one session that was asked for."""
    assert not isinstance(requests, str), requests
    (request,) = requests
    cities: list[str] = request.run_config["ops"]["shadow_session"]["config"]["cities"]
    return cities


def journal_of(keys: Sequence[LadderDay], beat: datetime) -> None:
    """A session's journal whose last heartbeat is at an instant."""
    name = session_name(keys)
    with Journal.of(the_lake().files, name, clock_us=lambda: microseconds_of(beat)) as journal:
        journal.begin(name, account="shadow", mode="shadow", versions={})
        journal.beat({})


# What to start, as a pure decision.


def test_a_session_s_date_has_begun_in_every_city() -> None:
    names = ["new_york", "los_angeles"]
    assert date_to_trade(names, datetime(2025, 4, 26, 7, 59, tzinfo=UTC)) == date(2025, 4, 25)
    assert date_to_trade(names, datetime(2025, 4, 26, 8, 0, tzinfo=UTC)) == date(2025, 4, 26)


def test_all_ladders_that_are_ready_share_a_session() -> None:
    assert session_to_start(BOTH, {key: [] for key in BOTH}, waits=True) == BOTH


def test_those_that_are_ready_wait_for_the_others_and_then_start_without_them() -> None:
    against = {NEW_YORK: [], CHICAGO: ["not made: market.events"]}
    said = session_to_start(BOTH, against, waits=True)
    assert said == f"{CHICAGO}: not made: market.events"
    assert session_to_start(BOTH, against, waits=False) == [NEW_YORK]


def test_with_nothing_ready_or_nothing_left_it_says_so() -> None:
    against = {NEW_YORK: ["a", "b"], CHICAGO: ["c"]}
    assert session_to_start(BOTH, against, waits=False) == f"{CHICAGO}: c; {NEW_YORK}: a, b"
    against[NEW_YORK] = ["c"]
    assert session_to_start(BOTH, against, waits=False) == f"{CHICAGO}, {NEW_YORK}: c"
    assert session_to_start([], {}, waits=False) == "every ladder of the day has its session"


def test_a_session_that_died_starts_again_as_it_was() -> None:
    against = {key: [] for key in BOTH}
    assert session_to_start(BOTH, against, waits=True, died=[[NEW_YORK]]) == [NEW_YORK]
    against[NEW_YORK] = ["not passed"]
    assert session_to_start(BOTH, against, waits=False, died=[[NEW_YORK]]) == [CHICAGO]


def test_silence_is_in_real_time_and_an_earlier_run_s_heartbeat_does_not_count() -> None:
    now, hour = microseconds_of(NOON), timedelta(hours=1)
    assert silence(now - 6 * MINUTE_US, now, 1.0, hour) == timedelta(minutes=6)
    assert silence(now - 60 * MINUTE_US, now, 60.0, hour) == timedelta(minutes=1)
    assert silence(now - 60 * MINUTE_US, now, 1.0, timedelta(seconds=20)) == timedelta(seconds=20)
    assert silence(None, now, 1.0, hour) == hour


# The sensor that starts them.


def test_nothing_starts_before_the_fits_are_made(desk: Desk) -> None:
    said = desk.starts()
    assert isinstance(said, str)
    assert said.startswith(f"{CHICAGO}, {NEW_YORK}: not made: learning.calibrators, market.events")


def test_no_active_city_starts_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KALSHI_ASSETS_CITIES", "atlantis")
    assert desk.starts() == "no city is active; name some in KALSHI_ASSETS_CITIES"


def test_one_session_holds_every_ladder_that_is_ready(desk: Desk) -> None:
    for key in BOTH:
        make_ready(the_lake(), key)
    requests = desk.starts()
    assert ladders_of(requests) == ["chicago", "new_york"]
    assert requests[0].run_key == f"{session_name(BOTH)}-1"


def test_early_in_the_day_one_that_is_ready_waits_for_the_other(
    desk: Desk, at: Callable[[datetime], None]
) -> None:
    make_ready(the_lake(), NEW_YORK)
    until = city("chicago").climate_day(CHICAGO.date)[0] + PATIENCE
    at(until - timedelta(seconds=1))
    assert str(desk.starts()).startswith(f"{CHICAGO}: not made")
    at(until)
    assert ladders_of(desk.starts()) == ["new_york"]


def test_one_that_is_ready_waits_while_a_run_makes_the_other(desk: Desk) -> None:
    make_ready(the_lake(), NEW_YORK)
    desk.instance.create_run_for_job(
        job_def=desk.platform.resolve_job_def("intraday"),
        status=STARTED,
        tags=dict(CITY_DAYS.get_tags_for_partition_key(dagster_key(CHICAGO))),
    )
    assert str(desk.starts()).startswith(f"{CHICAGO}: not made")


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTING, STARTED])
def test_while_a_session_has_not_ended_no_other_starts(
    desk: Desk, status: dg.DagsterRunStatus
) -> None:
    for key in BOTH:
        make_ready(the_lake(), key)
    run = desk.add_run([NEW_YORK], status)
    assert desk.starts() == f"session {session_name([NEW_YORK])} has not ended: run {run.run_id}"


@pytest.mark.parametrize("status", [SUCCESS, CANCELED])
def test_a_session_that_ended_or_that_somebody_stopped_is_over(
    desk: Desk, status: dg.DagsterRunStatus
) -> None:
    for key in BOTH:
        make_ready(the_lake(), key)
    desk.add_run(BOTH, status)
    assert desk.starts() == "every ladder of the day has its session"


def test_a_session_of_another_date_does_not_count(desk: Desk) -> None:
    for key in BOTH:
        make_ready(the_lake(), key)
    desk.add_run([key.earlier(1)[0] for key in BOTH], STARTED)
    assert ladders_of(desk.starts()) == ["chicago", "new_york"]


def test_a_session_that_died_is_started_again_under_its_name_until_it_is_given_up(
    desk: Desk,
) -> None:
    for key in BOTH:
        make_ready(the_lake(), key)
    for count in range(1, MOST_TRIES):
        desk.add_run([NEW_YORK], FAILURE)
        requests = desk.starts()
        assert ladders_of(requests) == ["new_york"]
        assert requests[0].run_key == f"{session_name([NEW_YORK])}-{count + 1}"
    desk.add_run([NEW_YORK], FAILURE)
    said = f"session {session_name([NEW_YORK])} failed {MOST_TRIES} times: look at its runs"
    assert desk.starts() == said


@pytest.mark.parametrize(
    ("cities", "day"),
    [(["atlantis"], str(KEY.date)), (["new_york"], "tomorrow"), ([], "2025-04-25")],
)
def test_a_run_that_names_no_ladder_stops_neither_sensor(
    desk: Desk, cities: list[str], day: str
) -> None:
    for key in BOTH:
        make_ready(the_lake(), key)
    config = {"ops": {"shadow_session": {"config": {"cities": cities, "date": day}}}}
    desk.add_configured_run(config, FAILURE)
    desk.add_configured_run({}, FAILURE)
    assert ladders_of(desk.starts()) == ["chicago", "new_york"]
    assert desk.watches()[0] == []


# The watchdog.


def test_a_run_whose_session_is_silent_is_failed_and_one_that_lives_is_not(desk: Desk) -> None:
    hour = timedelta(hours=1)
    dead = desk.add_run([NEW_YORK], STARTED, hour)
    journal_of([NEW_YORK], NOON - LONGEST_SILENCE - timedelta(seconds=1))
    alive = desk.add_run([CHICAGO], STARTED, hour)
    journal_of([CHICAGO], NOON - LONGEST_SILENCE + timedelta(seconds=1))
    desk.watches()
    assert (desk.status(dead), desk.status(alive)) == (FAILURE, STARTED)
    said = [entry.message for entry in desk.instance.all_logs(dead.run_id)]
    assert any("no heartbeat for 10 minutes: the session's process is dead" in m for m in said)


def test_a_run_that_never_began_its_journal_is_failed_too(desk: Desk) -> None:
    dead = desk.add_run([NEW_YORK], STARTED, LONGEST_SILENCE + timedelta(minutes=1))
    desk.watches()
    assert desk.status(dead) == FAILURE


def test_a_session_that_starts_again_is_not_taken_for_dead_by_its_old_heartbeat(
    desk: Desk,
) -> None:
    run = desk.add_run([NEW_YORK], STARTED, timedelta(seconds=30))
    journal_of([NEW_YORK], NOON - timedelta(hours=2))
    desk.watches()
    assert desk.status(run) == STARTED


@pytest.mark.parametrize("status", [SUCCESS, FAILURE, CANCELED])
def test_what_an_ended_session_did_is_ingested_once_however_it_ended(
    desk: Desk, status: dg.DagsterRunStatus
) -> None:
    run = desk.add_run(BOTH, status)
    journal_of(BOTH, NOON)
    requests, cursor = desk.watches()
    assert [(request.run_key, request.partition_key) for request in requests] == [
        (f"ingest-{run.run_id}-chicago", str(dagster_key(CHICAGO))),
        (f"ingest-{run.run_id}-new_york", str(dagster_key(NEW_YORK))),
    ]
    for request in requests:
        assert {key.to_user_string() for key in request.asset_selection or ()} == {
            "live/sessions",
            "live/decisions",
            "live/orders",
            "live/fills",
        }
    again, cursor = desk.watches(cursor)
    assert again == []


def test_a_session_is_compared_once_its_day_has_a_backtest(desk: Desk) -> None:
    run = desk.add_run([NEW_YORK], SUCCESS)
    journal_of([NEW_YORK], NOON)
    _, cursor = desk.watches()
    the_lake().write(DECISIONS, NEW_YORK, DECISIONS.empty())
    (request,), cursor = desk.watches(cursor)
    assert request.run_key == f"compare-{run.run_id}-new_york"
    assert "live/parity" in {key.to_user_string() for key in request.asset_selection or ()}
    assert desk.watches(cursor)[0] == []


def test_a_session_that_was_refused_before_its_first_minute_has_nothing_to_ingest(
    desk: Desk,
) -> None:
    desk.add_run([NEW_YORK], FAILURE)
    requests, _ = desk.watches()
    assert requests == []
