"""Every command explains itself, and every mistake ends in a sentence, not in a trace."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from kalshi_assets.cli import app
from kalshi_assets.defs.partitions import FIRST_DAY
from kalshi_assets_tests.commands.conftest import PROJECT, Command


def _paths(group: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, inner in getattr(group, "commands", {}).items():
        yield from _paths(inner, (*path, name))


COMMANDS = list(_paths(typer.main.get_command(app)))


def test_the_commands_are_those_that_the_readme_promises() -> None:
    assert {" ".join(path) for path in COMMANDS} >= {
        "demo",
        "ui",
        "backfill",
        "catalog",
        "sql",
        "doctor",
        "sandbox serve",
        "sandbox generate",
        "bench chain",
    }


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(path) or "kalshi-assets")
def test_every_command_has_help_for_itself_and_its_options(
    command: Command, path: tuple[str, ...]
) -> None:
    said = command(*path, "--help")
    assert said.code == 0
    assert "Usage: kalshi-assets" in said.out
    assert said.err == ""
    found = typer.main.get_command(app)
    for name in path:
        found = found.commands[name]  # type: ignore[attr-defined]
    assert found.help
    undocumented = [
        parameter.name
        for parameter in found.params
        if not getattr(parameter, "help", None) and parameter.name not in COMPLETION
    ]
    assert undocumented == []


COMPLETION = ("install_completion", "show_completion")

MISTAKES = [
    (["backfill", "-c", "gotham", "--start", "2026-06-29", "--end", "2026-06-30"],
     "unknown city 'gotham'; known: new_york, chicago"),
    (["backfill", "-c", "new_york", "--start", "2026-06-30", "--end", "2026-06-29"],
     "the end 2026-06-29 lies before the start 2026-06-30"),
    (["backfill", "-c", "new_york", "--start", "2023-12-31", "--end", "2024-01-02"],
     f"the start 2023-12-31 is before the first partition, {FIRST_DAY}"),
    (["sql", "select 1", "--format", "xml"], "unknown format 'xml'; known: table, csv, json"),
    (["sql", "selec 1"], "Parser Error"),
    (["sql", "select no_such_column from market.events"], "no_such_column"),
    (["sql", "from market.no_such_table"], "no_such_table"),
    (["demo", "--archive", "nowhere"], "nowhere is not an archive: markets.parquet is missing"),
    (["ui"], "no workspace.yaml here; run this command in the project folder"),
    (["sandbox", "serve", "--archive", "nowhere", "--port", "0"],
     "nowhere is not an archive: markets.parquet is missing"),
    (["sandbox", "generate", "--out", "w", "--cities", "gotham", "--start", "2026-06-29",
      "--end", "2026-06-30"], "unknown city 'gotham'"),
    (["sandbox", "generate", "--out", "w", "--cities", "chicago", "--start", "2026-06-30",
      "--end", "2026-06-29"], "the end 2026-06-29"),
    (["sandbox", "generate", "--out", "w", "--cities", "chicago", "--start", "2026-06-29",
      "--end", "2026-06-30", "--seed", "-1"], "seed -1 is negative"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "sentence"), MISTAKES, ids=lambda v: str(v)[:60])
def test_a_mistake_ends_in_a_sentence_on_stderr_and_code_2(
    command: Command, arguments: list[str], sentence: str
) -> None:
    said = command(*arguments)
    assert said.code == 2
    assert said.err.startswith("error: ")
    assert sentence in said.err
    assert "Traceback" not in said.out + said.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["backfill", "-c", "new_york", "--start", "29.6.2026", "--end", "2026-06-30"],
         "'29.6.2026' does not match the formats '%Y-%m-%d'"),
        (["backfill", "-c", "new_york", "--start", "2026-06-29"], "Missing option '--end'"),
        (["backfil"], "No such command 'backfil'"),
        (["sql"], "Missing argument 'statement'"),
    ],
    ids=lambda v: str(v)[:60],
)  # fmt: skip
def test_arguments_that_do_not_fit_are_named(
    command: Command, arguments: list[str], sentence: str
) -> None:
    said = command(*arguments)
    assert said.code == 2
    assert sentence in " ".join(said.err.replace("│", " ").split())
    assert "Traceback" not in said.err


def test_a_setting_that_is_wrong_is_named_with_what_would_be_right(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADE_MODE", "real")
    said = command("catalog")
    assert said.code == 2
    assert "TRADE_MODE" in said.err
    assert "'shadow', 'paper', 'demo' or 'live'" in " ".join(said.err.split())


def test_a_sentence_with_square_brackets_is_printed_whole(command: Command) -> None:
    said = command("sql", "select * from read_csv('[a/b]/none.csv')")
    assert said.code == 2
    assert "[a/b]" in said.err


def test_a_ui_on_a_taken_port_says_so_before_anything_starts(command: Command, home: Path) -> None:
    (home / "workspace.yaml").write_text((PROJECT / "workspace.yaml").read_text("utf-8"), "utf-8")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = command("ui", "--port", port)
    assert said.code == 2
    assert f"port {port} is not available (Address already in use)" in said.err
    assert f"kalshi-assets ui --port {port + 1}" in said.err
    assert not (home / "data").exists()


def test_no_arguments_at_all_show_what_there_is(command: Command) -> None:
    said = command()
    assert "backfill" in said.text
    assert "doctor" in said.text
    assert isinstance(typer.main.get_command(app).help, str)
