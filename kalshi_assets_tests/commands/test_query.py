"""What the SQL command answers, and what it refuses."""

import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import duckdb
import pytest

from kalshi_assets.commands.query import RefusedStatementError, query
from kalshi_assets.families.temperature.cities import TEMPERATURE
from kalshi_assets.lake.catalogue import connect, create_catalogue
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake
from kalshi_assets.tables import FUSED_PMF, MARKET_PMF, OBSERVATIONS
from kalshi_assets_tests.lake.handmade import KEY, fused, market, observations

COPY_IN_A_TREE = (
    "select json_serialize_sql('with x as (copy (select 1 as a) to ''{out}.csv'') from x')"
)

WRITES = {
    "copy of a query": "copy (select 1) to '{out}.csv'",
    "copy of a view": "copy weather.observations to '{out}.parquet'",
    "copy behind a comment": "/* from x */ copy (select 1) to '{out}.csv'",
    "copy as a second statement": "select 1; copy (select 1) to '{out}.csv'",
    "copy in a with": "with x as (copy (select 1) to '{out}.csv') from x",
    "copy in the with of a subquery": "from (with x as (copy (select 1) to '{out}.csv') from x)",
    "copy in a text": "from query('with x as (copy (select 1) to ''{out}.csv'') from x')",
    "copy of a pivot": "copy (pivot weather.observations on kind) to '{out}.csv'",
    "explain analyze": "explain analyze copy (select 1) to '{out}.csv'",
    "prepare": "prepare p as copy (select 1) to '{out}.csv'",
    "export": "export database '{out}'",
    "import": "import database '{out}'",
    "attach": "attach '{out}.duckdb'",
    "attach in memory": "attach ':memory:' as m",
    "install": "install httpfs",
    "load": "load httpfs",
    "load a file": "load '{out}.duckdb_extension'",
    "create": "create table t (x int)",
    "create temporary": "create temp table t as select 1",
    "create or replace": "create or replace view weather.observations as select 1",
    "create a macro": "create macro f(x) as x",
    "create a secret": "create persistent secret s (type s3)",
    "drop": "drop view weather.observations",
    "insert": "insert into weather.observations select 1",
    "set": "set threads = 1",
    "set access": "set enable_external_access = true",
    "reset": "reset allowed_directories",
    "variable": "set variable x = 1",
    "pragma": "pragma enable_profiling = 'json'",
    "pragma with an answer": "pragma database_list",
    "call": "call enable_logging(storage = 'file', storage_path = '{out}')",
    "profile": "from enable_profiling(save_location = '{out}.json')",
    "log": "from enable_logging(storage = 'file', storage_path = '{out}')",
    "checkpoint": "checkpoint",
    "vacuum": "vacuum",
    "use": "use system",
    "detach": "detach kalshi",
    "transaction": "begin",
}
READS = {
    "csv": "from read_csv('{secret}')",
    "csv by name": "from '{secret}'",
    "csv by a relative name": "from 'secret.csv'",
    "a list of files": "from read_blob(['{part}', '{secret}'])",
    "csv by a way through the lake": "from read_csv('{lake}/../../secret.csv')",
    "csv copied in": "copy weather.observations from '{secret}'",
    "csv sniffed": "from sniff_csv('{secret}')",
    "csv in a subquery": "select (select a from read_csv('{secret}'))",
    "csv in a union": "select 'x' union all from read_text('{secret}')",
    "text": "from read_text('{secret}')",
    "blob": "from read_blob('{secret}')",
    "json": "from read_json('{secret}')",
    "parquet": "from read_parquet('{secret}')",
    "parquet's metadata": "from parquet_metadata('{secret}')",
    "database": "from read_duckdb('{secret}')",
    "glob": "from glob('{folder}/*')",
    "glob of names like the lake's": "from glob('{lake}*')",
    "table by name": "from query_table('{secret}')",
    "standard input": "from read_csv('/dev/stdin')",
    "http": "from read_csv('{http}/x.csv')",
    "http by name": "from '{http}/x.parquet'",
    "s3": "from 's3://bucket/x.parquet'",
    "environment": "select getenv('HOME')",
    "a variable of Python": "from data",
}


class _Counting(BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_error(404)

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def http() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Counting)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with one partition, and something beside it that nobody shall read."""
    folder = tmp_path_factory.mktemp("asked")
    (folder / "secret.csv").write_text("a\nhunter2\n", "utf-8")
    lake = Lake(Files(folder / "data"), TEMPERATURE)
    lake.write(OBSERVATIONS, KEY, observations([61, 62]))
    lake.write(MARKET_PMF, KEY, market())
    lake.write(FUSED_PMF, KEY, fused())
    create_catalogue(lake)
    return folder / "data"


@pytest.fixture(autouse=True)
def beside_the_lake(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative names begin where the secret lies."""
    monkeypatch.chdir(data.parent)


def _files(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.mark.parametrize("where", ["", "data/lake/"], ids=["outside", "in the lake"])
@pytest.mark.parametrize("sql", WRITES.values(), ids=WRITES.keys())
def test_what_is_no_question_is_refused_in_a_sentence_and_writes_nothing(
    data: Path, sql: str, where: str
) -> None:
    before = _files(data.parent)
    with pytest.raises((RefusedStatementError, duckdb.InvalidInputException)) as error:
        query(Files(data), sql.format(out=data.parent / f"{where}out"))
    assert "\n" not in str(error.value).strip()
    assert _files(data.parent) == before
    assert query(Files(data), "from weather.observations").height == 2


def test_a_copy_in_a_syntax_tree_is_refused(data: Path) -> None:
    before = _files(data.parent)
    files = Files(data)
    tree = query(files, COPY_IN_A_TREE.format(out=data / "lake" / "out")).item()
    with pytest.raises(RefusedStatementError, match="run the statement itself"):
        query(files, f"from JSON_Execute_Serialized_SQL('{tree.replace(chr(39), chr(39) * 2)}')")
    assert _files(data.parent) == before


@pytest.mark.parametrize("sql", READS.values(), ids=READS.keys())
def test_nothing_but_the_lake_is_read(data: Path, http: str, sql: str) -> None:
    _Counting.asked.clear()
    statement = sql.format(
        secret=data.parent / "secret.csv",
        folder=data.parent,
        lake=data / "lake",
        part=Lake(Files(data), TEMPERATURE).address(OBSERVATIONS, KEY),
        http=http,
    )
    with pytest.raises((RefusedStatementError, duckdb.CatalogException)) as error:
        query(Files(data), statement)
    assert "hunter2" not in str(error.value)
    assert _Counting.asked == []


def test_a_refusal_says_what_may_be_read_and_what_may_be_asked(data: Path) -> None:
    with pytest.raises(
        RefusedStatementError, match=r"only the lake below .* may be read: .*secret"
    ):
        query(Files(data), f"from '{data.parent}/secret.csv'")
    with pytest.raises(
        RefusedStatementError, match="COPY is refused: the lake is read-only, and only SELECT"
    ):
        query(Files(data), "copy (select 1) to 'out.csv'")
    with pytest.raises(RefusedStatementError, match="COPY inside a SELECT is refused"):
        query(Files(data), "with x as (copy (select 1) to 'out.csv') from x")
    with pytest.raises(RefusedStatementError, match="got 2 statements"):
        query(Files(data), "select 1; select 2")
    with pytest.raises(RefusedStatementError, match=r"list the values: pivot"):
        query(Files(data), "pivot weather.observations on kind")


@pytest.mark.parametrize(
    "sql",
    [
        "from weather.observations",
        "select * from weather.observations where city = 'new_york';",
        "with x as (from weather.observations) select count(*) from x",
        "describe weather.observations",
        "summarize weather.observations",
        "show all tables",
        "values (1), (2)",
        "pivot weather.observations on kind in ('interp', 'exact')",
        "select 'copy (select 1) to ''x''' as text, 'COPY_QUERY_NODE' as type",
        "from read_parquet('{lake}/weather/observations/*/*/part.parquet')",
        "from glob('{lake}/**')",
        "from duckdb_views()",
    ],
)
def test_questions_to_the_lake_are_answered(data: Path, sql: str) -> None:
    assert query(Files(data), sql.format(lake=data / "lake")).height > 0


def test_two_connections_of_a_process_keep_the_same_rules(data: Path) -> None:
    with connect(Files(data)), connect(Files(data)) as second:
        with pytest.raises(duckdb.PermissionException):
            second.execute(f"from read_text('{data.parent}/secret.csv')")
        assert second.sql("select current_setting('TimeZone')").fetchall() == [("UTC",)]


IN_A_PROCESS = """
import sys
from pathlib import Path
from kalshi_assets.commands.query import Format, query, rendered
from kalshi_assets.lake.catalogue import connect
from kalshi_assets.lake.files import Files

files = Files(Path(sys.argv[1]))
print(rendered(query(files, sys.argv[2]), Format.csv))
with connect(files) as first, connect(files) as second:
    for connection in (first, second):
        print(connection.sql(sys.argv[2]).fetchall())
"""
NOON = (
    "select count(*) filter (minute = '2025-04-25 17:00') as plain, "
    "count(*) filter (minute = '2025-04-25 17:00Z') as zoned, "
    "count(*) filter (minute = timestamptz '2025-04-25 13:00-04') as local, "
    "max(minute::date)::varchar as day, max(hour(minute)) as hour, min(minute)::varchar as first, "
    "max(date_trunc('day', minute))::varchar as midnight from probability.fused_pmf"
)


def test_a_minute_means_the_same_in_every_time_zone(data: Path) -> None:
    said = {
        zone: subprocess.run(
            [sys.executable, "-c", IN_A_PROCESS, str(data), NOON],
            env=os.environ | {"TZ": zone},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for zone in ("UTC", "America/New_York", "Asia/Tokyo")
    }
    assert said["UTC"].splitlines()[1] == (
        "4,4,4,2025-04-25,17,2025-04-25 17:00:00+00,2025-04-25 00:00:00+00"
    )
    assert said["America/New_York"] == said["Asia/Tokyo"] == said["UTC"]
