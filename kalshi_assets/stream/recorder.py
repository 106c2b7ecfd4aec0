"""The recorder's loop: follow the open markets, take what comes, say how it goes.

Here: when which market is followed. Not here: which markets there are (`commands.record`), files
(`recording`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kalshi_assets.exchange.errors import ExchangeError
from kalshi_assets.stream.events import Closed, Event, Missed, Opened, Refused, Unreadable
from kalshi_assets.stream.feed import Feed
from kalshi_assets.stream.recording import RecordingWriter
from kalshi_assets.units import MINUTE_US

LIST_EVERY_S = 300.0
"""How often the exchange is asked for markets that have opened."""
LIST_AGAIN_S = 30.0
"""How soon it is asked again if it did not answer."""
REPORT_EVERY_S = 60.0
WAIT_S = 0.5
LEFT_AFTER_US = 10 * MINUTE_US
"""How long a market is followed after its close."""

Listing = Callable[[], Mapping[str, int]]
"""The markets that are open or about to open: close of each by ticker, microseconds."""


@dataclass(frozen=True, kw_only=True)
class Recorder:
    """Follows markets until it is stopped.

    Attributes
    ----------
    feed, recording
        The feed writes to the recording.
    listing
        Asks the exchange; may raise ExchangeError, which is reported.
    clock_us, monotonic
        The time: microseconds since the epoch; seconds of a clock that only runs forward.
    stopped
        Whether to end.
    tell
        Told what a person should see, a line each.
    """

    feed: Feed
    recording: RecordingWriter
    listing: Listing
    clock_us: Callable[[], int]
    monotonic: Callable[[], float]
    stopped: Callable[[], bool]
    tell: Callable[[str], object]

    def run(self) -> None:
        """Record until stopped; the feed must be open."""
        closes: dict[str, int] = {}
        list_at = report_at = self.monotonic()
        report_at += REPORT_EVERY_S
        while not self.stopped():
            now_s = self.monotonic()
            if now_s >= list_at:
                list_at = now_s + self._list(closes)
            for event in self.feed.next_events(WAIT_S):
                self._note(event)
            if now_s >= report_at:
                report_at = now_s + REPORT_EVERY_S
                self.tell(self._line())
        self.tell(self._line())

    def _list(self, closes: dict[str, int]) -> float:
        """Follow what has opened, leave what is over; seconds until the next time."""
        try:
            listed = self.listing()
        except ExchangeError as error:
            self.tell(f"the open markets could not be read: {error}")
            return LIST_AGAIN_S
        over_us = self.clock_us() - LEFT_AFTER_US
        added = sorted(t for t, close in listed.items() if t not in closes and close >= over_us)
        closes |= {ticker: listed[ticker] for ticker in added}
        over = sorted(ticker for ticker, close in closes.items() if close < over_us)
        for ticker in over:
            del closes[ticker]
        if added:
            self.feed.follow(added)
            self.tell(f"following {len(added)} more markets: {', '.join(_events(added))}")
        if over:
            self.feed.leave(over)
            self.tell(f"{len(over)} markets closed: {', '.join(_events(over))}")
        if not closes:
            self.tell("no market is open; asking again in five minutes")
        return LIST_EVERY_S

    def _note(self, event: Event) -> None:
        match event:
            case Opened():
                self.tell(f"connected, connection {event.number}")
            case Closed():
                self.tell(f"not connected: {event.cause}")
            case Missed():
                self.tell(f"messages were missing: {event.cause}")
            case Refused():
                self.tell(f"the exchange refused, code {event.code}: {event.message}")
            case Unreadable():
                self.tell(f"a frame could not be read: {event.problem}")

    def _line(self) -> str:
        books = self.feed.books.values()
        known = sum(book.fresh for book in books)
        last = f"last frame {self.feed.silent_s:.0f} s ago" if self.feed.connected else "no feed"
        stored = f"{self.recording.messages:,} messages, {self.recording.bytes / 2**20:.1f} MB"
        return f"{known} of {len(books)} books known, {stored}, {last}, {self.feed.gaps} gaps"


def _events(tickers: list[str]) -> list[str]:
    return list(dict.fromkeys(ticker.rpartition("-")[0] for ticker in tickers))
