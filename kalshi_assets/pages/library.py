"""The pages on disk: a day's page, and the index of every city-day that has one."""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from kalshi_assets.pages.day_page import render_day
from kalshi_assets.pages.index_page import render_index
from kalshi_assets.pages.inputs import DayInputs
from kalshi_assets.pages.page import day_path, index_path, write_page
from kalshi_assets.pages.verdict import DaySummary, summary_of
from kalshi_assets.tables import DAY_PAGE

Connect = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]
"""Opens the catalogue, read-only."""


@dataclass(frozen=True)
class PageStore:
    """All pages below a data folder.

    Attributes
    ----------
    data
        The folder.
    catalogue
        Opens the catalogue, from which the index is made.
    """

    data: Path
    catalogue: Connect

    def path(self, file: str) -> Path:
        """Where a page of `pages.day_page` lies."""
        return self.data / file

    def write_day(self, day: DayInputs) -> pl.DataFrame:
        """Render and write the page of a city-day; its row of `pages.day_page`."""
        html = render_day(day)
        path = write_page(day_path(self.data, day.city.name, day.date), html)
        content = html.encode()
        row = {
            "file": path.relative_to(self.data).as_posix(),
            "sha256": hashlib.sha256(content).hexdigest(),
            "size": len(content),
            "summary": summary_of(day).to_json(),
        }
        return pl.DataFrame([row], schema=DAY_PAGE.dtypes)

    def write_index(self) -> Path:
        """Render and write the index of every city-day that has a page; where it lies."""
        with self.catalogue() as connection:
            rows = summaries(connection)
        return write_page(index_path(self.data), render_index(rows))


def summaries(catalogue: duckdb.DuckDBPyConnection) -> list[DaySummary]:
    """A line per city-day that has a page, by city and date."""
    rows = catalogue.execute("select summary from pages.day_page order by city, date").fetchall()
    return [DaySummary.of_json(text) for (text,) in rows]
