"""The DuckDB catalogue: one schema per stage, one view per table, over the lake's files.

A view lists all files of its table. Beside it stands a macro that opens the files of one day, such
as ``weather.observations_of('chicago', '2025-05-05')``. Columns that the family calls by another
name have that name, too. The database holds no data and changes only when a table is added, so that
anyone may open it read-only while the platform writes.
"""

import hashlib
from typing import TYPE_CHECKING

import duckdb
import polars as pl

from kalshi_assets.lake.files import Files

if TYPE_CHECKING:  # a question by SQL needs neither, and both take seconds to import
    from kalshi_assets.lake.store import Lake
    from kalshi_assets.tables import Table

CATALOGUE = "kalshi.duckdb"
UTC_TIME = pl.Datetime("us", "UTC")
# A file holds no session's zone: who opens it otherwise than by `connect` sets it.
UTC_HINT = "a time in UTC: set timezone = 'UTC' first, or write the zone, as 2025-04-28 19:00Z"


def create_catalogue(lake: "Lake") -> list[str]:
    """Create the catalogue beside a lake, or replace it.

    The views name the lake's files by absolute path.

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

    def build(path: str) -> None:
        with duckdb.connect(path) as connection:
            for table in tables:
                connection.execute(f'create schema if not exists "{table.schema}"')
                for statement in _statements(table, lake):
                    connection.execute(statement)
            connection.execute(f"create macro views_sha256() as {_quoted(_version(lake))}")

    lake.files.build(CATALOGUE, build)
    return [table.full_name for table in tables]


def ensure_catalogue(lake: "Lake") -> None:
    """Create the catalogue, unless it is there with these very views of this lake."""
    if lake.files.exists(CATALOGUE):
        with duckdb.connect(lake.files.address(CATALOGUE), read_only=True) as connection:
            found = connection.execute(
                "select macro_definition from duckdb_functions() "
                "where function_name = 'views_sha256'"
            ).fetchall()
        if found == [(_quoted(_version(lake)),)]:
            return
    create_catalogue(lake)


def _version(lake: "Lake") -> str:
    from kalshi_assets.tables import EVERY_TABLE

    texts = [text for t in EVERY_TABLE for text in (*_statements(t, lake), f"{t.stored}")]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def connect(files: Files) -> duckdb.DuckDBPyConnection:
    """Open the catalogue read-only, in UTC, with nothing to read but the lake beside it.

    Raises
    ------
    FileNotFoundError
        There is none; the message says how to make it.
    """
    path = files.address(CATALOGUE)
    if not files.exists(CATALOGUE):
        raise FileNotFoundError(f"no catalogue at {path}; make it with: kalshi-assets catalog")
    connection = duckdb.connect(path, read_only=True)
    # Connections of one process to one file share their settings, which the first has locked.
    if not connection.execute("select current_setting('lock_configuration')").fetchall()[0][0]:
        for statement in (
            "set global timezone = 'UTC'",
            f"set allowed_directories = [{_quoted(files.address('lake') + '/')}]",
            "set python_enable_replacements = false",
            "set enable_external_access = false",
            "set lock_configuration = true",
        ):
            connection.execute(statement)
    return connection


def _statements(table: "Table", lake: "Lake") -> list[str]:
    """What creates a table's view and macro; DDL takes no parameters, names are our own."""
    name, parameters = f'"{table.schema}"."{table.name}', "_ladder, _day"
    return [
        f'create view {name}" as {_rows(table, lake, "")}',
        f'create macro {name}_of"({parameters}) as table {_rows(table, lake, parameters)}',
        *_comments(table),
    ]


def _rows(table: "Table", lake: "Lake", parameters: str) -> str:
    """The rows of a table: all of them, or those of the parameters' day."""
    rows = (_joined if table.shares else _files)(table, lake, parameters)
    words = ", ".join(
        f'"{name}" as "{word}"' for name, word in lake.family.words if name in table.dtypes
    )
    return f"select *, {words} from ({rows})" if words else rows  # noqa: S608


def _files(table: "Table", lake: "Lake", parameters: str) -> str:
    dimension, path = lake.family.dimension, _quoted(lake.pattern(table))
    if parameters:
        path = _quoted(lake.pattern(table, "<ladder>", "<day>"))
        path = path.replace("<ladder>", "' || _ladder || '").replace("<day>", "' || _day || '")
    return (
        f"select {dimension}, date, * exclude ({dimension}, date) from read_parquet({path}, "  # noqa: S608
        f"hive_partitioning = true, hive_types = {{'{dimension}': 'varchar', 'date': 'date'}})"
    )


def _joined(table: "Table", lake: "Lake", parameters: str) -> str:
    """The table's own files beside the tables that it shares columns with, row by row."""
    names = {each.table: f"part{n}" for n, each in enumerate(table.shares)}
    of = f'_of"({parameters})' if parameters else '"'
    sources = [f'"{t.schema}"."{t.name}{of} as {name}' for t, name in names.items()]
    if table.stored:
        sources = [f"({_files(table, lake, parameters)}) as own", *sources]
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
