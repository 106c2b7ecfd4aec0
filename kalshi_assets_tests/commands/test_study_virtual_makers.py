"""The study of fills from one command, on a generated world."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from kalshi_assets_tests.commands.conftest import LAST, Command
from kalshi_assets_tests.shared_work import shared_world

FIRST = LAST - timedelta(days=1)


def test_a_study_ends_in_a_page_the_same_each_time(
    command: Command, home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    world = shared_world(tmp_path_factory, cities=["new_york"], start=FIRST, end=LAST, seed=5)
    arguments = (
        *("study", "virtual-makers", "--archive", world, "--city", "new_york"),
        *("--start", FIRST, "--end", LAST + timedelta(days=3)),
    )
    first = command(*arguments, "--out", home / "first")
    assert first.code == 0, first.out + first.err
    assert "queue 100" in first.out
    assert "recommended: queue_ahead_contracts = " in first.out
    page = (home / "first" / "fills.md").read_text("utf-8")
    assert f"study virtual-makers --city new_york --start {FIRST}" in " ".join(page.split())
    assert "of 2 city-days" in " ".join(page.split())
    again = command(*arguments, "--out", home / "second", "--json")
    assert again.code == 0, again.err
    assert (home / "second" / "fills.md").read_text("utf-8") == page
    rows = json.loads(again.out)
    assert {row["kind"] for row in rows} == {"clock", "maker", "real"}
    assert not (home / "data").exists(), "nothing is stored"


def test_days_without_tapes_say_what_is_missing(
    command: Command, home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    world = shared_world(tmp_path_factory, cities=["new_york"], start=FIRST, end=LAST, seed=5)
    arguments = ("--archive", world, "--start", "2020-01-01", "--end", "2020-01-02")
    said = command("study", "virtual-makers", *arguments, "--out", home / "out")
    assert said.code == 2
    assert "tapes" in said.text
    assert not (home / "out").exists()
