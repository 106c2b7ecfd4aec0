"""The services that a command uses: the configured ones, or its own sandbox.

Here: finding or generating an archive, starting a sandbox, environment variables. Not here: serving
(`sandbox`).
"""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.progress import Progress

from kalshi_assets.families.temperature.cities import city
from kalshi_assets.keys import days_between
from kalshi_assets.sandbox.app import Trading
from kalshi_assets.sandbox.buckets import BucketSize
from kalshi_assets.sandbox.server import PEM_NAME, Sandbox, launched, running
from kalshi_assets.sandbox.world import generate
from kalshi_assets.sandbox.world_market import TRADERS_ERROR_F

RECORDINGS = Path("..") / "shared" / "data" / "archive"
# For commands that are the only reader of their sandbox.
UNLIMITED = BucketSize(refill_rate=1e9, capacity=1e9)
WORLD_SEED = 7
WORLD_CITIES = ("new_york", "chicago")
WORLD_END = date(2026, 6, 30)
WORLD_DAYS = 60
# Traders who err so much are worth trading against, so that the demo shows orders and fills; the
# profit is the generator's.
WORLD_ERROR_F = 2.5

# The most complete recorded days: New York with trades and observations, from early enough that for
# the last eleven days there are sufficient earlier days to fit the pool's weights; Chicago with
# quotes.
SHOWN_RECORDINGS = {
    "new_york": (date(2025, 4, 8), date(2025, 4, 30)),
    "chicago": (date(2025, 5, 5), date(2025, 5, 9)),
}
SHOWN_DAYS = 8
# When a running day starts: morning in every city, with the session's busiest hours ahead.
RUNNING_SINCE = time(14, tzinfo=UTC)
# Days before the shown ones that are backfilled too: the pool trusts the weather only after days
# that prove it.
DAYS_BEHIND = 20


@dataclass(frozen=True, kw_only=True)
class ServedArchive:
    """A folder of recordings, the origin to record in the lake, and the demo's days by city.

    Attributes
    ----------
    behind
        Days before the shown ones that the demo backfills too.
    generated
        Whether it is a generated world.
    """

    root: Path
    origin: str
    shown: Mapping[str, tuple[date, date]]
    behind: int = 0
    generated: bool = False


def find_archive(asked: Path | None, data: Path, *, with_recordings: bool = True) -> ServedArchive:
    """The requested archive, else the recordings next to the project, else a world in `data`.

    Parameters
    ----------
    asked, data
        The requested archive, if any, and the data folder.
    with_recordings
        Whether the recordings are served if none is requested.
    """
    with_recordings = with_recordings or asked is not None
    if asked is not None and asked.resolve() != RECORDINGS.resolve():
        return ServedArchive(root=asked, origin=f"archive {asked.name}", shown=_last_days(asked))
    if with_recordings and (RECORDINGS / "markets.parquet").is_file():
        return ServedArchive(root=RECORDINGS.resolve(), origin="recordings", shown=SHOWN_RECORDINGS)
    days = WORLD_END - timedelta(days=SHOWN_DAYS - 1), WORLD_END
    return ServedArchive(
        root=data / "world",
        origin=f"generated world, seed {WORLD_SEED}, traders err by {WORLD_ERROR_F} F",
        shown=dict.fromkeys(WORLD_CITIES, days),
        behind=DAYS_BEHIND,
        generated=True,
    )


def recordings(asked: Path | None) -> Path:
    """The requested archive, else the recordings next to the project.

    Raises
    ------
    FileNotFoundError
        It is not an archive.
    """
    root = asked or RECORDINGS
    if not (root / "markets.parquet").is_file():
        raise FileNotFoundError(
            f"{root} is not an archive: markets.parquet is missing; choose another with --archive, "
            "or generate one with: kalshi-assets sandbox generate"
        )
    return root


def prepared_archive(
    console: Console, asked: Path | None, data: Path, *, with_recordings: bool = True
) -> ServedArchive:
    """The archive to serve, as of `find_archive`; generates the world if it is needed and missing.

    Parameters
    ----------
    console
        Told of what is generated.
    asked, data, with_recordings
        As of `find_archive`.

    Raises
    ------
    FileNotFoundError
        The requested folder is not an archive.
    """
    if asked is not None:
        recordings(asked)
    archive = find_archive(asked, data, with_recordings=with_recordings)
    if not archive.root.is_dir():
        console.print("generating a world")
        start = WORLD_END - timedelta(days=WORLD_DAYS - 1)
        partial = archive.root.with_name(f"{archive.root.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        generate_watched(
            console, partial, WORLD_CITIES, start, WORLD_END, WORLD_SEED, WORLD_ERROR_F
        )
        partial.rename(archive.root)
    return archive


def generate_watched(
    console: Console,
    out: Path,
    cities: Sequence[str],
    start: date,
    end: date,
    seed: int,
    error_f: float = TRADERS_ERROR_F,
) -> None:
    """Write the recordings of a generated world to `out`, with a progress bar."""
    total = len([city(name) for name in cities]) * len(list(days_between(start, end)))
    with Progress(console=console) as bars:
        task = bars.add_task(f"generating {out}", total=total)
        summary = generate(
            out,
            cities=cities,
            start=start,
            end=end,
            seed=seed,
            error_f=error_f,
            progress=lambda name, day: bars.update(task, advance=1),
        )
    console.print(
        f"{summary.city_days} city-days, {summary.candles:,} candles, {summary.trades:,} trades, "
        f"{summary.observations:,} observations in {summary.folder}"
    )


def _last_days(root: Path) -> dict[str, tuple[date, date]]:
    markets = pl.read_parquet(root / "markets.parquet", columns=["city", "event_date"])
    last = markets.group_by("city").agg(pl.col("event_date").max()).sort("city")
    return {name: (end - timedelta(days=SHOWN_DAYS - 1), end) for name, end in last.iter_rows()}


def running_day(archive: ServedArchive, data: Path, speed: float) -> Trading:
    """An exchange in whose present the archive's last day is in progress.

    Parameters
    ----------
    archive, data
        What it serves, and where it keeps its books: started again, it goes on at their time.
    speed
        Simulated seconds per second.
    """
    last = max(end for _, end in archive.shown.values())
    start = datetime.combine(last, RUNNING_SINCE)
    return Trading(start=start, speed=speed, books=data / "sandbox" / "books.sqlite")


@contextmanager
def sandbox_environment(
    archive: ServedArchive, data: Path, port: int = 0, trading: Trading | None = None
) -> Iterator[Sandbox]:
    """A sandbox process serving `archive`, with this process's settings pointing to it.

    Parameters
    ----------
    archive, data, port
        What it serves, where it keeps its state, and its port; 0: a free one.
    trading
        Makes it an exchange whose time, of sessions and schedules too, runs from an instant on.
    """
    state_dir = data / "sandbox"
    with launched(archive.root, port=port, state_dir=state_dir, trading=trading) as sandbox:
        variables = {
            "KALSHI_ASSETS_ORIGIN": archive.origin,
            "KALSHI_API_KEY_ID": sandbox.key_id,
            "KALSHI_PRIVATE_KEY_PEM_PATH": str((state_dir / PEM_NAME).resolve()),
        }
        if trading is not None:
            variables |= {
                "KALSHI_ASSETS_SANDBOX_CLOCK": sandbox.url,
                "KALSHI_WS_URL": sandbox.ws_url,
            }
        with environment(variables | service_variables(sandbox)):
            yield sandbox


@contextmanager
def unlimited_sandbox(root: Path) -> Iterator[Sandbox]:
    """A sandbox in this process without rate limits, with the settings pointing to it."""
    with (
        running(root, read_bucket=UNLIMITED, anonymous_bucket=UNLIMITED) as sandbox,
        environment(service_variables(sandbox)),
    ):
        yield sandbox


def service_variables(sandbox: Sandbox) -> dict[str, str]:
    """Environment variables of a process that uses `sandbox` without an account."""
    return {
        "KALSHI_API_URL": sandbox.api_url,
        "VISUAL_CROSSING_URL": sandbox.url,
        "VISUAL_CROSSING_KEY": sandbox.weather_key,
        "CLIMATE_REPORT_URL": sandbox.url,
        "WEATHER_COMPANY_URL": sandbox.url,
    }


ONE_THREAD = {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""For processes that run one per core."""


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables temporarily."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
