"""`kalshi-assets trade`: a session in the foreground, over the real services or a sandbox.

Here: opening the session's parts, progress, the summary. Not here: the session (`live`).
"""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table as RichTable

from kalshi_assets.commands.services import UNLIMITED, environment, find_archive, service_variables
from kalshi_assets.defs.lake_io import the_lake
from kalshi_assets.families.temperature.cities import city_day
from kalshi_assets.families.temperature.services import WeatherService
from kalshi_assets.instants import microseconds_of
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.store import Lake
from kalshi_assets.learning.classifiers.store import ModelStore
from kalshi_assets.live.clock import MovedClock, WallClock
from kalshi_assets.live.journal import journal_name
from kalshi_assets.live.journals import SessionJournals
from kalshi_assets.live.ladder_session import LadderSession, Said
from kalshi_assets.live.opening import WEATHER_EVERY_US, Opening, PagePlace, present, session_name
from kalshi_assets.live.session import TRADING_ENDED
from kalshi_assets.pipeline.live import LIVE_STEPS
from kalshi_assets.pipeline.runner import Runner
from kalshi_assets.pipeline.services import KalshiService
from kalshi_assets.sandbox.server import running
from kalshi_assets.settings import Settings
from kalshi_assets.tables import DECISIONS, EVENTS, LIVE_PARITY, OF_SESSIONS
from kalshi_assets.units import MINUTE_US

SHADOW_ACCOUNT = "shadow"
_WEATHER_EVERY_US = 5 * MINUTE_US


def run_trade(
    console: Console,
    progress: Console,
    *,
    cities: Sequence[str],
    day: date,
    sandbox: bool,
    archive: Path | None,
    host: str,
    port: int,
) -> bool:
    """Run a shadow session of one day and print what it did.

    Parameters
    ----------
    console, progress
        For the summary; for progress.
    cities, day
        The ladder-days.
    sandbox, archive
        Trade a past day, served by a sandbox as fast as it can be computed, from these recordings.
    host, port
        Of the session's page; port 0: a free one.

    Returns
    -------
    bool
        Whether every ladder's trading ended.
    """
    keys = [city_day(name, day) for name in cities]
    lake = the_lake()
    with ExitStack() as stack:
        clock = stack.enter_context(_sandboxed(lake, keys, archive)) if sandbox else WallClock()
        now = present(clock)
        kalshi = KalshiService(unthrottled=sandbox, clock=now)
        weather = WeatherService(clock=now)
        for service in (kalshi, weather):
            stack.callback(service.close)
        opening = Opening(
            lake=lake,
            kalshi=kalshi,
            services={"weather": weather, "models": ModelStore(lake.files)},
            clock=clock,
            # A sandbox's weather costs nothing, and the backtest knows every report in time.
            weather_every_us=0 if sandbox else WEATHER_EVERY_US,
            page=PagePlace(
                tell=lambda address: progress.print(f"page of the session: {address}"),
                host=host,
                port=port,
                token=Settings().page_token,
            ),
        )
        stack.enter_context(_stopped_by_signals(clock.stop))
        bars = stack.enter_context(Progress(console=progress))
        ended = opening.run_shadow(keys, _shown(bars))
    _ingest(lake, keys)
    console.print(_summary(lake, keys))
    console.print(f"{ended}; journal of the session: {journal_name(session_name(keys))}")
    return ended == TRADING_ENDED


def _shown(bars: Progress) -> Callable[[LadderDay, LadderSession, Said], None]:
    tasks: dict[LadderDay, TaskID] = {}

    def show(key: LadderDay, ladder: LadderSession, said: Said) -> None:
        if key not in tasks:
            tasks[key] = bars.add_task(f"{key.ladder} {key.date}", total=ladder.minutes)
        bars.advance(tasks[key], said.decisions["minute"].n_unique())

    return show


@contextmanager
def _stopped_by_signals(stop: Callable[[str], None]) -> Iterator[None]:
    """SIGTERM and SIGINT end the session in its journal instead of killing it."""
    before = {
        number: signal.signal(number, lambda got, frame: stop(signal.Signals(got).name))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _sandboxed(lake: Lake, keys: Sequence[LadderDay], asked: Path | None) -> Iterator[MovedClock]:
    """The settings point to a sandbox whose time starts where the first ladder opens."""
    archive = find_archive(asked, Settings().data)
    opened = [lake.read(EVENTS, key)["open_time"].to_list() for key in keys]
    clock = MovedClock(min(microseconds_of(at) for times in opened for at in times))
    with (
        running(
            archive.root, now=clock.now, read_bucket=UNLIMITED, anonymous_bucket=UNLIMITED
        ) as served,
        environment(service_variables(served) | {"KALSHI_ASSETS_ORIGIN": archive.origin}),
    ):
        yield clock


def _ingest(lake: Lake, keys: Sequence[LadderDay]) -> None:
    """Store the session's tables, as the assets of schema live do."""
    runner = Runner(lake, LIVE_STEPS, {"journals": SessionJournals(lake.files)}, lambda: 0.0)
    for key in keys:
        compared = OF_SESSIONS if lake.has(DECISIONS, key) else OF_SESSIONS[:-1]
        runner.make(key, compared)


def _summary(lake: Lake, keys: Sequence[LadderDay]) -> RichTable:
    table = RichTable(title="Decisions against the backtest of the same day", title_justify="left")
    for name in ("day", "session", "strategy", "cause", "rows", "share", "first"):
        table.add_column(name, justify="right" if name in ("rows", "share") else "left")
    for key in keys:
        if lake.has(LIVE_PARITY, key):
            for row in lake.read(LIVE_PARITY, key).iter_rows(named=True):
                table.add_row(
                    str(key),
                    row["session_id"],
                    row["strategy"],
                    row["cause"],
                    f"{row['rows']:,}",
                    f"{row['share']:.2%}",
                    row["first_row"] or "",
                )
    return table
