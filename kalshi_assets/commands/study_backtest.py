"""`kalshi-assets study backtest`: every strategy under every fill model on recorded days.

Here: making the days in the study's lake, days with recorded quotes once more with inferred ones,
printing, writing. Not here: the engine (`trading`), measures (`performance`), the document
(`pages.backtest_document`).
"""

import os
import shutil
from collections.abc import Sequence
from contextlib import closing
from datetime import date
from pathlib import Path
from time import perf_counter

import polars as pl
from rich.console import Console

from kalshi_assets.commands.services import find_archive, recordings, unlimited_sandbox
from kalshi_assets.commands.study_days import make_days
from kalshi_assets.commands.study_output import print_paths, rich_table, tracked
from kalshi_assets.commands.sweep import sweep_days
from kalshi_assets.exchange.ingest import EventNotFoundError
from kalshi_assets.families.temperature.cities import TEMPERATURE, city, city_days
from kalshi_assets.families.temperature.services import WeatherService
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.catalogue import connect, ensure_catalogue
from kalshi_assets.lake.configurations import Configurations
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake
from kalshi_assets.pages.backtest_document import BacktestStudy, write_document_of
from kalshi_assets.pages.words import dollars
from kalshi_assets.performance.measures import headline
from kalshi_assets.performance.results import Span, results_of, sensitivity_of
from kalshi_assets.pipeline.graph import BEFORE_TRADING, INGESTED, city_runner
from kalshi_assets.pipeline.runner import Runner
from kalshi_assets.pipeline.services import KalshiService
from kalshi_assets.settings import Settings
from kalshi_assets.tables import CANDLES, TABLES, Table

PROCESSES = 2
OF_BACKTESTS: tuple[Table, ...] = tuple(t for t in TABLES if t.schema == "backtest")
# The days with recorded quotes and a tape.
BOTH_QUOTES = ("chicago", date(2025, 5, 2), date(2025, 5, 8))


def run_backtest_study(
    console: Console,
    *,
    archive: Path | None,
    out: Path,
    cities: Sequence[str],
    start: date,
    end: date,
    command: str,
) -> None:
    """Backtest recorded days, print the headline table, and write `backtest.md` to `out`.

    Without an `archive` it uses the recordings next to the project. `command` is shown on the page.

    Raises
    ------
    FileNotFoundError
        There is no archive.
    ValueError
        No day could be backtested.
    """
    recordings(archive)
    served = find_archive(archive, Settings().data)
    progress = Console(stderr=True)
    folder = Settings().data.resolve() / "study"
    lake, keys = Lake(Files(folder), TEMPERATURE), city_days(cities, start, end)
    lake.claim(served.origin)
    with unlimited_sandbox(served.root):
        days = make_days(lake.files, keys, PROCESSES)
        made = [
            each.key for each in tracked(progress, days, "city-days", len(keys)) if not each.missing
        ]
        if not made:
            raise ValueError(f"the recordings have no event of {', '.join(cities)} in these days")
        runner = _runner(lake.files)
        for key in tracked(progress, sorted(made), "backtests", len(made)):
            runner.make(key, OF_BACKTESTS)
        if failed := sweep_days(progress, lake, made, PROCESSES, again=True):
            raise ValueError(f"the sensitivity of {failed[0]} failed")
        recorded, inferred = _both_quotes(progress, folder, served.origin)
    ensure_catalogue(lake)
    configurations = Configurations(lake.files)
    span = Span(dimension=TEMPERATURE.dimension, start=start, end=end, ladders=cities)
    with closing(connect(lake.files)) as catalogue:
        results, surfaces = results_of(catalogue, span), sensitivity_of(catalogue, span)
    study = BacktestStudy(
        results=results,
        surfaces=surfaces,
        recorded=recorded,
        inferred=inferred,
        configurations=configurations.count(),
        command=command,
        titles={name: city(name).title for name in cities},
    )
    console.print(_table(headline(results)))
    print_paths(console, *write_document_of(study, out))


def _runner(files: Files) -> Runner:
    os.environ["KALSHI_ASSETS_DATA"] = str(files.root)
    return city_runner(files, KalshiService(unthrottled=True), WeatherService(), perf_counter)


def _both_quotes(progress: Console, folder: Path, origin: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Headlines of the days with recorded quotes: with those, and with quotes from trades alone."""
    found = []
    name, start, end = BOTH_QUOTES
    keys = city_days([name], start, end)
    for quotes in ("recorded", "inferred"):
        files = Files(folder / f"{quotes}-quotes")
        shutil.rmtree(folder / f"{quotes}-quotes", ignore_errors=True)
        lake = Lake(files, TEMPERATURE)
        lake.claim(origin)
        runner = _runner(files)
        for key in tracked(progress, keys, f"{quotes} quotes", len(keys)):
            _make_day(runner, lake, key, without_candles=quotes == "inferred")
        ensure_catalogue(lake)
        with closing(connect(files)) as catalogue:
            found.append(headline(results_of(catalogue, Span(dimension=TEMPERATURE.dimension))))
    return found[0], found[1]


def _make_day(runner: Runner, lake: Lake, key: LadderDay, *, without_candles: bool) -> None:
    try:
        runner.make(key, INGESTED)
    except EventNotFoundError:
        return
    if without_candles:
        lake.write(CANDLES, key, CANDLES.empty())
    runner.make(key, (BEFORE_TRADING - INGESTED) | {*OF_BACKTESTS})


def _table(rows: pl.DataFrame) -> object:
    shown = rich_table(
        "Backtest", ["strategy", "fill model"], ["days", "orders", "filled", "contracts", "net"]
    )
    for row in rows.iter_rows(named=True):
        shown.add_row(
            row["strategy"],
            row["fill_model"],
            str(row["days"]),
            str(row["orders"]),
            str(row["orders_filled"]),
            str(row["contracts"]),
            dollars(row["net_cc"], signed=True),
        )
    return shown
