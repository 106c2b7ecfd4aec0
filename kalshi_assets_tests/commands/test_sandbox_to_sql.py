"""From an empty folder to an answer: generate, serve, backfill, catalogue, SQL."""

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import pytest
import stamina

from kalshi_assets.defs.lake_io import the_lake
from kalshi_assets.defs.partitions import FIRST_DAY
from kalshi_assets.families.temperature.cities import city_day
from kalshi_assets.families.temperature.steps import LOOK_BACK_DAYS
from kalshi_assets.sandbox.server import Sandbox
from kalshi_assets.tables import OBSERVATIONS, TABLES
from kalshi_assets_tests.commands.conftest import CLOSED, FIRST, LAST, Command, settings_for

KALSHI_ASSETS = (sys.executable, "-m", "kalshi_assets.cli")
BEFORE_LAST = LAST - timedelta(days=1)
COUNT = "select city, date, count(*) as rows from probability.fused_pmf group by all order by all"


def _generate(command: Command, out: str, seed: int) -> dict[str, str]:
    said = command(
        *("sandbox", "generate", "--out", out, "--cities", "chicago, denver"),
        *("--start", "2026-03-01", "--end", "2026-03-02", "--seed", seed),
    )
    assert said.code == 0, said.err
    assert "4 city-days" in said.text
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(Path(out).rglob("*.parquet"))
    }


def test_the_same_seed_makes_the_same_world_and_another_another(command: Command) -> None:
    first, again, other = (
        _generate(command, out, seed) for out, seed in (("a", 4), ("b", 4), ("c", 5))
    )
    assert first == again
    assert first.keys() == other.keys()
    assert not set(first.values()) & set(other.values())


def test_a_world_is_never_written_into_a_folder_with_something_in_it(command: Command) -> None:
    before = _generate(command, "a", 4)
    said = command(
        *("sandbox", "generate", "--out", "a", "--cities", "chicago"),
        *("--start", "2026-03-01", "--end", "2026-03-02"),
    )
    assert said.code == 2
    assert "a is not empty; choose a new folder" in said.err
    assert {str(p.relative_to("a")) for p in Path("a").rglob("*.parquet")} == before.keys()


@pytest.fixture(scope="module")
def filled(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder into which two days were backfilled from the command line."""
    folder = tmp_path_factory.mktemp("filled")
    ended = subprocess.run(
        [*KALSHI_ASSETS, "backfill", *f"-c new_york --start {BEFORE_LAST} --end {LAST}".split()],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k != "DAGSTER_HOME"}
        | settings_for(sandbox, folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"new_york {BEFORE_LAST}..{LAST} + 45 earlier days of weather" in ended.stdout
    assert ended.stderr == ""
    return folder / "data"


@pytest.fixture
def backfilled(at_sandbox: Sandbox, filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KALSHI_ASSETS_DATA", str(filled))


@pytest.mark.slow
def test_a_backfill_fills_the_catalogue_and_sql_answers_in_three_formats(
    backfilled: None, command: Command
) -> None:
    views = command("catalog")
    assert views.code == 0
    assert [t.full_name for t in TABLES] == views.out.split()[: len(TABLES)]

    table = command("sql", COUNT)
    assert table.code == 0
    lines = table.out.splitlines()
    assert lines[0].split() == ["city", "date", "rows"]
    assert [line.split()[:2] for line in lines[1:]] == [
        ["new_york", f"{BEFORE_LAST}"],
        ["new_york", f"{LAST}"],
    ]
    as_csv = list(csv.DictReader(io.StringIO(command("sql", COUNT, "--format", "csv").out)))
    as_json = json.loads(command("sql", COUNT, "-f", "json").out)
    assert as_csv == [{name: str(value) for name, value in row.items()} for row in as_json]
    assert [row["date"] for row in as_json] == [line.split()[1] for line in lines[1:]]
    assert all(row["rows"] > 1000 for row in as_json)


@pytest.mark.slow
def test_a_second_backfill_needs_no_weather_of_before_and_a_replay_no_services(
    backfilled: None, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KALSHI_API_URL", f"{CLOSED}/trade-api/v2")
    monkeypatch.setenv("VISUAL_CROSSING_URL", CLOSED)
    monkeypatch.setenv("CLIMATE_REPORT_URL", CLOSED)
    before = _lake_bytes()
    said = command("backfill", "-c", "new_york", "--start", LAST, "--end", LAST, "--replay")
    assert said.code == 0, said.out + said.err
    assert "earlier days of weather" not in said.text
    after = _lake_bytes()
    assert after.keys() == before.keys()
    assert [str(path) for path in before if after[path] != before[path]] == []


def _lake_bytes() -> dict[Path, bytes]:
    root = Path(the_lake().root)
    return {p.relative_to(root): p.read_bytes() for p in root.rglob("part.parquet")}


def test_sql_over_an_empty_lake_is_an_empty_answer_with_the_right_columns(
    command: Command,
) -> None:
    said = command("sql", "select city, date, p_mkt from probability.market_pmf", "-f", "csv")
    assert said.code == 0, said.err
    assert said.out.strip() == "city,date,p_mkt"


def test_a_statement_that_is_no_question_is_refused_in_a_sentence(
    command: Command, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    said = command("sql", f"copy (select 1) to '{out}'")
    assert said.code == 2
    assert "COPY is refused" in said.err
    assert not out.exists()


def test_the_catalogue_cannot_be_written_through_sql(command: Command) -> None:
    command("catalog")
    said = command("sql", "create table market.mine (x integer)")
    assert said.code == 2
    assert "read-only" in said.err


def test_an_exchange_out_of_reach_is_one_sentence_and_the_weather_is_not_lost(
    at_sandbox: Sandbox, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KALSHI_API_URL", f"{CLOSED}/trade-api/v2")
    stamina.set_testing(True, attempts=5, cap=True)
    try:
        said = command("backfill", "-c", "new_york", "--start", BEFORE_LAST, "--end", LAST)
    finally:
        stamina.set_testing(False)
    assert said.code == 1
    assert (
        f"new_york {BEFORE_LAST} market.events: contract of KXHIGHNY-26JUN29: GET /events/"
        "KXHIGHNY-26JUN29: ConnectError: "
        "[Errno 111] Connection refused (check the network and the address) (22 downstream tables "
        "skipped) not tried, because a service cannot be reached: 1 more"
    ) in said.text
    assert said.text.count("ConnectError") == 1
    assert "retry" not in said.text
    assert "Traceback" not in said.text
    assert the_lake().has(OBSERVATIONS, city_day("new_york", LAST))


def test_with_nothing_listening_the_next_city_is_not_waited_for(
    at_sandbox: Sandbox, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL_CROSSING_URL", CLOSED)
    stamina.set_testing(True, attempts=3, cap=True)
    try:
        said = command(
            *("backfill", "-c", "new_york", "-c", "chicago", "--start", LAST, "--end", LAST)
        )
    finally:
        stamina.set_testing(False)
    assert said.code == 1
    assert "weather.observations: " in said.text
    assert "not tried, because a service cannot be reached: 44 more" in said.text
    assert "chicago: not tried: a service cannot be reached" in said.text


@pytest.mark.slow
def test_an_exchange_out_of_reach_is_said_within_seconds(
    at_sandbox: Sandbox, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("KALSHI_API_URL", "VISUAL_CROSSING_URL", "CLIMATE_REPORT_URL"):
        monkeypatch.setenv(name, CLOSED)
    began = time.monotonic()
    said = command(
        *("backfill", "-c", "new_york", "-c", "chicago", "--start", FIRST, "--end", LAST)
    )
    assert said.code == 1
    assert time.monotonic() - began < 20


def test_a_look_back_beyond_the_first_partition_is_cut(
    at_sandbox: Sandbox, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL_CROSSING_URL", CLOSED)
    stamina.set_testing(True, attempts=1, cap=True)
    start = FIRST_DAY + timedelta(days=4)
    assert (start - date(2023, 12, 1)).days < LOOK_BACK_DAYS
    try:
        said = command("backfill", "-c", "new_york", "--start", start, "--end", start)
    finally:
        stamina.set_testing(False)
    assert said.code == 1
    assert "+ 4 earlier days of weather" in said.text
    assert f"new_york {FIRST_DAY} weather.observations: GET " in said.text


def test_a_lake_of_another_origin_refuses_the_backfill_and_says_what_to_do(
    at_sandbox: Sandbox, command: Command
) -> None:
    the_lake().claim("exchange")
    said = command("backfill", "-c", "new_york", "--start", LAST, "--end", LAST)
    assert said.code != 0
    assert "was filled from 'exchange' and must not be mixed with 'a generated world'" in said.text
    assert "set KALSHI_ASSETS_DATA to another folder" in said.text
    assert "Traceback" not in said.text
