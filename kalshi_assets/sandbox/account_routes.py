"""Routes for the exchange's status and the account.

Here: status, schedule, cutoff, limits, costs and the balance of an account that never trades. Not
here: orders (`venue`), whose routes come first where a sandbox accepts them.
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
    ("DELETE", "/portfolio/events/orders", 2),
    ("DELETE", "/portfolio/events/orders/:order_id", 2),
    ("DELETE", "/portfolio/events/orders/batched", 2),
    ("GET", "/portfolio/orders/:order_id", 2),
)
_PATTERNS = tuple(
    (method, re.compile(_API + re.sub(r"/[:*]\w+", "/[^/]+", path)), cost)
    for method, path, cost in _COSTS
)


class AccountRoutes:
    """The routes for the exchange itself and the account; `clock` gives Unix seconds."""

    def __init__(
        self,
        exchange: Exchange,
        *,
        read_bucket: BucketSize,
        write_bucket: BucketSize,
        clock: Callable[[], float],
    ) -> None:
        self._exchange = exchange
        self._read_bucket = read_bucket
        self._write_bucket = write_bucket
        self._clock = clock

    def routes(self) -> list[Route]:
        """All routes, in the order of matching."""
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
        names = ("exchange_active", "trading_active", "intra_exchange_transfers_active")
        return JSONResponse(dict.fromkeys(names, True))

    def schedule(self, request: Request) -> JSONResponse:
        """GET /exchange/schedule: always open except Thursday 03:00-05:00 Eastern."""
        now = self._exchange.moment().now
        today = rfc3339(now.replace(hour=0, minute=0, second=0, microsecond=0))
        start, end = map(rfc3339, _next_maintenance(now))
        hours = {day: [{"open_time": "00:00", "close_time": "00:00"}] for day in DAYS}
        schedule = {
            "standard_hours": [{"start_time": today, "end_time": end, **hours}],
            "maintenance_windows": [{"start_datetime": start, "end_datetime": end}],
        }
        return JSONResponse({"schedule": schedule})

    def cutoff(self, request: Request) -> JSONResponse:
        """GET /historical/cutoff."""
        names = (
            "market_settled_ts",
            "trades_created_ts",
            "orders_updated_ts",
            "market_positions_last_updated_ts",
        )
        return JSONResponse(dict.fromkeys(names, rfc3339(self._exchange.moment().cutoff)))

    def limits(self, request: Request) -> JSONResponse:
        """GET /account/limits."""
        return JSONResponse(
            {
                "grants": [],
                "read": _bucket(self._read_bucket),
                "usage_tier": "basic",
                "write": _bucket(self._write_bucket),
            }
        )

    def endpoint_costs(self, request: Request) -> JSONResponse:
        """GET /account/endpoint_costs."""
        costs = [{"cost": c, "method": m, "path": _API + path} for m, path, c in _COSTS]
        return JSONResponse({"default_cost": DEFAULT_COST, "endpoint_costs": costs})

    def balance(self, request: Request) -> JSONResponse:
        """GET /portfolio/balance: the sandbox's account holds only cash."""
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
    """Tokens per request, as served by /account/endpoint_costs."""
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
