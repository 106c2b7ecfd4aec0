"""How assets meet the lake: what an asset body returns, and the IO manager that writes it.

A run covers one partition or a range of them. Partitions are computed and written one by one, so
that one bad partition does not lose the good ones: they are reported, and the step fails at the
end with the list of the others. Only where a service cannot be reached at all the rest is not
tried: each partition would wait for it as long as the first.
"""

import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import httpx
import polars as pl

from kalshi_assets.lake.behind import WriteBehind, failed
from kalshi_assets.lake.requests import RequestCounts, sent_by_this_process
from kalshi_assets.lake.store import Lake, Partitions
from kalshi_assets.partitions import CITY_DAYS, CityDay
from kalshi_assets.settings import Settings
from kalshi_assets.tables import STUDIES, TABLES, Table

ASSET_KEYS: Mapping[Table, dg.AssetKey] = {
    table: dg.AssetKey([table.schema, table.name]) for table in (*TABLES, *STUDIES)
}
_TABLES: Mapping[dg.AssetKey, Table] = {key: table for table, key in ASSET_KEYS.items()}

LOOK_BACK = "look_back_days"
UNREACHABLE = "unreachable"

Compute = Callable[[CityDay], pl.DataFrame | Mapping[Table, pl.DataFrame]]
"""A partition's frame; or frames by table, the asset's own and what is written beside it."""
Describe = Callable[[CityDay, pl.DataFrame], Mapping[str, Any]]


@dataclass(frozen=True)
class Computation:
    """What an asset body returns: how to make each of its partitions, not yet made."""

    context: dg.AssetExecutionContext
    keys: Sequence[CityDay]
    compute: Compute
    describe: Describe | None = None
    finish: Callable[[], object] | None = None


def by_partition(
    context: dg.AssetExecutionContext,
    compute: Compute,
    describe: Describe | None = None,
    finish: Callable[[], object] | None = None,
) -> Computation:
    """Make every partition of this run with `compute`.

    Parameters
    ----------
    compute
        From the partition's key to its frame.
    describe
        Metadata that a person would look at, from the key and the frame written.
    finish
        Called once, after the run's last partition.
    """
    keys = [CityDay.of(key) for key in context.partition_keys]
    return Computation(context, keys, compute, describe, finish)


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
        return Partitions(self.lake, table, [*asked, *earlier])

    def handle_output(self, context: dg.OutputContext, obj: Computation) -> None:
        """Compute, check and write every partition of the run."""
        table = _TABLES[context.asset_key]
        lake = self.lake
        lake.claim(Settings().origin)
        failures: dict[CityDay, Exception] = {}
        written: dict[CityDay, Mapping[str, Any]] = {}
        with WriteBehind(lake) as disk:
            for made in _one_behind(_make(disk, lake, table, obj)):
                key = made.key
                try:
                    made.writing.result()
                except Exception as error:  # noqa: BLE001 - any fault of one spares the others
                    failures[key] = error
                    trace = "".join(traceback.format_exception(error))
                    context.log.error(f"{table.full_name} {_line(key, error)}\n{trace}")
                    if _never_connected(error):
                        break
                    continue
                written[key] = made.metadata
                if self._on_written is not None:
                    self._on_written(table, key)
                if len(obj.keys) > 1:
                    obj.context.add_asset_metadata(
                        made.metadata, context.asset_key, str(key.dagster_key)
                    )
        if obj.finish is not None:
            obj.finish()
        if failures:
            self._report_written(context, written)
            raise _failure(table, failures, len(written), len(obj.keys))
        if len(obj.keys) == 1:
            context.add_output_metadata(next(iter(written.values())))

    def _report_written(
        self, context: dg.OutputContext, written: Mapping[CityDay, Mapping[str, Any]]
    ) -> None:
        # The step is about to fail and would take its materialisations with it.
        for key, metadata in written.items():
            context.step_context.instance.report_runless_asset_event(
                dg.AssetMaterialization(
                    context.asset_key, partition=str(key.dagster_key), metadata=metadata
                )
            )


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
    """Each partition once the next is computed, so that its writing has had the time.

    What has come to its end is not held back: a service out of reach stops the run at once.
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
    return {"requests": dict(sent), "requests_today": {name: today[name] for name in sent}}


def _line(key: CityDay, error: Exception) -> str:
    text = str(error)
    named = text.startswith(f"{key}: ")
    return text if named else f"{key}: {type(error).__name__}: {text}"


def _never_connected(error: BaseException | None) -> bool:
    """Whether the service was out of reach at every try, as it will be for the next partition."""
    while error is not None:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return True
        error = error.__cause__
    return False


def _failure(
    table: Table, failures: Mapping[CityDay, Exception], written: int, asked: int
) -> dg.Failure:
    lines = [_line(key, error) for key, error in failures.items()]
    untried = asked - written - len(failures)
    others = [
        f", {written} are written" if written else "",
        f", {untried} were not tried, since the service cannot be reached" if untried else "",
    ]
    return dg.Failure(
        f"{table.full_name}: {len(failures)} of {asked} partitions failed{''.join(others)}.\n"
        + "\n".join(lines),
        metadata={
            "failed": dg.MetadataValue.md("\n".join(f"- {line}" for line in lines)),
            UNREACHABLE: any(map(_never_connected, failures.values())),
        },
        allow_retries=False,
    )
