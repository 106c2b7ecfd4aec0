"""README and docs show what the commands print: the demo's table and the answers to the SQL."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kalshi_assets_tests.shared import ARCHIVE, needs_archive

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), needs_archive]

ROOT = Path(__file__).parents[2]
README, COMMANDS, QUESTIONS = (
    (ROOT / page).read_text("utf-8")
    for page in ("README.md", "docs/commands.md", "docs/questions.md")
)
PROGRAM = [sys.executable, "-m", "kalshi_assets.cli"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], str]:
    """The environment of a demo on the recordings, and what it printed."""
    folder = tmp_path_factory.mktemp("demo") / "work"
    folder.mkdir()
    (folder.parent / "shared").symlink_to(ARCHIVE.parents[1])  # where the demo looks for them
    keep = ("PATH", "HOME", "LANG")
    environment = {name: os.environ[name] for name in keep if name in os.environ}
    environment |= {"KALSHI_ASSETS_DATA": str(folder / "data"), "PWD": str(folder)}
    ran = subprocess.run(
        [*PROGRAM, "demo"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    return environment, ran.stdout


def _shown_of_the_demo(page: str, heading: str) -> list[str]:
    block = page.split(f"\n## {heading}\n", 1)[1].split("```text\n", 1)[1]
    lines = block.split("\n```", 1)[0].splitlines()
    return [line for line in lines if line.startswith(("│", "value:", "move:", "sets:"))]


def _questions() -> list[tuple[str, str]]:
    """The statements of README and docs with the answers below them; each pair once."""
    asked = r"```sh\nkalshi-assets sql \"\n(.*?)\"\n```\n\n```text\n(.*?)\n```"
    found = [pair for page in (QUESTIONS, README) for pair in re.findall(asked, page, re.DOTALL)]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize(
    ("page", "heading", "least"),
    [(COMMANDS, "kalshi-assets demo", 19), (README, "Quick start", 4)],
    ids=["commands", "readme"],
)
def test_the_pages_show_lines_that_the_demo_prints(
    demo: tuple[dict[str, str], str], page: str, heading: str, least: int
) -> None:
    _, printed = demo
    shown = _shown_of_the_demo(page, heading)
    assert len(shown) >= least
    lines = printed.splitlines()
    assert [line for line in shown if line not in lines] == []


@pytest.mark.parametrize(("statement", "answer"), _questions(), ids=["pmf", "shares", "reasons"])
def test_the_pages_show_the_answers_to_their_questions(
    demo: tuple[dict[str, str], str], statement: str, answer: str
) -> None:
    environment, _ = demo
    ran = subprocess.run(
        [*PROGRAM, "sql", statement],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = [line.rstrip() for line in ran.stdout.strip().splitlines()]
    assert found == [line.rstrip() for line in answer.strip().splitlines()]
