"""Sessions over the generated day of `benchmarks.session_day`."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from kalshi_assets.benchmarks.session_day import DAY
from kalshi_assets.exchange.signing import Signer
from kalshi_assets.families.temperature.services import WeatherService
from kalshi_assets.instants import microseconds_of
from kalshi_assets.lake.store import Lake
from kalshi_assets.learning.classifiers.store import ModelStore
from kalshi_assets.live.clock import MovedClock, SteppedSandbox
from kalshi_assets.live.opening import Opening, present
from kalshi_assets.live.venue import Venue
from kalshi_assets.pipeline.services import KalshiService
from kalshi_assets.sandbox.app import Trading
from kalshi_assets.sandbox.buckets import BucketSize
from kalshi_assets.sandbox.server import Sandbox, running
from kalshi_assets.tables import EVENTS
from kalshi_assets.trading.strategies import Value
from kalshi_assets.units import MINUTE_US

BUSY = 15 * 60
"""Minutes before the close at which the day is busiest."""
ENDLESS = BucketSize(refill_rate=1e9, capacity=1e9)


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
    books: Path | None = None,
    **of_venue: Any,
) -> Iterator[tuple[Opening, Venue, Sandbox]]:
    """A session of `DAY` that trades at a sandbox whose time it moves.

    Parameters
    ----------
    archive, lake, minutes_left
        As of `opened`.
    minutes
        After so many the session is stopped.
    books
        Where the sandbox keeps its books; None: in memory.
    of_venue
        Fields of `Venue`.
    """
    closes = lake.read(EVENTS, DAY)["close_time"].to_list()
    trading = Trading(
        start=max(closes) - timedelta(minutes=minutes_left),
        read_lag_s=0.0,
        write_bucket=ENDLESS,
        books=books,
    )
    with (
        pytest.MonkeyPatch.context() as patch,
        running(archive, trading=trading, read_bucket=ENDLESS, anonymous_bucket=ENDLESS) as sandbox,
    ):
        patch.setenv("KALSHI_API_URL", sandbox.api_url)
        patch.setenv("VISUAL_CROSSING_URL", sandbox.url)
        patch.setenv("VISUAL_CROSSING_KEY", sandbox.weather_key)
        patch.setenv("KALSHI_ASSETS_DATA", lake.files.address("."))
        patch.setenv("KALSHI_ASSETS_CONFIG", str(archive))
        clock = EndingSandbox(sandbox.url, minutes)
        now = present(clock)
        with (
            closing(KalshiService(unthrottled=True, clock=now)) as kalshi,
            closing(WeatherService(clock=now)) as weather,
        ):
            opening = Opening(
                lake=lake,
                kalshi=kalshi,
                services={"weather": weather, "models": ModelStore(lake.files)},
                clock=clock,
                strategies=[Value()],
                weather_every_us=0,
            )
            venue = Venue(
                account="demo",
                api_url=sandbox.api_url,
                ws_url=sandbox.ws_url,
                signer=Signer.from_pem(sandbox.key_id, sandbox.private_key_pem),
                **{"drain": clock.drain, "skew_us": lambda feed: None, **of_venue},
            )
            yield opening, venue, sandbox


def books_of(sandbox: Sandbox) -> dict[str, Any]:
    """The account in the sandbox's own books; fails if money is not conserved."""
    found: dict[str, Any] = httpx.get(f"{sandbox.url}/sandbox/books").raise_for_status().json()
    return found
