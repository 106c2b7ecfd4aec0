"""The session's page: read-only, pushed to the browser as it changes; health and metrics beside it.

Served by the session's own process in a thread, on the loopback interface unless told otherwise;
elsewhere only to those who know the token. Here: routes and the server. Not here: what is shown
(`status`), its looks (`pages`).
"""

import asyncio
import hmac
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import uvicorn
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from kalshi_assets.live.status import Board
from kalshi_assets.pages.charts import in_script
from kalshi_assets.pages.page import render
from kalshi_assets.units import SECOND_US

LOOPBACK = ("127.0.0.1", "::1", "localhost")
DEAD_AFTER_US = 5 * 60 * SECOND_US
_FASTEST_S = 0.02
_KEEP_ALIVE_S = 10.0


class PageError(ValueError):
    """The page cannot be served; the message says why."""


def create_app(board: Board, *, clock_us: Callable[[], int], token: str | None) -> Starlette:
    """The page as an application.

    Parameters
    ----------
    board
        The session's state.
    clock_us
        The session's time.
    token
        Asked of everyone as ``?token=``; None: of nobody.
    """

    def refused(request: Request) -> Response | None:
        given = request.query_params.get("token", "")
        if token is None or hmac.compare_digest(given.encode(), token.encode()):
            return None
        return PlainTextResponse("add ?token=... to the address", status_code=401)

    async def page(request: Request) -> Response:
        text = render("session.html.j2", session=board.session, state=None)
        return refused(request) or Response(text, media_type="text/html")

    async def events(request: Request) -> Response:
        stream = _states(board, request)
        return refused(request) or StreamingResponse(
            stream, media_type="text/event-stream", headers={"cache-control": "no-store"}
        )

    async def state(request: Request) -> Response:
        return refused(request) or JSONResponse(board.state())

    async def health(request: Request) -> Response:
        silent = clock_us() - max(board.beat_us, board.started_us)
        alive = silent < DEAD_AFTER_US
        return JSONResponse(
            {"alive": alive, "silent_s": silent / SECOND_US}, status_code=200 if alive else 503
        )

    async def metrics(request: Request) -> Response:
        return refused(request) or Response(
            metrics_of(board, clock_us()), media_type="text/plain; version=0.0.4"
        )

    return Starlette(
        routes=[
            Route("/", page),
            Route("/events", events),
            Route("/state.json", state),
            Route("/healthz", health),
            Route("/metrics", metrics),
        ]
    )


def last_page(board: Board) -> str:
    """The page of a session that has ended, to be read without it."""
    state = in_script(json.dumps(board.state()))
    return render("session.html.j2", session=board.session, state=state)


async def _states(board: Board, request: Request) -> AsyncIterator[str]:
    """Every state that is the latest when it can be sent; older ones are skipped."""
    seen = -1
    while not await request.is_disconnected():
        version = await run_in_threadpool(board.wait_for, seen, _KEEP_ALIVE_S)
        if version == seen:
            yield ": alive\n\n"
            continue
        seen = version
        yield f"data: {json.dumps(board.state(), separators=(',', ':'))}\n\n"
        if board.ended:
            return
        await asyncio.sleep(_FASTEST_S)


def metrics_of(board: Board, now_us: int) -> bytes:
    """The session's figures in Prometheus' text format.

    Parameters
    ----------
    board, now_us
        The state, and the session's time.
    """
    state, registry = board.state(), CollectorRegistry()
    figures = {
        "decisions": state["decisions"],
        "orders": state["orders"],
        "failures": state["failures"],
        "ladders_trading": sum(not each["over"] for each in state["ladders"]),
        "silence_seconds": (now_us - max(board.beat_us, board.started_us)) / SECOND_US,
    }
    for name, value in figures.items():
        Gauge(f"kalshi_session_{name}", f"{name} of the session", registry=registry).set(value)
    return generate_latest(registry)


@contextmanager
def served(
    board: Board,
    *,
    clock_us: Callable[[], int],
    host: str = LOOPBACK[0],
    port: int = 0,
    token: str | None = None,
) -> Iterator[str]:
    """Serve the page in a thread; gives its address.

    Parameters
    ----------
    board, clock_us, token
        See `create_app`.
    host, port
        Where; port 0: a free one.

    Raises
    ------
    PageError
        Another host than this machine without a token, or the port is in use.
    """
    if host not in LOOPBACK and not token:
        raise PageError(f"the page is served to {host} only with a token")
    listener = socket.socket()
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PageError(f"port {port} of {host}: {error.strerror}") from error
    app = create_app(board, clock_us=clock_us, token=token)
    config = uvicorn.Config(
        app, log_level="error", lifespan="off", timeout_graceful_shutdown=1, access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="session-page", daemon=True
    )
    thread.start()
    try:
        yield f"http://{host}:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(timeout=5.0)
        listener.close()
