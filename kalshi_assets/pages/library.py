"""The pages on disk: a day's page, and the index over every city-day in the lake."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from kalshi_assets.families.temperature.cities import city, city_day
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.store import Lake
from kalshi_assets.pages.day_page import render_day
from kalshi_assets.pages.index_page import render_index
from kalshi_assets.pages.inputs import DayInputs
from kalshi_assets.pages.page import day_path, index_path, write_page
from kalshi_assets.pages.verdict import DaySummary, summarise
from kalshi_assets.tables import DAILY_PNL, DAY_PAGE, DECISIONS, EVENTS, REPORT, Table


@dataclass(frozen=True)
class PageStore:
    """All pages below a data folder.

    Attributes
    ----------
    data
        The folder.
    lake
        What the index is made of.
    """

    data: Path
    lake: Lake

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
        }
        return pl.DataFrame([row], schema=DAY_PAGE.dtypes)

    def write_index(self) -> Path:
        """Render and write the index of every city-day that has a report; where it lies."""
        return write_page(index_path(self.data), render_index(summaries(self.lake)))


def summaries(lake: Lake) -> list[DaySummary]:
    """A line per city-day that has a report, by city and date."""
    keys = list(lake.keys(REPORT))
    events, pnl, report = (_by_day(lake, table) for table in (EVENTS, DAILY_PNL, REPORT))
    reasons = _reasons_by_day(lake)
    return [
        summarise(
            city(key.ladder),
            key.date,
            events=events.get(key, EVENTS.empty()),
            daily_pnl=pnl.get(key, DAILY_PNL.empty()),
            report=report[key],
            reasons=reasons.get(key),
        )
        for key in keys
        if key in report
    ]


def _by_day(lake: Lake, table: Table) -> dict[LadderDay, pl.DataFrame]:
    return _grouped(lake.collect(table))


def _reasons_by_day(lake: Lake) -> dict[LadderDay, dict[str, int]]:
    counts = lake.collect(
        DECISIONS, lambda decisions: decisions.group_by("city", "date", "reason").len()
    )
    return {key: dict(group.iter_rows()) for key, group in _grouped(counts).items()}


def _grouped(frame: pl.DataFrame) -> dict[LadderDay, pl.DataFrame]:
    groups = frame.partition_by("city", "date", as_dict=True, include_key=False)
    return {city_day(name, day): group for (name, day), group in groups.items()}
