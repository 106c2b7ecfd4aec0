"""From messages of the connection to events: books kept up to date, gaps found and repaired.

A pure function of the messages, so that a recording gives the events of the session that made it.
Here: books, sequence numbers, which commands to send. Not here: the socket (`connection`), time.
"""

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from kalshi_assets.exchange.errors import MalformedAnswerError
from kalshi_assets.exchange.wire_stream import (
    BookDelta,
    BookSnapshot,
    Frame,
    Levels,
    StreamError,
    StreamFill,
    StreamOrder,
    StreamTrade,
    Subscribed,
    frame_of,
)
from kalshi_assets.stream.books import ASK, BID, Book, BookError
from kalshi_assets.stream.events import (
    BookLost,
    BookReplaced,
    Closed,
    Event,
    Filled,
    LevelChanged,
    Lifecycle,
    Missed,
    Opened,
    OrderChanged,
    Refused,
    Traded,
    Unreadable,
)
from kalshi_assets.stream.messages import Kind, Message, stating
from kalshi_assets.stream.subscriptions import (
    BOOKS,
    LIST,
    OF_MARKETS,
    PUBLIC,
    SUBSCRIBE,
    UPDATE,
    Subscription,
    Subscriptions,
    text_of,
)
from kalshi_assets.units import CC_A_DOLLAR

ENDED = (10, 25)
"""Error codes that end a subscription: the channel failed, or it was read too slowly."""

SNAPSHOT_PATIENCE_S = 1.0
QUICK_REQUESTS = 5
"""Requests for a snapshot after which a connection without any usable book is given up, and books
that are missing beside others are asked for rarely."""
RARELY_S = 30.0
RESUBSCRIBE_AFTER_S = 1.0
ANSWER_PATIENCE_S = 10.0
LAGS_KEPT = 100

_LIFECYCLES = ("market_lifecycle_v2", "event_lifecycle", "event_fee_update")


class MarketStream:
    """Books and events of the messages of one feed.

    Parameters
    ----------
    channels
        Channels to subscribe to on every connection.
    send
        Sends a command on the present connection; None: the messages are a recording, commands
        included, and nothing is sent.

    Attributes
    ----------
    books
        By market; those followed, or those that the recorded session followed.
    gaps, repeated
        How often messages were missing, and how many came twice.
    """

    def __init__(
        self, channels: Sequence[str] = PUBLIC, send: Callable[[bytes], object] | None = None
    ) -> None:
        self.channels = tuple(channels)
        self.books: dict[str, Book] = {}
        self.gaps = self.repeated = 0
        self._subscriptions = Subscriptions()
        self._send = send
        self._open = False
        self._lags: deque[int] = deque(maxlen=LAGS_KEPT)
        self._asked_s: float | None = None
        self._requests = 0
        self._expects_snapshots = False
        self._waiting: dict[int, float | None] = {}
        self._again: dict[str, tuple[float, float | None]] = {}

    @property
    def lag_us(self) -> int | None:
        """From sending to arrival of the last frame, by two clocks; None: not stated yet."""
        return self._lags[-1] if self._lags else None

    @property
    def clock_skew_us(self) -> int | None:
        """Local clock less that of the exchange, at most: the least lag of the last frames."""
        return min(self._lags) if self._lags else None

    def follow(self, tickers: Iterable[str]) -> None:
        """Follow more markets, on this connection and on later ones."""
        added = [ticker for ticker in tickers if ticker not in self.books]
        self.books |= {ticker: Book(ticker) for ticker in added}
        if self._open and added:
            self._complete(OF_MARKETS)

    def leave(self, tickers: Iterable[str]) -> None:
        """Follow some markets no longer."""
        left = [ticker for ticker in tickers if self.books.pop(ticker, None) is not None]
        for channel in OF_MARKETS:
            subscription = self._subscriptions.of(channel)
            if left and subscription is not None:
                self._update(subscription, "delete_markets", left)

    def take(self, message: Message) -> list[Event]:
        """The events of the next message.

        Parameters
        ----------
        message
            Messages come in the order in which they were taken from the connection.
        """
        match message.kind:
            case Kind.RECEIVED:
                return self._received(message)
            case Kind.SENT:
                self._note(json.loads(message.content))
                return []
            case Kind.OPENED:
                return self._opened(message)
            case Kind.CLOSED:
                return self._closed(message)
            case _:
                return self._restored(message)

    def tick(self, now_s: float) -> str:
        """Ask for what is overdue; why the connection should be dropped, else empty.

        Parameters
        ----------
        now_s
            Time of any clock that only runs forward, seconds.
        """
        if not self._open or self._send is None:
            return ""
        for channel, (after_s, since) in list(self._again.items()):
            self._again[channel] = after_s, now_s if since is None else since
            if since is not None and now_s >= since + after_s:
                del self._again[channel]
                self._subscribe([channel])
        for ident, since in self._waiting.items():
            if since is not None and now_s - since > ANSWER_PATIENCE_S:
                return f"no answer to command {ident} after {ANSWER_PATIENCE_S:g} s"
            self._waiting[ident] = now_s if since is None else since
        return self._ask_for_snapshots(now_s)

    def probe(self) -> None:
        """Send a command whose answer shows that the connection is alive."""
        self._command(LIST)

    def refresh(self) -> None:
        """Ask for a snapshot of every book, so that a recording can be read from here on."""
        subscription = self._subscriptions.of(BOOKS)
        if self._open and subscription is not None and self.books:
            self._update(subscription, "get_snapshot", self.books)

    def state(self, at_us: int) -> Message:
        """The subscriptions as a message, for a reader that begins here.

        Parameters
        ----------
        at_us
            Local time, microseconds.
        """
        return stating(
            Kind.STATE,
            at_us,
            subscriptions=self._subscriptions.state(),
            tickers=list(self.books),
        )

    def _opened(self, message: Message) -> list[Event]:
        lost = self._ended(message.at_us, "a new connection")
        self._open = True
        facts = message.facts
        if self._send is not None:
            self._complete(self.channels)
        opened = Opened(message.at_us, int(facts["number"]), str(facts.get("name") or ""))
        return [*lost, opened]

    def _closed(self, message: Message) -> list[Event]:
        facts = message.facts
        lost = self._ended(message.at_us, f"the connection ended: {facts['cause']}")
        return [Closed(message.at_us, str(facts["cause"]), facts.get("status")), *lost]

    def _ended(self, at_us: int, cause: str) -> list[Event]:
        self._open = False
        self._subscriptions.clear()
        self._waiting.clear()
        self._again.clear()
        self._asked_s, self._requests = None, 0
        return self._lose(at_us, cause)

    def _restored(self, message: Message) -> list[Event]:
        facts = message.facts
        self._open = True
        self.books |= {t: Book(t) for t in facts["tickers"] if t not in self.books}
        cause = "messages before this file of the recording are missing"
        differing = self._subscriptions.restore(facts["subscriptions"])
        return [e for each in differing for e in self._gap(each, message.at_us, cause)]

    def _received(self, message: Message) -> list[Event]:
        _, at_us, text = message
        try:
            frame = frame_of(text)
        except MalformedAnswerError as error:
            return [Unreadable(at_us, str(error)), *self._lose(at_us, f"unreadable: {error}")]
        if frame is None:
            return []
        if frame.sending_ms is not None:
            self._lags.append(at_us - frame.sending_ms * 1000)
        subscription, before = self._subscriptions.with_sid(frame.sid), []
        if subscription is not None and frame.seq is not None:
            if subscription.repeats(frame.seq, text):
                self.repeated += 1
                return []
            if problem := subscription.accept(frame.seq, text):
                before = self._gap(subscription, at_us, problem)
        events = self._events(frame, subscription, at_us)
        return before + events if before else events

    def _events(self, frame: Frame, subscription: Subscription | None, at_us: int) -> list[Event]:
        match frame.body:
            case BookDelta() as delta:
                return [] if subscription is None else self._changed(delta, subscription, at_us)
            case BookSnapshot() as snapshot:
                return [] if subscription is None else self._replaced(snapshot, subscription, at_us)
            case StreamTrade() as trade:
                return [Traded(at_us, trade)]
            case StreamFill() as fill:
                return [Filled(at_us, fill)]
            case StreamOrder() as order:
                return [OrderChanged(at_us, order)]
            case Subscribed() as reply:
                self._confirmed(frame, reply)
                return []
            case StreamError() as error:
                return self._refused(frame, error, at_us)
        if frame.type in _LIFECYCLES and isinstance(frame.body, Mapping):
            return [Lifecycle(at_us, frame.type, frame.body)]
        self._waiting.pop(frame.id or 0, None)
        self._subscriptions.forget(frame.id)
        return []

    def _changed(self, delta: BookDelta, subscription: Subscription, at_us: int) -> list[Event]:
        book = self.books.get(delta.ticker)
        if book is None or book.stale:
            return []
        side, price = BID, delta.price_cc
        if delta.side == "no":
            side, price = ASK, price if subscription.yes_price else CC_A_DOLLAR - price
        try:
            book.change(side, price, delta.change, at_us)
        except BookError as error:
            return [BookLost(at_us, book, str(error))]
        time_us = at_us if delta.time_ms is None else delta.time_ms * 1000
        size = book.size_at(side, price)
        return [LevelChanged(at_us, time_us, book, side, price, size, book.top)]

    def _replaced(
        self, snapshot: BookSnapshot, subscription: Subscription, at_us: int
    ) -> list[Event]:
        book = self.books.get(snapshot.ticker)
        if book is None:
            return []
        asks = snapshot.no if subscription.yes_price else _as_yes(snapshot.no)
        try:
            book.replace(snapshot.yes, asks, at_us)
        except BookError as error:
            return [BookLost(at_us, book, str(error))]
        return [BookReplaced(at_us, book, book.top)]

    def _gap(self, subscription: Subscription, at_us: int, cause: str) -> list[Event]:
        self.gaps += 1
        lost = self._lose(at_us, cause) if subscription.channel == BOOKS else []
        return [Missed(at_us, subscription.channel, cause), *lost]

    def _lose(self, at_us: int, cause: str) -> list[Event]:
        lost: list[Event] = []
        for book in self.books.values():
            if not book.stale:
                book.lose(cause)
                lost.append(BookLost(at_us, book, cause))
        return lost

    def _ask_for_snapshots(self, now_s: float) -> str:
        wanted = [ticker for ticker, book in self.books.items() if not book.usable]
        subscription = self._subscriptions.of(BOOKS)
        if not wanted:
            self._asked_s, self._requests, self._expects_snapshots = None, 0, False
        if not wanted or subscription is None:
            return ""
        if self._expects_snapshots:
            self._expects_snapshots, self._asked_s = False, now_s
        gave_up = self._requests >= QUICK_REQUESTS
        patience_s = RARELY_S if gave_up and len(wanted) < len(self.books) else SNAPSHOT_PATIENCE_S
        if self._asked_s is not None and now_s - self._asked_s < patience_s:
            return ""
        if gave_up and len(wanted) == len(self.books):
            return f"no usable book after {self._requests} requests for snapshots"
        self._asked_s, self._requests = now_s, self._requests + 1
        self._update(subscription, "get_snapshot", wanted)
        return ""

    def _confirmed(self, frame: Frame, reply: Subscribed) -> None:
        self._waiting.pop(frame.id or 0, None)
        made = self._subscriptions.confirm(frame.id, reply.channel, reply.sid)
        if made.channel == BOOKS:
            self._expects_snapshots = True
        if self._send is not None:
            self._complete([made.channel])

    def _refused(self, frame: Frame, error: StreamError, at_us: int) -> list[Event]:
        self._waiting.pop(frame.id or 0, None)
        command = self._subscriptions.asked(frame.id)
        self._subscriptions.forget(frame.id)
        ended = self._subscriptions.with_sid(frame.sid)
        events: list[Event] = [Refused(at_us, error.code, error.message, json.dumps(command))]
        if ended is not None and error.code in ENDED:
            events += self._gap(ended, at_us, f"the exchange ended it, code {error.code}")
            self._subscriptions.end(frame.sid)
            self._again[ended.channel] = RESUBSCRIBE_AFTER_S, None
        elif command.get("cmd") == SUBSCRIBE:
            self._again |= dict.fromkeys(command["params"]["channels"], (RARELY_S, None))
        return events

    def _complete(self, channels: Iterable[str]) -> None:
        """Subscribe to what is followed and not asked for yet."""
        missing = []
        for channel in channels:
            subscription = self._subscriptions.of(channel)
            if subscription is None:
                asked = channel in self._again or self._subscriptions.is_asked(channel)
                if channel in self.channels and not asked:
                    missing.append(channel)
            elif channel in OF_MARKETS:
                more = [ticker for ticker in self.books if ticker not in subscription.tickers]
                if more:
                    self._update(subscription, "add_markets", more)
        self._subscribe(missing)

    def _subscribe(self, channels: Sequence[str]) -> None:
        of_markets = [channel for channel in channels if channel in OF_MARKETS]
        others = [channel for channel in channels if channel not in OF_MARKETS]
        if of_markets and self.books:
            self._command(
                SUBSCRIBE, channels=of_markets, market_tickers=list(self.books), use_yes_price=True
            )
        if others:
            self._command(SUBSCRIBE, channels=others)

    def _update(self, subscription: Subscription, action: str, tickers: Iterable[str]) -> None:
        names = list(tickers)
        self._command(UPDATE, sid=subscription.sid, action=action, market_tickers=names)

    def _command(self, cmd: str, **params: Any) -> None:
        if self._send is None:
            return
        command = self._subscriptions.command(cmd, **params)
        self._note(command)
        self._send(text_of(command))

    def _note(self, command: Mapping[str, Any]) -> None:
        """What a command changes, whether it is sent or was sent."""
        self._subscriptions.remember(command)
        params = command.get("params", {})
        if command["cmd"] == SUBSCRIBE:
            self._waiting[int(command["id"])] = None
        tickers = params.get("market_tickers", ())
        subscription = self._subscriptions.with_sid(params.get("sid"))
        if params.get("action") == "delete_markets":
            for ticker in tickers:
                self.books.pop(ticker, None)
            if subscription is not None:
                subscription.tickers.difference_update(tickers)
            return
        self.books |= {ticker: Book(ticker) for ticker in tickers if ticker not in self.books}
        if params.get("action") == "add_markets" and subscription is not None:
            subscription.tickers.update(tickers)
            self._expects_snapshots |= subscription.channel == BOOKS


def _as_yes(levels: Levels) -> Levels:
    """Levels in prices of NO as prices of YES."""
    return tuple((CC_A_DOLLAR - price, size) for price, size in levels)
