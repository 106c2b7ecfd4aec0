"""Speed of live sessions: from frame to book, from minute to decisions, from order to socket.

For frames a process on this machine plays the exchange over a real socket: 144 books, as of 24
cities, change 5,000 times a second. Here: that measurement, that the books are right at the end,
and printing all figures. Not here: minutes (`minutes`), orders (`gateway`), recovery from lost
messages (tests).
"""

import json
import multiprocessing
import random
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.console import Console
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from kalshi_assets.benchmarks import print_figures
from kalshi_assets.benchmarks.gateway import intent_to_socket
from kalshi_assets.benchmarks.minutes import minute_figures
from kalshi_assets.exchange.signing import Signer
from kalshi_assets.lake.files import Files
from kalshi_assets.stream.books import ASK, BID, Book
from kalshi_assets.stream.connection import wall_us
from kalshi_assets.stream.events import Event, LevelChanged
from kalshi_assets.stream.feed import Feed
from kalshi_assets.stream.market_stream import MarketStream
from kalshi_assets.stream.messages import Kind, Message, stating

MARKETS = 144
RATE = 5_000
"""Frames a second."""
WARM_UP, MEASURED = 10_000, 60_000
BURST_S = 0.0001
HAND_OVERS, HAND_OVER_S = 5_000, 0.0002
SEED = 7
PATIENCE_S = 60.0

Levels = dict[str, dict[int, int]]


def run_live_bench(console: Console, *, as_json: bool) -> None:
    """Measure and print a table, or one JSON object."""
    progress = Console(stderr=True, quiet=as_json)
    progress.print(f"{RATE:,} frames a second over a socket ...")
    figures = _over_a_socket()
    progress.print("threads, from memory ...")
    figures["hand_over_p99_s"] = _hand_over()
    figures["frames_per_s_from_memory"] = _from_memory()
    with tempfile.TemporaryDirectory(prefix="kalshi-bench-") as folder:
        progress.print("orders, from the intent to the socket ...")
        figures |= intent_to_socket(Files(Path(folder) / "orders"))
        progress.print("minutes of a generated day ...")
        figures |= minute_figures(Path(folder) / "day")
    print_figures(console, "live sessions", figures, as_json=as_json)


class TimedFeed(Feed):
    """A feed that notes from every change's arrival until its book holds it, microseconds."""

    def __init__(self, url: str, signer: Signer) -> None:
        super().__init__(url, signer)
        self.waits: list[int] = []

    def _take(self, message: Message) -> list[Event]:
        events = super()._take(message)
        if events and isinstance(events[0], LevelChanged):
            self.waits.append(wall_us() - message.at_us)
        return events


def _over_a_socket() -> dict[str, float]:
    until_event: list[int] = []
    with _exchange() as (url, pipe), TimedFeed(url, _signer()) as feed:
        feed.follow(tickers())
        began, deadline = 0.0, time.monotonic() + PATIENCE_S
        while (seen := len(feed.waits)) < WARM_UP + MEASURED:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{seen} of {WARM_UP + MEASURED} frames in {PATIENCE_S:g} s")
            if seen < WARM_UP:
                began = time.perf_counter()
            events = feed.next_events(1.0)
            now_us = wall_us()
            until_event += [now_us - e.at_us for e in events if isinstance(e, LevelChanged)]
        took_s = time.perf_counter() - began
        pipe.send("the books, please")
        _compare(feed.books, pipe.recv())
        return {
            "frame_to_book_p50_s": _percentile(feed.waits[WARM_UP:], 50),
            "frame_to_book_p99_s": _percentile(feed.waits[WARM_UP:], 99),
            "frame_to_event_p99_s": _percentile(until_event[WARM_UP:], 99),
            "frames_per_s": round(MEASURED / took_s, 1),
        }


def _percentile(waits_us: list[int], percent: float) -> float:
    return round(float(np.percentile(waits_us, percent)) / 1e6, 6)


def _hand_over() -> float:
    """What one thread takes to wake another on this machine: the floor of the figures above."""
    queue: SimpleQueue[float] = SimpleQueue()

    def put() -> None:
        for _ in range(HAND_OVERS):
            time.sleep(HAND_OVER_S)
            queue.put(time.perf_counter())

    thread = threading.Thread(target=put)
    thread.start()
    waits = [-queue.get(timeout=PATIENCE_S) + time.perf_counter() for _ in range(HAND_OVERS)]
    thread.join()
    return round(float(np.percentile(waits, 99)), 6)


def _from_memory() -> float:
    """Frames decoded and applied per second on one core, from messages that are there."""
    script = Script()
    stream = MarketStream(send=lambda text: None)
    stream.follow(tickers())
    first = script.first({"id": 1, "params": {"channels": ["orderbook_delta"]}})
    stream.take(stating(Kind.OPENED, 0, number=1, name=None))
    for text in first:
        stream.take(Message(Kind.RECEIVED, 0, text.encode()))
    messages = [Message(Kind.RECEIVED, 0, script.next().encode()) for _ in range(MEASURED)]
    began = time.perf_counter()
    for message in messages:
        stream.take(message)
    took_s = time.perf_counter() - began
    _compare(stream.books, script.books)
    return round(MEASURED / took_s, 1)


def _compare(found: Mapping[str, Book], expected: Levels) -> None:
    """The books are those of the exchange, else a RuntimeError."""
    for ticker, levels in expected.items():
        book = found[ticker]
        mine = {price: size for side in (BID, ASK) for price, size in book.levels(side)}
        if mine != levels or not book.usable:
            raise RuntimeError(f"the book of {ticker} is not the exchange's")


def tickers() -> list[str]:
    """The markets, named like those of a city's event."""
    return [f"KXHIGHT{n // 6:03d}-26JUN15-B{80 + n % 6}.5" for n in range(MARKETS)]


class Script:
    """The exchange's side: levels that change at random, bids below 50 cents, asks above."""

    def __init__(self) -> None:
        draw = self._draw = random.Random(SEED)
        self._seq = 0
        self.books: Levels = {
            ticker: {cents * 100: draw.randint(1, 500) * 100 for cents in range(20, 80)}
            for ticker in tickers()
        }
        self._tickers = list(self.books)

    def first(self, command: Mapping[str, Any]) -> list[str]:
        """Answers to a subscription, and a snapshot of every book."""
        channels = command["params"]["channels"]
        frames = [
            {"id": command["id"], "type": "subscribed", "msg": {"channel": name, "sid": sid}}
            for sid, name in enumerate(channels, 1)
        ]
        if "orderbook_delta" in channels:
            frames += [self._snapshot(ticker) for ticker in self._tickers]
        return [json.dumps(frame, separators=(",", ":")) for frame in frames]

    def next(self) -> str:
        """A change of one level."""
        draw = self._draw
        ticker, price = draw.choice(self._tickers), draw.randint(20, 79) * 100
        levels = self.books[ticker]
        size = 0 if draw.random() < 0.2 else draw.randint(1, 500) * 100
        by = size - levels.pop(price, 0)
        if size:
            levels[price] = size
        now_ms = time.time_ns() // 1_000_000
        self._seq += 1
        message = {
            "market_ticker": ticker,
            "market_id": "f5ed38e2-0991-4c8f-817e-08c4fd9cbfdb",
            "price_dollars": f"{price / 10_000:.4f}",
            "delta_fp": f"{by / 100:.2f}",
            "side": "yes" if price < 5_000 else "no",
            "ts_ms": now_ms,
        }
        frame = {"type": "orderbook_delta", "sid": 1, "seq": self._seq, "msg": message}
        return json.dumps({**frame, "sending_ts_ms": now_ms}, separators=(",", ":"))

    def _snapshot(self, ticker: str) -> dict[str, Any]:
        self._seq += 1
        levels = [[f"{p / 10_000:.4f}", f"{n / 100:.2f}"] for p, n in self.books[ticker].items()]
        message = {
            "market_ticker": ticker,
            "yes_dollars_fp": [level for level in levels if level[0] < "0.5000"],
            "no_dollars_fp": [level for level in levels if level[0] >= "0.5000"],
        }
        return {"type": "orderbook_snapshot", "sid": 1, "seq": self._seq, "msg": message}


@contextmanager
def _exchange() -> Iterator[tuple[str, Pipe]]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there,), daemon=True)
    process.start()
    try:
        if not here.poll(PATIENCE_S):
            raise TimeoutError(f"the exchange of the benchmark did not start in {PATIENCE_S:g} s")
        yield here.recv(), here
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Pipe) -> None:
    def handler(socket: ServerConnection) -> None:
        script = Script()
        try:
            for _ in range(2):
                for text in script.first(json.loads(socket.recv())):
                    socket.send(text)
            _play(socket, script)
            pipe.recv()
            pipe.send(script.books)
            socket.recv()
        except ConnectionClosed:
            return

    with serve(handler, "127.0.0.1", 0, compression=None) as server:
        pipe.send(f"ws://127.0.0.1:{server.socket.getsockname()[1]}/trade-api/ws/v2")
        server.serve_forever()


def _play(socket: ServerConnection, script: Script) -> None:
    # Written before the start: what the exchange of the benchmark computes is time that the feed on
    # the same cores does not have.
    texts = [script.next() for _ in range(WARM_UP + MEASURED)]
    began, sent = time.perf_counter(), 0
    while sent < len(texts):
        due = int((time.perf_counter() - began) * RATE)
        for text in texts[sent:due]:
            socket.send(text)
        sent = max(sent, min(due, len(texts)))
        time.sleep(BURST_S)


def _signer() -> Signer:
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Signer.from_pem("benchmark", pem)
