"""The WebSocket protocol of the server, with the exchange's pings, and a way to cut it.

Here: the body of pings, which uvicorn draws at random; ending a connection without a close frame.
Not here: what is sent (`venue.streams`).
"""

from http import HTTPStatus

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

PING_INTERVAL_S = 10.0
BODY = b"heartbeat"
ABORT = "abort"
"""Name in the scope's state under which the application finds what cuts the connection."""


class HeartbeatProtocol(WebSocketsSansIOProtocol):
    """Pings say `heartbeat`; a client that does not answer within the time-out is dropped."""

    def handle_connect(self, event: Request) -> None:
        """Begin a handshake."""
        super().handle_connect(event)
        if self.response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            self.scope["state"][ABORT] = self.transport.abort

    def send_keepalive_ping(self) -> None:
        """Send a ping and expect its answer."""
        self.ping_timer = None
        if self.close_sent or self.transport.is_closing():
            return
        self.pending_ping_payload = BODY
        self.ping_sent_at = self.loop.time()
        self.conn.send_ping(BODY)
        self.transport.write(b"".join(self.conn.data_to_send()))
        if self.ping_timeout is not None:
            self.pong_timer = self.loop.call_later(self.ping_timeout, self.keepalive_timeout)
