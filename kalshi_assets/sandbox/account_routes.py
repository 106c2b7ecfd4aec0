"""The exchange's state and the account, as the exchange serves them.

Here: status, schedule, cutoff, limits, costs and the balance of the sandbox's own account.
Not here: orders; the sandbox takes none.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from kalshi_assets.sandbox.buckets import BucketSize
from kalshi_assets.sandbox.exchange_state import Exchange
from kalshi_assets.sandbox.exchange_wire import dollars, rfc3339

EASTERN = ZoneInfo("America/New_York")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
THURSDAY = 3
WRITE_BUCKET = BucketSize(refill_rate=100, capacity=100)
BALANCE_CC = 10_000_000
DEFAULT_COST = 10
_API = "/trade-api/v2"
_COSTS = (
    ("POST", "/account/api_usage_level/upgrade", 30),
    ("GET", "/cfbenchmarks", 150),
    ("GET", "/cfbenchmarks/*endpoint", 150),
    ("POST", "/communications/quotes", 2),
    ("DELETE", "/communications/quotes/:quote_id", 2),
    ("GET", "/margin/balance", 5),
    ("DELETE", "/portfolio/events/orders/:order_id", 2),
    ("DELETE", "/portfolio/events/orders/batched", 2),
    ("GET", "/portfolio/orders/:order_id", 2),
)
_PATTERNS = tuple(
    (method, re.compile(_API + re.sub(r"/[:*]\w+", "/[^/]+", path)), cost)
    for method, path, cost in _COSTS
)


class AccountRoutes:
    """The routes about the exchange itself and the account.

    Parameters
    ----------
    exchange
        The recordings and the clock.
    read_bucket
        What the account may read per second.
    clock
        The wall clock in Unix seconds, for the balance's time.
    """

    def __init__(
        self, exchange: Exchange, *, read_bucket: BucketSize, clock: Callable[[], float]
    ) -> None:
        self._exchange = exchange
        self._read_bucket = read_bucket
        self._clock = clock

    def routes(self) -> list[Route]:
        """In the order in which they must be matched."""
        return [
            Route("/exchange/status", self.status),
            Route("/exchange/schedule", self.schedule),
            Route("/historical/cutoff", self.cutoff),
            Route("/account/limits", self.limits),
            Route("/account/endpoint_costs", self.endpoint_costs),
            Route("/portfolio/balance", self.balance),
        ]

    def status(self, request: Request) -> JSONResponse:
        """GET /exchange/status."""
        return JSONResponse(
            {
                "exchange_active": True,
                "trading_active": True,
                "intra_exchange_transfers_active": True,
            }
        )

    def schedule(self, request: Request) -> JSONResponse:
        """GET /exchange/schedule: always open but for Thursday 03:00-05:00 Eastern."""
        now = self._exchange.moment().now
        hours = {day: [{"open_time": "00:00", "close_time": "00:00"}] for day in DAYS}
        start, end = _next_maintenance(now)
        return JSONResponse(
            {
                "schedule": {
                    "standard_hours": [
                        {
                            "start_time": rfc3339(
                                now.replace(hour=0, minute=0, second=0, microsecond=0)
                            ),
                            "end_time": rfc3339(end),
                            **hours,
                        }
                    ],
                    "maintenance_windows": [
                        {"start_datetime": rfc3339(start), "end_datetime": rfc3339(end)}
                    ],
                }
            }
        )

    def cutoff(self, request: Request) -> JSONResponse:
        """GET /historical/cutoff."""
        cutoff = rfc3339(self._exchange.moment().cutoff)
        return JSONResponse(
            {
                "market_settled_ts": cutoff,
                "trades_created_ts": cutoff,
                "orders_updated_ts": cutoff,
                "market_positions_last_updated_ts": cutoff,
            }
        )

    def limits(self, request: Request) -> JSONResponse:
        """GET /account/limits."""
        return JSONResponse(
            {
                "grants": [],
                "read": _bucket(self._read_bucket),
                "usage_tier": "basic",
                "write": _bucket(WRITE_BUCKET),
            }
        )

    def endpoint_costs(self, request: Request) -> JSONResponse:
        """GET /account/endpoint_costs."""
        costs = [{"cost": c, "method": m, "path": _API + path} for m, path, c in _COSTS]
        return JSONResponse({"default_cost": DEFAULT_COST, "endpoint_costs": costs})

    def balance(self, request: Request) -> JSONResponse:
        """GET /portfolio/balance: the sandbox's account holds cash and nothing else."""
        text = dollars(BALANCE_CC)
        return JSONResponse(
            {
                "balance": BALANCE_CC // 100,
                "balance_breakdown": [{"balance": text, "exchange_index": 0}],
                "balance_dollars": text,
                "portfolio_value": 0,
                "updated_ts": int(self._clock()),
            }
        )


def request_cost(method: str, path: str) -> int:
    """Tokens that a request takes, from the table that /account/endpoint_costs serves."""
    return next(
        (cost for m, pattern, cost in _PATTERNS if m == method and pattern.fullmatch(path)),
        DEFAULT_COST,
    )


def _bucket(size: BucketSize) -> dict[str, float]:
    return {"bucket_capacity": size.capacity, "refill_rate": size.refill_rate}


def _next_maintenance(now: datetime) -> tuple[datetime, datetime]:
    local = now.astimezone(EASTERN)
    day = local.date() + timedelta(days=(THURSDAY - local.weekday()) % 7)
    start = datetime(day.year, day.month, day.day, 3, tzinfo=EASTERN)
    return start.astimezone(UTC), (start + timedelta(hours=2)).astimezone(UTC)
