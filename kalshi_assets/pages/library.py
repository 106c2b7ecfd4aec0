"""Pages on disk: the page of a city-day, and the index of all city-days that have one."""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import duckdb
import polars as pl

from kalshi_assets.lake.files import Files
from kalshi_assets.pages.day_page import render_day
from kalshi_assets.pages.index_page import render_index
from kalshi_assets.pages.inputs import DayInputs
from kalshi_assets.pages.verdict import DaySummary, summary_of
from kalshi_assets.tables import DAY_PAGE

Connect = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]
"""Opens the catalogue, read-only."""
INDEX = "reports/index.html"


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
        content = render_day(day).encode()
        file = f"reports/{day.city.name}/{day.date}.html"
        self.files.write(file, content, flush=False)
        row = {
            "file": file,
            "sha256": hashlib.sha256(content).hexdigest(),
            "size": len(content),
            "summary": summary_of(day).to_json(),
        }
        return pl.DataFrame([row], schema=DAY_PAGE.dtypes)

    def write_index(self) -> None:
        """Render and write the index of every city-day that has a page."""
        with self.catalogue() as connection:
            rows = summaries(connection)
        self.files.write(INDEX, render_index(rows).encode(), flush=False)


def summaries(catalogue: duckdb.DuckDBPyConnection) -> list[DaySummary]:
    """The summaries of all city-days that have a page, by city and date."""
    rows = catalogue.execute("select summary from pages.day_page order by city, date").fetchall()
    return [DaySummary.of_json(text) for (text,) in rows]
