"""Writing partitions while the next ones are computed.

A write waits three milliseconds for the disk, of which the processor has nothing to do: an eighth
of what a city-day takes. Here: a thread that waits. Not here: how a partition is written (`store`).
"""

from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import polars as pl

from kalshi_assets.lake.store import Lake
from kalshi_assets.partitions import CityDay
from kalshi_assets.tables import Table


class WriteBehind:
    """Puts partitions on disk in the order given; leaving the context waits for the last.

    Whoever needs to know that a partition is on disk asks its future, which also has the error if
    the write failed.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="lake")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._disk.shutdown(wait=True)

    def write(
        self, table: Table, key: CityDay, frame: pl.DataFrame
    ) -> tuple[pl.DataFrame, "Future[None]"]:
        """What will be written, checked already, and its writing.

        Raises
        ------
        ContractViolationError
            The frame does not keep the table's contract; nothing is written.
        """
        frame = table.conform(frame)
        return frame, self._disk.submit(self._lake.put, table, key, frame)


def failed(error: Exception) -> "Future[None]":
    """A write that did not come to pass."""
    writing: Future[None] = Future()
    writing.set_exception(error)
    return writing
