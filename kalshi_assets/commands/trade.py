"""`kalshi-assets trade`: a session in the foreground, over the real services or a sandbox.

Here: opening the session's parts, progress, the summary. Not here: the session (`live`).
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table as RichTable

from kalshi_assets.commands.backtest import users_strategy
from kalshi_assets.commands.services import UNLIMITED, environment, find_archive, service_variables
from kalshi_assets.defs.lake_io import the_lake
from kalshi_assets.exchange.signing import Signer
from kalshi_assets.families.temperature.checks import CHECKS
from kalshi_assets.families.temperature.cities import city_day
from kalshi_assets.families.temperature.services import WeatherService
from kalshi_assets.instants import microseconds_of
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.store import Lake
from kalshi_assets.learning.classifiers.store import ModelStore
from kalshi_assets.live.clock import MovedClock, SteppedSandbox, WallClock, stopped_by_signals
from kalshi_assets.live.journal import journal_name
from kalshi_assets.live.journals import SessionJournals
from kalshi_assets.live.ladder_session import LadderSession, Said
from kalshi_assets.live.opening import (
    WEATHER_EVERY_US,
    Opening,
    PagePlace,
    page_name,
    present,
    session_name,
)
from kalshi_assets.live.readiness import reasons_against
from kalshi_assets.live.telemetry import Telemetry
from kalshi_assets.live.venue import Venue
from kalshi_assets.performance.promotion import may_trade_live
from kalshi_assets.pipeline.live import LIVE_STEPS
from kalshi_assets.pipeline.promotion import judge_shadow
from kalshi_assets.pipeline.runner import Runner
from kalshi_assets.pipeline.services import KalshiService, signer_of, write_bucket
from kalshi_assets.sandbox.app import Trading
from kalshi_assets.sandbox.server import Sandbox, running
from kalshi_assets.settings import Settings
from kalshi_assets.tables import DECISIONS, EVENTS, LIVE_PARITY, OF_SESSIONS
from kalshi_assets.tables.live import TRADING_ENDED
from kalshi_assets.trading.strategies import SHIPPED, Value

Timing = WallClock | MovedClock | SteppedSandbox


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked for.

    Attributes
    ----------
    cities, day
        The ladder-days.
    mode
        shadow: orders are simulated; demo, live: they are sent.
    strategies
        Names, or ``module:Class``; none: those that ship. One, if orders are sent.
    sandbox, archive, since
        Trade a past day, served by a sandbox as fast as it can be computed, from these recordings,
        from this time on (None: from the open).
    host, port
        Of the session's page; port 0: a free one.
    understood
        Whether the risks of live trading were acknowledged.
    """

    cities: Sequence[str]
    day: date
    mode: str
    strategies: Sequence[str]
    sandbox: bool
    archive: Path | None
    since: datetime | None
    host: str
    port: int
    understood: bool


def run_trade(console: Console, progress: Console, asked: Request) -> bool:
    """Run a session of one day and print what it did; whether every ladder's trading ended.

    Parameters
    ----------
    console, progress
        For the summary; for progress.
    asked
        What was asked for.

    Raises
    ------
    ValueError
        The mode does not fit the addresses, keys or promotion; the message says what is missing.
    CannotStartError, LeaseError, JournalError, MissingPartitionError
        It must not trade; nothing was sent.
    """
    keys = [city_day(name, asked.day) for name in asked.cities]
    lake = the_lake()
    sends = asked.mode != "shadow"
    strategies = [users_strategy(path) for path in asked.strategies] or list(SHIPPED)
    if sends:
        strategies = strategies if asked.strategies else [Value()]
        _may_send(lake, asked)
    with ExitStack() as stack:
        served, clock = stack.enter_context(_time_and_place(lake, keys, asked))
        now = present(clock)
        if not asked.sandbox:
            _must_be_ready(lake, keys, now())
        kalshi = KalshiService(unthrottled=asked.sandbox, clock=now)
        weather = WeatherService(clock=now)
        for service in (kalshi, weather):
            stack.callback(service.close)
        opening = Opening(
            lake=lake,
            kalshi=kalshi,
            services={"weather": weather, "models": ModelStore(lake.files)},
            clock=clock,
            strategies=strategies,
            # A sandbox's weather costs nothing, and the backtest knows every report in time.
            weather_every_us=0 if asked.sandbox else WEATHER_EVERY_US,
            page=PagePlace(
                tell=lambda address: progress.print(f"page of the session: {address}"),
                host=asked.host,
                port=asked.port,
                token=Settings().page_token,
            ),
        )
        stack.enter_context(stopped_by_signals(clock.stop))
        bars = stack.enter_context(Progress(console=progress))
        if sends:
            venue = _venue(lake, keys, asked.mode, served, clock)
            ended = opening.run_exchange(keys, venue, asked.mode)
            name = session_name(keys, venue.account)
        else:
            ended = opening.run_shadow(keys, _shown(bars))
            name = session_name(keys)
    _ingest(lake, keys, console)
    console.print(_summary(lake, keys))
    console.print(f"{ended}")
    for left in (journal_name(name), page_name(name)):
        console.print(lake.files.address(left), soft_wrap=True, highlight=False)
    return ended == TRADING_ENDED


def _must_be_ready(lake: Lake, keys: Sequence[LadderDay], now: datetime) -> None:
    """Refuse days whose fits are missing, old, or not known to have passed their checks.

    Raises
    ------
    ValueError
        With every reason.
    """
    against = {key: reasons_against(lake, CHECKS, key, now, wall=now) for key in keys}
    if reasons := [f"{key}: {'; '.join(why)}" for key, why in against.items() if why]:
        named = " ".join(f"--city {key.ladder}" for key in keys)
        days = f"--start {keys[0].date} --end {keys[0].date}"
        unmade = any("made" in each or "passed" in each for each in reasons)
        remedy = f". Make its tables with: kalshi-assets backfill {named} {days}" if unmade else ""
        raise ValueError("; ".join(reasons) + remedy)


def _may_send(lake: Lake, asked: Request) -> None:
    """Refuse to send orders where mode, address, keys or promotion do not fit.

    Raises
    ------
    ValueError
        With what is missing.
    """
    settings = Settings()
    if len(asked.strategies) > 1:
        raise ValueError("one strategy trades an account: give --strategy once")
    if asked.sandbox:
        if asked.mode == "live":
            raise ValueError("a sandbox is traded with --mode demo")
        return
    production = not any(demo in settings.kalshi_api_url for demo in ("demo", "127.0.0.1"))
    if asked.mode == "demo" and production:
        raise ValueError(
            f"--mode demo, but KALSHI_API_URL is {settings.kalshi_api_url}: set it and "
            "KALSHI_WS_URL to the demo environment, see docs/live.md"
        )
    if signer_of(settings) is None:
        raise ValueError("orders need a key: set KALSHI_API_KEY_ID and KALSHI_PRIVATE_KEY_PEM_PATH")
    if asked.mode == "live":
        if not production:
            raise ValueError(f"--mode live, but KALSHI_API_URL is {settings.kalshi_api_url}")
        if not asked.understood:
            raise ValueError("live trading can lose money: add --i-understand-the-risks")
        rows = judge_shadow(lake, strategy=(*asked.strategies, "value")[0], end=asked.day)
        if not may_trade_live(rows):
            missing = rows.filter(~pl.col("passed"))
            raise ValueError(
                "NO-GO: "
                + "; ".join(f"{r['test']}: {r['missing']}" for r in missing.iter_rows(named=True))
            )


def _venue(
    lake: Lake, keys: Sequence[LadderDay], mode: str, served: Sandbox | None, clock: Timing
) -> Venue:
    settings = Settings()
    if served is not None:
        assert isinstance(clock, SteppedSandbox)
        return Venue(
            account=mode,
            api_url=served.api_url,
            ws_url=served.ws_url,
            signer=Signer.from_pem(served.key_id, served.private_key_pem),
            drain=clock.drain,
            skew_us=lambda feed: None,
            sleep=clock.sleep,
            elapsed_us=clock.now_us,
        )
    signer = signer_of(settings)
    assert signer is not None, "checked before"
    telemetry = Telemetry(
        lake.files,
        session_id=session_name(keys, mode),
        mode=mode,
        random=secrets.token_bytes,
        key_id=signer.key_id,
    )
    return Venue(
        account=mode,
        api_url=settings.kalshi_api_url,
        ws_url=settings.kalshi_ws_url,
        signer=signer,
        write_bucket=write_bucket(settings.kalshi_api_url, signer),
        emit=telemetry.emit,
    )


def _shown(bars: Progress) -> Callable[[LadderDay, LadderSession, Said], None]:
    tasks: dict[LadderDay, TaskID] = {}

    def show(key: LadderDay, ladder: LadderSession, said: Said) -> None:
        if key not in tasks:
            tasks[key] = bars.add_task(f"{key.ladder} {key.date}", total=ladder.minutes)
        bars.advance(tasks[key], said.decisions["minute"].n_unique())

    return show


@contextmanager
def _time_and_place(
    lake: Lake, keys: Sequence[LadderDay], asked: Request
) -> Iterator[tuple[Sandbox | None, Timing]]:
    """The session's clock, and the sandbox that it trades at, to which the settings point then."""
    if not asked.sandbox:
        yield None, WallClock()
        return
    archive = find_archive(asked.archive, Settings().data)
    events = pl.concat([lake.read(EVENTS, key).select("open_time", "close_time") for key in keys])
    opens, closes = events.select(pl.min("open_time"), pl.max("close_time")).row(0)
    start = asked.since or opens
    if not opens <= start < closes:
        raise ValueError(
            f"--since {start:%Y-%m-%dT%H:%M}: the day trades from {opens:%Y-%m-%dT%H:%M} to "
            f"{closes:%Y-%m-%dT%H:%M}, UTC"
        )
    moved = MovedClock(microseconds_of(start))
    options: dict[str, Any] = {"now": moved.now}
    if asked.mode != "shadow":
        options = {"trading": Trading(start=start, read_lag_s=0.0, write_bucket=UNLIMITED)}
    with (
        running(
            archive.root, read_bucket=UNLIMITED, anonymous_bucket=UNLIMITED, **options
        ) as served,
        environment(service_variables(served) | {"KALSHI_ASSETS_ORIGIN": archive.origin}),
    ):
        if asked.mode == "shadow":
            yield served, moved
        else:
            with SteppedSandbox(served.url) as stepped:
                yield served, stepped


def _ingest(lake: Lake, keys: Sequence[LadderDay], console: Console) -> None:
    """Store the session's tables, as the assets of schema live do."""
    runner = Runner(lake, LIVE_STEPS, {"journals": SessionJournals(lake.files)}, lambda: 0.0)
    for key in keys:
        compared = OF_SESSIONS if lake.has(DECISIONS, key) else OF_SESSIONS[:-1]
        try:
            runner.make(key, compared)
        except LookupError as error:
            console.print(f"{key}: {error}")


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
