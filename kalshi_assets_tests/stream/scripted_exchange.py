"""A small exchange on a loopback socket that says what a test's script says.

It verifies every handshake's signature. Not the sandbox: it has no markets and no state.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from kalshi_assets.exchange.signing import Signer
from kalshi_assets.sandbox.auth import verify
from kalshi_assets.sandbox.exchange_errors import WireError

PATH = "/trade-api/ws/v2"


class Peer:
    """The exchange's end of one connection."""

    def __init__(self, socket: ServerConnection, number: int) -> None:
        self.socket = socket
        self.number = number

    def say(self, *frames: dict[str, Any] | str) -> None:
        """Send frames."""
        for frame in frames:
            self.socket.send(frame if isinstance(frame, str) else json.dumps(frame))

    def hear(self, timeout_s: float = 10.0) -> dict[str, Any]:
        """The next command."""
        return json.loads(self.socket.recv(timeout=timeout_s))

    def wait(self) -> None:
        """Answer nothing until the other side leaves."""
        try:
            while True:
                self.socket.recv()
        except ConnectionClosed:
            return


@dataclass
class ScriptedExchange:
    """Its address, key and history.

    Attributes
    ----------
    refused
        Handshakes to refuse before the first that is accepted.
    """

    signer: Signer
    refused: int = 0
    url: str = ""
    handshakes: list[int] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def _verify(self, socket: ServerConnection, request: Request) -> Response | None:
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        now_ms = time.time_ns() // 1_000_000
        keys = {self.signer.key_id: self.signer.private_key.public_key()}
        try:
            verify(headers, method="GET", path=request.path, keys=keys, now_ms=now_ms)
        except WireError as error:
            return socket.respond(HTTPStatus(error.status), json.dumps(error.body))
        if self.refused:
            self.refused -= 1
            return socket.respond(HTTPStatus.UNAUTHORIZED, "header_timestamp_expired")
        self.handshakes.append(int(headers["kalshi-access-timestamp"]))
        return None

    def _name(self, socket: ServerConnection, request: Request, response: Response) -> None:
        if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            response.headers["X-Sandbox-Connection"] = f"c{len(self.handshakes)}"


def new_signer() -> Signer:
    """A signer with a new key."""
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Signer.from_pem("a key", pem)


@contextmanager
def scripted(
    script: Callable[[Peer], None], refused: int = 0, signer: Signer | None = None
) -> Iterator[ScriptedExchange]:
    """An exchange that runs `script` for every connection; with a new key, unless one is given."""
    exchange = ScriptedExchange(signer or new_signer(), refused)

    def handler(socket: ServerConnection) -> None:
        try:
            script(Peer(socket, len(exchange.handshakes)))
        except ConnectionClosed:
            return
        except BaseException as error:
            exchange.errors.append(error)
            raise

    server = serve(
        handler,
        "127.0.0.1",
        0,
        process_request=exchange._verify,
        process_response=exchange._name,
        close_timeout=1,
    )
    exchange.url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}{PATH}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield exchange
    finally:
        server.shutdown()
        thread.join()
    assert exchange.errors == []
