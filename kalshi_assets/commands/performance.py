"""`kalshi-assets performance`: the performance of all backtested days, without Dagster."""

from rich.console import Console

from kalshi_assets.defs.lake_io import the_lake
from kalshi_assets.lake.catalogue import connect, ensure_catalogue
from kalshi_assets.lake.configurations import Configurations
from kalshi_assets.lake.store import Lake
from kalshi_assets.pages.library import PERFORMANCE_PAGE, PageStore
from kalshi_assets.pages.performance_page import lead_sentence
from kalshi_assets.pipeline.performance import judge_backtests


def run_performance(console: Console) -> None:
    """Write tables and pages; print the result and the page's path."""
    lake = the_lake()
    console.print(judged(lake), soft_wrap=True, highlight=False)
    console.print(lake.files.address(PERFORMANCE_PAGE), soft_wrap=True, highlight=False)


def judged(lake: Lake) -> str:
    """Write tables and pages of a lake; return the result in a sentence."""
    ensure_catalogue(lake)
    pages = PageStore(lake.files, lambda: connect(lake.files))
    return lead_sentence(judge_backtests(lake, pages, Configurations(lake.files)))
