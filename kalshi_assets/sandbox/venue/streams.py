"""The WebSocket: connections, and which of them hears of what.

Here: the signed handshake, sending what happens at the venue to its subscribers. Not here: commands
(`commands`), the order of frames (`connection`).
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from itertools import count

from starlette.datastructures import Headers
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from kalshi_assets.sandbox.auth import PublicKey, verify
from kalshi_assets.sandbox.exchange_errors import WireError
from kalshi_assets.sandbox.heartbeat import ABORT
from kalshi_assets.sandbox.venue import frames
from kalshi_assets.sandbox.venue.commands import Commands
from kalshi_assets.sandbox.venue.connection import BOOKS, Connection, Subscription
from kalshi_assets.sandbox.venue.events import (
    Event,
    Filled,
    GroupChanged,
    LevelChanged,
    Lifecycle,
    OrderChanged,
    PositionChanged,
    Top,
    Traded,
)
from kalshi_assets.sandbox.venue.venue import Venue

WS_PATH = "/trade-api/ws/v2"
CONNECTION_HEADER = "X-Sandbox-Connection"


class Streams:
    """All connections.

    Parameters
    ----------
    venue
        What is streamed.
    keys
        Public keys by key ID.
    wall_clock
        Unix seconds, for the timestamps of signatures.
    now_ms
        Time of sending that frames carry.
    before_command
        Called before a command is executed, to bring the venue to the present.
    limit
        Messages that may wait for one connection; None: any number.
    """

    def __init__(
        self,
        venue: Venue,
        *,
        keys: Mapping[str, PublicKey],
        wall_clock: Callable[[], float],
        now_ms: Callable[[], int],
        before_command: Callable[[], None],
        limit: int | None = None,
    ) -> None:
        self.connections: dict[str, Connection] = {}
        self._frames_sent: dict[str, int] = {}
        self._keys = keys
        self._wall_clock = wall_clock
        self._now_ms = now_ms
        self._before_command = before_command
        self._limit = limit
        self._commands = Commands(venue)
        self._numbers = count(1)
        venue.listen(self.publish)

    async def endpoint(self, socket: WebSocket) -> None:
        """Serve one connection; an unsigned one is refused before the upgrade."""
        try:
            verify(
                Headers(scope=socket.scope),
                method="GET",
                path=WS_PATH,
                keys=self._keys,
                now_ms=int(self._wall_clock() * 1000),
            )
        except WireError as refusal:
            await socket.send_denial_response(refusal.response())
            return
        connection_id = str(next(self._numbers))
        await socket.accept(headers=[(CONNECTION_HEADER.lower().encode(), connection_id.encode())])
        connection = self._connection(connection_id, socket)
        writer = asyncio.create_task(self._write(connection))
        try:
            await self._read(socket, connection)
        finally:
            connection.end()
            self._frames_sent[connection_id] = connection.sent
            del self.connections[connection_id]
            writer.cancel()

    def publish(self, event: Event) -> None:
        """Send an event to those who subscribed to it."""
        for connection in list(self.connections.values()):
            for subscription in list(connection.subscriptions.values()):
                message = _message(event, subscription)
                if message is not None:
                    connection.put_message(subscription, *message)

    async def drained(self) -> None:
        """Wait until every frame so far is with its socket."""
        for connection in list(self.connections.values()):
            await connection.drained()

    def frames_sent(self) -> dict[str, int]:
        """Frames sent so far by connection ID, closed connections included."""
        return self._frames_sent | {c.connection_id: c.sent for c in self.connections.values()}

    def _connection(self, connection_id: str, socket: WebSocket) -> Connection:
        async def send(text: str) -> None:
            await socket.send({"type": "websocket.send", "text": text})

        async def close(code: int) -> None:
            await socket.close(code)

        connection = Connection(
            connection_id=connection_id,
            send=send,
            close=close,
            cut=socket.scope["state"][ABORT],
            now_ms=self._now_ms,
            limit=self._limit,
        )
        self.connections[connection_id] = connection
        return connection

    async def _write(self, connection: Connection) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, OSError):
            await connection.run()
        connection.end()

    async def _read(self, socket: WebSocket, connection: Connection) -> None:
        while socket.application_state is WebSocketState.CONNECTED:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            self._before_command()
            self._commands.handle(connection, message.get("text") or "")


def _message(event: Event, to: Subscription) -> tuple[str, str] | None:
    """Type and body of the message that a subscription gets of an event; None: none."""
    kind, make, ticker = _CHANNELS.get((to.channel, type(event)), (None, None, None))
    if kind is None or make is None or ticker is None or not to.wants(ticker(event)):
        return None
    return kind, make(event, to)


def _anywhere(event: Event) -> str:
    return ""


_CHANNELS: dict[tuple[str, type], tuple] = {
    (BOOKS, LevelChanged): (
        BOOKS,
        lambda e, to: frames.delta(e, yes_scale=to.yes_scale),
        lambda e: e.ticker,
    ),
    ("ticker", Top): ("ticker", lambda e, to: frames.ticker(e), lambda e: e.ticker),
    ("trade", Traded): ("trade", lambda e, to: frames.trade(e), lambda e: e.ticker),
    ("fill", Filled): ("fill", lambda e, to: frames.fill(e.fill), lambda e: e.fill.ticker),
    ("user_orders", OrderChanged): (
        "user_order",
        lambda e, to: frames.user_order(e.order),
        lambda e: e.order.ticker,
    ),
    ("market_positions", PositionChanged): (
        "market_position",
        lambda e, to: frames.market_position(e.position),
        lambda e: e.position.ticker,
    ),
    ("market_lifecycle_v2", Lifecycle): (
        "market_lifecycle_v2",
        lambda e, to: frames.lifecycle(e),
        _anywhere,
    ),
    ("order_group_updates", GroupChanged): (
        "order_group_updates",
        lambda e, to: frames.group_update(e),
        _anywhere,
    ),
}
