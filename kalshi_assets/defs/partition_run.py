"""Makes and writes a run's partitions one by one; a failure affects only its partition.

If a service is unreachable, the remaining partitions are skipped, because each would wait for the
same timeout. Not here: computing a partition (`pipeline.step`), what failed in other steps
(`failures`).
"""

import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import polars as pl

from kalshi_assets.defs.failures import (
    UntriedPartitionError,
    cause_of,
    failures_of,
    without_frames,
)
from kalshi_assets.defs.lake_io import ASSET_KEYS, the_request_counts
from kalshi_assets.defs.partitions import dagster_key, key_of
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.background_writes import BackgroundWriter
from kalshi_assets.lake.requests import sent_by_this_process
from kalshi_assets.lake.store import Lake, SpoiltPartitionError
from kalshi_assets.pipeline.services import never_connected
from kalshi_assets.pipeline.step import FilePath, Markdown, Work
from kalshi_assets.settings import Settings
from kalshi_assets.tables import Table

Metadata = dict[LadderDay, Mapping[str, Any]]


class PartitionRun:
    """The partitions of one run of an asset.

    Attributes
    ----------
    keys, failed
        The partitions of the run; the errors of those that could not be made.
    selected
        The tables requested; the others of the asset are written with them.

    Parameters
    ----------
    tables
        All tables that the asset makes.
    on_written
        Called for every partition of a table that is on disk.
    """

    def __init__(
        self,
        context: dg.AssetExecutionContext,
        tables: Sequence[Table],
        lake: Lake,
        on_written: Callable[[Table, LadderDay], None],
    ) -> None:
        self.keys = [key_of(key) for key in context.partition_keys]
        self.failed: dict[LadderDay, Exception] = {}
        self._unfinished: Exception | None = None
        self._context = context
        self._tables = tables
        names = context.op_execution_context.selected_output_names
        self.selected = [table for table in tables if table.name in names]
        self._lake = lake
        self._on_written = on_written

    def of(self, work: Work) -> Mapping[Table, Metadata]:
        """Make and write every partition that can be made.

        Returns
        -------
        Mapping
            For each table the partitions written, with metadata for users.
        """
        self._lake.claim(Settings().origin)
        written: dict[Table, Metadata] = {table: {} for table in self._tables}
        with BackgroundWriter(self._lake) as disk:
            for made in _one_behind(self._made(work, disk)):
                if error := made.error():
                    self._log(made.key, error)
                    self._note(made.key, error)
                    if never_connected(error):
                        break
                    continue
                for table, metadata in made.metadata.items():
                    written[table][made.key] = metadata
                    self._on_written(table, made.key)
                    if len(self.keys) > 1 and table in self.selected:
                        self._context.add_asset_metadata(
                            metadata, ASSET_KEYS[table], str(dagster_key(made.key))
                        )
        try:
            work.finish()
        except Exception as error:  # noqa: BLE001 - what was written is materialised first
            self._unfinished = error
        for key in self.keys:
            if key not in written[self._tables[0]] and key not in self.failed:
                self._note(key, UntriedPartitionError("not tried: a service cannot be reached"))
        return written

    def end(self) -> None:
        """Raise if a partition or the step's `finish` failed.

        Raises
        ------
        dg.Failure
            With the list of the failed partitions.
        """
        if self.failed:
            raise self.failure()
        if self._unfinished is not None:
            raise self._unfinished

    def _made(self, work: Work, disk: BackgroundWriter) -> Iterator["_Made"]:
        """Compute every partition of the run; errors are part of the result."""
        for key in self.keys:
            try:
                before = sent_by_this_process()
                made = work.make(key)
                writing = [disk.put(table, key, each.frame) for table, each in made.items()]
                asked = _requests(before)
                metadata = {
                    table: _facts(self._lake, table, key, each.frame)
                    | asked
                    | work.parameters
                    | {k: _shown(v) for k, v in work.describe(table, each).items()}
                    for table, each in made.items()
                }
            except Exception as error:  # noqa: BLE001 - one partition's error must not affect the others
                failed: Future[None] = Future()
                failed.set_exception(error)
                yield _Made(key, [failed], {})
            else:
                yield _Made(key, writing, metadata)

    def _note(self, key: LadderDay, error: Exception) -> None:
        failures = failures_of(self._context.run.run_id)
        self.failed[key] = without_frames(error)
        for table in self._tables:
            failures.add(table, key, self.failed[key])

    def _log(self, key: LadderDay, error: Exception) -> None:
        message = f"{self._tables[0].full_name} {key}: {cause_of(key, error)}"
        if not isinstance(error, SpoiltPartitionError):  # logged with its trace where it failed
            message = "\n".join([message, *traceback.format_exception(error)])
        self._context.log.error(message)

    def failure(self) -> dg.Failure:
        """The failure with the list of partitions and their errors."""
        untried = sum(isinstance(e, UntriedPartitionError) for e in self.failed.values())
        written = len(self.keys) - len(self.failed)
        others = [
            f", {written} are written" if written else "",
            f", {untried} were not tried, since a service cannot be reached" if untried else "",
        ]
        lines = [
            f"{key}: {cause_of(key, error)}"
            for key, error in self.failed.items()
            if not isinstance(error, UntriedPartitionError)
        ]
        return dg.Failure(
            f"{self._tables[0].full_name}: {len(self.failed) - untried} of {len(self.keys)} "
            f"partitions failed{''.join(others)}.\n" + "\n".join(lines),
            metadata={"failed": dg.MetadataValue.md("\n".join(f"- {line}" for line in lines))},
            allow_retries=False,
        )


@dataclass(frozen=True)
class _Made:
    """A computed partition and its writes, which may still be running."""

    key: LadderDay
    writing: Sequence["Future[None]"]
    metadata: Mapping[Table, Mapping[str, Any]]

    def error(self) -> Exception | None:
        """Wait for the writes; the error, or None if the partition is on disk."""
        for each in self.writing:
            try:
                each.result()
            except Exception as error:  # noqa: BLE001 - one partition's error must not affect the others
                return error
        return None


def _one_behind(made: Iterator[_Made]) -> Iterator[_Made]:
    """Yield each partition after the next is computed, so that its writes have time to finish.

    Finished and failed partitions are yielded immediately: an unreachable service stops the run.
    """
    waiting: list[_Made] = []
    for each in made:
        yield from waiting
        waiting = [] if all(writing.done() for writing in each.writing) else [each]
        if not waiting:
            yield each
    yield from waiting


def _facts(lake: Lake, table: Table, key: LadderDay, frame: pl.DataFrame) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "dagster/partition_row_count": frame.height,
        "file": dg.MetadataValue.path(lake.address(table, key)),
    }
    clock = next((c for c in ("minute", "event_time") if c in table.dtypes), None)
    if clock and not frame.is_empty():
        facts["first"] = str(frame[clock].min())
        facts["last"] = str(frame[clock].max())
    return facts


def _requests(before: Counter[str]) -> dict[str, Any]:
    """The number of requests for the partition, and of all processes today."""
    sent = sent_by_this_process() - before
    if not sent:
        return {}
    today = the_request_counts().of(datetime.now(UTC).date())
    return {"requests": dict(sent), "requests_today": {name: today.get(name, 0) for name in sent}}


def _shown(value: Any) -> Any:
    if isinstance(value, Markdown):
        return dg.MetadataValue.md(value)
    return dg.MetadataValue.path(value) if isinstance(value, FilePath) else value
