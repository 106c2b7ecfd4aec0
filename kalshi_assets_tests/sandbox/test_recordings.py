"""The sandbox on the real recordings, and its shapes against real payloads."""

import json
import time
from datetime import UTC, datetime

import httpx
import polars as pl

from kalshi_assets.sandbox.archive import Archive
from kalshi_assets.sandbox.exchange_wire import candles_json, coarser_candles
from kalshi_assets_tests.shared import ARCHIVE, SAMPLES, needs_archive, needs_samples

EVENT = "KXHIGHCHI-25MAY05"
OPEN = int(datetime(2025, 5, 4, 14, tzinfo=UTC).timestamp())
DAY = {"start_ts": OPEN, "end_ts": OPEN + 39 * 3600, "period_interval": 1}
POINTS = ("open", "low", "high", "close")

NOT_RECORDED = {
    "created_time",
    "updated_time",
    "settlement_ts",
    "expected_expiration_time",
    "expiration_time",
    "latest_expiration_time",
    "occurrence_datetime",
    "early_close_condition",
}
GONE_SINCE = {"liquidity_dollars", "fractional_trading_enabled", "response_price_units"}
NEW_SINCE = {"exchange_index", "settlement_bounds_type"}


def _sample(name: str) -> dict:
    return json.loads((SAMPLES / "kalshi" / name).read_text())


def _markets(client: httpx.Client) -> list[dict]:
    return client.get("/markets", params={"event_ticker": EVENT}).json()["markets"]


@needs_archive
@needs_samples
def test_a_settled_market_has_the_recorded_keys(recorded: httpx.Client) -> None:
    served = {m["strike_type"]: m for m in _markets(recorded)}
    for sample in _sample("weather_2026-07_kxhighny_settled_trimmed.json")["markets"]:
        expected = sample.keys() - NOT_RECORDED - GONE_SINCE | NEW_SINCE
        assert served[sample["strike_type"]].keys() == expected


@needs_archive
@needs_samples
def test_candles_have_the_recorded_keys(recorded: httpx.Client) -> None:
    ticker = _markets(recorded)[0]["ticker"]
    path = f"/series/KXHIGHCHI/markets/{ticker}/candlesticks"
    body = recorded.get(path, params=DAY | {"period_interval": 60}).json()
    sample = _sample("weather_2026-07_candlesticks_trimmed.json")

    assert body.keys() == sample.keys()
    real = sample["candlesticks"][0]
    full = [c for c in body["candlesticks"] if len(c["price"]) == 6]
    assert full
    for candle in full:
        assert candle.keys() == real.keys()
        assert all(candle[k].keys() == real[k].keys() for k in ("price", "yes_bid", "yes_ask"))


@needs_archive
@needs_samples
def test_trades_have_the_recorded_keys(recorded: httpx.Client) -> None:
    ticker = _markets(recorded)[1]["ticker"]
    body = recorded.get("/markets/trades", params={"ticker": ticker, "limit": 1}).json()
    sample = _sample("trades__public_recorded.json")
    assert body.keys() == sample.keys()
    assert body["trades"][0].keys() == sample["trades"][0].keys()


@needs_archive
@needs_samples
def test_refusals_are_the_recorded_ones(recorded: httpx.Client) -> None:
    over = recorded.get("/markets", params={"limit": 1001}).json()
    assert over == _sample("markets__limit_over_max.json")
    unknown = recorded.get("/markets/KXNONE").json()
    sample = _sample("orders__cancel_unknown_id.json")["error"]
    assert unknown["error"] == {k: v for k, v in sample.items() if k != "service"}


@needs_archive
@needs_samples
def test_book_and_costs_have_the_recorded_keys(recorded: httpx.Client) -> None:
    ticker = _markets(recorded)[0]["ticker"]
    book, real = (
        recorded.get(f"/markets/{ticker}/orderbook").json(),
        _sample("orderbook__base.json"),
    )
    assert book.keys() == real.keys()
    assert book["orderbook_fp"].keys() == real["orderbook_fp"].keys()
    costs = recorded.get("/account/endpoint_costs").json()
    assert costs.keys() == _sample("account__endpoint_costs.json").keys()


@needs_archive
def test_every_recorded_candle_is_served_with_its_values(recorded: httpx.Client) -> None:
    held = Archive(ARCHIVE).candles(EVENT)
    served = {
        m["ticker"]: recorded.get(
            f"/series/KXHIGHCHI/markets/{m['ticker']}/candlesticks", params=DAY
        ).json()["candlesticks"]
        for m in _markets(recorded)
    }

    assert sum(map(len, served.values())) == held.height
    for row in held.filter(pl.col("volume") > 0).iter_rows(named=True):
        (candle,) = [c for c in served[row["market_ticker"]] if c["end_period_ts"] == row["end_ts"]]
        for point in POINTS:
            for side in ("yes_bid", "yes_ask", "price"):
                text = candle[side][f"{point}_dollars"]
                assert round(float(text) * 10_000) == row[f"{side}_{point}"]
        assert float(candle["volume_fp"]) == row["volume"]


@needs_archive
def test_every_recorded_trade_is_served_once(recorded: httpx.Client) -> None:
    held = Archive(ARCHIVE).trades("KXHIGHNY-25APR22")
    walked: list[str] = []
    for ticker in held["market_ticker"].unique():
        cursor: str | None = None
        while cursor != "":
            params = {"ticker": ticker, "limit": 1000, "cursor": cursor or ""}
            body = recorded.get("/historical/trades", params=params).json()
            walked += [t["trade_id"] for t in body["trades"]]
            cursor = body["cursor"]
    assert len(walked) == held.height
    assert set(walked) == set(held["trade_id"])


@needs_archive
def test_the_historical_tier_has_keys_without_suffix(recorded: httpx.Client) -> None:
    archive = Archive(ARCHIVE)
    rows = candles_json(archive.candles(EVENT), suffixed=False)["json"]
    traded = next(c for c in map(json.loads, rows) if len(c["price"]) == 6)

    assert traded["price"].keys() == {*POINTS, "mean", "previous"}
    assert traded["yes_bid"].keys() == set(POINTS)
    assert {"volume", "open_interest"} < traded.keys()
    assert isinstance(traded["volume"], str)


@needs_archive
def test_each_recorded_event_has_one_tier(recorded: httpx.Client) -> None:
    counts = {}
    for path in ("/markets", "/historical/markets"):
        cursor, counts[path] = None, 0
        while cursor != "":
            body = recorded.get(path, params={"limit": 1000, "cursor": cursor or ""}).json()
            counts[path] += len(body["markets"])
            cursor = body["cursor"]
    assert sum(counts.values()) == 4650
    assert min(counts.values()) > 100


@needs_archive
def test_hourly_candles_keep_the_volume_of_the_day() -> None:
    minutes = Archive(ARCHIVE).candles(EVENT)
    hours = coarser_candles(minutes, 60)
    assert hours["volume"].sum() == minutes["volume"].sum()
    assert hours["end_ts"].max() % 3600 == 0
    assert (hours["yes_bid_low"] <= hours["yes_bid_close"]).all()


@needs_archive
def test_five_thousand_candles_are_written_in_a_moment() -> None:
    candles = Archive(ARCHIVE).candles(EVENT)
    many = pl.concat([candles, candles]).head(5000)
    candles_json(many, suffixed=True)
    start = time.perf_counter()
    candles_json(many, suffixed=True)
    assert time.perf_counter() - start < 0.1
