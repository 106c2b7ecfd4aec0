"""SQL over the catalogue, as a table, CSV or JSON."""

import io
import json
from enum import StrEnum
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from kalshi_assets.lake.catalogue import connect, create_catalogue

SHOWN_ROWS = 200


class Format(StrEnum):
    """How an answer is printed."""

    table = "table"
    csv = "csv"
    json = "json"


def query(data: Path, sql: str) -> pl.DataFrame:
    """The answer to `sql`; the catalogue is made where there is none yet.

    Raises
    ------
    duckdb.Error
        The statement is wrong.
    """
    path = data / "kalshi.duckdb"
    if not path.is_file():
        from kalshi_assets.lake.store import Lake

        create_catalogue(path, Lake(data / "lake"))
    with connect(path) as connection:
        relation = connection.sql(sql)
        return pl.DataFrame() if relation is None else relation.pl()


def rendered(frame: pl.DataFrame, format_: Format) -> str:
    """`frame` as text; a table stops after 200 rows and says so, CSV and JSON are whole."""
    match format_:
        case Format.csv:
            return frame.write_csv().rstrip("\n")
        case Format.json:
            return json.dumps(frame.to_dicts(), default=str, indent=1)
        case Format.table:
            return _table(frame)


def _table(frame: pl.DataFrame) -> str:
    table = RichTable(*map(escape, frame.columns), box=None, pad_edge=False, header_style="bold")
    for name, column in zip(frame.columns, table.columns, strict=True):
        if frame.schema[name].is_numeric():
            column.justify = "right"
    for row in frame.head(SHOWN_ROWS).iter_rows():
        table.add_row(*("" if value is None else escape(str(value)) for value in row))
    out = io.StringIO()
    Console(file=out, width=10_000).print(table)
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    if frame.height > SHOWN_ROWS:
        lines.append(f"{SHOWN_ROWS} of {frame.height} rows; --format csv or json has them all")
    return "\n".join(lines)
