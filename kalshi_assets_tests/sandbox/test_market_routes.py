import httpx
import pytest

from kalshi_assets_tests.sandbox.tiny import CHI_BIN, CHI_EVENT, CHI_LOW, NY_BIN, NY_EVENT

NOT_FOUND = {"error": {"code": "not_found", "message": "not found"}}


def test_series_are_quadratic_with_multiplier_one(api: httpx.Client) -> None:
    listed = api.get("/series").json()["series"]

    assert [s["ticker"] for s in listed] == ["KXHIGHCHI", "KXHIGHNY"]
    assert {(s["fee_type"], s["fee_multiplier"]) for s in listed} == {("quadratic", 1)}
    assert api.get("/series/KXHIGHNY").json()["series"] == listed[1]
    assert api.get("/series", params={"category": "Sports"}).json() == {"series": []}


def test_series_name_the_report_they_settle_on(api: httpx.Client) -> None:
    (source,) = api.get("/series/KXHIGHCHI").json()["series"]["settlement_sources"]

    assert source["name"] == "NWS Climatological Report (Daily)"
    assert source["url"].endswith("issuedby=MDW")


def test_fee_changes_are_none(api: httpx.Client) -> None:
    answer = api.get("/series/fee_changes", params={"show_historical": "true"})
    assert answer.json() == {"series_fee_change_arr": []}
    assert api.get("/events/fee_changes").json() == {"event_fee_changes": [], "cursor": ""}


@pytest.mark.parametrize(
    "path",
    [
        "/series/KXNONE",
        "/events/KXNONE-25MAY05",
        "/markets/KXNONE",
        "/markets/KXNONE/orderbook",
        f"/markets/{NY_BIN}",
        f"/markets/{NY_BIN}/orderbook",
        f"/historical/markets/{CHI_BIN}",
        "/no/such/path",
    ],
)
def test_what_a_tier_does_not_hold_is_not_found(api: httpx.Client, path: str) -> None:
    answer = api.get(path)
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)


def test_events_are_never_archived_but_their_markets_are(api: httpx.Client) -> None:
    events = api.get("/events", params={"with_nested_markets": "true"}).json()
    by_ticker = {e["event_ticker"]: e for e in events["events"]}

    assert events["cursor"] == ""
    assert list(by_ticker) == [
        "KXHIGHCHI-25MAY06",
        "KXHIGHCHI-25MAY05",
        "KXHIGHNY-25APR21",
        "KXHIGHNY-25APR20",
    ]
    assert "markets" not in by_ticker[NY_EVENT]
    assert len(by_ticker[CHI_EVENT]["markets"]) == 3


def test_an_event_carries_its_markets_beside_it_or_nested(api: httpx.Client) -> None:
    beside = api.get(f"/events/{CHI_EVENT}").json()
    nested = api.get(f"/events/{CHI_EVENT}", params={"with_nested_markets": "true"}).json()

    assert "markets" not in beside["event"]
    assert nested["event"]["markets"] == beside["markets"]
    assert nested["markets"] == []
    assert beside["event"]["mutually_exclusive"] is True
    assert beside["event"]["strike_date"] == "2025-05-06T04:59:00Z"
    assert api.get(f"/events/{NY_EVENT}").json()["markets"] == []


def test_a_settled_market_has_its_result_and_value(api: httpx.Client) -> None:
    market = api.get(f"/markets/{CHI_BIN}").json()["market"]

    assert market["status"] == "finalized"
    assert (market["result"], market["settlement_value_dollars"]) == ("yes", "1.0000")
    assert market["expiration_value"] == "56.00"
    assert (market["floor_strike"], market["cap_strike"]) == (55, 56)
    assert (market["open_time"], market["close_time"]) == (
        "2025-05-04T14:00:00Z",
        "2025-05-06T04:59:00Z",
    )
    assert (market["yes_bid_dollars"], market["yes_ask_dollars"]) == ("0.0000", "1.0000")
    assert (market["last_price_dollars"], market["volume_fp"]) == ("0.4400", "15.00")
    assert market["price_ranges"] == [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}]
    assert "settlement_ts" not in market
    assert "expected_expiration_time" not in market


def test_a_tail_lacks_the_strike_that_it_does_not_have(api: httpx.Client) -> None:
    market = api.get(f"/markets/{CHI_LOW}").json()["market"]

    assert market["cap_strike"] == 55
    assert "floor_strike" not in market
    assert market["expiration_value"] == ""
    assert market["rules_primary"] == ""


def test_what_the_exchange_never_settled_is_closed_without_result(api: httpx.Client) -> None:
    markets = api.get("/historical/markets", params={"event_ticker": "KXHIGHNY-25APR21"}).json()

    assert {m["status"] for m in markets["markets"]} == {"closed"}
    assert {m["result"] + m["expiration_value"] for m in markets["markets"]} == {""}
    assert not any("settlement_value_dollars" in m for m in markets["markets"])


def test_the_live_list_and_the_historical_list_are_disjoint(api: httpx.Client) -> None:
    live = {m["event_ticker"] for m in api.get("/markets").json()["markets"]}
    old = {m["event_ticker"] for m in api.get("/historical/markets").json()["markets"]}

    assert live == {CHI_EVENT, "KXHIGHCHI-25MAY06"}
    assert old == {NY_EVENT, "KXHIGHNY-25APR21"}


def test_pages_join_to_the_whole_list(api: httpx.Client) -> None:
    whole = [m["ticker"] for m in api.get("/markets").json()["markets"]]
    walked, cursor, pages = [], "", 0
    while pages == 0 or cursor:
        answer = api.get("/markets", params={"limit": 4, "cursor": cursor}).json()
        walked += [m["ticker"] for m in answer["markets"]]
        cursor, pages = answer["cursor"], pages + 1

    assert (walked, pages) == (whole, 2)


@pytest.mark.parametrize("cursor", ["garbage-cursor", "bnVsbA", "WzEsMiwzXQ", "WyJhIiwiYiJd"])
def test_a_garbage_cursor_gets_the_first_page(api: httpx.Client, cursor: str) -> None:
    answer = api.get("/markets", params={"limit": 2, "cursor": cursor})
    assert answer.status_code == 200
    assert answer.json()["markets"] == api.get("/markets", params={"limit": 2}).json()["markets"]


@pytest.mark.parametrize(
    ("params", "tickers"),
    [
        ({"event_ticker": CHI_EVENT}, 3),
        ({"series_ticker": "KXHIGHCHI"}, 6),
        ({"series_ticker": "KXHIGHNY"}, 0),
        ({"tickers": f"{CHI_BIN},{NY_BIN},KXNONE"}, 1),
        ({"status": "settled"}, 6),
        ({"status": "open"}, 0),
        ({"status": "closed"}, 0),
        ({"mve_filter": "exclude"}, 6),
        ({"mve_filter": "only"}, 0),
        ({"min_close_ts": 1746507540}, 6),
        ({"min_close_ts": 1746507541}, 3),
        ({"min_settled_ts": 1746507541, "status": "settled"}, 6),
        ({"min_updated_ts": 1746507541, "mve_filter": "exclude"}, 6),
    ],
)
def test_filters_select(api: httpx.Client, params: dict, tickers: int) -> None:
    assert len(api.get("/markets", params=params).json()["markets"]) == tickers


@pytest.mark.parametrize(
    "params",
    [
        {"min_close_ts": 1, "min_settled_ts": 1},
        {"min_close_ts": 1, "status": "open"},
        {"min_created_ts": 1, "status": "settled"},
        {"min_updated_ts": 1, "status": "closed"},
        {"min_updated_ts": 1, "series_ticker": "KXHIGHCHI"},
        {"min_updated_ts": 1, "event_ticker": CHI_EVENT},
    ],
)
def test_time_filters_of_two_families_are_refused(api: httpx.Client, params: dict) -> None:
    answer = api.get("/markets", params=params)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "bad_request"


@pytest.mark.parametrize("status", ["active", "finalized", "open,closed"])
def test_a_returned_status_is_no_filter(api: httpx.Client, status: str) -> None:
    answer = api.get("/markets", params={"status": status})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "invalid status filter"


@pytest.mark.parametrize(
    ("path", "operation", "most"),
    [
        ("/markets", "GetMarkets", 1000),
        ("/events", "GetEvents", 200),
        ("/markets/trades", "GetTrades", 1000),
        ("/historical/markets", "GetHistoricalMarkets", 1000),
        ("/historical/trades", "GetHistoricalTrades", 1000),
    ],
)
def test_a_limit_above_the_maximum_is_refused_not_clamped(
    api: httpx.Client, path: str, operation: str, most: int
) -> None:
    assert api.get(path, params={"limit": most}).status_code == 200
    answer = api.get(path, params={"limit": most + 1})
    assert (answer.status_code, answer.json()) == (
        400,
        {
            "msg": f"Parameter validation failed for {operation}: Key: '{operation}Params.Limit' "
            "Error:Field validation for 'Limit' failed on the 'lte' tag"
        },
    )


def test_a_number_that_is_none_is_refused(api: httpx.Client) -> None:
    answer = api.get("/markets", params={"limit": "many"})
    assert answer.status_code == 400
    assert 'parsing "many"' in answer.json()["msg"]


def test_historical_filters_exclude_each_other(api: httpx.Client) -> None:
    params = {"event_ticker": NY_EVENT, "series_ticker": "KXHIGHNY"}
    assert api.get("/historical/markets", params=params).status_code == 400


def test_books_are_empty_as_nothing_is_recorded(api: httpx.Client) -> None:
    empty = {"yes_dollars": [], "no_dollars": []}

    assert api.get(f"/markets/{CHI_BIN}/orderbook").json() == {"orderbook_fp": empty}
    assert api.get(f"/markets/{CHI_BIN}/orderbook", params={"depth": 101}).status_code == 400
    books = api.get("/markets/orderbooks", params={"tickers": [CHI_BIN, "KXNONE", CHI_LOW]})
    assert [b["ticker"] for b in books.json()["orderbooks"]] == [CHI_BIN, CHI_LOW]
    assert api.get("/markets/orderbooks").status_code == 400


def test_the_cutoff_lies_inside_the_recordings(api: httpx.Client) -> None:
    cutoff = api.get("/historical/cutoff").json()

    assert set(cutoff) == {
        "market_settled_ts",
        "trades_created_ts",
        "orders_updated_ts",
        "market_positions_last_updated_ts",
    }
    assert set(cutoff.values()) == {"2025-05-03T00:00:00Z"}


def test_the_exchange_is_open_with_a_weekly_pause(api: httpx.Client) -> None:
    assert api.get("/exchange/status").json()["trading_active"] is True
    schedule = api.get("/exchange/schedule").json()["schedule"]
    assert len(schedule["standard_hours"]) == len(schedule["maintenance_windows"]) == 1


def test_costs_are_public(api: httpx.Client) -> None:
    costs = api.get("/account/endpoint_costs").json()
    assert costs["default_cost"] == 10
    assert {"cost", "method", "path"} == set(costs["endpoint_costs"][0])
