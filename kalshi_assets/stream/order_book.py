"""`market.order_book`: changes of an event's books from recordings, and the books at an instant.

Rows are sizes, not differences: the book at an instant is what the last row says of every level
since the last reset. Here: from recordings to rows and back. Not here: reading files (`recording`),
the place of an order in the queue (`trading.queue_kernels`).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from kalshi_assets.instants import as_times
from kalshi_assets.stream.books import ASK, BID, Book
from kalshi_assets.stream.events import BookLost, BookReplaced, Event, LevelChanged
from kalshi_assets.stream.market_stream import MarketStream
from kalshi_assets.stream.messages import Message
from kalshi_assets.stream.recording import Recordings
from kalshi_assets.tables import ORDER_BOOK
from kalshi_assets.units import MINUTE_US

RESET, LEVEL, LOST = "reset", "level", "lost"
AROUND_US = 10 * MINUTE_US
"""How long before the open and after the close books are looked for."""

_COLUMNS = [name for name in ORDER_BOOK.dtypes if name != "sequence"]

Levels = dict[tuple[str, int], int]


def order_book(
    recordings: Recordings,
    tickers: Collection[str],
    open_us: int,
    close_us: int,
    damaged: Callable[[str], object],
) -> pl.DataFrame:
    """`market.order_book` of an event; empty if there is no recording of it.

    Of recorders that ran at the same time the one that began first counts, until its end.

    Parameters
    ----------
    recordings
        Those of the data folder.
    tickers
        Markets of the event.
    open_us, close_us
        When they are traded, microseconds.
    damaged
        Told of every file that cannot be read to its end.
    """
    changes = _Changes(frozenset(tickers))
    for parts in recordings.runs_between(open_us - AROUND_US, close_us + AROUND_US):
        messages = (
            (sha256, message)
            for part in parts
            for sha256 in [recordings.sha256(part)]
            for message in recordings.messages([part], damaged)
        )
        changes.add(messages, close_us + AROUND_US)
    return changes.frame()


def books_at(frame: pl.DataFrame, at_us: int) -> dict[str, Book]:
    """The books of `market.order_book` as they were known at an instant.

    Parameters
    ----------
    frame
        A partition.
    at_us
        The instant, microseconds.
    """
    books: dict[str, Book] = {}
    known = frame.filter(pl.col("known_at").dt.epoch("us") <= at_us).sort("sequence")
    for row in known.with_columns(at=pl.col("known_at").dt.epoch("us")).iter_rows(named=True):
        book = books.setdefault(row["market_ticker"], Book(row["market_ticker"]))
        if row["change"] == RESET:
            book.replace([], [], row["at"])
        elif row["change"] == LOST:
            book.lose("lost when it was recorded")
        else:
            by = row["size"] - book.size_at(row["side"], row["price_cc"])
            book.change(row["side"], row["price_cc"], by, row["at"])
    return books


@dataclass
class _Changes:
    """Rows of the books of some markets.

    Attributes
    ----------
    known
        Levels of the books whose state the rows so far tell, by market.
    until_us
        Up to when the rows are made.
    sha256
        Content hash of the file that the present message is from.
    """

    tickers: frozenset[str]
    known: dict[str, Levels] = field(default_factory=dict)
    until_us: int = 0
    sha256: str = ""
    columns: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in _COLUMNS})

    def add(self, messages: Iterable[tuple[str, Message]], end_us: int) -> None:
        """Rows of another run, from where those of the run before end; files by their hash."""
        stream, begins = MarketStream(), True
        at_us = self.until_us
        for sha256, message in messages:
            self.sha256 = sha256
            if message.at_us > end_us:
                break
            if message.at_us > self.until_us and begins:
                begins = False
                self._take_over(stream.books, message.at_us)
            events = stream.take(message)
            if message.at_us > self.until_us:
                at_us = message.at_us
                for event in events:
                    self._note(event)
        # Whatever ended the run, the books are not known behind it.
        for ticker in list(self.known):
            self._lose(ticker, at_us)
        self.until_us = at_us

    def frame(self) -> pl.DataFrame:
        """All rows, in the table's order."""
        types = {name: ORDER_BOOK.dtypes[name] for name in _COLUMNS}
        times = dict.fromkeys(("event_time", "known_at"), pl.Int64())
        frame = pl.DataFrame(self.columns, schema={**types, **times})
        moments = [as_times(frame[name].to_numpy()).alias(name) for name in times]
        numbered = frame.with_columns(*moments, sequence=pl.int_range(pl.len(), dtype=pl.Int64))
        return ORDER_BOOK.arranged(numbered)

    def _note(self, event: Event) -> None:
        match event:
            case LevelChanged(at_us, time_us, book, side, price, size):
                if book.ticker in self.tickers:
                    self._level(book.ticker, at_us, time_us, (side, price), size)
            case BookReplaced(at_us, book):
                self._replace(book, at_us)
            case BookLost(at_us, book):
                self._lose(book.ticker, at_us)

    def _take_over(self, books: Mapping[str, Book], at_us: int) -> None:
        for book in books.values():
            if book.fresh:
                self._replace(book, at_us)

    def _replace(self, book: Book, at_us: int) -> None:
        levels = {(side, price): n for side in (BID, ASK) for price, n in book.levels(side)}
        # A snapshot that only confirms what is known, such as at every full hour, adds no row.
        if book.ticker not in self.tickers or self.known.get(book.ticker) == levels:
            return
        self._row(book.ticker, at_us, at_us, RESET)
        self.known[book.ticker] = {}
        for level, size in levels.items():
            self._level(book.ticker, at_us, at_us, level, size)

    def _level(
        self, ticker: str, at_us: int, time_us: int, level: tuple[str, int], size: int
    ) -> None:
        levels = self.known.get(ticker)
        if levels is None:
            return
        if size:
            levels[level] = size
        else:
            levels.pop(level, None)
        self._row(ticker, at_us, time_us, LEVEL, (*level, size))

    def _lose(self, ticker: str, at_us: int) -> None:
        if self.known.pop(ticker, None) is not None:
            self._row(ticker, at_us, at_us, LOST)

    def _row(
        self,
        ticker: str,
        at_us: int,
        time_us: int,
        change: str,
        level: Sequence[Any] = (None, None, None),
    ) -> None:
        values = (ticker, time_us, at_us, change, *level, self.sha256)
        for column, value in zip(self.columns.values(), values, strict=True):
            column.append(value)
