"""From an order's intent to its bytes in the socket: journaled to disk, signed, handed over.

A real journal, real signatures and a real socket to a server in this process that accepts every
order. Here: the measurement. Not here: printing it (`bench live`).
"""

import logging
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from kalshi_assets.exchange.orders import OrderWriter
from kalshi_assets.exchange.signing import Signer
from kalshi_assets.exchange.wire_orders import Accepted
from kalshi_assets.lake.files import Files
from kalshi_assets.live.gate import GateLimits, Ladder
from kalshi_assets.live.gateway import Gateway, GatewayParams
from kalshi_assets.live.intents import OrderIntent
from kalshi_assets.live.journal import Journal
from kalshi_assets.live.kill_switch import guard

WORKING = 20
"""Orders that rest while the others are sent."""
EVENT = "KXHIGHCHI-26NOV20"
MARKETS = tuple(f"{EVENT}-B{n}.5" for n in range(50, 62, 2))


def intent_to_socket(files: Files, orders: int = 1000) -> Mapping[str, float]:
    """Seconds from the call of the gateway until the whole request was handed to the socket.

    Parameters
    ----------
    files
        Folder whose disk holds the journals; a journal per kind of key is left there.
    orders
        Orders measured per kind of key.

    Returns
    -------
    Mapping
        ``intent_to_socket_p50_s`` and ``intent_to_socket_p99_s`` with an Ed25519 key, the same
        with ``_rsa`` for one of 2048 bits.
    """
    keys: dict[str, Ed25519PrivateKey | RSAPrivateKey] = {
        "": Ed25519PrivateKey.generate(),
        "_rsa": generate_private_key(65537, 2048),
    }
    figures = {}
    with _exchange() as url:
        for name, key in keys.items():
            seconds = _measured(files, f"bench{name}-{time.time_ns()}", url, key, orders)
            for percent in (50, 99):
                quantile = float(np.percentile(seconds, percent))
                figures[f"intent_to_socket{name}_p{percent}_s"] = quantile
    return figures


def _measured(
    files: Files, session: str, url: str, key: Ed25519PrivateKey | RSAPrivateKey, orders: int
) -> list[float]:
    limits = GateLimits(
        ladders={EVENT: Ladder.partition(MARKETS)},
        max_open_orders=2 * WORKING,
        max_order_contracts=10,
        max_position_contracts=10_000,
        max_event_loss_cc=10**9,
        max_account_loss_cc=10**9,
    )
    params = GatewayParams(
        limits=limits, order_group_id="bench", exchange_index=0, lifetime_us=300_000_000
    )
    started, seconds = 0.0, list[float]()

    def step(name: str) -> None:
        if name == "handed":
            seconds.append(time.perf_counter() - started)

    with (
        OrderWriter(url, signer=Signer("bench", key)) as writer,
        Journal.of(files, session, clock_us=_now_us) as journal,
    ):
        journal.begin(session, account="bench", mode="demo", versions={})
        gateway = Gateway(
            journal, writer, params, clock_us=_now_us, guards=[guard(files)], on_step=step
        )
        for number in range(WORKING + orders):
            intent = OrderIntent(
                account="bench",
                event_ticker=EVENT,
                strategy="value",
                decided_at_us=number,
                bracket=number % len(MARKETS),
                market_ticker=MARKETS[number % len(MARKETS)],
                side="bid",
                execution="maker",
                price_cc=4200,
                # The server leaves orders of two contracts in the book.
                contracts=2 if number < WORKING else 1,
            )
            started = time.perf_counter()
            outcome = gateway.place(intent)
            if not isinstance(outcome, Accepted):
                raise RuntimeError(f"an order of the benchmark was not accepted: {outcome}")
    return seconds[WORKING:]


@contextmanager
def _exchange() -> Iterator[str]:
    """A server that accepts every order; those of one contract end at once."""

    async def create(request: Request) -> JSONResponse:
        order = await request.json()
        rests = order["count"] != "1.00"
        answer = {
            "order_id": order["client_order_id"],
            "client_order_id": order["client_order_id"],
            "fill_count": "0.00",
            "remaining_count": order["count"] if rests else "0.00",
            "ts_ms": time.time_ns() // 1_000_000,
        }
        return JSONResponse(answer, 201)

    app = Starlette(routes=[Route("/trade-api/v2/{path:path}", create, methods=["POST"])])
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, access_log=False, lifespan="off", log_config=None, log_level=logging.ERROR, ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/trade-api/v2"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def _now_us() -> int:
    return time.time_ns() // 1000
