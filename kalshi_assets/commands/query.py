"""SQL queries of the catalogue, with output as a table, CSV or JSON.

Here: which statements are allowed, and formatting the result. Not here: which files may be read
(`lake.catalogue.connect`).
"""

import io
import json
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import duckdb
import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from kalshi_assets.families.temperature.cities import TEMPERATURE
from kalshi_assets.lake.catalogue import CATALOGUE, connect, create_catalogue
from kalshi_assets.lake.files import Files

SHOWN_ROWS = 200
# In the syntax tree: suffix of nodes that modify data, and functions that execute SQL in a string.
WRITING = "_QUERY_NODE"
RUN_TEXT = frozenset({"query", "json_execute_serialized_sql"})


class Format(StrEnum):
    """Output format."""

    table = "table"
    csv = "csv"
    json = "json"


class RefusedStatementError(ValueError):
    """The statement is not a query of the lake; the message says what is allowed."""


def query(files: Files, sql: str) -> pl.DataFrame:
    """The result of `sql`; creates the catalogue if it is missing.

    Times are read and returned in UTC, whatever the time zone of the process.

    Raises
    ------
    RefusedStatementError
        The statement is not a single SELECT, would write, or reads files outside the lake.
    duckdb.Error
        The statement is invalid.
    """
    if not files.exists(CATALOGUE):
        from kalshi_assets.lake.store import Lake

        create_catalogue(Lake(files, TEMPERATURE))
    with connect(files) as connection:
        _check(connection, sql)
        try:
            return connection.sql(sql).pl()
        except duckdb.PermissionException as error:
            raise RefusedStatementError(
                f"only the lake below {files.address('lake')} may be read: "
                f"{str(error).splitlines()[0]}"
            ) from error


def _check(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Refuse anything but a single SELECT that only reads."""
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise RefusedStatementError(
            f"one SELECT statement expected, got {len(statements)} statements"
        )
    kind = statements[0].type.name
    if kind == "MULTI":
        raise RefusedStatementError(
            "PIVOT without a list of values must create a type, but the catalogue is read-only; "
            "list the values: pivot ... on ... in ('one', 'other')"
        )
    if kind != "SELECT":
        raise RefusedStatementError(
            f"{kind} is refused: the lake is read-only, and only SELECT (also FROM, WITH, "
            "DESCRIBE, SUMMARIZE, SHOW) is allowed"
        )
    # A SELECT may contain a COPY in its WITH clause, which only the syntax tree shows.
    ((text,),) = connection.execute("select json_serialize_sql(?)", [sql]).fetchall()
    tree = json.loads(text)
    if tree["error"]:
        raise RefusedStatementError(f"this SELECT cannot be checked: {tree['error_message']}")
    for key, value in _strings(tree):
        if key == "type" and value.endswith(WRITING):
            raise RefusedStatementError(
                f"{value.removesuffix(WRITING)} inside a SELECT is refused: the lake is read-only"
            )
        if key == "function_name" and value.lower() in RUN_TEXT:
            raise RefusedStatementError(f"{value.lower()}() is refused: run the statement itself")


def _strings(tree: Any) -> Iterator[tuple[str, str]]:
    """All strings of a JSON tree that are values of objects, with their keys."""
    if isinstance(tree, list):
        for value in tree:
            yield from _strings(value)
    elif isinstance(tree, dict):
        for key, value in tree.items():
            if isinstance(value, str):
                yield key, value
            else:
                yield from _strings(value)


def rendered(frame: pl.DataFrame, format_: Format) -> str:
    """`frame` as text; a table is cut after 200 rows with a note, CSV and JSON are complete."""
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
