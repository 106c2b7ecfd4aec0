import json
from datetime import date, timedelta

import httpx
import pytest

from kalshi_assets.exchange.contract import ContractError, EventContract
from kalshi_assets.exchange.errors import ExchangeError
from kalshi_assets.exchange.ingest import (
    EventNotFoundError,
    IngestError,
    fetch_candles,
    fetch_event,
    fetch_settlement,
    fetch_trades,
)
from kalshi_assets.families.temperature.cities import city_day
from kalshi_assets.families.temperature.listing import listing_of
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
    return fetch_event(fake.client(**options), listing_of(CITY, DAY))


def settlement(rows, *, archived=False):
    fake = exchange(archived=archived)
    contract = contract_of(fake)
    fake.routes["/historical/markets" if archived else "/markets"] = {"markets": rows, "cursor": ""}
    return fetch_settlement(fake.client(), contract, SETTLEMENTS)


@pytest.mark.parametrize("archived", [False, True])
def test_an_event_is_read_from_either_tier(archived):
    contract = contract_of(exchange(archived=archived))
    assert contract.event_ticker == EVENT
    assert len(contract.ladder) == 6
    page = {"markets": markets(), "cursor": ""}
    assert {terms.raw_sha256 for terms in contract.markets} == {sha256_of(page)}


def test_an_event_that_does_not_exist_names_city_date_and_every_ticker_that_was_tried():
    fake = exchange()
    del fake.routes[f"/events/{EVENT}"]
    with pytest.raises(
        EventNotFoundError,
        match=f"chicago 2026-06-15: no event {EVENT}.*; no event HIGHCHI-26JUN15",
    ):
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
    assert e.value.key == city_day("chicago", DAY)


def test_answers_that_make_no_event_name_city_and_date():
    with pytest.raises(IngestError, match=f"chicago 2026-06-15: contract of {EVENT}: .*lower tail"):
        contract_of(exchange(markets()[1:]))
    with pytest.raises(IngestError, match=r"chicago 2026-06-15: .*CLIORD"):
        contract_of(exchange(markets(rules_primary="Chicago (CLIORD)")))


FORMER_DAY = date(2024, 8, 16)


def under_another_name(event, day, series="KXHIGHCHI"):
    """The exchange with the event of `day` under the name `event`."""
    place = CITY.climate_day(day)
    times = {
        "open_time": f"{place[0] - timedelta(hours=16):%Y-%m-%dT%H:%M:%SZ}",
        "close_time": f"{place[1] - timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}",
    }
    rows = [
        row | times | {"event_ticker": event, "ticker": row["ticker"].replace(EVENT, event)}
        for row in markets()
    ]
    fake = exchange(rows, archived=True)
    del fake.routes[f"/events/{EVENT}"]
    fake.routes[f"/events/{event}"] = {"event": {"event_ticker": event, "series_ticker": series}}
    return fake


def test_before_the_series_was_renamed_its_former_name_is_asked_for_and_no_other():
    fake = under_another_name("HIGHCHI-24AUG16", FORMER_DAY)
    contract = fetch_event(fake.client(), listing_of(CITY, FORMER_DAY))
    assert (contract.event_ticker, contract.series_ticker) == ("HIGHCHI-24AUG16", "KXHIGHCHI")
    assert contract.market_tickers[0] == "HIGHCHI-24AUG16-T78"
    asked = [path for path in fake.paths() if path.startswith(("/events", "/series"))]
    assert asked == ["/events/HIGHCHI-24AUG16", "/series/KXHIGHCHI", "/series/fee_changes"]
    frame = contract.to_frame()
    assert EventContract.from_frame(city_day("chicago", FORMER_DAY), frame) == contract


@pytest.mark.parametrize(
    ("event", "day"),
    [("KXHIGHCHI-24AUG16", FORMER_DAY), ("HIGHCHI-25JAN20", date(2025, 1, 20))],
)
def test_an_event_under_the_name_of_another_time_is_found_at_the_second_try(event, day):
    fake = under_another_name(event, day)
    assert fetch_event(fake.client(), listing_of(CITY, day)).event_ticker == event
    asked = [path for path in fake.paths() if path.startswith("/events")]
    assert asked == [f"/events/{ticker}" for ticker in CITY.event_tickers(day)]


def test_an_event_of_a_former_series_has_its_terms_or_where_it_is_gone_those_of_the_present():
    fake = under_another_name("HIGHCHI-24AUG16", FORMER_DAY, series="HIGHCHI")
    contract = fetch_event(fake.client(), listing_of(CITY, FORMER_DAY))
    assert (contract.series_ticker, contract.fee_multiplier) == ("HIGHCHI", 1.0)
    fake.routes["/series/HIGHCHI"] = {"series": {"fee_type": "quadratic", "fee_multiplier": 2}}
    assert fetch_event(fake.client(), listing_of(CITY, FORMER_DAY)).fee_multiplier == 2.0
    fake.routes["/events/HIGHCHI-24AUG16"]["event"]["series_ticker"] = "KXHIGHNY"
    with pytest.raises(IngestError, match="of series KXHIGHNY, the registry has KXHIGHCHI, HIGHC"):
        fetch_event(fake.client(), listing_of(CITY, FORMER_DAY))


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
    with pytest.raises(IngestError, match=r"chicago 2026-06-15: candles of .*missing from"):
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
    assert (row["source"], row["status"], row["value"]) == ("exchange", "finalized", 81)
    assert row["winning_market"] == f"{EVENT}-B80.5"
    assert (str(row["known_at"]), row["known_at_from"]) == (SETTLED_AT, "settlement_ts")
    assert row["raw_sha256"] == sha256_of({"markets": settled(), "cursor": ""})


def test_only_the_winner_stated_the_value_in_2025():
    rows = settled(value="")
    rows[2]["expiration_value"] = "81.00"
    assert settlement(rows)["value"].to_list() == [81]
    assert settlement(settled(value=""))["value"].to_list() == [None]


WORDS = "84. The maximum as the climate report of the day has it."


@pytest.mark.parametrize(
    ("words", "winner", "value"),
    [
        (WORDS, "B84.5", 84),
        (WORDS, "T85", None),
        ("90. As reported.", "T85", 90),
        ("84.00. As reported.", "B84.5", 84),
        ("84° F", "B84.5", 84),
        ("see the climate report", "B84.5", None),
        ("84.5. As reported.", "B84.5", None),
        ("84-85", "B84.5", None),
        ("16 June 2026", "T78", None),
        ("11:59 PM", "T78", None),
        ("29 degrees Celsius", "T78", None),
        ("2026-06-15: 90", "T85", None),
        ("999. As reported.", "T85", None),
        ("1e400", "T85", None),
        ("NaN", "T85", None),
        ("9" * 5_000 + ".", "T85", None),
        (84, "B84.5", 84),
        (1e400, "T85", None),
        ([84], "B84.5", None),
        ({"value": "84"}, "B84.5", None),
        (False, "T78", None),
    ],
)
def test_a_value_in_words_keeps_the_winner_and_its_number_where_they_agree(words, winner, value):
    rows = settled(winner, "")
    next(row for row in rows if row["result"] == "yes")["expiration_value"] = words
    body = json.dumps({"markets": rows, "cursor": ""}).encode()
    fake = exchange()
    fake.routes["/markets"] = httpx.Response(200, content=body)
    contract = contract_of(fake)
    assert len(contract.ladder) == 6
    frame = fetch_settlement(fake.client(), contract, SETTLEMENTS)
    assert frame.select("winning_market", "value").rows() == [(f"{EVENT}-{winner}", value)]


def test_siblings_whose_words_differ_give_no_value_and_a_number_counts_more_than_words():
    rows = settled("B84.5", WORDS)
    assert settlement(rows)["value"].to_list() == [84]
    rows[0]["expiration_value"] = "85. As revised."
    assert settlement(rows)["value"].to_list() == [None]
    rows[4]["expiration_value"] = "85.00"
    assert settlement(rows)["value"].to_list() == [85]


@pytest.mark.parametrize("value", ["32000.00", "141", "-81", "99999999999"])
def test_a_value_that_is_no_temperature_names_market_and_field(value):
    with pytest.raises(
        IngestError,
        match=rf"{EVENT}-T(78|85), field expiration_value: {value} is out of range",
    ):
        settlement(settled("T78" if value.startswith("-") else "T85", value))


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
        (settled(value="81.50"), "81.50 f is not on a grid"),
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
    assert (row["value"], row["winning_market"]) == (None, None)
    assert f"{row['known_at']}" == f"{row['issued_at']}" == SETTLED_AT


def test_a_fair_price_is_final_when_it_is_for_every_market():
    rows = [
        row | {"result": "scalar", "settlement_value_dollars": "0.1600"}
        for row in settled(value="")
    ]
    assert settlement(rows)["status"].to_list() == ["finalized"]
    rows[4] |= {"status": "determined"}
    assert settlement(rows)["status"].to_list() == ["determined"]


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
