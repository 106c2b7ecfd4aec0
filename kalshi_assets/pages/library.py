"""Pages on disk: of a city-day, the index of city-days, the performance of all."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import duckdb
import polars as pl

from kalshi_assets.lake.files import Files
from kalshi_assets.pages.charts import SCRIPT, script
from kalshi_assets.pages.day_page import render_day
from kalshi_assets.pages.index_page import render_index
from kalshi_assets.pages.inputs import DayInputs
from kalshi_assets.pages.performance_page import render_performance
from kalshi_assets.pages.sensitivity_page import Varied, render_sensitivity
from kalshi_assets.pages.trades_page import render_trades, trades_file
from kalshi_assets.pages.verdict import DaySummary, summary_of
from kalshi_assets.performance.results import Results
from kalshi_assets.tables import DAY_PAGE

Connect = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]
"""Opens the catalogue, read-only."""
INDEX = "reports/index.html"
PERFORMANCE_PAGE = "reports/performance.html"
SENSITIVITY_PAGE = "reports/sensitivity.html"
SCRIPT_FILE = f"reports/{SCRIPT}"


@dataclass(frozen=True)
class PageStore:
    """Writes the pages.

    Writes are not flushed to disk: a lost page can be rendered again from the partitions.

    Attributes
    ----------
    files
        Where pages are stored.
    catalogue
        Opens the catalogue, from which the index is rendered.
    """

    files: Files
    catalogue: Connect

    def write_day(self, day: DayInputs) -> pl.DataFrame:
        """Render and write the page of a city-day; return its row of `pages.day_page`."""
        summary = summary_of(day)
        content = render_day(day, summary).encode()
        file = f"reports/{day.city.name}/{day.date}.html"
        self.files.write(file, content, flush=False)
        trades = f"reports/{day.city.name}/{trades_file(day.date)}"
        if day.orders.height:
            self._write_with_charts(trades, render_trades(day))
        else:
            self.files.delete(trades)
        row = {
            "file": file,
            "sha256": hashlib.sha256(content).hexdigest(),
            "size": len(content),
            "summary": summary.to_json(),
        }
        return pl.DataFrame([row], schema=DAY_PAGE.dtypes)

    def write_performance(
        self, results: Results, accounts: pl.DataFrame, *, configurations: int, generated: bool
    ) -> None:
        """Render and write the performance page.

        Parameters
        ----------
        results, accounts, configurations, generated
            As of `render_performance`.
        """
        page = render_performance(
            results, accounts, configurations=configurations, generated=generated
        )
        self._write_with_charts(PERFORMANCE_PAGE, page)

    def write_sensitivity(self, rows: pl.DataFrame, surfaces: Sequence[Varied]) -> None:
        """Render and write the sensitivity page.

        Parameters
        ----------
        rows, surfaces
            As of `render_sensitivity`.
        """
        self._write_with_charts(SENSITIVITY_PAGE, render_sensitivity(rows, surfaces))

    def _write_with_charts(self, name: str, page: str) -> None:
        if not self.files.exists(SCRIPT_FILE):
            self.files.write(SCRIPT_FILE, script().encode(), flush=False)
        self.files.write(name, page.encode(), flush=False)

    def write_index(self) -> None:
        """Render and write the index of every city-day that has a page."""
        with self.catalogue() as connection:
            rows = summaries(connection)
        self.files.write(INDEX, render_index(rows).encode(), flush=False)


def summaries(catalogue: duckdb.DuckDBPyConnection) -> list[DaySummary]:
    """The summaries of all city-days that have a page, by city and date."""
    rows = catalogue.execute("select summary from pages.day_page order by city, date").fetchall()
    return [DaySummary.of_json(text) for (text,) in rows]
