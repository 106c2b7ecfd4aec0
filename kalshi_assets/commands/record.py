"""`kalshi-assets record`: keep every message of the open events of some cities.

Here: which events are open, signals, printing. Not here: the loop (`live.recorder`).
"""

import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from threading import Event as Flag
from types import FrameType

from rich.console import Console
from rich.markup import escape

from kalshi_assets.exchange.client import KalshiClient
from kalshi_assets.families.temperature.cities import TEMPERATURE, City, city
from kalshi_assets.instants import microseconds_of
from kalshi_assets.lake.store import Lake
from kalshi_assets.pipeline.services import KalshiService, signer_of
from kalshi_assets.settings import Settings
from kalshi_assets.stream.connection import wall_us
from kalshi_assets.stream.feed import Feed
from kalshi_assets.stream.recorder import Recorder
from kalshi_assets.stream.recording import RecordingWriter

OPENED_BEFORE, OPENS_WITHIN = timedelta(days=1), timedelta(days=2)
"""Climate days around the present whose events may be open or about to open."""


def run_record(console: Console, names: Sequence[str], until: datetime | None) -> None:
    """Record until `until` or a signal to stop.

    Raises
    ------
    ValueError
        No API key is configured, the end has passed, or a city is not known.
    OriginMismatchError
        The data folder was filled from other services.
    """
    settings = Settings()
    cities = [city(name) for name in names]
    end_us = None if until is None else microseconds_of(until.replace(tzinfo=UTC))
    if end_us is not None and end_us <= wall_us():
        raise ValueError(f"--until {until:%Y-%m-%dT%H:%M} (UTC) has passed")
    signer = signer_of(settings)
    if signer is None:
        raise ValueError(
            "the stream needs an API key even for public data: set KALSHI_API_KEY_ID and "
            "KALSHI_PRIVATE_KEY_PEM_PATH"
        )
    Lake(settings.files, TEMPERATURE).claim(settings.origin)

    def tell(line: str) -> None:
        console.print(f"{datetime.now(UTC):%H:%M:%SZ} {escape(line)}", soft_wrap=True)

    with (
        _stop_signals() as stop,
        KalshiService().watcher() as client,
        RecordingWriter(settings.files, wall_us(), settings.origin) as recording,
        Feed(settings.kalshi_ws_url, signer, recording=recording) as feed,
    ):
        tell(f"recording to {settings.files.address(recording.name)}; stop with Ctrl-C")
        Recorder(
            feed=feed,
            recording=recording,
            listing=lambda: open_markets(client, cities, datetime.now(UTC)),
            clock_us=wall_us,
            monotonic=time.monotonic,
            stopped=lambda: stop.is_set() or (end_us is not None and wall_us() >= end_us),
            tell=tell,
        ).run()
    tell("ended; the recording is complete")


def open_markets(client: KalshiClient, cities: Sequence[City], now: datetime) -> Mapping[str, int]:
    """Close of every market that is open or about to open, microseconds, by ticker.

    Raises
    ------
    ExchangeError
        The exchange refused or did not answer.
    """
    wanted = [
        ticker
        for place in cities
        for day in _days(place, now)
        for ticker in place.event_tickers(day)
    ]
    found = {}
    for event in sorted(client.listed_events(wanted)):
        for market in client.event_markets(event):
            if market.close_time > now:
                found[market.ticker] = microseconds_of(market.close_time)
    return found


def _days(place: City, now: datetime) -> Iterator[date]:
    day, last = place.climate_date(now - OPENED_BEFORE), place.climate_date(now + OPENS_WITHIN)
    while day <= last:
        yield day
        day += timedelta(days=1)


@contextmanager
def _stop_signals() -> Iterator[Flag]:
    """A flag that Ctrl-C and SIGTERM set; their handlers are put back at the end."""
    stop = Flag()

    def set_flag(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {each: signal.signal(each, set_flag) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for each, old in before.items():
            signal.signal(each, old)
