"""How assets meet the lake: what an asset body returns, and the IO manager that writes it.

A run covers one partition or a range of them. Partitions are computed and written one by one, and
one that fails takes only itself: the others are written and materialised, the steps behind them go
on without it (`failures`), and the step fails at its end, so that Dagster shows the partition red
with its reason. Only where a service cannot be reached at all the rest is not tried: each partition
would wait for it as long as the first.
"""

import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import polars as pl

from kalshi_assets.defs.failures import (
    UntriedPartitionError,
    cause_of,
    failures_of,
    never_connected,
    without_frames,
)
from kalshi_assets.lake.behind import WriteBehind, failed
from kalshi_assets.lake.requests import RequestCounts, sent_by_this_process
from kalshi_assets.lake.store import Lake, Partitions, SpoiltPartitionError
from kalshi_assets.partitions import CITY_DAYS, CityDay
from kalshi_assets.settings import Settings
from kalshi_assets.tables import STUDIES, TABLES, Table

ASSET_KEYS: Mapping[Table, dg.AssetKey] = {
    table: dg.AssetKey([table.schema, table.name]) for table in (*TABLES, *STUDIES)
}
_TABLES: Mapping[dg.AssetKey, Table] = {key: table for table, key in ASSET_KEYS.items()}

LOOK_BACK = "look_back_days"

Compute = Callable[[CityDay], pl.DataFrame | Mapping[Table, pl.DataFrame]]
"""A partition's frame; or frames by table, the asset's own and what is written beside it."""
Describe = Callable[[CityDay, pl.DataFrame], Mapping[str, Any]]


@dataclass(frozen=True)
class Computation:
    """How to make each partition of a run, and, once the IO manager has tried, which failed."""

    context: dg.AssetExecutionContext
    keys: Sequence[CityDay]
    compute: Compute
    describe: Describe | None = None
    finish: Callable[[], object] | None = None
    failed: dict[CityDay, Exception] = field(default_factory=dict)
    unfinished: list[Exception] = field(default_factory=list)
    """Why `finish` could not be done, if so."""


Computations = Iterator[dg.Output[Computation]]
"""What an asset body returns."""

_COMPUTATION = dg.PythonObjectDagsterType(Computation)


def by_partition(
    context: dg.AssetExecutionContext,
    compute: Compute,
    describe: Describe | None = None,
    finish: Callable[[], object] | None = None,
) -> Computations:
    """Make every partition of this run with `compute`.

    Parameters
    ----------
    compute
        From the partition's key to its frame.
    describe
        Metadata that a person would look at, from the key and the frame written.
    finish
        Called once, after the run's last partition.

    Raises
    ------
    dg.Failure
        Partitions failed; those that did not are written and materialised.
    """
    keys = [CityDay.of(key) for key in context.partition_keys]
    computation = Computation(context, keys, compute, describe, finish)
    yield dg.Output(computation)
    if computation.failed:
        raise _failure(_TABLES[context.asset_key], computation)
    for error in computation.unfinished:
        raise error


def lake_asset(
    table: Table, *, code_version: str, kinds: set[str], ingest: bool = False
) -> dict[str, Any]:
    """Arguments of `dg.asset` for the asset that makes `table`.

    Ingest assets backfill in runs of thirty partitions, since they wait for others; derived ones
    in a single run per city, since a run costs seconds before its first step.
    """
    policy = dg.BackfillPolicy.multi_run(30) if ingest else dg.BackfillPolicy.single_run()
    return {
        "key": ASSET_KEYS[table],
        "group_name": table.schema,
        "description": table.description,
        "partitions_def": CITY_DAYS,
        "backfill_policy": policy,
        "io_manager_key": "lake",
        "dagster_type": _COMPUTATION,
        "kinds": kinds,
        "owners": ["team:trading-desk"],
        "code_version": code_version,
        "metadata": {"dagster/column_schema": column_schema(table)},
    }


def asset_in(table: Table, *, look_back_days: int = 0) -> dg.AssetIn:
    """The table as an input: the run's partitions, and `look_back_days` before each of them.

    To Dagster the input is the same city and day. A partition mapping over the window would make
    every backfill launched in the UI spread to all days whose window meets the days asked for:
    3 days asked, 48 run, and those that have not happened yet fail. The earlier days are read as
    they are, so a backfill that wants them makes them first; a day's metadata says how many it had.
    """
    return dg.AssetIn(key=ASSET_KEYS[table], metadata={LOOK_BACK: look_back_days})


def column_schema(table: Table) -> dg.TableSchema:
    """The table's columns as Dagster shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=name,
                type=str(spec.dtype.type),
                description=_meaning(spec),
                constraints=dg.TableColumnConstraints(
                    nullable=spec.nullable, unique=table.key == (name,)
                ),
            )
            for name, spec in table.columns.items()
        ]
    )


def _meaning(spec: Any) -> str:
    unit = (spec.metadata or {}).get("unit")
    return f"{spec.description}{f' [{unit}]' if unit else ''}"


def the_lake() -> Lake:
    """The lake below the settings' data folder."""
    return Lake(Settings().data / "lake")


def the_request_counts() -> RequestCounts:
    """The counts of requests below the settings' data folder."""
    return RequestCounts(Settings().data / "requests")


class LakeIOManager(dg.IOManager):
    """The only writer of the lake: one Parquet file a partition, replaced whole.

    Parameters
    ----------
    on_written
        Called after every partition; somebody at a terminal may want to watch.
    """

    def __init__(self, on_written: Callable[[Table, CityDay], None] | None = None) -> None:
        self._on_written = on_written

    @property
    def lake(self) -> Lake:
        """Where it reads and writes."""
        return the_lake()

    def load_input(self, context: dg.InputContext) -> Partitions:
        """The input's partitions, read when the asset asks for them."""
        table = _TABLES[context.asset_key]
        asked = [CityDay.of(key) for key in context.asset_partition_keys]
        look_back = context.definition_metadata.get(LOOK_BACK, 0)
        earlier = [day for key in asked for day in key.earlier(look_back)]
        spoilt = failures_of(context.step_context.run_id).spoilt(table)
        return Partitions(self.lake, table, [*asked, *earlier], spoilt)

    def handle_output(self, context: dg.OutputContext, obj: Computation) -> None:
        """Compute, check and write every partition of the run.

        Raises
        ------
        dg.Failure
            Not one was written.
        """
        table = _TABLES[context.asset_key]
        self.lake.claim(Settings().origin)
        written = self._write(context, table, obj)
        failures = failures_of(context.run_id)
        for key, error in obj.failed.items():
            failures.add(table, key, error)
        if obj.finish is not None:
            try:
                obj.finish()
            except Exception as error:  # noqa: BLE001 - what was written is materialised first
                obj.unfinished.append(error)
        if not written:
            raise _failure(table, obj)
        if obj.failed:
            # Dagster has no public way to say that a range was made in part; a test watches it.
            context._asset_partitions_subset = CITY_DAYS.subset_with_partition_keys(
                [key.dagster_key for key in written]
            )
        if len(obj.keys) == 1:
            context.add_output_metadata(next(iter(written.values())))

    def _write(
        self, context: dg.OutputContext, table: Table, obj: Computation
    ) -> dict[CityDay, Mapping[str, Any]]:
        """Write what can be made; its metadata. What cannot is put into `obj.failed`."""
        lake = self.lake
        written: dict[CityDay, Mapping[str, Any]] = {}
        with WriteBehind(lake) as disk:
            for made in _one_behind(_make(disk, lake, table, obj)):
                key = made.key
                try:
                    made.writing.result()
                except Exception as error:  # noqa: BLE001 - any fault of one spares the others
                    _log(context, table, key, error)
                    obj.failed[key] = without_frames(error)
                    if never_connected(error):
                        break
                    continue
                written[key] = made.metadata
                if self._on_written is not None:
                    self._on_written(table, key)
                if len(obj.keys) > 1:
                    obj.context.add_asset_metadata(
                        made.metadata, context.asset_key, str(key.dagster_key)
                    )
        for key in obj.keys:
            if key not in written and key not in obj.failed:
                obj.failed[key] = UntriedPartitionError("not tried: a service cannot be reached")
        return written


@dataclass(frozen=True)
class _Made:
    """A partition computed, and its writing, which may still go on."""

    key: CityDay
    writing: "Future[None]"
    metadata: Mapping[str, Any]


def _make(disk: WriteBehind, lake: Lake, table: Table, obj: Computation) -> Iterator[_Made]:
    """Every partition of the run, or what went wrong with it."""
    for key in obj.keys:
        try:
            before = sent_by_this_process()
            made = obj.compute(key)
            frames = made if isinstance(made, Mapping) else {table: made}
            for aside in frames.keys() - {table}:
                lake.write(aside, key, frames[aside])
            frame, writing = disk.write(table, key, frames[table])
            metadata = _facts(lake, table, key, frame) | _requests(before)
            if obj.describe is not None:
                metadata |= obj.describe(key, frame)
        except Exception as error:  # noqa: BLE001 - any fault of one partition spares the others
            yield _Made(key, failed(error), {})
        else:
            yield _Made(key, writing, metadata)


def _one_behind(made: Iterator[_Made]) -> Iterator[_Made]:
    """Yield each partition after the next is computed, so that its write has time to finish.

    Finished and failed ones are yielded at once: a service out of reach stops the run.
    """
    waiting: list[_Made] = []
    for each in made:
        yield from waiting
        waiting = [] if each.writing.done() else [each]
        if not waiting:
            yield each
    yield from waiting


def _facts(lake: Lake, table: Table, key: CityDay, frame: pl.DataFrame) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "dagster/partition_row_count": frame.height,
        "file": dg.MetadataValue.path(str(lake.path(table, key))),
    }
    clock = next((c for c in ("minute", "event_time") if c in table.dtypes), None)
    if clock and not frame.is_empty():
        facts["first"] = str(frame[clock].min())
        facts["last"] = str(frame[clock].max())
    return facts


def _requests(before: Counter[str]) -> dict[str, Any]:
    """What the partition has cost in requests, and the day so far in all processes."""
    sent = sent_by_this_process() - before
    if not sent:
        return {}
    today = the_request_counts().of(datetime.now(UTC).date())
    return {"requests": dict(sent), "requests_today": {name: today.get(name, 0) for name in sent}}


def _log(context: dg.OutputContext, table: Table, key: CityDay, error: Exception) -> None:
    said = f"{table.full_name} {key}: {cause_of(key, error)}"
    if not isinstance(error, SpoiltPartitionError):  # that one's trace stands where it failed
        said = "\n".join([said, *traceback.format_exception(error)])
    context.log.error(said)


def _failure(table: Table, made: Computation) -> dg.Failure:
    untried = sum(isinstance(error, UntriedPartitionError) for error in made.failed.values())
    written = len(made.keys) - len(made.failed)
    others = [
        f", {written} are written" if written else "",
        f", {untried} were not tried, since a service cannot be reached" if untried else "",
    ]
    lines = [
        f"{key}: {cause_of(key, error)}"
        for key, error in made.failed.items()
        if not isinstance(error, UntriedPartitionError)
    ]
    return dg.Failure(
        f"{table.full_name}: {len(made.failed) - untried} of {len(made.keys)} partitions failed"
        f"{''.join(others)}.\n" + "\n".join(lines),
        metadata={"failed": dg.MetadataValue.md("\n".join(f"- {line}" for line in lines))},
        allow_retries=False,
    )
