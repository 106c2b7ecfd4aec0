"""The sandbox as an ASGI application.

Here: combining routes and middleware. Not here: running it (`server`).
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, WebSocketRoute

from kalshi_assets.sandbox.account_routes import AccountRoutes
from kalshi_assets.sandbox.archive import Archive
from kalshi_assets.sandbox.auth import PublicKey
from kalshi_assets.sandbox.buckets import ANONYMOUS, BASIC_READ, BASIC_WRITE, Buckets, BucketSize
from kalshi_assets.sandbox.clock import SandboxClock, SkewedClock
from kalshi_assets.sandbox.exchange_errors import WireError, answer_wire_error, not_found
from kalshi_assets.sandbox.exchange_state import Exchange, instant
from kalshi_assets.sandbox.faults import FaultLayer, Faults
from kalshi_assets.sandbox.gate import API, Gate
from kalshi_assets.sandbox.market_routes import MarketRoutes
from kalshi_assets.sandbox.oddities import Oddities, OddityLayer
from kalshi_assets.sandbox.tape_routes import TapeRoutes
from kalshi_assets.sandbox.venue.books import Books
from kalshi_assets.sandbox.venue.driver import Driver
from kalshi_assets.sandbox.venue.live_markets import LiveMarkets
from kalshi_assets.sandbox.venue.numbers import MICRO_A_CC
from kalshi_assets.sandbox.venue.order_entry import OrderEntry
from kalshi_assets.sandbox.venue.order_routes import OrderRoutes
from kalshi_assets.sandbox.venue.portfolio_routes import OrderReads, PortfolioRoutes
from kalshi_assets.sandbox.venue.script import Script
from kalshi_assets.sandbox.venue.streams import WS_PATH, Streams
from kalshi_assets.sandbox.venue.venue import Venue
from kalshi_assets.sandbox.weather_routes import WeatherPlan, WeatherRoutes
from kalshi_assets.units import CC_A_DOLLAR

LIVE_TIER = timedelta(days=60)
"""Markets settled so long before the start are in the historical tier."""


@dataclass(frozen=True, kw_only=True)
class Trading:
    """How a sandbox accepts orders.

    Parameters
    ----------
    start
        The simulated present at the beginning; books of an earlier run continue at theirs.
    speed
        Simulated seconds per real second, 1 to 1,000; 0: time stands until POST /sandbox/clock.
    balance_cc
        Cash of a new account, 1/10,000 dollar.
    books
        SQLite file that keeps the account; None: in memory.
    read_lag_s
        Real seconds until reads show a cancel.
    write_bucket
        Token bucket of writes per key.
    buffer_limit
        Messages that may wait for a slow reader while time runs; None: no limit.
    """

    start: datetime
    speed: float = 0.0
    balance_cc: int = 1_000 * CC_A_DOLLAR
    books: Path | None = None
    read_lag_s: float = 0.4
    write_bucket: BucketSize = BASIC_WRITE
    buffer_limit: int | None = None


def create_app(
    archive: Archive,
    *,
    keys: Mapping[str, PublicKey],
    cutoff: datetime | None = None,
    now: Callable[[], datetime] | None = None,
    faults: Faults | None = None,
    oddities: Oddities | None = None,
    read_bucket: BucketSize = BASIC_READ,
    anonymous_bucket: BucketSize = ANONYMOUS,
    weather_plan: WeatherPlan | None = None,
    trading: Trading | None = None,
    wall_clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
) -> Starlette:
    """The exchange and the weather services, serving `archive`.

    Parameters
    ----------
    keys
        Public keys by key ID, for signed requests.
    cutoff
        End of the historical tier; default: see `default_cutoff`, or 60 days before the start of
        `trading`.
    now
        The simulated present, after which nothing is shown; default: the wall clock.
    faults, oddities
        Faults, and oddities of old events, that can be switched on; default: none is on.
    read_bucket, anonymous_bucket
        Token buckets per key, and per client address without a key.
    trading
        Accept orders and stream, with a clock of its own in place of `now`; None: read-only.
    wall_clock, monotonic
        Unix seconds for the timestamps of signatures; seconds for the buckets.
    """
    faults = faults if faults is not None else Faults()
    oddities = oddities if oddities is not None else Oddities()
    skewed = SkewedClock(wall_clock)
    write_bucket = trading.write_bucket if trading is not None else BASIC_WRITE
    writes = Buckets(write_bucket, clock=monotonic)
    floor = None
    if trading is not None:
        floor = _TradingFloor(
            archive,
            trading,
            keys=keys,
            faults=faults,
            writes=writes,
            wall_clock=skewed,
            monotonic=monotonic,
        )
        now = floor.clock.now
        cutoff = cutoff if cutoff is not None else trading.start - LIVE_TIER
    clock = now if now is not None else lambda: datetime.now(UTC)
    exchange = Exchange(archive, clock=clock, cutoff=cutoff)
    plan = weather_plan or WeatherPlan()
    weather = WeatherRoutes(archive, clock=clock, wall_clock=wall_clock, plan=plan)
    account = AccountRoutes(
        exchange, read_bucket=read_bucket, write_bucket=write_bucket, clock=skewed
    )
    routes = [*TapeRoutes(exchange).routes(), *MarketRoutes(exchange).routes(), *account.routes()]
    own: list[BaseRoute] = [*weather.routes(), *faults.routes(), *oddities.routes()]
    if floor is not None:
        exchange.live = LiveMarkets(floor.venue)
        routes[:0] = [*floor.orders.routes(), *floor.portfolio.routes()]
        own += floor.own_routes()
    return Starlette(
        routes=[Mount(API, routes=routes), *own],
        lifespan=None if floor is None else floor.lifespan,
        middleware=[
            Middleware(FaultLayer, faults=faults),
            Middleware(
                Gate,
                keys=keys,
                signed=Buckets(read_bucket, clock=monotonic),
                writes=writes,
                anonymous=Buckets(anonymous_bucket, clock=monotonic),
                clock=skewed,
            ),
            # After the gate, so that signatures are verified for the original request.
            Middleware(OddityLayer, oddities=oddities, events=archive.event_markets),
        ],
        exception_handlers={WireError: answer_wire_error, 404: _answer_unknown_path},
    )


class _TradingFloor:
    """The parts of a sandbox that accepts orders, connected."""

    def __init__(
        self,
        archive: Archive,
        trading: Trading,
        *,
        keys: Mapping[str, PublicKey],
        faults: Faults,
        writes: Buckets,
        wall_clock: SkewedClock,
        monotonic: Callable[[], float],
    ) -> None:
        start = SandboxClock(trading.start, speed=0, monotonic=monotonic)
        self._books = Books(trading.books)
        self.venue = Venue(
            archive,
            start_us=start.now_us(),
            initial=trading.balance_cc * MICRO_A_CC,
            books=self._books,
        )
        self.clock = SandboxClock(
            instant(self.venue.now_us), speed=trading.speed, monotonic=monotonic
        )
        self._streams = Streams(
            self.venue,
            keys=keys,
            wall_clock=wall_clock,
            now_ms=lambda: self.venue.now_us // 1000 + int(wall_clock.skew_s * 1000),
            before_command=lambda: self._driver.catch_up(),
            limit=trading.buffer_limit,
        )
        self._driver = Driver(self.venue, self._streams, self.clock)
        before = self._driver.catch_up
        entry = OrderEntry(self.venue)
        reads = OrderReads(self.venue, lag_s=trading.read_lag_s, monotonic=monotonic)
        self.orders = OrderRoutes(self.venue, entry, before=before, writes=writes)
        self.portfolio = PortfolioRoutes(
            self.venue, entry, reads, before=before, wall_clock=wall_clock
        )
        self._script = Script(self.venue, self._streams, faults=faults, wall_clock=wall_clock)

    def own_routes(self) -> list[BaseRoute]:
        """The WebSocket, and what only a sandbox has."""
        return [
            WebSocketRoute(WS_PATH, self._streams.endpoint),
            *self._driver.routes(),
            *self._script.routes(),
            *self.portfolio.own_routes(),
        ]

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Follow time while the application is served."""
        task = asyncio.create_task(self._driver.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            self._books.close()


async def _answer_unknown_path(request: Request, error: Exception) -> Response:
    return not_found().response()
