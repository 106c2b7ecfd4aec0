"""Every recorded payload decodes, or is refused with the right error."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from kalshi_assets.exchange.errors import (
    AuthenticationError,
    Endpoint,
    ExchangeError,
    MalformedAnswerError,
    NotFoundError,
    error_of,
)
from kalshi_assets.exchange.wire import Market, candles_of, market_of, trades_of
from kalshi_assets.exchange.wire_account import (
    account_limits_of,
    balance_of,
    endpoint_costs_of,
    exchange_status_of,
    fee_changes_of,
    fills_of,
    order_cancelled_of,
    order_created_of,
    order_of,
    orders_of,
    positions_of,
    settlements_of,
)
from kalshi_assets.exchange.wire_stream import (
    BookDelta,
    BookSnapshot,
    frame_of,
    order_book_of,
)
from kalshi_assets.families.temperature.bracket_reading import bracket_of
from kalshi_assets.families.temperature.cities import CITIES
from kalshi_assets.tables import CANDLES, TRADES
from kalshi_assets_tests.shared import SAMPLES, needs_samples

pytestmark = needs_samples

KALSHI = SAMPLES / "kalshi"
BODIES = sorted(p.name for p in KALSHI.glob("*.json") if not p.name.endswith(".meta.json"))
STREAMS = sorted(p.name for p in KALSHI.glob("ws__*.jsonl"))
CENTS_ERA = sorted(p.name for p in (SAMPLES / "kalshi_cents_era").glob("*.json"))

DECODERS = {
    "account__endpoint_costs": endpoint_costs_of,
    "account__limits": account_limits_of,
    "auth__": balance_of,
    "exchange__status": exchange_status_of,
    "fills__": fills_of,
    "markets__single.": lambda p: market_of(p["market"], "sha"),
    "markets__unauth_single": lambda p: market_of(p["market"], "sha"),
    "markets__": lambda p: [market_of(m, "sha") for m in p["markets"]],
    "orderbook__": lambda p: order_book_of(p, "A"),
    "orders__cancel_v2": order_cancelled_of,
    "orders__create": order_created_of,
    "orders__get": order_of,
    "orders__settlement_seed": order_created_of,
    "orders__stp_resting": order_of,
    "orders__stp": order_created_of,
    "portfolio__orders_list": orders_of,
    "portfolio__positions": positions_of,
    "series__fee_changes": lambda p: fee_changes_of(p["series_fee_change_arr"]),
    "settlements__": settlements_of,
    "trades__": lambda p: trades_of(p["trades"], "sha"),
    "weather_2026-07_candlesticks": lambda p: candles_of([(p["ticker"], p["candlesticks"])], "sha"),
    "weather_2026-07_kxhighny": lambda p: [market_of(m, "sha") for m in p["markets"]],
}
ERROR_OF_STATUS = {401: AuthenticationError, 404: NotFoundError}
LEGACY = {"orders__legacy_create.json", "orders__legacy_cancel.json"}


def payload(name):
    return json.loads((KALSHI / name).read_bytes())


def meta(name):
    path = KALSHI / name.replace(".json", ".meta.json")
    return json.loads(path.read_bytes()) if path.is_file() else {"status": 200}


def decode(name):
    prefix = next(prefix for prefix in DECODERS if name.startswith(prefix))
    return DECODERS[prefix](payload(name))


@pytest.mark.parametrize("name", BODIES)
def test_every_recorded_answer_decodes_or_is_refused_with_the_right_error(name):
    recorded = meta(name)
    if recorded["status"] < 400 and name not in LEGACY:
        assert decode(name) is not None
        return
    endpoint = Endpoint(recorded["method"], recorded["path"])
    body = (KALSHI / name).read_bytes()
    if name in LEGACY:
        with pytest.raises(MalformedAnswerError, match="order_id: missing"):
            order_created_of(json.loads(body))
        return
    error = error_of(recorded["status"], body, endpoint)
    assert type(error) is ERROR_OF_STATUS.get(recorded["status"], ExchangeError)
    assert str(error).startswith(f"{endpoint} [{recorded['status']}]: ")
    assert error.code or "Parameter validation" in error.message


def test_refusals_keep_the_code_to_branch_on_and_say_what_to_do():
    seen = {
        name: error_of(
            meta(name)["status"], (KALSHI / name).read_bytes(), Endpoint("GET", "/portfolio")
        )
        for name in BODIES
        if meta(name)["status"] >= 400
    }
    assert seen["orders__duplicate_client_order_id.json"].code == "order_already_exists"
    assert seen["orders__post_only_cross.json"].details == "post only cross"
    assert seen["orders__insufficient_balance.json"].code == "insufficient_balance"
    assert seen["orders__numeric_field_types.json"].code == "bad_request"
    assert "clock" in str(seen["auth__skew_minus30s.json"])
    assert "must be a pair" in str(seen["auth__bad_signature.json"])
    assert "environment" in str(seen["auth__unknown_key_id.json"])
    assert "KALSHI_API_KEY_ID" in str(seen["auth__missing_signature_header.json"])


def test_the_recorded_weather_markets_are_read_in_whole_degrees():
    markets = {m.ticker: m for m in decode("markets__high_temp.json")}
    assert all(isinstance(m, Market) for m in markets.values())
    bounds = {t: bracket_of(m) for t, m in markets.items() if t.startswith("KXHIGHNY-26JUN15")}
    assert bounds["KXHIGHNY-26JUN15-T78"].hi == 77
    assert (bounds["KXHIGHNY-26JUN15-B84.5"].lo, bounds["KXHIGHNY-26JUN15-B84.5"].hi) == (84, 85)
    assert bounds["KXHIGHNY-26JUN15-T85"].lo == 86


def test_the_recorded_settled_market_has_value_result_grid_and_time():
    market = decode("weather_2026-07_kxhighny_settled_trimmed.json")[0]
    assert (market.status, market.result, market.expiration_value) == (
        "finalized",
        "no",
        Decimal("85.00"),
    )
    assert [(r.start, r.end, r.step) for r in market.price_ranges] == [(0, 10_000, 100)]
    assert f"{market.settlement_ts:%H:%M:%S.%f}" == "12:00:59.542488"
    assert any(name in market.rules_primary for name in CITIES["new_york"].rules_names)


def test_recorded_candles_and_trades_keep_their_contracts():
    candles = CANDLES.conform(decode("weather_2026-07_candlesticks_trimmed.json"))
    assert candles["price_close_cc"].to_list()[:3] == [6_000, 6_300, 5_800]
    assert candles["volume"][0] == 83.7
    trades = TRADES.conform(decode("trades__public_recorded.json"))
    assert len(trades) == 12
    assert set(trades["taker_side"]) <= {"yes", "no"}
    assert trades["yes_price_cc"].max() <= 10_000


def test_the_recorded_book_implies_its_asks():
    book = decode("orderbook__base.json")
    assert book.bids == ((4_700, 300),)
    assert book.asks == ((5_200, 300),)


def test_the_recorded_account_is_exact():
    assert decode("auth__balance_ok.json").dollars == Decimal("98.0186")
    assert [fill.fee for fill in decode("fills__after_taker.json")][:2] == [
        Decimal("0.017500"),
        Decimal("0.000700"),
    ]
    assert decode("portfolio__positions.json")[0].contracts == 3
    assert decode("account__limits.json").read.refill_rate == 200
    costs = decode("account__endpoint_costs.json")
    assert costs.default == 10
    assert costs.exceptions["DELETE", "/trade-api/v2/portfolio/events/orders/:order_id"] == 2


@pytest.mark.parametrize("name", STREAMS)
def test_every_frame_of_a_recorded_stream_decodes(name):
    lines = (KALSHI / name).read_text("utf-8").split("\n")
    frames = [frame for frame in map(frame_of, lines) if frame is not None]
    assert [f.type for f in frames[:3]] == ["subscribed", "subscribed", "orderbook_snapshot"]
    assert [f.seq for f in frames[2:]] == list(range(1, len(frames) - 1))
    for frame in frames[2:]:
        assert isinstance(frame.body, BookSnapshot | BookDelta)


def test_the_pair_of_recorded_streams_shows_the_no_side_in_either_price():
    shown = {}
    for name in STREAMS:
        lines = Path(KALSHI / name).read_text("utf-8").split("\n")
        bodies = [frame.body for frame in map(frame_of, lines) if frame is not None]
        snapshot = next(body for body in bodies if isinstance(body, BookSnapshot))
        shown[name] = snapshot.no[0][0]
    assert shown == {
        "ws__orderbook_trade_noleg.jsonl": 4_800,
        "ws__orderbook_trade_yes.jsonl": 5_200,
    }


@pytest.mark.parametrize("name", CENTS_ERA)
def test_answers_of_the_cents_era_are_refused_by_name(name):
    event = json.loads((SAMPLES / "kalshi_cents_era" / name).read_bytes())
    for market in event["markets"]:
        with pytest.raises(
            MalformedAnswerError, match=rf"{market['ticker']}, field yes_bid_dollars.*integer cents"
        ):
            market_of(market, "sha")
