"""The WebSocket protocol of the server, with the exchange's pings.

Here: the body of pings, which uvicorn draws at random. Not here: what is sent (`venue.streams`).
"""

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

PING_INTERVAL_S = 10.0
BODY = b"heartbeat"


class HeartbeatProtocol(WebSocketsSansIOProtocol):
    """Pings say `heartbeat`; a client that does not answer within the time-out is dropped."""

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
