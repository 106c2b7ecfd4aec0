"""What the studies put out: progress, tables in the terminal, JSON, and what the lake keeps."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import dagster as dg
import polars as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable

from kalshi_assets.commands.backfill import instance
from kalshi_assets.defs.lake_io import ASSET_KEYS
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.store import Lake
from kalshi_assets.tables import Table

DIGITS = 6
T = TypeVar("T")


def tracked(console: Console, items: Iterable[T], what: str, total: int) -> Iterator[T]:
    """Items with a progress bar that moves by one for each.

    Parameters
    ----------
    console
        Where the bar is shown.
    items
        As they come.
    what
        Words before the bar.
    total
        How many items there will be.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bars:
        yield from bars.track(items, total=total, description=what)


def keep(lake: Lake, table: Table, key: LadderDay, frame: pl.DataFrame, **metadata: Any) -> str:
    """Write a study's scores to a lake and tell Dagster; the file written.

    Parameters
    ----------
    lake, table, key, frame
        What is written where.
    metadata
        What Dagster shows beside the number of rows.
    """
    written = lake.write(table, key, frame)
    path = lake.address(table, key)
    known: dict[str, Any] = {
        "dagster/row_count": written.height,
        "file": dg.MetadataValue.path(path),
    }
    with instance() as dagster_instance:
        dagster_instance.report_runless_asset_event(
            dg.AssetMaterialization(
                ASSET_KEYS[table], metadata={**metadata, "last day": str(key.date), **known}
            )
        )
    return path


def print_json(rows: pl.DataFrame) -> None:
    """Rows with value, lo and hi as JSON."""
    rounded = rows.with_columns(pl.col("value", "lo", "hi").round(DIGITS))
    print(json.dumps(rounded.to_dicts(), default=str))


def print_paths(console: Console, *paths: object) -> None:
    """What was written, a line each."""
    for path in paths:
        console.print(f"[dim]{path}[/dim]", soft_wrap=True)


def rich_table(title: str, words: Sequence[str], numbers: Sequence[str]) -> RichTable:
    """A table without rows; columns of words, then of numbers."""
    table = RichTable(title=title, title_justify="left")
    for name in words:
        table.add_column(name)
    for name in numbers:
        table.add_column(name, justify="right")
    return table
