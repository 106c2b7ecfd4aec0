from datetime import timedelta

import httpx
import pytest

from kalshi_assets.exchange.contract import ContractError
from kalshi_assets.exchange.errors import ExchangeError
from kalshi_assets.exchange.ingest import (
    EventNotFoundError,
    IngestError,
    fetch_candles,
    fetch_event,
    fetch_settlement,
    fetch_trades,
)
from kalshi_assets.tables import CANDLES, SETTLEMENTS, TRADES
from kalshi_assets_tests.exchange.fake_exchange import (
    CITY,
    CLOSE,
    DAY,
    EVENT,
    OPEN,
    candle,
    exchange,
    market,
    markets,
    settled,
    sha256_of,
    trade,
)

NOON_S = int((OPEN + timedelta(hours=22)).timestamp())
SETTLED_AT = "2026-06-16 12:00:59.542488+00:00"


def contract_of(fake, **options):
    return fetch_event(fake.client(**options), CITY, DAY)


def settlement(rows, *, archived=False):
    fake = exchange(archived=archived)
    contract = contract_of(fake)
    fake.routes["/historical/markets" if archived else "/markets"] = {"markets": rows, "cursor": ""}
    return fetch_settlement(fake.client(), contract)


@pytest.mark.parametrize("archived", [False, True])
def test_an_event_is_read_from_either_tier(archived):
    contract = contract_of(exchange(archived=archived))
    assert contract.event_ticker == EVENT
    assert len(contract.ladder) == 6
    page = {"markets": markets(), "cursor": ""}
    assert {terms.raw_sha256 for terms in contract.markets} == {sha256_of(page)}


def test_an_event_that_does_not_exist_names_city_date_and_ticker():
    fake = exchange()
    del fake.routes[f"/events/{EVENT}"]
    with pytest.raises(EventNotFoundError, match=f"chicago 2026-06-15: no event {EVENT}"):
        contract_of(fake)
    with pytest.raises(EventNotFoundError, match=f"chicago 2026-06-15: event {EVENT} has no mark"):
        contract_of(exchange([]))


@pytest.mark.parametrize(
    "path", ["/markets", "/series/KXHIGHCHI", "/series/fee_changes", f"/events/{EVENT}"]
)
def test_a_read_that_fails_names_city_date_endpoint_and_cause(path):
    fake = exchange()
    fake.routes[path] = httpx.Response(500, json={"error": {"code": "internal_error"}})
    with pytest.raises(IngestError, match=f"chicago 2026-06-15: .*GET {path}.*internal_error") as e:
        contract_of(fake)
    assert isinstance(e.value.__cause__, ExchangeError)
    assert (e.value.city, e.value.day) == ("chicago", DAY)


def test_answers_that_make_no_event_name_city_and_date():
    with pytest.raises(IngestError, match=f"chicago 2026-06-15: contract of {EVENT}: .*lower tail"):
        contract_of(exchange(markets()[1:]))
    with pytest.raises(IngestError, match=r"chicago 2026-06-15: .*CLIORD"):
        contract_of(exchange(markets(rules_primary="Chicago (CLIORD)")))


def batch(params):
    first, last = int(params["start_ts"]), int(params["end_ts"])
    rows = [candle(t) for t in (NOON_S, NOON_S + 60) if first <= t <= last]
    return {
        "markets": [
            {"market_ticker": t, "candlesticks": rows} for t in params["market_tickers"].split(",")
        ]
    }


def test_candles_of_a_live_event_come_in_batches_from_open_to_a_minute_after_the_close():
    fake = exchange()
    fake.routes["/markets/candlesticks"] = batch
    contract = contract_of(fake)
    frame = fetch_candles(fake.client(), contract)
    assert CANDLES.conform(frame).equals(frame)
    assert frame.group_by("market_ticker").len()["len"].to_list() == [2] * 6
    asked = [dict(r.url.params) for r in fake.asked if r.url.path.endswith("/candlesticks")]
    assert asked[0]["start_ts"] == str(int(OPEN.timestamp()))
    assert asked[-1]["end_ts"] == str(int(CLOSE.timestamp()) + 60)


def test_candles_of_an_archived_event_come_from_the_historical_tier():
    fake = exchange(archived=True)
    contract = contract_of(fake)
    for ticker in contract.market_tickers:
        fake.routes[f"/historical/markets/{ticker}/candlesticks"] = {
            "candlesticks": [candle(NOON_S, live=False)]
        }
    assert len(fetch_candles(fake.client(), contract)) == 6


def test_an_event_that_the_cutoff_splits_is_read_from_both_tiers():
    fake = exchange(archived=True)
    contract = contract_of(fake)
    fake.routes |= {
        "/markets/candlesticks": batch,
        "/historical/markets": {"markets": [market("T78")], "cursor": ""},
        f"/historical/markets/{EVENT}-T78/candlesticks": {
            "candlesticks": [candle(NOON_S, live=False)]
        },
    }
    frame = fetch_candles(fake.client(), contract)
    counts = dict(frame.group_by("market_ticker").len().rows())
    assert counts[f"{EVENT}-T78"] == 1
    assert sorted(counts.values()) == [1, 2, 2, 2, 2, 2]


def test_a_candle_that_is_still_being_made_is_left_out():
    fake = exchange()
    fake.routes["/markets/candlesticks"] = batch
    contract = contract_of(fake)
    noon = OPEN + timedelta(hours=22)
    frame = fetch_candles(fake.client(now=noon + timedelta(seconds=30)), contract)
    assert frame["event_time"].unique().to_list() == [noon]


def test_a_market_that_the_exchange_does_not_know_is_an_error_and_not_a_hole():
    fake = exchange()
    fake.routes["/markets/candlesticks"] = {"markets": []}
    with pytest.raises(IngestError, match=r"chicago 2026-06-15: candles of .*left out"):
        fetch_candles(fake.client(), contract_of(fake))


def test_trades_of_all_markets_are_read():
    fake = exchange()
    fake.routes["/markets/trades"] = lambda params: {
        "trades": [trade(1, ticker=params["ticker"], trade_id=params["ticker"])],
        "cursor": "",
    }
    frame = fetch_trades(fake.client(), contract_of(fake))
    assert TRADES.conform(frame).equals(frame)
    assert len(frame) == 6


def test_a_damaged_trade_names_city_date_endpoint_and_trade():
    fake = exchange()
    fake.routes["/markets/trades"] = {"trades": [trade(1, count_fp=None)], "cursor": ""}
    with pytest.raises(IngestError, match=r"chicago 2026-06-15: .*GET /markets/trades.*trade-1"):
        fetch_trades(fake.client(), contract_of(fake))


@pytest.mark.parametrize("archived", [False, True])
def test_a_settled_event_is_one_row_that_leads_back_to_its_bytes(archived):
    frame = settlement(settled(), archived=archived)
    assert SETTLEMENTS.conform(frame).equals(frame)
    row = frame.row(0, named=True)
    assert (row["source"], row["status"], row["tmax_f"]) == ("exchange", "finalized", 81)
    assert row["winning_market"] == f"{EVENT}-B80.5"
    assert (str(row["known_at"]), row["known_at_from"]) == (SETTLED_AT, "settlement_ts")
    assert row["raw_sha256"] == sha256_of({"markets": settled(), "cursor": ""})


def test_only_the_winner_stated_the_value_in_2025():
    rows = settled(value="")
    rows[2]["expiration_value"] = "81.00"
    assert settlement(rows)["tmax_f"].to_list() == [81]
    assert settlement(settled(value=""))["tmax_f"].to_list() == [None]


def test_before_it_settles_there_is_no_row():
    assert settlement(markets(status="closed")).is_empty()
    assert settlement(settled(status="disputed")).is_empty()
    rows = settled()
    rows[0] |= {"status": "closed", "result": ""}
    assert settlement(rows).is_empty()


def test_a_settlement_without_a_time_is_known_when_it_was_expected():
    row = settlement(settled(settlement_ts=None, status="determined")).row(0, named=True)
    assert (row["status"], row["known_at_from"]) == ("determined", "assumed")
    assert str(row["known_at"]) == "2026-06-16 14:00:00+00:00"
    bare = settlement(settled(settlement_ts=None, expected_expiration_time=None))
    assert bare["known_at"].to_list() == [CLOSE + timedelta(hours=12)]


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        (settled(winner="none"), "without exactly one winner"),
        (settled(result="yes"), "without exactly one winner"),
        (settled(result="scalar"), "at a fair price, but .*T78, .* state no settlement_value"),
        (settled(value="81.50"), "81.50, not a whole degree"),
        (settled(value="90.00"), "settled at 90.00, but"),
        (
            [
                *settled()[:5],
                market("T85", status="finalized", result="no", expiration_value="70.00"),
            ],
            "disagree",
        ),
        (settled()[:5], f"left out {EVENT}-T85"),
    ],
)
def test_a_settlement_that_contradicts_itself_is_an_error(rows, complaint):
    with pytest.raises(IngestError, match=f"chicago 2026-06-15: .*{complaint}") as caught:
        settlement(rows)
    assert isinstance(caught.value.__cause__, ContractError)


def test_a_fair_price_is_stored_bracket_by_bracket_without_a_winner():
    values = ["0.0100", "0.0100", "0.2400", "0.7200", "0.0100", "0.0100"]
    rows = [
        row | {"result": "scalar", "settlement_value_dollars": value}
        for row, value in zip(settled(value=""), values, strict=True)
    ]
    (row,) = settlement(rows[::-1]).to_dicts()
    assert row["payoffs_cc"] == [100, 100, 2400, 7200, 100, 100]
    assert (row["tmax_f"], row["winning_market"]) == (None, None)
    assert f"{row['known_at']}" == f"{row['issued_at']}" == SETTLED_AT


def test_brackets_settled_as_usual_beside_a_fair_price_pay_all_or_nothing():
    results = [("no", None), ("no", None), ("scalar", "0.4000"), ("scalar", "0.6000")]
    rows = [
        row | {"result": result} | ({"settlement_value_dollars": value} if value else {})
        for row, (result, value) in zip(settled(), [*results, *[("no", None)] * 2], strict=True)
    ]
    (row,) = settlement(rows).to_dicts()
    assert row["payoffs_cc"] == [0, 0, 4000, 6000, 0, 0]


def test_a_settlement_of_one_winner_has_no_fair_price():
    assert settlement(settled())["payoffs_cc"].to_list() == [None]
