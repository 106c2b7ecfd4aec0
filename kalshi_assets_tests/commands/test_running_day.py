"""What `kalshi-assets ui` serves: past days, or one in progress."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from rich.console import Console

from kalshi_assets.commands.services import (
    WORLD_END,
    ServedArchive,
    find_archive,
    running_day,
)
from kalshi_assets.commands.ui import run_ui
from kalshi_assets.families.temperature.cities import CITIES
from kalshi_assets_tests.ui.dagster_ui import free_port


@pytest.fixture
def recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Recordings beside the project folder, which is the current one."""
    found = tmp_path / "shared" / "data" / "archive"
    found.mkdir(parents=True)
    (found / "markets.parquet").touch()
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return found


def test_past_days_are_the_recordings_and_a_day_in_progress_is_generated(recordings: Path) -> None:
    data = Path("data")
    assert find_archive(None, data).root == recordings
    generated = find_archive(None, data, with_recordings=False)
    assert (generated.root, generated.generated) == (data / "world", True)
    asked = Path("..") / "shared" / "data" / "archive"
    assert find_archive(asked, data, with_recordings=False).root == recordings


def test_a_day_in_progress_is_the_last_one_in_the_morning_of_every_city(tmp_path: Path) -> None:
    shown = {"new_york": (date(2026, 6, 20), date(2026, 6, 29)), "miami": (WORLD_END, WORLD_END)}
    served = ServedArchive(root=tmp_path, origin="a test", shown=shown)
    trading = running_day(served, tmp_path, speed=60.0)
    assert trading.start == datetime(2026, 6, 30, 14, tzinfo=UTC)
    assert {city.climate_date(trading.start) for city in CITIES.values()} == {WORLD_END}
    assert trading.speed == 60.0
    # Its books keep its time, so that the next start goes on where this one ended.
    assert trading.books == tmp_path / "sandbox" / "books.sqlite"


def test_a_day_in_progress_is_refused_where_real_services_are_configured(
    settings_at: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("workspace.yaml").touch()
    monkeypatch.setenv("VISUAL_CROSSING_KEY", "of this test")
    with pytest.raises(RuntimeError, match="unset KALSHI_API_URL and VISUAL_CROSSING_KEY"):
        run_ui(Console(), None, free_port(), running_at=1.0)
