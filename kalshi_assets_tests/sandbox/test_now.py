"""With a clock in the past, nothing later is shown."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from kalshi_assets.sandbox.server import running
from kalshi_assets_tests.sandbox.conftest import ENDLESS
from kalshi_assets_tests.sandbox.tiny import (
    CHI_BIN,
    CHI_CLOSE,
    CHI_EVENT,
    CHI_LOW,
    CHI_OPEN,
    NY_DAY,
)

START = int(CHI_OPEN.timestamp())


class Clock:
    def __init__(self) -> None:
        self.now = CHI_OPEN

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def client(clock: Clock, tiny_root: Path) -> Iterator[httpx.Client]:
    with (
        running(tiny_root, now=clock, anonymous_bucket=ENDLESS) as sandbox,
        httpx.Client(base_url=sandbox.url) as http,
    ):
        yield http


def _get(client: httpx.Client, path: str, **params: object) -> dict:
    return client.get(f"/trade-api/v2{path}", params=params).json()


def test_a_market_that_has_not_opened_is_absent(clock: Clock, client: httpx.Client) -> None:
    clock.now = CHI_OPEN - timedelta(seconds=1)
    assert _get(client, "/markets")["markets"] == []
    assert client.get(f"/trade-api/v2/events/{CHI_EVENT}").status_code == 404
    assert client.get(f"/trade-api/v2/markets/{CHI_BIN}").status_code == 404


def test_an_open_market_is_active_with_its_last_quote(clock: Clock, client: httpx.Client) -> None:
    clock.now = CHI_OPEN + timedelta(minutes=25, seconds=30)
    market = _get(client, f"/markets/{CHI_BIN}")["market"]

    assert (market["status"], market["result"], market["expiration_value"]) == ("active", "", "")
    assert (market["yes_bid_dollars"], market["yes_ask_dollars"]) == ("0.3100", "0.5100")
    assert (market["no_bid_dollars"], market["no_ask_dollars"]) == ("0.4900", "0.6900")
    assert market["open_interest_fp"] == "25.00"
    assert market["volume_fp"] == "15.00"
    assert "settlement_value_dollars" not in market
    assert "open_interest_fp" not in _get(client, f"/markets/{CHI_LOW}")["market"]


def test_an_open_market_counts_only_the_trades_so_far(clock: Clock, client: httpx.Client) -> None:
    clock.now = CHI_OPEN + timedelta(minutes=1)
    market = _get(client, f"/markets/{CHI_BIN}")["market"]
    assert (market["volume_fp"], market["last_price_dollars"]) == ("3.00", "0.4100")


def test_candles_and_trades_end_now(clock: Clock, client: httpx.Client) -> None:
    clock.now = CHI_OPEN + timedelta(minutes=2)
    day = {"start_ts": START, "end_ts": START + 86_400}
    path = f"/series/KXHIGHCHI/markets/{CHI_BIN}/candlesticks"

    assert len(_get(client, path, period_interval=1, **day)["candlesticks"]) == 2
    assert _get(client, path, period_interval=60, **day)["candlesticks"] == []
    trades = _get(client, "/markets/trades", ticker=CHI_BIN, max_ts=START + 86_400)["trades"]
    assert [t["trade_id"] for t in trades] == ["id-03", "id-02", "id-01", "id-00"]


def test_a_result_comes_some_hours_after_the_close(clock: Clock, client: httpx.Client) -> None:
    clock.now = CHI_CLOSE
    assert _get(client, f"/markets/{CHI_BIN}")["market"]["status"] == "closed"
    assert _get(client, f"/markets/{CHI_BIN}")["market"]["result"] == ""
    assert _get(client, "/markets", status="settled")["markets"] == []
    clock.now = CHI_CLOSE + timedelta(hours=12)
    assert _get(client, f"/markets/{CHI_BIN}")["market"]["result"] == "yes"
    assert len(_get(client, "/markets", status="settled")["markets"]) == 3


def test_the_cutoff_never_lies_ahead(clock: Clock, client: httpx.Client) -> None:
    clock.now = datetime(2025, 4, 20, 12, tzinfo=UTC)
    assert _get(client, "/historical/cutoff")["market_settled_ts"] == "2025-04-20T12:00:00Z"
    assert {m["status"] for m in _get(client, "/markets")["markets"]} == {"active"}
    assert _get(client, "/historical/markets")["markets"] == []


def test_observations_end_now(clock: Clock, client: httpx.Client) -> None:
    clock.now = datetime(2025, 4, 20, 5, 31, tzinfo=UTC)
    path = f"/VisualCrossingWebServices/rest/services/timeline/stn:KNYC/{NY_DAY}"
    params = {"key": "k", "include": "minutes", "options": "minuteinterval_5"}
    (day,) = client.get(path, params=params).json()["days"]
    last = day["hours"][-1]["minutes"][-1]["datetimeEpoch"]
    assert datetime.fromtimestamp(last, UTC) == datetime(2025, 4, 20, 5, 30, tzinfo=UTC)


def test_a_climate_report_comes_after_its_day(clock: Clock, client: httpx.Client) -> None:
    params = {"station": "KNYC", "year": 2025}
    clock.now = datetime(2025, 4, 21, 4, 59, tzinfo=UTC)
    assert client.get("/json/cli.py", params=params).json() == {"results": []}
    clock.now = datetime(2025, 4, 21, 5, tzinfo=UTC)
    assert client.get("/json/cli.py", params=params).json() == {
        "results": [{"station": "KNYC", "valid": "2025-04-20", "high": 73}]
    }
