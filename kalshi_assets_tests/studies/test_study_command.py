"""The study from one command, on recorded days."""

import json
import sys
from pathlib import Path

import pytest

from kalshi_assets.cli import main
from kalshi_assets_tests.shared import ARCHIVE, needs_archive

DAYS = ("--start", "2025-04-10", "--end", "2025-04-14")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["kalshi-assets", "study", "weather", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


@pytest.mark.slow
@needs_archive
def test_a_few_recorded_days_become_a_page_and_the_same_page_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = []
    for name in ("once", "again"):
        out = tmp_path / name
        assert run(monkeypatch, "--archive", ARCHIVE, "--out", out, *DAYS, "--json") == 0
        rows = json.loads(capsys.readouterr().out)
        assert {"city", "method", "lst_hour", "score", "value", "lo", "hi", "n_days"} <= set(
            rows[0]
        )
        assert {row["method"] for row in rows} >= {"exact", "analogue", "climatology", "market"}
        assert all(row["lo"] <= row["value"] <= row["hi"] for row in rows)
        pages.append({path.name: path.read_bytes() for path in out.rglob("*.*")})
    assert pages[0] == pages[1]
    assert "verification.md" in pages[0]
    assert run(monkeypatch, "--archive", ARCHIVE, "--out", tmp_path / "table", *DAYS) == 0
    assert "mean log loss" in capsys.readouterr().out


def test_a_folder_that_is_no_archive_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--archive", tmp_path, "--out", tmp_path / "out") == 2
    assert "is not an archive" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


@needs_archive
def test_days_that_cannot_be_scored_say_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--start", "2025-04-01", "--end", "2025-04-02")
    assert run(monkeypatch, "--archive", ARCHIVE, "--out", tmp_path, *arguments) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "could be scored: too few earlier days" in said
