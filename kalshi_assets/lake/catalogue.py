"""The DuckDB catalogue: one schema per stage, one view per table, over the lake's files.

The database holds no data and changes only when a table is added, so that anyone may open it
read-only while the platform writes.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import polars as pl

from kalshi_assets.lake.files import write_atomically

if TYPE_CHECKING:  # a question by SQL needs neither, and both take seconds to import
    from kalshi_assets.lake.store import Lake
    from kalshi_assets.tables import Table

UTC_TIME = pl.Datetime("us", "UTC")
# A file holds no session's zone: who opens it otherwise than by `connect` sets it.
UTC_HINT = "a time in UTC: set timezone = 'UTC' first, or write the zone, as 2025-04-28 19:00Z"


def create_catalogue(path: Path, lake: "Lake") -> list[str]:
    """Create the catalogue, or replace it.

    Parameters
    ----------
    path
        The database file.
    lake
        Whose files the views read; the views name them by absolute path.

    Returns
    -------
    list of str
        The views, as ``schema.table``.
    """
    from kalshi_assets.tables import EVERY_TABLE

    tables = EVERY_TABLE
    for table in tables:
        if table.stored:
            lake.write_placeholder(table)

    def build(temporary: Path) -> None:
        with duckdb.connect(str(temporary)) as connection:
            for table in tables:
                connection.execute(f'create schema if not exists "{table.schema}"')
                connection.execute(_view(table, lake))
                for statement in _comments(table):
                    connection.execute(statement)
            connection.execute(f"create macro views_sha256() as {_quoted(_version(lake))}")

    write_atomically(path, build)
    return [table.full_name for table in tables]


def ensure_catalogue(path: Path, lake: "Lake") -> None:
    """Create the catalogue, unless it is there with these very views of this lake."""
    if path.is_file():
        with duckdb.connect(str(path), read_only=True) as connection:
            found = connection.execute(
                "select macro_definition from duckdb_functions() "
                "where function_name = 'views_sha256'"
            ).fetchall()
        if found == [(_quoted(_version(lake)),)]:
            return
    create_catalogue(path, lake)


def _version(lake: "Lake") -> str:
    from kalshi_assets.tables import EVERY_TABLE

    statements = [text for t in EVERY_TABLE for text in (_view(t, lake), *_comments(t))]
    return hashlib.sha256("\n".join(statements).encode()).hexdigest()


def connect(path: Path, lake: Path | None = None) -> duckdb.DuckDBPyConnection:
    """Open the catalogue read-only, in UTC, with nothing to read but the lake.

    Parameters
    ----------
    path
        The database file.
    lake
        The folder whose files may be read; None: the lake beside the catalogue.

    Raises
    ------
    FileNotFoundError
        There is none; the message says how to make it.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no catalogue at {path}; make it with: kalshi-assets catalog")
    readable = (lake or path.parent / "lake").resolve()
    connection = duckdb.connect(str(path), read_only=True)
    # Connections of one process to one file share their settings, which the first has locked.
    if not connection.execute("select current_setting('lock_configuration')").fetchall()[0][0]:
        for statement in (
            "set global timezone = 'UTC'",
            f"set allowed_directories = [{_quoted(f'{readable}/')}]",
            "set python_enable_replacements = false",
            "set enable_external_access = false",
            "set lock_configuration = true",
        ):
            connection.execute(statement)
    return connection


def _view(table: "Table", lake: "Lake") -> str:
    """The statement that creates a table's view; DDL takes no parameters, names are our own."""
    head = f'create view "{table.schema}"."{table.name}" as '
    return head + (_joined(table, lake) if table.shares else _files(table, lake))


def _files(table: "Table", lake: "Lake") -> str:
    glob, dimension = _quoted(str(lake.every(table).absolute())), lake.family.dimension
    return (
        f"select {dimension}, date, * exclude ({dimension}, date) from read_parquet({glob}, "  # noqa: S608
        f"hive_partitioning = true, hive_types = {{'{dimension}': varchar, 'date': date}})"
    )


def _joined(table: "Table", lake: "Lake") -> str:
    """The table's own files beside the tables that it shares columns with, row by row."""
    names = {each.table: f"part{n}" for n, each in enumerate(table.shares)}
    sources = [f'"{t.schema}"."{t.name}" as {name}' for t, name in names.items()]
    if table.stored:
        sources = [f"({_files(table, lake)}) as own", *sources]
    first = "own" if table.stored else next(iter(names.values()))
    keys = [lake.family.dimension, "date", *table.key]
    columns = [f"{first}.{name}" for name in keys[:2]]
    for name in table.dtypes:
        if name in table.shared and name not in table.key:
            source, there = table.shared[name]
            columns.append(f'{names[source]}."{there}" as "{name}"')
        else:
            columns.append(f'{first}."{name}"')
    joined = sources[0] + "".join(f" join {s} using ({', '.join(keys)})" for s in sources[1:])
    return f"select {', '.join(columns)} from {joined}"  # noqa: S608


def _comments(table: "Table") -> list[str]:
    view = f'"{table.schema}"."{table.name}"'
    statements = [f"comment on view {view} is {_quoted(table.description)}"]
    for name, spec in table.columns.items():
        unit = (spec.metadata or {}).get("unit")
        zone = f" ({UTC_HINT})" if table.dtypes[name] == UTC_TIME else ""
        text = f"{spec.description}{f' [{unit}]' if unit else ''}{zone}"
        statements.append(f'comment on column {view}."{name}" is {_quoted(text)}')
    return statements


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
