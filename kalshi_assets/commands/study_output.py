"""Output of the studies: progress bars, terminal tables, JSON, and scores written to the lake.

Not here: the documents (`pages`).
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import dagster as dg
import polars as pl
from rich.console import Console
from rich.table import Table as RichTable

from kalshi_assets.commands.backfill import instance
from kalshi_assets.commands.watch import progress_bars
from kalshi_assets.defs.lake_io import ASSET_KEYS
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.store import Lake
from kalshi_assets.tables import Table

DIGITS = 6
T = TypeVar("T")


def tracked(console: Console, items: Iterable[T], what: str, total: int) -> Iterator[T]:
    """Yield `items`, of which there are `total`, and show a progress bar labelled `what`."""
    with progress_bars(console) as bars:
        yield from bars.track(items, total=total, description=what)


def keep(lake: Lake, table: Table, key: LadderDay, frame: pl.DataFrame, **metadata: Any) -> str:
    """Write scores to the lake and report the materialisation to Dagster; returns the file's path.

    `metadata` is shown by Dagster in addition to the last day, the number of rows and the path.
    """
    written = lake.write(table, key, frame)
    path = lake.address(table, key)
    metadata |= {
        "last day": str(key.date),
        "dagster/row_count": written.height,
        "file": dg.MetadataValue.path(path),
    }
    with instance() as dagster_instance:
        dagster_instance.report_runless_asset_event(
            dg.AssetMaterialization(ASSET_KEYS[table], metadata=metadata)
        )
    return path


def print_json(rows: pl.DataFrame) -> None:
    """Print rows as JSON, with value, lo and hi rounded."""
    rounded = rows.with_columns(pl.col("value", "lo", "hi").round(DIGITS))
    print(json.dumps(rounded.to_dicts(), default=str))


def print_paths(console: Console, *paths: object) -> None:
    """Print the paths of written files, one per line."""
    for path in paths:
        console.print(f"[dim]{path}[/dim]", soft_wrap=True)


def rich_table(title: str, words: Sequence[str], numbers: Sequence[str]) -> RichTable:
    """An empty table with columns for text, then right-aligned columns for numbers."""
    table = RichTable(title=title, title_justify="left")
    for name in words:
        table.add_column(name)
    for name in numbers:
        table.add_column(name, justify="right")
    return table
