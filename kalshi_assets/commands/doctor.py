"""Checks of configuration, disk, lake, catalogue, services and clock, each with a remedy.

Here: the checks. Not here: printing them (`cli`).
"""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import duckdb
import httpx
from pydantic import ValidationError

from kalshi_assets.defs.lake_io import the_request_counts
from kalshi_assets.exchange.client import KalshiClient
from kalshi_assets.exchange.errors import ExchangeError
from kalshi_assets.exchange.rest import READ_COST, RetryPolicy
from kalshi_assets.families.temperature.cities import CITIES, TEMPERATURE
from kalshi_assets.families.temperature.services import visual_crossing_plan
from kalshi_assets.lake.catalogue import CATALOGUE, connect
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake
from kalshi_assets.pipeline.services import read_bucket, signer_of
from kalshi_assets.settings import Settings
from kalshi_assets.tables import EVERY_TABLE, TABLES

TIMEOUT_S = 5.0
MAX_SKEW_S = 5.0
MIN_FREE_GIB = 5.0


@dataclass(frozen=True)
class Line:
    """The result of a check: its subject, whether it passed, and a finding or remedy."""

    subject: str
    ok: bool
    text: str


def examine(now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Iterator[Line]:
    """Check configuration, disk, lake, catalogue, services and clock."""
    try:
        settings = Settings()
    except ValidationError as error:
        yield Line("configuration", False, "; ".join(e["msg"] for e in error.errors()))
        return
    yield _configuration(settings)
    yield _disk(settings.data)
    yield _lake(settings)
    yield _catalogue(settings.files)
    yield _dagster()
    yield from _exchange(settings, now)
    yield _credentials(settings)
    yield _weather(settings, now())
    yield _reachable("climate reports", settings.climate_report_url)
    yield _reachable("settlements", settings.weather_company_url)
    yield _requests(now().astimezone(UTC).date())


def _configuration(settings: Settings) -> Line:
    active = f"{len(settings.cities)} cities active, {settings.trade_mode}"
    if unknown := settings.unknown_cities:
        named = f"KALSHI_ASSETS_CITIES names {', '.join(unknown)}, not in the registry"
        return Line("configuration", False, f"{named}; choose from: {', '.join(CITIES)}")
    return Line("configuration", True, active)


def _disk(data: Path) -> Line:
    folder = data
    while not folder.exists():
        folder = folder.resolve().parent
    free = shutil.disk_usage(folder).free / 2**30
    if not os.access(folder, os.W_OK):
        return Line("disk", False, f"{folder.resolve()} is not writable; set KALSHI_ASSETS_DATA")
    enough = free >= MIN_FREE_GIB
    text = f"{free:.0f} GiB free below {data}"
    return Line("disk", enough, text if enough else f"{text}; a year of 20 cities needs about 10")


def _lake(settings: Settings) -> Line:
    lake = Lake(settings.files, TEMPERATURE)
    days = lake.keys(*TABLES)
    if not days:
        return Line("lake", True, "empty; fill it with: kalshi-assets backfill")
    origin = lake.origin
    if origin is None:
        text = f"{len(days)} city-days of unknown origin; remove {lake.root} and backfill again"
        return Line("lake", False, text)
    if origin != settings.origin:
        return Line(
            "lake",
            False,
            f"{len(days)} city-days from {origin!r}, but the services are {settings.origin!r}; set "
            f"KALSHI_ASSETS_DATA to another folder before backfilling, or remove {lake.root}",
        )
    return Line("lake", True, f"{len(days)} city-days from {origin!r}")


def _catalogue(files: Files) -> Line:
    if not files.exists(CATALOGUE):
        return Line("catalogue", False, "missing; create it with: kalshi-assets catalog")
    try:
        with connect(files) as connection:
            found = connection.execute(
                "select schema_name || '.' || view_name from duckdb_views() where not internal"
            )
            views = {name for (name,) in found.fetchall()}
    except duckdb.Error as error:
        return Line("catalogue", False, f"{error}; update it with: kalshi-assets catalog")
    if missing := [table.full_name for table in EVERY_TABLE if table.full_name not in views]:
        text = f"lacks {', '.join(missing)}; update it with: kalshi-assets catalog"
        return Line("catalogue", False, text)
    return Line("catalogue", True, f"{len(views)} views in {files.address(CATALOGUE)}")


def _dagster() -> Line:
    home = os.environ.get("DAGSTER_HOME")
    if home and not (Path(home) / "dagster.yaml").is_file():
        return Line("dagster", False, f"DAGSTER_HOME={home} has no dagster.yaml; use the project's")
    if not home and not Path("dagster.yaml").is_file():
        text = "no dagster.yaml here; run from the project folder to store runs"
        return Line("dagster", False, text)
    return Line("dagster", True, f"runs are stored in {home or Path.cwd()}")


def _exchange(settings: Settings, now: Callable[[], datetime]) -> Iterator[Line]:
    url = settings.kalshi_api_url
    read_bucket(url, None).take(READ_COST)
    try:
        answer = httpx.get(f"{url.rstrip('/')}/exchange/status", timeout=TIMEOUT_S)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        yield Line("exchange", False, f"{url}: {error}; check KALSHI_API_URL and the network")
        return
    yield Line("exchange", True, f"{url} answers")
    if "date" not in answer.headers:
        return
    skew = abs((parsedate_to_datetime(answer.headers["date"]) - now()).total_seconds())
    # The header is in whole seconds.
    fine = skew <= MAX_SKEW_S + 1
    advice = "" if fine else "; signed requests will be refused: set the clock by NTP"
    yield Line("clock", fine, f"{skew:.0f} s from the exchange's{advice}")


def _credentials(settings: Settings) -> Line:
    try:
        signer = signer_of(settings)
    except ValueError as error:
        return Line("credentials", False, str(error))
    if signer is None:
        return Line("credentials", True, "no key: market data works, on the anonymous rate limit")
    client = KalshiClient(
        settings.kalshi_api_url,
        signer=signer,
        bucket=read_bucket(settings.kalshi_api_url, signer),
        timeout_s=TIMEOUT_S,
        retry=RetryPolicy(attempts=1),
    )
    try:
        with client:
            client.get("/portfolio/balance")
    except ExchangeError as error:
        return Line("credentials", False, str(error))
    return Line("credentials", True, f"key {settings.kalshi_api_key_id} is accepted")


def _weather(settings: Settings, now: datetime) -> Line:
    if settings.visual_crossing_key is None:
        return Line("visual crossing", False, "no key; set VISUAL_CROSSING_KEY")
    spent_until = visual_crossing_plan(settings).spent_until
    if spent_until is not None and now < spent_until:
        text = f"the plan is used up; no requests before {spent_until:%Y-%m-%d %H:%MZ}"
        return Line("visual crossing", False, text)
    return _reachable("visual crossing", settings.visual_crossing_url)


def _requests(today: date) -> Line:
    """Requests by provider today and yesterday, without those of the doctor itself."""
    days = (today, today - timedelta(days=1))
    counts = {day: the_request_counts().of(day) for day in days}
    told = [
        f"{day}Z {', '.join(f'{name} {n:,}' for name, n in of_day.items()) or 'none'}"
        for day, of_day in counts.items()
    ]
    return Line("requests", True, "; ".join(told))


def _reachable(subject: str, url: str) -> Line:
    try:
        httpx.get(url, timeout=TIMEOUT_S)
    except httpx.HTTPError as error:
        return Line(subject, False, f"{url}: {error}; check the address and the network")
    return Line(subject, True, f"{url} answers")
