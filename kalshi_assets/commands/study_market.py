"""`kalshi-assets study market`: what helps beside the market, on recorded days.

Every city-day is made in order from earlier days alone and kept in a lake of the study's own, so
that a study that was stopped goes on where it was. Here: making the days, printing, keeping. Not
here: a day (`study_days`), judging (`verification`), the page (`reports`).
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Protocol, TypeVar

import dagster as dg
import polars as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable

from kalshi_assets.commands.backfill import instance
from kalshi_assets.commands.services import (
    UNLIMITED,
    ServedArchive,
    environment,
    find_archive,
    recordings,
    service_variables,
)
from kalshi_assets.commands.study_days import control_scores, make_days, study_day
from kalshi_assets.defs.lake_io import ASSET_KEYS
from kalshi_assets.families.temperature.cities import TEMPERATURE, city, city_days
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.store import Lake
from kalshi_assets.pages.scoreboard_page import verdicts, write_page
from kalshi_assets.sandbox.server import running
from kalshi_assets.settings import Settings
from kalshi_assets.studies.market_study import MarketStudy
from kalshi_assets.tables import SCOREBOARD

PROCESSES = 2
EVERY_CITY = "every_city"
"""Stands for the city where a study of several is kept; the graph has no such partition."""
DIGITS = 6
EVERYWHERE = ("market", "fused", "calibrated")
SHOWN = ("market", "market_alive", "fused", "calibrated", "weather", "prior_pool")


def run_market_study(
    console: Console,
    *,
    archive: Path | None,
    out: Path,
    cities: Sequence[str],
    start: date,
    end: date,
    as_json: bool,
    command: str,
) -> None:
    """Judge market, weather, pool, calibration and classifiers on recorded days.

    Parameters
    ----------
    archive
        Recordings; None: those beside the project.
    out
        Folder of `scoreboard.md`; its pictures go to `pictures` below it.
    cities, start, end
        City-days; those without an event or an outcome are left out.
    command
        What the page says made it.

    Raises
    ------
    FileNotFoundError
        There is no archive.
    ValueError
        No day could be judged.
    """
    keys = city_days(cities, start, end)
    recordings(archive)
    served = find_archive(archive, Settings().data)
    progress = Console(stderr=True, quiet=as_json)
    data = Settings().data.resolve() / "study"
    lake = Lake(data / "lake", TEMPERATURE)
    made = _made(progress, served, data, keys)
    study = _judged(progress, data, made)
    if not study.days.height:
        raise ValueError(
            f"no day of {', '.join(cities)} from {start} to {end} could be judged; events with an "
            "outcome are needed"
        )
    titles = {name: city(name).title for name in cities}
    written = write_page(study, command=command, titles=titles, folder=out)
    kept = _keep(lake, study, end)
    if as_json:
        board = study.scoreboard.with_columns(pl.col("value", "lo", "hi").round(DIGITS))
        print(json.dumps(board.to_dicts(), default=str))
        return
    console.print(_table(study))
    for sentence in verdicts(study.scoreboard, titles):
        console.print(sentence.replace("**", ""))
    for path in [*written, kept]:
        console.print(f"[dim]{path}[/dim]", soft_wrap=True)


def _made(
    progress: Console, served: ServedArchive, data: Path, keys: Sequence[LadderDay]
) -> list[LadderDay]:
    """The city-days that there are, made where they were not there yet."""
    Lake(data / "lake", TEMPERATURE).claim(served.origin)
    with (
        running(served.root, read_bucket=UNLIMITED, anonymous_bucket=UNLIMITED) as sandbox,
        environment(service_variables(sandbox)),
        _bar(progress, "city-days", len(keys)) as step,
    ):
        found = [step(made) for made in make_days(data, keys, PROCESSES)]
    return sorted(made.key for made in found if made.missing is None)


def _judged(progress: Console, data: Path, keys: Sequence[LadderDay]) -> MarketStudy:
    lake = Lake(data / "lake", TEMPERATURE)
    with _bar(progress, "judged", len(keys)) as step:
        read = [found for key in keys if (found := step(study_day(lake, key))) is not None]
    cities = {key.ladder for key in keys}
    with _bar(progress, "classifiers on other days' labels, cities", len(cities)) as step:
        control = [step(scores) for scores in control_scores(data, keys, PROCESSES)]
    return MarketStudy.of([day for day, _ in read], [scores for _, scores in read], control)


T = TypeVar("T")


class Step(Protocol):
    """Moves a progress bar by one and gives back what it is given."""

    def __call__(self, found: T) -> T: ...


@contextmanager
def _bar(console: Console, what: str, total: int) -> Iterator[Step]:
    """A progress bar and its step."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bars:
        task = bars.add_task(what, total=total)

        def step(found: T) -> T:
            bars.advance(task)
            return found

        yield step


def _keep(lake: Lake, study: MarketStudy, end: date) -> str:
    """Write the scoreboard beside the study's days and tell Dagster of it."""
    key = LadderDay(TEMPERATURE, EVERY_CITY, end)
    frame = lake.write(SCOREBOARD, key, study.scoreboard)
    with instance() as dagster_instance:
        dagster_instance.report_runless_asset_event(
            dg.AssetMaterialization(
                ASSET_KEYS[SCOREBOARD],
                metadata={
                    "city-days": study.days.height,
                    "last day": str(end),
                    "dagster/row_count": frame.height,
                    "file": dg.MetadataValue.path(str(lake.path(SCOREBOARD, key))),
                },
            )
        )
    return str(lake.path(SCOREBOARD, key))


def _table(study: MarketStudy) -> RichTable:
    """Mean log loss by city and source; a row's sources at the same instants."""
    rows = study.scoreboard.filter(
        pl.col("score") == "log_loss",
        pl.col("slice").is_in(["all", "city"]),
        (pl.col("instants") == "with_weather") | pl.col("source").is_in(EVERYWHERE),
    )
    means, gaps = (rows.filter(against=against) for against in ("nothing", "market"))
    sources = [source for source in SHOWN if (means["source"] == source).any()]
    table = RichTable(
        title=f"mean log loss of {study.days.height} city-days; difference with 95 % interval",
        title_justify="left",
    )
    for name in ("instants", "city"):
        table.add_column(name)
    for source in sources:
        table.add_column(source.replace("_", " "), justify="right")
    for name in ("calibrated less market", "days"):
        table.add_column(name, justify="right")
    for (instants, name), cells in means.group_by("instants", "slice_value", maintain_order=True):
        of = {row["source"]: row["value"] for row in cells.to_dicts()}
        (gap,) = gaps.filter(instants=instants, slice_value=name, source="calibrated").to_dicts()
        table.add_row(
            str(instants).replace("_", " "),
            str(name),
            *(f"{of[source]:.3f}" if source in of else "" for source in sources),
            f"{gap['value']:+.3f} [{gap['lo']:+.3f}, {gap['hi']:+.3f}]",
            str(cells["n_days"].max()),
        )
    return table
