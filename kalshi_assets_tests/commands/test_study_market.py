"""The study of markets from one command, on a generated world."""

from datetime import timedelta
from pathlib import Path

import pytest

from kalshi_assets.sandbox.world import generate
from kalshi_assets_tests.commands.conftest import LAST, Command

FIRST = LAST - timedelta(days=1)


@pytest.mark.slow
def test_a_study_ends_in_a_page_and_one_begun_again_makes_no_day_twice(
    command: Command, home: Path
) -> None:
    generate(home / "world", cities=["new_york"], start=FIRST, end=LAST, seed=5)
    arguments = (
        *("study", "market", "--archive", home / "world", "--out", home / "out"),
        *("--city", "new_york", "--start", FIRST, "--end", LAST),
    )
    first = command(*arguments)
    assert first.code == 0, first.out + first.err
    assert "mean log loss of 2 city-days" in first.out
    page = (home / "out" / "scoreboard.md").read_text("utf-8")
    assert "## Negative controls" in page
    assert f"study market --city new_york --start {FIRST} --end {LAST}" in " ".join(page.split())
    assert "2 settled city-days" in " ".join(page.split())

    lake = home / "data" / "study" / "lake"
    before = {path: path.stat().st_mtime_ns for path in lake.glob("p*/*/*/*/part.parquet")}
    assert len(before) > 5
    again = command(*arguments)
    assert again.code == 0, again.err
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (home / "out" / "scoreboard.md").read_text("utf-8") == page


def test_a_study_without_an_archive_says_what_to_name(command: Command, home: Path) -> None:
    said = command("study", "market", "--archive", home / "nothing")
    assert said.code == 2
    assert "is not an archive" in said.text
