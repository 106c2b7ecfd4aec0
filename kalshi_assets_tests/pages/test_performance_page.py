"""The performance page: what it says, and that its charts can be drawn."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from kalshi_assets.lake.catalogue import connect
from kalshi_assets.lake.configurations import Configurations
from kalshi_assets.lake.files import Files
from kalshi_assets.pages.charts import SCRIPT, embedded, script, svg_of
from kalshi_assets.pages.library import PERFORMANCE_PAGE, PageStore
from kalshi_assets.pages.performance_page import charts_of, lead_sentence, render_performance
from kalshi_assets.performance.results import Results, results_of
from kalshi_assets.pipeline.performance import judge_backtests
from kalshi_assets.tables import ACCOUNT
from kalshi_assets_tests.performance.worlds import CITIES, build, results


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return results(tmp_path_factory.mktemp("lake"))


def test_the_lead_gives_the_worst_and_the_best_fill_model(read: Results) -> None:
    assert lead_sentence(read).startswith(
        "After fees, from the worst to the best fill model: value +$1.00 to +$2.40."
    )


def test_every_chart_of_the_page_can_be_drawn(read: Results) -> None:
    charts = charts_of(read)
    assert {"equity", "drawdown", "parts", "extra", "calendar", "by-ladder"} <= set(charts)
    for name, spec in charts.items():
        assert "<svg" in svg_of(spec), name


def test_every_chart_has_its_place_on_the_page(read: Results) -> None:
    page = render_performance(read, ACCOUNT.empty(), configurations=3, generated=False)
    for name in charts_of(read):
        assert page.count(f'id="{name}"') == 1
    assert f'<script src="{SCRIPT}"></script>' in page
    assert "3 configurations" in page


def test_a_generated_world_is_named_as_the_source_of_the_profit(read: Results) -> None:
    assert "generator" in render_performance(
        read, ACCOUNT.empty(), configurations=1, generated=True
    )
    assert "generator" not in render_performance(
        read, ACCOUNT.empty(), configurations=1, generated=False
    )


def test_a_page_without_days_says_so(tmp_path: Path) -> None:
    build(tmp_path)
    with connect(Files(tmp_path)) as catalogue:
        nothing = results_of(catalogue, replace(CITIES, start=date(2026, 1, 1)))
    page = render_performance(nothing, ACCOUNT.empty(), configurations=1, generated=False)
    assert "No day has been backtested yet." in page


def test_text_in_a_chart_cannot_end_its_script() -> None:
    assert "</script><b>" not in embedded({"a": {"title": "</script><b>"}})


def test_the_store_writes_the_page_beside_its_script(tmp_path: Path) -> None:
    lake = build(tmp_path)
    files = lake.files
    judge_backtests(lake, PageStore(files, lambda: connect(files)), Configurations(files))
    folder = Path(files.address(PERFORMANCE_PAGE)).parent
    assert (folder / SCRIPT).read_text("utf-8") == script()
    assert not re.search(r'src="https?:', (folder / "performance.html").read_text("utf-8"))
    assert (folder / SCRIPT).stat().st_size + 500_000 < 3_000_000
