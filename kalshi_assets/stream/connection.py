"""A signed WebSocket that a background thread keeps open; its messages wait in a queue.

The thread stamps and enqueues, so that a slow consumer neither delays the stamps nor fills the
exchange's buffer. Here: handshake, reconnection, sending. Not here: what frames mean (`stream`),
commands, or when silence means death (`feed`).
"""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import TracebackType
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.client import backoff
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from kalshi_assets.exchange.signing import Signer
from kalshi_assets.stream.messages import Kind, Message, stating

MOST_BYTES = 64 * 2**20
"""The exchange's longest message."""
MOST_WAITING = 1_000_000
MOST_TAKEN = 1_000
OPEN_TIMEOUT_S = 10.0
PING_EVERY_S = 20.0
CLOSE_TIMEOUT_S = 2.0
JOIN_TIMEOUT_S = OPEN_TIMEOUT_S + 2 * CLOSE_TIMEOUT_S
STEADY_AFTER_S = 30.0
"""A connection that lasted so long was good: the next one is made without delay."""
SANDBOX_HEADER = "X-Sandbox-Connection"


def wall_us() -> int:
    """The time it is, microseconds since the epoch."""
    return time.time_ns() // 1000


def reconnect_delays() -> Iterator[float]:
    """Seconds to wait before each attempt to connect again."""
    return backoff(initial_delay=0.5, min_delay=0.5, max_delay=30.0, factor=1.8)


class Connection:
    """One WebSocket at a time to the exchange, made again whenever it ends.

    As a context manager it connects, and closes the connection at the end.

    Parameters
    ----------
    url
        Of the WebSocket API, ``wss://`` or ``ws://``.
    signer
        Signs every handshake.
    clock_us
        The session's time, microseconds; stamps messages.
    signing_us
        Wall clock, microseconds; signs handshakes, also where the session's time is simulated.
    monotonic
        Seconds of a clock that only runs forward; measures silence.
    delays
        Waits before attempts to connect again, seconds.
    """

    def __init__(
        self,
        url: str,
        signer: Signer,
        *,
        clock_us: Callable[[], int] = wall_us,
        signing_us: Callable[[], int] = wall_us,
        monotonic: Callable[[], float] = time.monotonic,
        delays: Callable[[], Iterator[float]] = reconnect_delays,
    ) -> None:
        self.url = url
        self._signer = signer
        self._clock_us = clock_us
        self._signing_us = signing_us
        self._monotonic = monotonic
        self._delays = delays
        self._waiting: SimpleQueue[Message] = SimpleQueue()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._main, name="feed", daemon=True)
        self._task: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._socket: ClientConnection | None = None
        self._failure: Exception | None = None
        self._ending = False
        self._drop_cause = ""
        self._number = 0
        self._heard_s = monotonic()

    def __enter__(self) -> "Connection":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._soon(self._end)
        self._thread.join(JOIN_TIMEOUT_S)

    @property
    def silent_s(self) -> float:
        """Seconds since the last frame or handshake."""
        return self._monotonic() - self._heard_s

    @property
    def waiting(self) -> int:
        """How many messages wait to be taken."""
        return self._waiting.qsize()

    def take(self, timeout_s: float) -> list[Message]:
        """The next messages, a thousand or so at most; none if none came in time.

        Parameters
        ----------
        timeout_s
            Longest wait for the first one.

        Raises
        ------
        ConnectionError
            There will be no connection any more, such as with an address that is none.
        """
        found: list[Message] = []
        with suppress(Empty):
            found.append(self._waiting.get(timeout=max(timeout_s, 0.0)))
            found += self.rest()
        if not found and self._failure is not None:
            raise ConnectionError(f"the feed cannot use {self.url}: {self._failure}")
        return found

    def rest(self) -> list[Message]:
        """The messages that wait, at most a thousand."""
        found: list[Message] = []
        with suppress(Empty):
            while len(found) < MOST_TAKEN:
                found.append(self._waiting.get_nowait())
        return found

    def send(self, text: bytes, number: int) -> None:
        """Send a command without waiting, unless another connection was made meanwhile.

        Parameters
        ----------
        text
            The command.
        number
            Of the connection that it is meant for.
        """
        self._soon(self._send_soon, text, number)

    def drop(self, cause: str) -> None:
        """End the present connection; another one is made.

        Parameters
        ----------
        cause
            For the message `Kind.CLOSED`.
        """
        self._soon(self._drop_soon, cause)

    def _soon(self, act: Callable[..., object], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nothing is left to act on
            self._loop.call_soon_threadsafe(act, *arguments)

    def _main(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._run())
        except Exception as error:  # noqa: BLE001  raised again in the session's thread
            self._failure = error

    async def _run(self) -> None:
        self._task = asyncio.current_task()
        delays = self._delays()
        with suppress(asyncio.CancelledError):
            while not self._ending:
                began = self._monotonic()
                await self._one_connection()
                if self._monotonic() - began >= STEADY_AFTER_S:
                    delays = self._delays()
                if not self._ending:
                    await asyncio.sleep(next(delays))

    async def _one_connection(self) -> None:
        """From one handshake to the end of the connection, which a message states."""
        self._drop_cause = ""
        status: int | None = None
        try:
            async with self._handshake() as socket:
                self._socket, self._number = socket, self._number + 1
                response = socket.response
                name = response.headers.get(SANDBOX_HEADER) if response is not None else None
                self._state(Kind.OPENED, number=self._number, name=name, url=self.url)
                await self._read(socket)
            cause = "closed"
        except InvalidStatus as error:
            status = error.response.status_code
            body = bytes(error.response.body or b"")[:200].decode(errors="replace")
            cause = f"the exchange refused the handshake with status {status}: {body}"
        except (ConnectionClosed, InvalidHandshake, OSError, TimeoutError) as error:
            cause = f"{type(error).__name__}: {error}".rstrip(": ")
        finally:
            self._socket = None
        self._state(Kind.CLOSED, cause=self._drop_cause or cause, status=status)

    def _handshake(self) -> connect:
        path = urlsplit(self.url).path
        return connect(
            self.url,
            additional_headers=self._signer.headers("GET", path, self._signing_us() // 1000),
            user_agent_header="kalshi-assets",
            open_timeout=OPEN_TIMEOUT_S,
            ping_interval=PING_EVERY_S,
            ping_timeout=PING_EVERY_S,
            close_timeout=CLOSE_TIMEOUT_S,
            max_size=MOST_BYTES,
            max_queue=(1024, 256),
            proxy=None,
        )

    async def _read(self, socket: ClientConnection) -> None:
        waiting, clock_us, monotonic = self._waiting, self._clock_us, self._monotonic
        while not self._drop_cause:
            text = await socket.recv(decode=False)
            waiting.put(Message(Kind.RECEIVED, clock_us(), bytes(text)))
            self._heard_s = monotonic()
            if waiting.qsize() > MOST_WAITING:
                self._drop_cause = f"{MOST_WAITING:,} messages wait: the session is too slow"

    def _state(self, kind: Kind, **facts: object) -> None:
        self._heard_s = self._monotonic()
        self._waiting.put(stating(kind, self._clock_us(), **facts))

    def _send_soon(self, text: bytes, number: int) -> None:
        socket = self._socket
        if socket is not None and number == self._number:
            self._do(_sent(socket, text.decode()))

    def _drop_soon(self, cause: str) -> None:
        if self._socket is not None:
            self._drop_cause = cause
            self._do(self._socket.close())

    def _do(self, work: Coroutine[object, object, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)  # the loop itself keeps no reference
        task.add_done_callback(self._tasks.discard)

    def _end(self) -> None:
        self._ending = True
        if self._socket is not None:
            self._drop_soon("the session ended")
        elif self._task is not None:
            self._task.cancel()


async def _sent(socket: ClientConnection, text: str) -> None:
    try:
        await socket.send(text)
    except ConnectionClosed:
        return  # the reader states why
