"""Makes partitions without Dagster, in the order of the graph.

For benchmarks and studies; its lake must be identical to that of Dagster's assets. Here: the days
of one ladder, one after the other. Not here: a step (`step`), or distributing ladders over
processes.
"""

import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import polars as pl

from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.background_writes import BackgroundWriter
from kalshi_assets.lake.store import Lake
from kalshi_assets.pipeline.garbage_collection import relax
from kalshi_assets.pipeline.step import Step, Work
from kalshi_assets.tables import Table


class Runner:
    """Makes partitions in a lake and measures the time per table.

    Parameters
    ----------
    steps
        In an order in which each comes after its inputs; see `graph`.
    services
        By the names that the steps use.
    clock
        Time in seconds.
    """

    def __init__(
        self,
        lake: Lake,
        steps: Sequence[Step],
        services: Mapping[str, Any],
        clock: Callable[[], float],
    ) -> None:
        relax()
        self.lake = lake
        self.clock = clock
        self.seconds: dict[str, float] = {}
        self._made: dict[Table, pl.DataFrame] = {}
        self._key: LadderDay | None = None
        self._disk = BackgroundWriter(lake)
        self._writing: dict[LadderDay, list[Future[None]]] = {}
        self._work = [Work(each, self, services, warnings.warn) for each in steps]

    def make(self, key: LadderDay, tables: Collection[Table]) -> Mapping[Table, pl.DataFrame]:
        """Make a partition of each of the tables and wait until all are on disk.

        Returns
        -------
        Mapping
            Frames by table, including other tables of the same steps.
        """
        self._make(key, tables)
        self._wait()
        return self._made

    def make_days(self, keys: Iterable[LadderDay], tables: Collection[Table]) -> None:
        """Make the tables of several days, in order, and wait until all are on disk.

        A day is written while the next one is computed.
        """
        for key in keys:
            self._make(key, tables)
        self._wait()

    def _make(self, key: LadderDay, tables: Collection[Table]) -> None:
        self._wait_for(key)
        self._key, self._made = key, {}
        writing = self._writing[key] = []
        for work in self._work:
            if not set(tables).isdisjoint(work.step.makes):
                began = self.clock()
                for table, made in work.make(key).items():
                    self._made[table] = made.frame
                    writing.append(self._disk.put(table, key, made.frame))
                name = work.step.makes[0].full_name
                self.seconds[name] = self.seconds.get(name, 0.0) + self.clock() - began

    def _wait(self) -> None:
        for key in [*self._writing]:
            self._wait_for(key)

    def _wait_for(self, key: LadderDay) -> None:
        for written in self._writing.pop(key, []):
            written.result()

    def _wait_unless_current(self, key: LadderDay) -> None:
        if key != self._key:
            self._wait_for(key)

    def read(self, table: Table, key: LadderDay) -> pl.DataFrame:
        """A partition of the day that is being made, or the stored one."""
        if key == self._key and table in self._made:
            return self._made[table]
        self._wait_unless_current(key)
        return self.lake.read(table, key)

    def if_there(self, table: Table, key: LadderDay) -> pl.DataFrame | None:
        """Like `read`; None if it is missing."""
        if key == self._key and table in self._made:
            return self._made[table]
        self._wait_unless_current(key)
        return self.lake.read(table, key) if self.lake.has(table, key) else None

    stored = if_there

    def present(self, table: Table, key: LadderDay) -> pl.DataFrame | None:
        """The stored partition; None if it is missing or another version wrote it."""
        return self.lake.read_current(table, key)
