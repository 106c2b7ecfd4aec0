"""`kalshi-assets sweep`: sensitivity surfaces of stored days, days in parallel, without Dagster.

Here: choosing days, distributing them over processes, progress. Not here: the surfaces
(`trading.sensitivity`), the step (`pipeline.sensitivity`), the page (`pages.sensitivity_page`).
"""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing
from datetime import date
from time import perf_counter

from rich.console import Console
from rich.markup import escape

from kalshi_assets.commands.performance import judged
from kalshi_assets.commands.watch import progress_bars
from kalshi_assets.config import load_toml
from kalshi_assets.defs.lake_io import the_lake
from kalshi_assets.families.temperature.cities import city_days
from kalshi_assets.families.temperature.services import WeatherService
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake
from kalshi_assets.pages.library import SENSITIVITY_PAGE
from kalshi_assets.pipeline.graph import city_runner
from kalshi_assets.pipeline.services import KalshiService
from kalshi_assets.tables import CALIBRATED, SENSITIVITY, SETTLEMENTS
from kalshi_assets.trading.sensitivity import CONFIG_NAME, surfaces_of


def run_sweep(
    console: Console,
    progress: Console,
    *,
    cities: Sequence[str],
    start: date,
    end: date,
    processes: int,
    again: bool,
) -> bool:
    """Compute the surfaces of stored days that lack them, and write the page.

    Parameters
    ----------
    console, progress
        For the page's path; for progress and for days that are left out.
    cities, start, end
        The days, both ends included.
    processes
        How many days are computed at once.
    again
        Also compute days that have their surfaces, such as after a change of sensitivity.toml.

    Returns
    -------
    bool
        Whether every day has its surfaces.

    Raises
    ------
    ValueError
        An unknown city, a wrong surface, or no days.
    """
    surfaces_of(load_toml(CONFIG_NAME))  # a wrong surface fails before the first day
    lake, keys = the_lake(), city_days(cities, start, end)
    stored = [key for key in keys if lake.has(CALIBRATED, key)]
    failed = sweep_days(progress, lake, stored, processes, again=again)
    judged(lake)
    if missing := len(keys) - len(stored):
        progress.print(f"[yellow]{missing} of {len(keys)} days have no stored features[/yellow]")
    console.print(lake.files.address(SENSITIVITY_PAGE), soft_wrap=True, highlight=False)
    return not (missing or failed)


def sweep_days(
    progress: Console, lake: Lake, keys: Sequence[LadderDay], processes: int, *, again: bool
) -> list[LadderDay]:
    """Compute the surfaces of days with features; return the days that failed, and print why.

    Parameters
    ----------
    progress
        Where progress and failures are printed.
    lake, keys
        The lake and its days.
    processes, again
        As of `run_sweep`.
    """
    left = [key for key in keys if again or not _is_done(lake, key)]
    failed = []
    with progress_bars(progress) as bars:
        task = bars.add_task("sensitivity", total=len(keys), completed=len(keys) - len(left))
        for key, error in _made(lake.files, left, processes):
            if error is not None:
                failed.append(key)
                progress.print(f"[red]{key.ladder} {key.date}:[/red] {escape(error)}")
            bars.advance(task)
    return failed


def _is_done(lake: Lake, key: LadderDay) -> bool:
    """Whether a day has its surfaces, and they know its settlement if there is one."""
    stored = lake.read_current(SENSITIVITY, key)
    return stored is not None and not (
        stored.filter(control="none")["net_cc"].null_count() and lake.has(SETTLEMENTS, key)
    )


def _made(
    files: Files, keys: Sequence[LadderDay], processes: int
) -> Iterator[tuple[LadderDay, str | None]]:
    """The days as they are completed, with the error of those that failed."""
    if not keys:
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        running = {pool.submit(_make, files, key): key for key in keys}
        for future in as_completed(running):
            yield running[future], future.result()


def _make(files: Files, key: LadderDay) -> str | None:
    os.environ["KALSHI_ASSETS_DATA"] = str(files.root)
    with closing(KalshiService()) as kalshi, closing(WeatherService()) as weather:
        try:
            city_runner(files, kalshi, weather, perf_counter).make(key, [SENSITIVITY])
        except Exception as error:  # noqa: BLE001 - it takes only its day
            return f"{type(error).__name__}: {error}"
    return None
