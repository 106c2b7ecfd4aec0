import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pytest

from kalshi_assets.commands.query import Format, query, rendered
from kalshi_assets.families.temperature.cities import TEMPERATURE, city_day, city_days
from kalshi_assets.lake.catalogue import connect, create_catalogue
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake
from kalshi_assets.tables import EVERY_TABLE, OBSERVATIONS, TABLES, Table
from kalshi_assets_tests.lake.handmade import KEY, observations

WRITES = """
import sys
from pathlib import Path
from kalshi_assets.families.temperature.cities import TEMPERATURE
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake
from kalshi_assets.tables import OBSERVATIONS
from kalshi_assets_tests.lake.handmade import KEY, observations

print("ready", flush=True)
lake = Lake(Files(Path(sys.argv[1])), TEMPERATURE)
for n in range(100):
    lake.write(OBSERVATIONS, KEY, observations([n % 50] * 50))
"""


def _count(connection: duckdb.DuckDBPyConnection) -> int:
    return connection.sql("select count(*) from weather.observations").fetchall()[0][0]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Files:
    files = Files(tmp_path_factory.mktemp("empty"))
    create_catalogue(Lake(files, TEMPERATURE))
    return files


@pytest.fixture
def catalogue(lake: Lake) -> Files:
    create_catalogue(lake)
    return lake.files


@pytest.mark.parametrize("table", TABLES, ids=Table.full_name.fget)
def test_a_table_without_files_is_an_empty_view_with_the_right_columns(
    empty: Files, table: Table
) -> None:
    with connect(empty) as connection:
        frame = connection.sql(f"from {table.full_name}").pl()
    words = [word for name, word in TEMPERATURE.words if name in table.dtypes]
    assert frame.columns == ["city", "date", *table.dtypes, *words]
    assert frame.is_empty()


def test_partitions_appear_in_the_views_as_they_are_written(lake: Lake, catalogue: Files) -> None:
    with connect(catalogue) as connection:
        for key in city_days(["new_york", "chicago"], date(2025, 4, 25), date(2025, 4, 26)):
            lake.write(OBSERVATIONS, key, observations([61, 62], key))
        found = connection.sql(
            "select city, date, count(*), typeof(any_value(date)) "
            "from weather.observations where city = 'chicago' group by all order by all"
        ).fetchall()
    assert found == [
        ("chicago", date(2025, 4, 25), 2, "DATE"),
        ("chicago", date(2025, 4, 26), 2, "DATE"),
    ]


@pytest.mark.parametrize("table", EVERY_TABLE, ids=Table.full_name.fget)
def test_a_day_asked_for_by_its_macro_has_the_columns_of_the_view(
    empty: Files, table: Table
) -> None:
    with connect(empty) as connection:
        frame = connection.sql(f"from {table.full_name}_of('_', '0001-01-01')").pl()
        assert frame.schema == connection.sql(f"from {table.full_name}").pl().schema


def test_a_day_asked_for_by_its_macro_opens_no_file_of_another_day(
    lake: Lake, catalogue: Files
) -> None:
    for key in (KEY, KEY.on(date(2025, 4, 26))):
        lake.write(OBSERVATIONS, key, observations([61, 62], key))
    Path(lake.address(OBSERVATIONS, key)).write_bytes(b"torn")
    with connect(catalogue) as connection:
        found = connection.sql(f"from weather.observations_of('new_york', date '{KEY.date}')").pl()
    assert found["temp_f"].to_list() == [61.0, 62.0]
    assert found.select("city", "date").unique().rows() == [("new_york", KEY.date)]


def test_types_and_times_survive_the_view(lake: Lake, catalogue: Files) -> None:
    lake.write(OBSERVATIONS, KEY, observations([61, 62]))
    with connect(catalogue) as connection:
        frame = connection.sql("select * exclude (city, date) from weather.observations").pl()
    assert frame.schema["lo_f"] == OBSERVATIONS.dtypes["lo_f"]
    assert (
        frame["event_time"]
        .dt.epoch("us")
        .equals(observations([61, 62])["event_time"].dt.epoch("us"))
    )


def test_a_leftover_of_a_killed_write_is_not_read(lake: Lake, catalogue: Files) -> None:
    path = Path(lake.address(OBSERVATIONS, KEY))
    path.parent.mkdir(parents=True)
    path.with_name(".part.parquet.1.ab.tmp").write_bytes(b"PAR1 half a partition")
    with connect(catalogue) as connection:
        assert connection.sql("from weather.observations").fetchall() == []


def test_anyone_reads_the_catalogue_while_another_process_writes(
    lake: Lake, catalogue: Files
) -> None:
    lake.write(OBSERVATIONS, KEY, observations([0] * 50))
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITES, str(lake.files.root)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    reads = 0
    with connect(catalogue) as first, connect(catalogue) as second:
        while writer.poll() is None:
            for reader in (first, second):
                rows = reader.sql(
                    "select count(*), count(distinct temp_f) from weather.observations"
                )
                assert rows.fetchall() == [(50, 1)]
            reads += 1
    writer.stdout.close()
    assert writer.returncode == 0
    assert reads > 0


def test_the_catalogue_cannot_be_written_by_its_readers(empty: Files) -> None:
    with connect(empty) as connection, pytest.raises(duckdb.Error, match="read-only"):
        connection.execute("create table mine (x int)")


def test_making_the_catalogue_again_changes_nothing_for_its_readers(
    lake: Lake, catalogue: Files
) -> None:
    lake.write(OBSERVATIONS, KEY, observations([61]))
    with connect(catalogue) as reader:
        create_catalogue(lake)
        assert _count(reader) == 1
    with connect(catalogue) as reader:
        assert _count(reader) == 1


def test_views_and_columns_say_what_they_mean(empty: Files) -> None:
    with connect(empty) as connection:
        views = dict(
            connection.sql(
                "select schema_name || '.' || view_name, comment from duckdb_views() "
                "where not internal"
            ).fetchall()
        )
        column = connection.sql(
            "select comment from duckdb_columns() where table_name = 'observations' "
            "and column_name = 'temp_f'"
        ).fetchall()
        clock = connection.sql(
            "select comment from duckdb_columns() where table_name = 'observations' "
            "and column_name = 'event_time'"
        ).fetchall()
    assert views == {table.full_name: table.description for table in EVERY_TABLE}
    assert column[0][0].endswith("[f]")
    assert "set timezone = 'UTC' first" in clock[0][0]


def test_a_missing_catalogue_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="kalshi-assets catalog"):
        connect(Files(tmp_path))


def test_a_path_with_a_quote_does_not_break_the_views(tmp_path: Path) -> None:
    lake = Lake(Files(tmp_path / "it's mine"), TEMPERATURE)
    lake.write(OBSERVATIONS, KEY, observations([61]))
    create_catalogue(lake)
    with connect(lake.files) as connection:
        assert _count(connection) == 1


def test_a_query_makes_the_catalogue_where_there_is_none(lake: Lake) -> None:
    lake.write(OBSERVATIONS, KEY, observations([61, 62]))
    frame = query(
        lake.files, "select city, date, count(*) as n from weather.observations group by all"
    )
    assert frame.to_dicts() == [{"city": "new_york", "date": date(2025, 4, 25), "n": 2}]
    assert lake.files.exists("kalshi.duckdb")


def test_answers_are_printed_as_table_csv_and_json(lake: Lake) -> None:
    lake.write(OBSERVATIONS, KEY, observations([61, 62]))
    frame = query(
        lake.files,
        "select city, temp_f, null as nothing from weather.observations order by temp_f",
    )
    assert rendered(frame, Format.csv).splitlines() == [
        "city,temp_f,nothing",
        "new_york,61.0,",
        "new_york,62.0,",
    ]
    assert json.loads(rendered(frame, Format.json)) == [
        {"city": "new_york", "temp_f": 61.0, "nothing": None},
        {"city": "new_york", "temp_f": 62.0, "nothing": None},
    ]
    table = rendered(frame, Format.table).splitlines()
    assert table[0].split() == ["city", "temp_f", "nothing"]
    assert [line.split() for line in table[1:]] == [["new_york", "61.0"], ["new_york", "62.0"]]


def test_a_long_table_says_that_it_stops() -> None:
    frame = pl.DataFrame({"n": range(300)})
    last = rendered(frame, Format.table).splitlines()[-1]
    assert last == "200 of 300 rows; --format csv or json has them all"
    assert len(rendered(frame, Format.csv).splitlines()) == 301


def test_brackets_in_answers_are_printed_as_they_are() -> None:
    frame = pl.DataFrame({"[bold]": ["[red]x[/red]", "[[0, 10000, 100]]"]})
    assert rendered(frame, Format.table).splitlines() == [
        "[bold]",
        "[red]x[/red]",
        "[[0, 10000, 100]]",
    ]


def test_a_wrong_statement_is_an_error_of_the_database(lake: Lake) -> None:
    with pytest.raises(duckdb.Error, match="no_such_table"):
        query(lake.files, "from no_such_table")


def test_days_of_a_key_lie_where_the_views_look(lake: Lake) -> None:
    key = city_day("chicago", date(2026, 1, 2))
    lake.write(OBSERVATIONS, key, observations([20], key))
    assert lake.files.exists("lake/weather/observations/city=chicago/date=2026-01-02/part.parquet")
