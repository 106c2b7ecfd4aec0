"""The pages on disk: a day's page, and the index over every city-day in the lake."""

from pathlib import Path

import polars as pl

from kalshi_assets.cities import city
from kalshi_assets.lake.store import Lake
from kalshi_assets.partitions import CityDay
from kalshi_assets.reports.day_page import render_day
from kalshi_assets.reports.index_page import render_index
from kalshi_assets.reports.inputs import DayInputs
from kalshi_assets.reports.page import day_path, index_path, write_page
from kalshi_assets.reports.verdict import DaySummary, summarise
from kalshi_assets.tables import DAILY_PNL, DECISIONS, EVENTS, REPORT, Table


def write_day(data: Path, day: DayInputs) -> Path:
    """Render and write the page of a city-day; where it lies."""
    return write_page(day_path(data, day.city.name, day.date), render_day(day))


def write_index(data: Path, lake: Lake) -> Path:
    """Render and write the index over every city-day that has a report; where it lies."""
    return write_page(index_path(data), render_index(summaries(lake)))


def summaries(lake: Lake) -> list[DaySummary]:
    """A line per city-day that has a report, by city and date."""
    keys = list(lake.keys(REPORT))
    events, pnl, report = (_by_day(lake, table) for table in (EVENTS, DAILY_PNL, REPORT))
    reasons = _reasons_by_day(lake)
    return [
        summarise(
            city(key.city),
            key.date,
            events=events.get(key, EVENTS.empty()),
            daily_pnl=pnl.get(key, DAILY_PNL.empty()),
            report=report[key],
            reasons=reasons.get(key),
        )
        for key in keys
        if key in report
    ]


def _by_day(lake: Lake, table: Table) -> dict[CityDay, pl.DataFrame]:
    return _grouped(lake.collect(table))


def _reasons_by_day(lake: Lake) -> dict[CityDay, dict[str, int]]:
    counts = lake.collect(
        DECISIONS, lambda decisions: decisions.group_by("city", "date", "reason").len()
    )
    return {key: dict(group.iter_rows()) for key, group in _grouped(counts).items()}


def _grouped(frame: pl.DataFrame) -> dict[CityDay, pl.DataFrame]:
    groups = frame.partition_by("city", "date", as_dict=True, include_key=False)
    return {CityDay(name, day): group for (name, day), group in groups.items()}
