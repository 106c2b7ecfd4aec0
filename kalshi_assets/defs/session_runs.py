"""Runs of sessions in Dagster's storage: which ladders they trade, under which name.

Here: reading and writing their configuration. Not here: the job and its sensors (`live`), what a
session did (`kalshi_assets.live.journals`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg

from kalshi_assets.families.temperature.cities import city_day
from kalshi_assets.keys import LadderDay
from kalshi_assets.live.opening import session_name

JOB, OP = "session", "shadow_session"
_LATEST = 100


@dataclass(frozen=True, kw_only=True)
class SessionRun:
    """A run of a session.

    Attributes
    ----------
    run
        As Dagster has it.
    keys
        The ladder-days that it trades, of one date.
    since
        When it started, or was made if it has not started.
    """

    run: dg.DagsterRun
    keys: Sequence[LadderDay]
    since: datetime

    @property
    def name(self) -> str:
        """The name of its session."""
        return session_name(self.keys)


def config_of(keys: Sequence[LadderDay]) -> dict[str, Any]:
    """The configuration of a run that trades some ladder-days of one date."""
    config = {"cities": [key.ladder for key in keys], "date": str(keys[0].date)}
    return {"ops": {OP: {"config": config}}}


def ladders_of(cities: Iterable[str], day: str) -> list[LadderDay]:
    """The ladder-days that a run's configuration names.

    Parameters
    ----------
    cities, day
        Names of cities, and the date as text.

    Raises
    ------
    ValueError, KeyError
        No such date, or no such city.
    """
    at = date.fromisoformat(day)
    return [city_day(name, at) for name in cities]


def session_runs(
    instance: dg.DagsterInstance, statuses: Sequence[dg.DagsterRunStatus] = ()
) -> list[SessionRun]:
    """The latest runs of sessions, without those whose configuration names no ladder.

    Parameters
    ----------
    instance
        Dagster's.
    statuses
        Only runs in these; default: all.
    """
    wanted = dg.RunsFilter(job_name=JOB, statuses=list(statuses))
    found = []
    for record in instance.get_run_records(wanted, limit=_LATEST):
        config: Any = record.dagster_run.run_config
        try:
            named = config["ops"][OP]["config"]
            keys = ladders_of(named["cities"], named["date"])
        except (KeyError, TypeError, ValueError):
            continue  # somebody launched it by hand; the run itself fails and says why
        if keys:
            started = record.start_time
            since = datetime.fromtimestamp(started, UTC) if started else record.create_timestamp
            found.append(SessionRun(run=record.dagster_run, keys=keys, since=since))
    return found
