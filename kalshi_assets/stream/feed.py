"""The feed of a session: events of the stream, taken by a plain synchronous loop.

Here: taking messages, recording them, and noticing silence. Not here: the socket (`connection`),
what messages mean (`stream`), what a session does with events.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from kalshi_assets.exchange.signing import Signer
from kalshi_assets.stream.books import Book
from kalshi_assets.stream.connection import Connection, wall_us
from kalshi_assets.stream.events import Event
from kalshi_assets.stream.market_stream import MarketStream
from kalshi_assets.stream.messages import Kind, Message
from kalshi_assets.stream.recording import RecordingWriter
from kalshi_assets.stream.subscriptions import PUBLIC

SILENCE_S = 45.0
"""Without a frame for so long the connection is dead; half of it leads to a question."""
TICK_S = 0.2
WATCH_EVERY_S = 0.02
"""How often a busy feed looks for what is overdue; for 144 books it takes as long as a frame."""


class Feed:
    """Events and books of some markets, over a connection that is made again when it ends.

    As a context manager it connects, and closes the connection at the end. All methods are for one
    thread, that of the session.

    Parameters
    ----------
    url, signer
        See `Connection`.
    channels
        Of `subscriptions`: `PUBLIC`, or `(*PUBLIC, *PRIVATE)` for own orders and fills.
    recording
        Where every message is kept.
    clock_us, monotonic
        See `Connection`.
    silence_s
        Longest time without a frame.
    connection
        In place of a new one, for tests.
    """

    def __init__(
        self,
        url: str,
        signer: Signer,
        *,
        channels: Sequence[str] = PUBLIC,
        recording: RecordingWriter | None = None,
        clock_us: Callable[[], int] = wall_us,
        monotonic: Callable[[], float] = time.monotonic,
        silence_s: float = SILENCE_S,
        connection: Connection | None = None,
    ) -> None:
        self._connection = connection or Connection(
            url, signer, clock_us=clock_us, monotonic=monotonic
        )
        self._stream = MarketStream(channels, self._send)
        self._recording = recording
        self._clock_us = clock_us
        self._monotonic = monotonic
        self._silence_s = silence_s
        self._probed = False
        self._watched_s = monotonic() - WATCH_EVERY_S
        self._number = self._frames = self._refusals = 0
        self._name = ""
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self._connection)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()
        while messages := self._connection.rest():
            for message in messages:
                self._take(message)

    @property
    def books(self) -> Mapping[str, Book]:
        """The books by market, present state."""
        return self._stream.books

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as events were taken."""
        return self._number > 0

    @property
    def connection_name(self) -> str:
        """What a sandbox calls the present connection; empty at the exchange."""
        return self._name

    @property
    def frames(self) -> int:
        """Frames of the present connection that were taken."""
        return self._frames

    @property
    def silent_s(self) -> float:
        """Seconds since anything arrived; more than the bound: nothing of the feed is current."""
        return self._connection.silent_s

    @property
    def clock_skew_us(self) -> int | None:
        """Local clock less that of the exchange, at most; None: not known."""
        return self._stream.clock_skew_us

    @property
    def lag_us(self) -> int | None:
        """From sending to arrival of the last frame, by two clocks; None: not known."""
        return self._stream.lag_us

    @property
    def gaps(self) -> int:
        """How often messages were missing."""
        return self._stream.gaps

    @property
    def repeated(self) -> int:
        """How many messages came twice."""
        return self._stream.repeated

    @property
    def refusals(self) -> int:
        """Handshakes refused in a row, for a kill switch on repeated failures of authentication."""
        return self._refusals

    def follow(self, tickers: Iterable[str]) -> None:
        """Follow more markets, on this connection and on later ones."""
        self._stream.follow(tickers)

    def leave(self, tickers: Iterable[str]) -> None:
        """Follow some markets no longer."""
        self._stream.leave(tickers)

    def next_events(self, timeout_s: float) -> list[Event]:
        """The next events, as soon as there are any; none if none came in time.

        Parameters
        ----------
        timeout_s
            Longest wait; 0: everything that is there.
        """
        deadline = self._monotonic() + timeout_s
        events: list[Event] = []
        while True:
            left = deadline - self._monotonic()
            events += self._next(min(max(left, 0.0), TICK_S))
            more = timeout_s <= 0 and self._connection.waiting
            if (events or left <= 0) and not more:
                return events

    def events_to_frame(self, frames: int, timeout_s: float) -> list[Event]:
        """The events until that many frames of the present connection were taken.

        For a sandbox that says after each step how many frames it sent.

        Parameters
        ----------
        frames
            Wanted value of `frames`.
        timeout_s
            Longest wait.

        Raises
        ------
        TimeoutError
            The frames did not come in time; events taken until then are lost.
        """
        deadline = self._monotonic() + timeout_s
        events: list[Event] = []
        while self._frames < frames:
            left = deadline - self._monotonic()
            if left <= 0:
                raise TimeoutError(
                    f"{self._frames} of {frames} frames of connection {self._name or self._number} "
                    f"came within {timeout_s:g} s"
                )
            events += self._next(min(left, TICK_S))
        return events

    def _next(self, timeout_s: float) -> list[Event]:
        messages = self._connection.take(timeout_s)
        events: list[Event] = []
        for message in messages:
            events += self._take(message)
        now_s = self._monotonic()
        if self.connected and now_s - self._watched_s >= WATCH_EVERY_S:
            self._watched_s = now_s
            self._watch(now_s)
        return events

    def _take(self, message: Message) -> list[Event]:
        if message.kind is Kind.RECEIVED:
            self._frames += 1
        elif message.kind is Kind.OPENED:
            self._number, self._frames = int(message.facts["number"]), 0
            self._name, self._refusals = str(message.facts.get("name") or ""), 0
        elif message.kind is Kind.CLOSED:
            self._number = 0
        self._record(message)
        events = self._stream.take(message)
        if message.kind is Kind.CLOSED and message.facts.get("status"):
            self._refusals += 1
        recording = self._recording
        if recording is not None and self.connected and recording.is_full(message.at_us):
            recording.turn(self._stream.state(message.at_us))
            self._stream.refresh()
        return events

    def _record(self, message: Message) -> None:
        if self._recording is not None:
            self._recording.write(message)

    def _watch(self, now_s: float) -> None:
        silent_s = self._connection.silent_s
        if silent_s < self._silence_s / 2:
            self._probed = False
        elif not self._probed:
            self._probed = True
            self._stream.probe()
        cause = self._stream.tick(now_s)
        if silent_s > self._silence_s:
            cause = f"no frame for {self._silence_s:g} s"
        if cause:
            self._number = 0
            self._connection.drop(cause)

    def _send(self, text: bytes) -> None:
        self._record(Message(Kind.SENT, self._clock_us(), text))
        self._connection.send(text, self._number)
