"""What somebody sees who opens the pages in a browser."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kalshi_assets.commands.backfill import plan, run
from kalshi_assets.defs.lake_io import the_lake
from kalshi_assets.pages.library import INDEX
from kalshi_assets.sandbox.buckets import BucketSize
from kalshi_assets.sandbox.server import running
from kalshi_assets.sandbox.world import generate
from kalshi_assets.settings import Settings
from kalshi_assets.tables import TABLES
from kalshi_assets_tests.chain.backfills import service_settings
from kalshi_assets_tests.ui.browser import needs_chromium, screenshot, visible_text
from kalshi_assets_tests.ui.dagster_ui import DagsterUI

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(600), needs_chromium]

GROUPS = tuple(dict.fromkeys(table.schema for table in TABLES))
# How the page names a group of its graph in its address.
EXPANDED = ",".join(f"global@global:{group}" for group in GROUPS)
DAY = date(2026, 6, 30)
ENDLESS = BucketSize(refill_rate=1e9, capacity=1e9)


def test_the_asset_graph_shows_every_group_and_every_asset(ui: DagsterUI, tmp_path: Path) -> None:
    text = visible_text(f"{ui.url}/asset-groups?expanded={EXPANDED}", tmp_path / "profile")
    assert "Global asset lineage" in text
    missing = [group for group in GROUPS if group not in text]
    # The page cuts long names in their middle, but never their ends.
    missing += [table.name for table in TABLES if table.name[-12:] not in text]
    assert not missing, missing


def test_the_asset_graph_is_drawn(ui: DagsterUI, tmp_path: Path) -> None:
    picture = tmp_path / "graph.png"
    screenshot(f"{ui.url}/asset-groups?expanded={EXPANDED}", tmp_path / "p", picture, (1600, 1200))
    canvas = np.asarray(Image.open(picture).convert("L"))[140:, 560:1500]
    # The boxes of the assets are filled; the dots of an empty canvas cover less than a hundredth.
    assert (canvas < 240).mean() > 0.02


def test_an_asset_s_page_says_what_it_is(ui: DagsterUI, tmp_path: Path) -> None:
    text = visible_text(f"{ui.url}/assets/probability/fused_pmf?view=overview", tmp_path / "p")
    fused = next(table for table in TABLES if table.full_name == "probability.fused_pmf")
    assert fused.description in text
    assert "trading-desk" in text
    assert "p_fused" in text


def test_the_automation_page_shows_what_runs_when(ui: DagsterUI, tmp_path: Path) -> None:
    text = visible_text(f"{ui.url}/automation", tmp_path / "profile")
    for name in ("daily_refresh", "hourly_intraday", "newly_settled"):
        assert name in text


def test_the_report_index_leads_to_the_day_s_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = tmp_path / "world"
    generate(world, cities=["new_york"], start=DAY - timedelta(days=11), end=DAY, seed=7)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with running(world, read_bucket=ENDLESS, anonymous_bucket=ENDLESS) as sandbox:
        for name, value in service_settings(sandbox, tmp_path).items():
            monkeypatch.setenv(name, value)
        plans = plan(the_lake(), ["new_york"], DAY, DAY)
        assert run(plans, lambda *_: None).failed == {}

    index = Settings().data / INDEX
    text = visible_text(index.resolve().as_uri(), tmp_path / "profile", budget_ms=3000)
    assert "New York" in text
    assert f"{DAY}" in text
    assert "Limits" in text
    page = index.parent / "new_york" / f"{DAY}.html"
    text = visible_text(page.resolve().as_uri(), tmp_path / "profile", budget_ms=3000)
    assert "Probabilities" in text
    assert "KXHIGHNY-26JUN30" in text
