"""Materialising city-days through Dagster, in this process, one run per city.

Partitions are named per asset: the look-back of the hazard gets observations of earlier days and
nothing else of them.
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from kalshi_assets.defs.lake_io import ASSET_KEYS, UNREACHABLE, LakeIOManager
from kalshi_assets.defs.probability.assets import LOOK_BACK_DAYS
from kalshi_assets.defs.resources import KalshiResource, WeatherResource
from kalshi_assets.lake.store import Lake
from kalshi_assets.partitions import FIRST_DAY, CityDay, city_days
from kalshi_assets.tables import OBSERVATIONS, TABLES, Table

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"

OnWritten = Callable[[Table, CityDay], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a backfill will make of one city.

    Attributes
    ----------
    days
        The climate days asked for.
    look_back
        Earlier days whose observations are missing and that the hazard's library needs.
    """

    city: str
    days: list[CityDay]
    look_back: list[CityDay]

    @property
    def partitions(self) -> int:
        """How many partitions it writes."""
        return len(self.days) * len(TABLES) + len(self.look_back)


@dataclass
class Outcome:
    """How a backfill ended: the errors of failed runs, by city."""

    failed: dict[str, str] = field(default_factory=dict)


def plan(lake: Lake, cities: Sequence[str], start: date, end: date) -> list[Plan]:
    """What must be made for `cities` from `start` to `end`, both included.

    Raises
    ------
    UnknownCityError
        A name is not in the registry.
    ValueError
        The end lies before the start, or the start before the first partition.
    """
    if start < FIRST_DAY:
        raise ValueError(f"the start {start} lies before the first partition, {FIRST_DAY}")
    plans = []
    for name in cities:
        days = city_days([name], start, end)
        before = [key for key in days[0].earlier(LOOK_BACK_DAYS) if key.date >= FIRST_DAY]
        missing = [key for key in before if not lake.has(OBSERVATIONS, key)]
        plans.append(Plan(city=name, days=days, look_back=missing))
    return plans


def run(
    plans: Sequence[Plan], on_written: OnWritten, *, replay: bool = False, **resources: Any
) -> Outcome:
    """Materialise the plans, city by city; a city that fails does not stop the others.

    Unless it failed because a service cannot be reached: then the others are not tried.

    Parameters
    ----------
    on_written
        Called after every partition written.
    replay
        Answer from raw answers kept by an earlier backfill instead of asking the services.
    resources
        In place of the resources of those names.
    """
    from kalshi_assets.definitions import build

    standard = {
        "lake": LakeIOManager(on_written),
        "kalshi": KalshiResource(replay=replay),
        "weather": WeatherResource(replay=replay),
    }
    job = build(**standard | resources).resolve_implicit_global_asset_job_def()
    observations = [ASSET_KEYS[OBSERVATIONS]]
    outcome = Outcome()
    unreachable = False
    with instance() as dagster_instance:
        for each in plans:
            if unreachable:
                outcome.failed[each.city] = "not tried, since a service cannot be reached"
                continue
            for selection, keys in ((observations, each.look_back), (None, each.days)):
                if not keys:
                    continue
                result = job.execute_in_process(
                    run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                    asset_selection=selection,
                    instance=dagster_instance,
                    raise_on_error=False,
                    tags={
                        RANGE_START: str(keys[0].dagster_key),
                        RANGE_END: str(keys[-1].dagster_key),
                    },
                )
                if not result.success:
                    outcome.failed[each.city] = _errors(result)
                    unreachable = _unreachable(result)
                    break
    return outcome


def _unreachable(result: dg.ExecuteInProcessResult) -> bool:
    failures = [
        event.step_failure_data.user_failure_data
        for event in result.filter_events(lambda event: event.is_step_failure)
    ]
    return any(
        failure.metadata[UNREACHABLE].value
        for failure in failures
        if failure is not None and UNREACHABLE in failure.metadata
    )


def _errors(result: dg.ExecuteInProcessResult) -> str:
    failed = result.filter_events(lambda event: event.is_step_failure)
    return "\n".join(filter(None, map(_said, failed))) or "the run failed; see the Dagster UI"


def _said(event: dg.DagsterEvent) -> str | None:
    failure = event.step_failure_data
    if failure.user_failure_data is not None:
        return failure.user_failure_data.description
    if failure.error is None:
        return None
    return (failure.error.cause or failure.error).message


@contextmanager
def instance() -> Iterator[dg.DagsterInstance]:
    """The instance of the UI where there is one, so that it shows the runs; else a passing one."""
    home = os.environ.get("DAGSTER_HOME") or (
        str(Path.cwd()) if Path("dagster.yaml").is_file() else None
    )
    if home is None:
        with dg.DagsterInstance.ephemeral() as passing:
            yield passing
        return
    os.environ["DAGSTER_HOME"] = home
    # Two processes that open a fresh instance at once both create its tables, and one fails.
    with (Path(home) / ".dagster.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = dg.DagsterInstance.get()
    with kept:
        yield kept
