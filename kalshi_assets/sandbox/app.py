"""The sandbox as an ASGI application.

Here: combining routes and middleware. Not here: running it (`server`).
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount

from kalshi_assets.sandbox.account_routes import AccountRoutes
from kalshi_assets.sandbox.archive import Archive
from kalshi_assets.sandbox.auth import PublicKey
from kalshi_assets.sandbox.buckets import ANONYMOUS, BASIC_READ, Buckets, BucketSize
from kalshi_assets.sandbox.exchange_errors import WireError, answer_wire_error, not_found
from kalshi_assets.sandbox.exchange_state import Exchange
from kalshi_assets.sandbox.faults import FaultLayer, Faults
from kalshi_assets.sandbox.gate import API, Gate
from kalshi_assets.sandbox.market_routes import MarketRoutes
from kalshi_assets.sandbox.oddities import Oddities, OddityLayer
from kalshi_assets.sandbox.tape_routes import TapeRoutes
from kalshi_assets.sandbox.weather_routes import WeatherPlan, WeatherRoutes


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
    wall_clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
) -> Starlette:
    """The exchange and the weather services, serving `archive`.

    Parameters
    ----------
    keys
        Public keys by key ID, for signed requests.
    cutoff
        End of the historical tier; default: see `default_cutoff`.
    now
        The simulated present, after which nothing is shown; default: the wall clock.
    faults, oddities
        Faults, and oddities of old events, that can be switched on; default: none is on.
    read_bucket, anonymous_bucket
        Token buckets per key, and per client address without a key.
    wall_clock, monotonic
        Unix seconds for the timestamps of signatures; seconds for the buckets.
    """
    clock = now if now is not None else lambda: datetime.now(UTC)
    faults = faults if faults is not None else Faults()
    oddities = oddities if oddities is not None else Oddities()
    exchange = Exchange(archive, clock=clock, cutoff=cutoff)
    plan = weather_plan or WeatherPlan()
    weather = WeatherRoutes(archive, clock=clock, wall_clock=wall_clock, plan=plan)
    account = AccountRoutes(exchange, read_bucket=read_bucket, clock=wall_clock)
    routes = [*TapeRoutes(exchange).routes(), *MarketRoutes(exchange).routes(), *account.routes()]
    return Starlette(
        routes=[Mount(API, routes=routes), *weather.routes(), *faults.routes(), *oddities.routes()],
        middleware=[
            Middleware(FaultLayer, faults=faults),
            Middleware(
                Gate,
                keys=keys,
                signed=Buckets(read_bucket, clock=monotonic),
                anonymous=Buckets(anonymous_bucket, clock=monotonic),
                clock=wall_clock,
            ),
            # After the gate, so that signatures are verified for the original request.
            Middleware(OddityLayer, oddities=oddities, events=archive.event_markets),
        ],
        exception_handlers={WireError: answer_wire_error, 404: _answer_unknown_path},
    )


async def _answer_unknown_path(request: Request, error: Exception) -> Response:
    return not_found().response()
