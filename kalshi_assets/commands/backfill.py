"""Materialising city-days through Dagster, in this process, one run per city.

Here: planning and running a backfill. Of the days before the requested ones, only the inputs of the
hazard's parameters are materialised. A day that fails does not affect other days. Not here:
progress and printing (`watch`).
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterAssetCheckFailedError

from kalshi_assets.defs.failures import FirstFailure, failures_of
from kalshi_assets.defs.in_process import run_in_process
from kalshi_assets.defs.lake_io import ASSET_KEYS, LakeIOManager
from kalshi_assets.defs.partitions import FIRST_DAY, dagster_key
from kalshi_assets.defs.resources import KalshiResource, WeatherResource
from kalshi_assets.families.temperature.cities import city_days
from kalshi_assets.families.temperature.steps import LOOK_BACK_DAYS
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.store import Lake
from kalshi_assets.pipeline.graph import MADE_BY
from kalshi_assets.tables import MC_PARAMS, TABLES, Table

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"

LOOKED_BACK_AT = tuple(MADE_BY[MC_PARAMS].inputs)
"""Tables of earlier days from which the hazard's parameters are fitted."""
LOOK_BACK_TABLES = tuple(made for table in LOOKED_BACK_AT for made in MADE_BY[table].makes)
"""These, and the other tables of the same steps."""

OnWritten = Callable[[Table, LadderDay], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The partitions that a backfill will write for one city.

    For the requested `days` it writes `tables`; for earlier days that lack inputs of the hazard's
    parameters (`look_back`), `look_back_tables`.
    """

    city: str
    days: list[LadderDay]
    look_back: list[LadderDay]
    look_back_tables: Sequence[Table] = LOOK_BACK_TABLES
    tables: Sequence[Table] = TABLES

    @property
    def partitions(self) -> int:
        """Number of partitions to write."""
        return len(self.days) * len(self.tables) + len(self.look_back) * len(self.look_back_tables)


@dataclass(frozen=True, kw_only=True)
class FailedRun:
    """A run that did not write all requested partitions.

    `first` holds the first failure of each city-day, `also` further messages.
    """

    run_id: str
    first: Sequence[FirstFailure]
    also: str = ""

    def __str__(self) -> str:
        return "\n".join([*map(str, self.first), *filter(None, [self.also])])

    def and_also(self, other: "FailedRun") -> "FailedRun":
        """Combine two runs into one."""
        return FailedRun(
            run_id=f"{self.run_id}, {other.run_id}",
            first=[*self.first, *other.first],
            also="\n".join(filter(None, [self.also, other.also])),
        )


@dataclass
class Outcome:
    """Result of a backfill.

    By city, `failed` holds the run in which requested days failed, and `incomplete` that in which
    earlier days failed, so that the parameters use fewer days. The cities in `untried` were not
    tried, because a service cannot be reached.
    """

    failed: dict[str, FailedRun] = field(default_factory=dict)
    incomplete: dict[str, FailedRun] = field(default_factory=dict)
    untried: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether all requested days were written."""
        return not self.failed and not self.untried


def plan(lake: Lake, cities: Sequence[str], start: date, end: date) -> list[Plan]:
    """Plan a backfill of `cities` from `start` to `end`, both inclusive.

    Raises
    ------
    UnknownCityError
        A name is not in the registry.
    ValueError
        The end is before the start, or the start before the first partition.
    """
    if start < FIRST_DAY:
        raise ValueError(f"the start {start} is before the first partition, {FIRST_DAY}")
    plans = []
    for name in cities:
        days = city_days([name], start, end)
        before = [key for key in days[0].earlier(LOOK_BACK_DAYS) if key.date >= FIRST_DAY]
        missing = [key for key in before if not all(lake.has(t, key) for t in LOOKED_BACK_AT)]
        plans.append(Plan(city=name, days=days, look_back=missing))
    return plans


def run(
    plans: Sequence[Plan], on_written: OnWritten, *, replay: bool = False, **resources: Any
) -> Outcome:
    """Materialise the plans, city by city.

    After a failure the next cities are still tried, unless a service cannot be reached.

    `on_written` is called after each partition written. With `replay` the raw responses stored by
    an earlier backfill are used, without requests. `resources` replace the standard ones by name.
    """
    from kalshi_assets.definitions import build

    standard = {
        "lake": LakeIOManager(on_written),
        "kalshi": KalshiResource(replay=replay),
        "weather": WeatherResource(replay=replay),
    }
    job = build(**standard | resources).resolve_implicit_global_asset_job_def()
    outcome = Outcome()
    unreachable = False
    with instance() as dagster_instance:

        def made(selection: Sequence[Table], keys: Sequence[LadderDay]) -> FailedRun | None:
            """Materialise the tables; returns the run if it failed."""
            nonlocal unreachable
            if not keys:
                return None
            result = run_in_process(
                job,
                [ASSET_KEYS[table] for table in selection],
                instance=dagster_instance,
                tags={
                    RANGE_START: str(dagster_key(keys[0])),
                    RANGE_END: str(dagster_key(keys[-1])),
                },
            )
            if result.success:
                return None
            unreachable |= failures_of(result.run_id).unreachable
            return _failed(result, selection)

        for each in plans:
            if unreachable:
                outcome.untried.append(each.city)
                continue
            before: FailedRun | None = None
            for days in stretches(each.look_back):
                if not unreachable and (missed := made(each.look_back_tables, days)):
                    before = missed if before is None else before.and_also(missed)
            if before is not None and unreachable:
                outcome.failed[each.city] = before
                continue
            if error := made(each.tables, each.days):
                outcome.failed[each.city] = error
            if before is not None:
                outcome.incomplete[each.city] = before
    return outcome


def stretches(keys: Sequence[LadderDay]) -> list[list[LadderDay]]:
    """Split days, in order, into consecutive stretches, since a run covers a range without gaps."""
    divided: list[list[LadderDay]] = []
    for key in keys:
        if divided and key.date - divided[-1][-1].date == timedelta(days=1):
            divided[-1].append(key)
        else:
            divided.append([key])
    return divided


def _failed(result: dg.ExecuteInProcessResult, asked: Sequence[Table]) -> FailedRun:
    failures = failures_of(result.run_id)
    first = list(failures.first(asked))
    also = list(_other_errors(result))
    if failures.untried:
        also.append(f"not tried, because a service cannot be reached: {failures.untried} more")
    if not first and not also:
        also.append("the run failed; the Dagster UI shows where")
    return FailedRun(run_id=result.run_id, first=first, also="\n".join(also))


def _other_errors(result: dg.ExecuteInProcessResult) -> Iterator[str]:
    """Errors of steps that are neither failures of partitions nor failed checks."""
    for event in result.filter_events(lambda event: event.is_step_failure):
        data = event.step_failure_data
        if data.error is None or data.user_failure_data is not None:
            continue
        if data.error.cls_name != DagsterAssetCheckFailedError.__name__:
            yield f"{event.step_key}: {(data.error.cause or data.error).message.strip()}"


@contextmanager
def instance() -> Iterator[dg.DagsterInstance]:
    """The Dagster instance of the UI, so that it shows the runs, or else an ephemeral one."""
    home = os.environ.get("DAGSTER_HOME") or (
        str(Path.cwd()) if Path("dagster.yaml").is_file() else None
    )
    if home is None:
        with dg.DagsterInstance.ephemeral() as ephemeral:
            yield ephemeral
        return
    os.environ["DAGSTER_HOME"] = home
    # If two processes open a new instance at once, both create its tables and one fails.
    with (Path(home) / ".dagster.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = dg.DagsterInstance.get()
    with kept:
        yield kept
