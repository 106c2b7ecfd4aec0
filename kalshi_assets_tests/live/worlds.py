"""Sessions over the generated day of `benchmarks.session_day`."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from kalshi_assets.benchmarks.session_day import DAY, fill_lake, write_world
from kalshi_assets.exchange.signing import Signer
from kalshi_assets.families.temperature.checks import CHECKS
from kalshi_assets.families.temperature.services import WeatherService
from kalshi_assets.instants import microseconds_of
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.store import Lake
from kalshi_assets.lake.verdicts import judge
from kalshi_assets.learning.classifiers.store import ModelStore
from kalshi_assets.live.clock import MovedClock, SteppedSandbox
from kalshi_assets.live.opening import Opening, PagePlace, present
from kalshi_assets.live.venue import Venue
from kalshi_assets.pipeline.services import KalshiService
from kalshi_assets.sandbox.app import Trading
from kalshi_assets.sandbox.buckets import BucketSize
from kalshi_assets.sandbox.faults import Faults
from kalshi_assets.sandbox.server import Sandbox, running
from kalshi_assets.stream.events import Event
from kalshi_assets.stream.feed import Feed
from kalshi_assets.tables import CALIBRATORS, EVENTS, FUSION_WEIGHTS, MC_PARAMS, Table
from kalshi_assets.trading.strategies import Strategy, Value
from kalshi_assets.units import MINUTE_US
from kalshi_assets_tests.lake.handmade import NOON, events, frame_of

__all__ = ["DAY", "fill_lake", "write_world"]

BUSY = 15 * 60
"""Minutes before the close at which the day is busiest."""
VALUE = Value()
ENDLESS = BucketSize(refill_rate=1e9, capacity=1e9)


FITS = (CALIBRATORS, FUSION_WEIGHTS, MC_PARAMS)
"""Tables of a day that a session reads from the lake and that are always made."""


def make_ready(lake: Lake, key: LadderDay, not_judged: Collection[Table] = ()) -> None:
    """Store a handmade event and fits of a ladder-day, and judge them.

    Parameters
    ----------
    lake, key
        The ladder-day.
    not_judged
        Tables whose checks did not run.
    """
    lake.write(EVENTS, key, events())
    for table in FITS:
        lake.write(table, key, frame_of(table, known_at=[NOON]))
    for table in {EVENTS, *FITS}.difference(not_judged):
        judge(lake, CHECKS.of(table), table, [key], "a run of this test")


@contextmanager
def opened(
    archive: Path,
    lake: Lake,
    *,
    minutes_left: int,
    clock: Callable[[int], MovedClock] = MovedClock,
) -> Iterator[Opening]:
    """A session of `DAY` that begins so many minutes before trading ends.

    Parameters
    ----------
    archive, lake
        The world and its lake.
    minutes_left
        From the beginning to the close.
    clock
        Makes the session's clock from its first present.
    """
    closes = lake.read(EVENTS, DAY)["close_time"].to_list()
    began = microseconds_of(max(closes) - timedelta(minutes=minutes_left))
    moved = clock(began)
    with (
        pytest.MonkeyPatch.context() as patch,
        running(archive, now=moved.now, read_bucket=ENDLESS, anonymous_bucket=ENDLESS) as sandbox,
    ):
        patch.setenv("KALSHI_API_URL", sandbox.api_url)
        patch.setenv("VISUAL_CROSSING_URL", sandbox.url)
        patch.setenv("VISUAL_CROSSING_KEY", sandbox.weather_key)
        patch.setenv("KALSHI_ASSETS_DATA", lake.files.address("."))
        patch.setenv("KALSHI_ASSETS_CONFIG", str(archive))
        now = present(moved)
        with (
            closing(KalshiService(unthrottled=True, clock=now)) as kalshi,
            closing(WeatherService(clock=now)) as weather,
        ):
            yield Opening(
                lake=lake,
                kalshi=kalshi,
                services={"weather": weather, "models": ModelStore(lake.files)},
                clock=moved,
                weather_every_us=0,
            )


class EndingSandbox(SteppedSandbox):
    """The sandbox's time, which stops the session after some minutes, as a signal would."""

    def __init__(self, url: str, minutes: int) -> None:
        super().__init__(url)
        self._until = self.now_us() + minutes * MINUTE_US

    def wait_until(self, at_us: int) -> None:
        if self.now_us() >= self._until:
            self.stop("the end")
        super().wait_until(at_us)


@contextmanager
def at_the_sandbox(
    archive: Path,
    lake: Lake,
    *,
    minutes: int,
    minutes_left: int = BUSY,
    day: LadderDay = DAY,
    books: Path | None = None,
    faults: Faults | None = None,
    **of_session: Any,
) -> Iterator[tuple[Opening, Venue, Sandbox]]:
    """A session that trades at a sandbox whose time it moves.

    Parameters
    ----------
    archive, lake, minutes_left
        As of `opened`.
    minutes
        After so many the session is stopped.
    day
        What it trades.
    books
        Where the sandbox keeps its books; None: in memory.
    faults
        Of the sandbox; None: none yet.
    of_session
        As of `session_at`.
    """
    options = {"faults": faults, "read_bucket": ENDLESS, "anonymous_bucket": ENDLESS}
    trading = beginning(lake, day, minutes_left, books)
    with (
        running(archive, trading=trading, **options) as sandbox,
        session_at(sandbox, archive, lake, minutes=minutes, **of_session) as (opening, venue),
    ):
        yield opening, venue, sandbox


def beginning(lake: Lake, day: LadderDay, minutes_left: int, books: Path | None) -> Trading:
    """A sandbox that stands so many minutes before the end of a day's trading.

    Parameters
    ----------
    lake, day
        For the day's close.
    minutes_left
        From the beginning to the close.
    books
        Where the sandbox keeps its books; None: in memory.
    """
    closes = lake.read(EVENTS, day)["close_time"].to_list()
    return Trading(
        start=max(closes) - timedelta(minutes=minutes_left),
        read_lag_s=0.0,
        write_bucket=ENDLESS,
        books=books,
    )


def environment(sandbox: Sandbox, archive: Path, lake: Lake) -> dict[str, str]:
    """The settings of whoever uses a sandbox and a lake.

    Parameters
    ----------
    sandbox, archive, lake
        The services, the folder of the trading parameters, and the data.
    """
    return {
        "KALSHI_API_URL": sandbox.api_url,
        "VISUAL_CROSSING_URL": sandbox.url,
        "VISUAL_CROSSING_KEY": sandbox.weather_key,
        "KALSHI_ASSETS_DATA": lake.files.address("."),
        "KALSHI_ASSETS_CONFIG": str(archive),
    }


@contextmanager
def session_at(
    sandbox: Sandbox,
    archive: Path,
    lake: Lake,
    *,
    minutes: int,
    strategy: Strategy = VALUE,
    page: PagePlace | None = None,
    seen: Callable[[Feed, Sequence[Event]], object] = lambda feed, events: None,
    **of_venue: Any,
) -> Iterator[tuple[Opening, Venue]]:
    """A session that trades at a sandbox which runs already, and moves its time.

    Parameters
    ----------
    sandbox, archive, lake
        The exchange, and the world that it serves.
    minutes
        After so many the session is stopped.
    strategy, page
        How it trades, and where it shows itself.
    seen
        Told of everything that the stream said.
    of_venue
        Fields of `Venue`.
    """
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in environment(sandbox, archive, lake).items():
            patch.setenv(name, value)
        clock = stack.enter_context(EndingSandbox(sandbox.url, minutes))
        now = present(clock)

        def drain(feed: Feed) -> Sequence[Event]:
            events = clock.drain(feed)
            seen(feed, events)
            return events

        kalshi = stack.enter_context(closing(KalshiService(unthrottled=True, clock=now)))
        weather = stack.enter_context(closing(WeatherService(clock=now)))
        opening = Opening(
            lake=lake,
            kalshi=kalshi,
            services={"weather": weather, "models": ModelStore(lake.files)},
            clock=clock,
            strategies=[strategy],
            page=page,
        )
        at_the_exchange: dict[str, Any] = {
            "drain": drain,
            "skew_us": lambda feed: None,
            "sleep": clock.sleep,
            "elapsed_us": clock.now_us,
        }
        venue = Venue(
            account="demo",
            api_url=sandbox.api_url,
            ws_url=sandbox.ws_url,
            signer=Signer.from_pem(sandbox.key_id, sandbox.private_key_pem),
            **at_the_exchange | of_venue,
        )
        yield opening, venue


def books_of(sandbox: Sandbox) -> dict[str, Any]:
    """The account in the sandbox's own books; fails if money is not conserved."""
    found: dict[str, Any] = httpx.get(f"{sandbox.url}/sandbox/books").raise_for_status().json()
    return found
