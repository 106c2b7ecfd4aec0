"""One WebSocket connection: its subscriptions, its frames in order, and what spoils them.

Here: sequence numbers, the time of sending, faults of the transport. Not here: commands
(`commands`), which event goes where (`streams`).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from kalshi_assets.sandbox.venue.frames import json_text

Tamper = Literal["sequence_gap", "duplicate_frame", "reorder_frames"]
BOOKS = "orderbook_delta"
NUMBERED = frozenset({BOOKS, "trade", "market_lifecycle_v2", "order_group_updates"})
"""Channels whose messages have a sequence number."""
OVERFLOW = 25
GOING_AWAY = 1001

Send = Callable[[str], Awaitable[None]]
Close = Callable[[int], Awaitable[None]]


class End(Enum):
    """How a connection ends: with a close frame, or cut."""

    CLOSE = "close"
    CUT = "cut"


@dataclass(kw_only=True)
class Subscription:
    """One channel of a connection; `tickers` is None for all markets."""

    sid: int
    channel: str
    tickers: dict[str, None] | None
    yes_scale: bool = False
    seq: int = 0

    def wants(self, ticker: str) -> bool:
        """Whether messages about a market belong to it."""
        return self.tickers is None or ticker in self.tickers

    def head(self) -> str:
        """The next message's fields sid and, if numbered, seq."""
        if self.channel not in NUMBERED:
            return f'"sid":{self.sid}'
        self.seq += 1
        return f'"sid":{self.sid},"seq":{self.seq}'


@dataclass(kw_only=True)
class Connection:
    """A connection; frames are sent by `run`, in the order in which they were put.

    Parameters
    ----------
    connection_id
        As announced in the handshake.
    send, close, cut
        The socket; `cut` ends it without a close frame.
    now_ms
        Time of sending that frames carry, milliseconds.
    limit
        Messages that may wait; one more ends all subscriptions with code 25. None: no limit.
    """

    connection_id: str
    send: Send
    close: Close
    cut: Callable[[], None]
    now_ms: Callable[[], int]
    limit: int | None = None
    subscriptions: dict[int, Subscription] = field(default_factory=dict)
    sent: int = 0
    last_sid: int = 0
    _tampers: deque[Tamper] = field(default_factory=deque)
    _held: str | None = None
    _frames: deque[str | End] = field(default_factory=deque)
    _silent: dict[str, bool] = field(default_factory=dict)
    _withheld: list[tuple[str, str]] = field(default_factory=list)
    _more: asyncio.Event = field(default_factory=asyncio.Event)
    _idle: asyncio.Event = field(default_factory=asyncio.Event)

    def subscribe(
        self, channel: str, tickers: dict[str, None] | None, *, yes_scale: bool
    ) -> Subscription:
        """A new subscription.

        Parameters
        ----------
        channel, tickers
            What it receives.
        yes_scale
            `use_yes_price`.
        """
        self.last_sid += 1
        subscription = Subscription(
            sid=self.last_sid, channel=channel, tickers=tickers, yes_scale=yes_scale
        )
        self.subscriptions[subscription.sid] = subscription
        return subscription

    def put(self, frame: str) -> None:
        """Send a frame; it lacks its closing brace, before which the time of sending comes."""
        self._frames.append(f'{frame},"sending_ts_ms":{self.now_ms()}}}')
        self._wake()

    def put_message(
        self, subscription: Subscription, kind: str, body: str, *, command_id: int | None = None
    ) -> None:
        """Send a message of a subscription, spoilt if a fault is due.

        Parameters
        ----------
        subscription
            Gives sid and seq.
        kind, body
            Type and `msg`.
        command_id
            The command that asked for it.
        """
        if self.limit is not None and len(self._frames) >= self.limit:
            self.overflow()
            return
        asked = f'"id":{command_id},' if command_id else ""
        frame = f'{{"type":"{kind}",{asked}{subscription.head()},"msg":{body}'
        if subscription.channel in self._silent:
            if not self._silent[subscription.channel]:
                self._withheld.append((subscription.channel, frame))
        elif self._tampers and kind == BOOKS:
            self._spoil(frame)
        else:
            self.put(frame)
            if self._held is not None and subscription.channel == BOOKS:
                self.put(self._held)
                self._held = None

    def tamper(self, kind: Tamper) -> None:
        """Spoil the next delta of a book; `reorder_frames` sends it after the one behind it."""
        self._tampers.append(kind)

    def go_silent(self, channel: str, *, lost: bool) -> None:
        """Withhold messages of a channel, or lose them."""
        self._silent[channel] = lost

    def speak(self, channel: str) -> None:
        """Send what was withheld of a channel."""
        self._silent.pop(channel, None)
        due = [frame for name, frame in self._withheld if name == channel]
        self._withheld = [held for held in self._withheld if held[0] != channel]
        for frame in due:
            self.put(frame)

    def overflow(self) -> None:
        """End all subscriptions: the client reads too slowly."""
        ended, self.subscriptions = self.subscriptions, {}
        error = json_text({"code": OVERFLOW, "msg": "Subscription buffer overflow"})
        for subscription in ended.values():
            self.put(f'{{"type":"error",{subscription.head()},"msg":{error}')

    def disconnect(self, how: End) -> None:
        """End the connection after what was put so far."""
        self.subscriptions = {}
        self._frames.append(how)
        self._wake()

    async def run(self) -> None:
        """Send frames until the connection is closed."""
        while True:
            while self._frames:
                frame = self._frames.popleft()
                if isinstance(frame, End):
                    await self._end(frame)
                    return
                await self.send(frame)
                self.sent += 1
            self._more.clear()
            self._idle.set()
            await self._more.wait()

    async def drained(self) -> None:
        """Wait until all frames put so far are with the socket."""
        await self._idle.wait()

    def end(self) -> None:
        """Nobody sends any more; nobody waits for it."""
        self._frames.clear()
        self.subscriptions = {}
        self._idle.set()

    async def _end(self, how: End) -> None:
        self._idle.set()
        if how is End.CUT:
            self.cut()
        else:
            await self.close(GOING_AWAY)

    def _wake(self) -> None:
        self._idle.clear()
        self._more.set()

    def _spoil(self, frame: str) -> None:
        kind = self._tampers.popleft()
        if kind == "duplicate_frame":
            self.put(frame)
            self.put(frame)
        elif kind == "reorder_frames":
            self._held = frame
