"""A small exchange behind an httpx transport: what tests of this room ask, and nothing more."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx

from kalshi_assets.exchange.client import KalshiClient
from kalshi_assets.exchange.rest import RetryPolicy
from kalshi_assets.families.temperature.cities import CITIES

API = "/trade-api/v2"
BASE_URL = "https://exchange.test" + API
CITY = CITIES["chicago"]
DAY = date(2026, 6, 15)
EVENT = "KXHIGHCHI-26JUN15"
OPEN = datetime(2026, 6, 14, 14, tzinfo=UTC)
CLOSE = datetime(2026, 6, 16, 5, 59, tzinfo=UTC)
AT_ONCE = RetryPolicy(attempts=4, wait_initial_s=0, wait_max_s=0, wait_jitter_s=0)
STRIKES = (
    ("T78", "less", None, 78, "77° or below"),
    ("B78.5", "between", 78, 79, "78° to 79°"),
    ("B80.5", "between", 80, 81, "80° to 81°"),
    ("B82.5", "between", 82, 83, "82° to 83°"),
    ("B84.5", "between", 84, 85, "84° to 85°"),
    ("T85", "greater", 85, None, "86° or above"),
)
RULES = (
    "If the highest temperature recorded at Chicago Midway, IL for Jun 15, 2026, is {} according "
    "to the National Weather Service's Climatological Report (Daily), then the market resolves "
    "to Yes."
)
SERIES = {
    "ticker": "KXHIGHCHI",
    "fee_type": "quadratic",
    "fee_multiplier": 1,
    "settlement_sources": [{"name": "The Weather Company", "url": ""}],
}


def market(suffix: str = "T78", **changes: Any) -> dict[str, Any]:
    """One market object of the event, as the wire has it; None removes a field."""
    name, strike_type, floor, cap, label = next(s for s in STRIKES if s[0] == suffix)
    fields = {
        "ticker": f"{EVENT}-{name}",
        "event_ticker": EVENT,
        "strike_type": strike_type,
        "floor_strike": floor,
        "cap_strike": cap,
        "yes_sub_title": label,
        "open_time": "2026-06-14T14:00:00Z",
        "close_time": "2026-06-16T05:59:00Z",
        "expected_expiration_time": "2026-06-16T14:00:00Z",
        "status": "active",
        "result": "",
        "expiration_value": "",
        "rules_primary": RULES.format(label),
        "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}],
        "yes_bid_dollars": "0.1200",
        "yes_ask_dollars": "0.1400",
        "a_field_of_tomorrow": {"nested": True},
    }
    return {k: v for k, v in (fields | changes).items() if v is not None}


def markets(**changes: Any) -> list[dict[str, Any]]:
    """The six markets of the event."""
    return [market(strike[0], **changes) for strike in STRIKES]


def settled(winner: str = "B80.5", value: str = "81.00", **changes: Any) -> list[dict[str, Any]]:
    """The six markets after settlement."""
    return [
        market(
            strike[0],
            **{
                "status": "finalized",
                "result": "yes" if strike[0] == winner else "no",
                "expiration_value": value,
                "settlement_ts": "2026-06-16T12:00:59.542488Z",
            }
            | changes,
        )
        for strike in STRIKES
    ]


def candle(
    end_ts: int, bid: str = "0.1200", *, traded: str | None = None, live: bool = True
) -> dict:
    """One candle object; keys of the live or of the historical tier."""
    dollars, fp = ("_dollars", "_fp") if live else ("", "")

    def ohlc(price: str) -> dict[str, str]:
        return {part + dollars: price for part in ("open", "high", "low", "close")}

    price = {"previous" + dollars: "0.1300"}
    if traded is not None:
        price |= ohlc(traded) | {"mean" + dollars: "0.130333"}
    return {
        "end_period_ts": end_ts,
        "yes_bid": ohlc(bid),
        "yes_ask": ohlc("0.1400"),
        "price": price,
        "volume" + fp: "0.00" if traded is None else "3.00",
        "open_interest" + fp: "10.50",
    }


def trade(number: int, **changes: Any) -> dict[str, Any]:
    """One trade object; None removes a field."""
    fields = {
        "trade_id": f"trade-{number}",
        "ticker": f"{EVENT}-T78",
        "count_fp": "2.00",
        "yes_price_dollars": "0.1300",
        "no_price_dollars": "0.8700",
        "taker_outcome_side": "yes",
        "taker_book_side": "bid",
        "taker_side": "yes",
        "created_time": f"2026-06-15T12:00:{number % 60:02d}.5Z",
        "is_block_trade": False,
    }
    return {k: v for k, v in (fields | changes).items() if v is not None}


@dataclass
class FakeExchange:
    """Answers GETs from `routes`: a JSON value, a response, an exception, or a function of params.

    A list under a path is a script: one answer a call, the last one for ever.
    """

    routes: dict[str, Any] = field(default_factory=dict)
    asked: list[httpx.Request] = field(default_factory=list)

    def handle(self, request: httpx.Request) -> httpx.Response:
        """One request."""
        self.asked.append(request)
        path = request.url.path.removeprefix(API)
        if path not in self.routes:
            return httpx.Response(
                404, json={"error": {"code": "not_found", "message": "not found"}}
            )
        answer = self.routes[path]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, Callable):
            answer = answer(dict(request.url.params))
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    def client(self, now: datetime = CLOSE + timedelta(days=9), **options: Any) -> KalshiClient:
        """A client of this exchange that retries without waiting."""
        return KalshiClient(
            BASE_URL,
            transport=httpx.MockTransport(self.handle),
            clock=now.timestamp,
            **({"retry": AT_ONCE} | options),
        )

    def paths(self) -> list[str]:
        """Paths asked for, in order."""
        return [request.url.path.removeprefix(API) for request in self.asked]


def exchange(rows: list[dict[str, Any]] | None = None, *, archived: bool = False) -> FakeExchange:
    """An exchange that holds the event, in one tier."""
    rows = markets() if rows is None else rows
    page, none = {"markets": rows, "cursor": ""}, {"markets": [], "cursor": ""}
    cutoff = "2026-08-01T00:00:00Z" if archived else "2026-04-01T00:00:00Z"
    return FakeExchange(
        {
            "/historical/cutoff": {"market_settled_ts": cutoff, "trades_created_ts": cutoff},
            f"/events/{EVENT}": {"event": {"event_ticker": EVENT, "series_ticker": "KXHIGHCHI"}},
            "/markets": none if archived else page,
            "/historical/markets": page if archived else none,
            "/series/KXHIGHCHI": {"series": SERIES},
            "/series/fee_changes": {"series_fee_change_arr": []},
        }
    )


def sha256_of(payload: Any) -> str:
    """Hash of the bytes that `httpx` makes of a JSON value."""
    return hashlib.sha256(httpx.Response(200, json=payload).content).hexdigest()


def as_json(value: Any) -> bytes:
    """A body."""
    return json.dumps(value).encode()
