"""Writing partitions in a thread while the next ones are computed.

A write waits three milliseconds for the disk, an eighth of what a city-day takes. Not here: how a
partition is written (`store`).
"""

from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import polars as pl

from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.store import Lake
from kalshi_assets.tables import Table


class BackgroundWriter:
    """Writes partitions in the order given; leaving the context waits for the last.

    The future of a write tells that the partition is on disk, or why it is not.
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

    def put(self, table: Table, key: LadderDay, frame: pl.DataFrame) -> "Future[None]":
        """Begin to replace a partition by a frame that keeps the table's contract."""
        return self._disk.submit(self._lake.put, table, key, frame)
