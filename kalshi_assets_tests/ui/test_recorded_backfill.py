"""The backfill a trader launches first; a module to itself, so that it runs beside other drills."""

from datetime import date

import pytest

from kalshi_assets.families.temperature.cities import city_days
from kalshi_assets_tests.shared import ARCHIVE, needs_archive
from kalshi_assets_tests.ui.dagster_ui import button_params, started
from kalshi_assets_tests.ui.test_dagster_ui import ASSETS, BACKFILLED_WITHIN_S, assert_made

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@needs_archive
def test_the_recorded_days_of_new_york_backfill_from_the_ui(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    keys = city_days(["new_york"], date(2025, 4, 20), date(2025, 4, 30))
    with started(tmp_path_factory.mktemp("recordings"), ARCHIVE) as ui:
        assert "sandbox with archive archive" in ui.log
        backfill = ui.backfill(button_params(ASSETS, keys), BACKFILLED_WITHIN_S)
        assert_made(ui, backfill, keys)
        assert (ui.folder / "data" / "reports" / "new_york" / "2025-04-25.html").is_file()
