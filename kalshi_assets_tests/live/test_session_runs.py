"""Sessions as runs of Dagster: how they end, and what the lake has of them afterwards."""

import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import dagster as dg
import pytest

from kalshi_assets.definitions import build
from kalshi_assets.defs import live
from kalshi_assets.defs.live import watch_sessions
from kalshi_assets.lake.store import Lake
from kalshi_assets.live.clock import MovedClock
from kalshi_assets.live.journal import Journal
from kalshi_assets.live.opening import session_name
from kalshi_assets.tables import (
    LIVE_DECISIONS,
    LIVE_FILLS,
    LIVE_ORDERS,
    LIVE_PARITY,
    LIVE_SESSIONS,
)
from kalshi_assets.tables.live import TRADING_ENDED
from kalshi_assets_tests.live.worlds import DAY, opened

# Dagster warns of the tags that it itself gives to runs of two-dimensional partitions.
pytestmark = pytest.mark.filterwarnings("ignore:Non-compliant tag keys:DeprecationWarning")

NAME = session_name([DAY])
CONFIG = {"ops": {"shadow_session": {"config": {"cities": [DAY.ladder], "date": str(DAY.date)}}}}


@pytest.fixture(scope="module")
def platform() -> dg.Definitions:
    return build()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp() as kept:
        yield kept


class SignalledClock(MovedClock):
    """It calls something in the third minute, such as what sends the process a signal."""

    def __init__(self, start_us: int, call: Callable[[], object]) -> None:
        super().__init__(start_us)
        self._call, self._waits = call, 0

    def wait_until(self, at_us: int) -> None:
        self._waits += 1
        if self._waits == 3:
            self._call()
        super().wait_until(at_us)


class Runs:
    """A session of the world's day as a run in this process, and what follows from it."""

    def __init__(
        self, platform: dg.Definitions, instance: dg.DagsterInstance, archive: Path, lake: Lake
    ) -> None:
        self.platform, self.instance = platform, instance
        self.archive, self.lake = archive, lake

    def trade(
        self, patch: pytest.MonkeyPatch, call: Callable[[], object] = lambda: None
    ) -> dg.DagsterRunStatus:
        """Run the session of the day's last five minutes; its status in Dagster."""
        with (
            opened(
                self.archive,
                self.lake,
                minutes_left=5,
                clock=lambda start_us: SignalledClock(start_us, call),
            ) as opening,
            patch.context() as within,
        ):
            within.setenv("KALSHI_ASSETS_SESSION_PORT", "0")
            within.setattr(live, "the_clock", lambda: opening.clock)
            job = self.platform.resolve_job_def("session")
            # What ends the process of a cancelled run; its status says the rest.
            with suppress(dg.DagsterExecutionInterruptedError):
                job.execute_in_process(
                    run_config=CONFIG, instance=self.instance, raise_on_error=False
                )
        (run,) = self.instance.get_runs()
        return run.status

    def cancel(self) -> None:
        """Do to the run what Dagster does when somebody terminates it."""
        (run,) = self.instance.get_runs()
        self.instance.report_run_canceling(run)
        signal.raise_signal(signal.SIGINT)

    def ingest(self, patch: pytest.MonkeyPatch) -> None:
        """Do what the watchdog asks for."""
        patch.setenv("KALSHI_ASSETS_DATA", self.lake.files.address("."))
        with dg.build_sensor_context(instance=self.instance, definitions=self.platform) as context:
            tick = watch_sessions.evaluate_tick(context)
        assert tick.run_requests
        job = self.platform.resolve_job_def("sessions")
        for request in tick.run_requests:
            made = job.get_subset(asset_selection=set(request.asset_selection or ()))
            assert made.execute_in_process(
                partition_key=str(request.partition_key), instance=self.instance
            ).success

    def reason(self) -> str | None:
        """Why the session ended, as its journal has it."""
        with Journal.of(self.lake.files, NAME, clock_us=lambda: 0) as journal:
            session = journal.session()
            assert session is not None
            assert session.ended_at_us is not None
            return session.end_reason


@pytest.fixture
def runs(platform: dg.Definitions, instance: dg.DagsterInstance, archive: Path, lake: Lake) -> Runs:
    return Runs(platform, instance, archive, lake)


def test_a_run_ends_with_trading_and_the_lake_has_what_it_did(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert runs.trade(monkeypatch) == dg.DagsterRunStatus.SUCCESS
    assert runs.reason() == TRADING_ENDED
    runs.ingest(monkeypatch)
    lake = runs.lake
    (row,) = lake.read(LIVE_SESSIONS, DAY).to_dicts()
    assert (row["session_id"], row["end_reason"]) == (NAME, TRADING_ENDED)
    assert lake.read(LIVE_DECISIONS, DAY).height == row["decisions"] > 0
    assert lake.has(LIVE_ORDERS, DAY)
    assert lake.has(LIVE_FILLS, DAY)
    assert set(lake.read(LIVE_PARITY, DAY)["cause"]) == {"equal"}


def test_a_run_that_somebody_terminates_is_cancelled_with_its_journal_closed(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert runs.trade(monkeypatch, runs.cancel) == dg.DagsterRunStatus.CANCELED
    assert runs.reason() == "stopped: SIGINT"
    runs.ingest(monkeypatch)
    (row,) = runs.lake.read(LIVE_SESSIONS, DAY).to_dicts()
    assert row["end_reason"] == "stopped: SIGINT"


def test_a_run_whose_process_is_told_to_end_fails_so_that_it_is_started_again(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = runs.trade(monkeypatch, lambda: signal.raise_signal(signal.SIGTERM))
    assert status == dg.DagsterRunStatus.FAILURE
    assert runs.reason() == "stopped: SIGTERM"


def test_a_run_that_fails_closes_its_journal_and_is_ingested(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("of this test")

    assert runs.trade(monkeypatch, fail) == dg.DagsterRunStatus.FAILURE
    assert runs.reason() == "failed"
    runs.ingest(monkeypatch)
    assert runs.lake.read(LIVE_SESSIONS, DAY)["end_reason"].to_list() == ["failed"]
