from datetime import timedelta

import httpx
import pytest

from kalshi_assets_tests.sandbox.tiny import (
    CANDLES,
    CHI_BIN,
    CHI_CLOSE,
    CHI_EVENT,
    CHI_LOW,
    CHI_OPEN,
    NY_BIN,
    NY_EVENT,
)

START, END = int(CHI_OPEN.timestamp()), int(CHI_CLOSE.timestamp())
DAY = {"start_ts": START, "end_ts": END, "period_interval": 1}
PATH = f"/series/KXHIGHCHI/markets/{CHI_BIN}/candlesticks"
POINTS = ("open", "low", "high", "close")


def test_candles_carry_dollar_strings_and_fixed_point_counts(api: httpx.Client) -> None:
    body = api.get(PATH, params=DAY).json()
    traded = body["candlesticks"][19]

    assert body["ticker"] == CHI_BIN
    assert len(body["candlesticks"]) == CANDLES
    assert traded == {
        "end_period_ts": START + 20 * 60,
        "yes_bid": dict(
            zip(
                (f"{p}_dollars" for p in POINTS), ("0.3200", "0.3000", "0.3200", "0.3200"), strict=1
            )
        ),
        "yes_ask": dict(
            zip(
                (f"{p}_dollars" for p in POINTS), ("0.5200", "0.5000", "0.5200", "0.5200"), strict=1
            )
        ),
        "price": {
            **{f"{p}_dollars": "0.4200" for p in (*POINTS, "mean")},
            "previous_dollars": "0.4100",
        },
        "volume_fp": "7.00",
        "open_interest_fp": "20.00",
    }


def test_a_candle_without_a_trade_has_only_the_previous_price(api: httpx.Client) -> None:
    candles = api.get(PATH, params=DAY).json()["candlesticks"]

    assert candles[0]["price"] == {}
    assert "previous_dollars" not in candles[9]["price"]
    assert candles[10]["price"] == {"previous_dollars": "0.4100"}


def test_both_ends_of_the_range_are_inclusive(api: httpx.Client) -> None:
    params = DAY | {"start_ts": START + 60, "end_ts": START + 300}
    ends = [c["end_period_ts"] for c in api.get(PATH, params=params).json()["candlesticks"]]
    assert ends == [START + 60 * m for m in range(1, 6)]


def test_hourly_candles_sum_the_minutes(api: httpx.Client) -> None:
    candles = api.get(PATH, params=DAY | {"period_interval": 60}).json()["candlesticks"]

    assert [c["end_period_ts"] for c in candles] == [START + 3600, START + 7200]
    assert candles[0]["volume_fp"] == "42.00"
    assert candles[0]["price"]["open_dollars"] == "0.4100"
    assert candles[0]["price"]["close_dollars"] == "0.4600"
    assert candles[0]["price"]["mean_dollars"] == "0.4350"
    assert candles[1]["price"] == {"previous_dollars": "0.4600"}
    assert len(api.get(PATH, params=DAY | {"period_interval": 1440}).json()["candlesticks"]) == 1


def test_five_thousand_periods_pass_and_one_more_does_not(api: httpx.Client) -> None:
    assert api.get(PATH, params=DAY | {"end_ts": START + 5000 * 60}).status_code == 200
    answer = api.get(PATH, params=DAY | {"end_ts": START + 5001 * 60})
    assert answer.status_code == 400
    assert answer.json()["error"]["details"] == (
        "requested time range with candlesticks: 5001.000000, max candlesticks: 5000"
    )


@pytest.mark.parametrize(
    ("changes", "tag"),
    [
        ({"period_interval": 5}, "oneof"),
        ({"period_interval": None}, "required"),
        ({"start_ts": None}, "required"),
        ({"end_ts": START - 1}, "gtefield"),
    ],
)
def test_other_ranges_and_periods_are_refused(api: httpx.Client, changes: dict, tag: str) -> None:
    params = {k: v for k, v in (DAY | changes).items() if v is not None}
    answer = api.get(PATH, params=params)
    assert answer.status_code == 400
    assert f"'{tag}' tag" in answer.json()["msg"]


def test_a_synthetic_candle_stands_for_what_came_before(api: httpx.Client) -> None:
    params = DAY | {"start_ts": START + 3000, "include_latest_before_start": "true"}
    first, second = api.get(PATH, params=params).json()["candlesticks"][:2]

    assert first["end_period_ts"] == second["end_period_ts"] == START + 3000
    assert first["price"]["previous_dollars"] == "0.4400"
    assert {first["price"][f"{p}_dollars"] for p in POINTS} == {None}


def test_a_day_with_trades_only_has_no_candles(api: httpx.Client) -> None:
    params = {"start_ts": 1745071200, "end_ts": 1745208000, "period_interval": 1}
    body = api.get(f"/historical/markets/{NY_BIN}/candlesticks", params=params).json()
    assert body == {"ticker": NY_BIN, "candlesticks": []}


def test_candles_of_the_other_tier_are_not_found(api: httpx.Client) -> None:
    live = f"/series/KXHIGHNY/markets/{NY_BIN}/candlesticks"
    for path in (live, f"/historical/markets/{CHI_BIN}/candlesticks"):
        assert api.get(path, params=DAY).status_code == 404


def test_event_candles_come_in_parallel_arrays_cut_to_the_limit(api: httpx.Client) -> None:
    path = f"/series/KXHIGHCHI/events/{CHI_EVENT}/candlesticks"
    body = api.get(path, params=DAY).json()

    assert set(body) == {"market_tickers", "market_candlesticks", "adjusted_end_ts"}
    assert [len(c) for c in body["market_candlesticks"]] == [0, CANDLES, 0]
    assert body["market_tickers"][1] == CHI_BIN
    assert body["adjusted_end_ts"] == START + 1666 * 60
    short = DAY | {"end_ts": START + 600}
    assert api.get(path, params=short).json()["adjusted_end_ts"] == START + 600


def test_an_archived_event_has_no_live_candles(api: httpx.Client) -> None:
    body = api.get(f"/series/KXHIGHNY/events/{NY_EVENT}/candlesticks", params=DAY).json()
    assert (body["market_tickers"], body["market_candlesticks"]) == ([], [])


def test_a_batch_leaves_out_what_it_does_not_know(api: httpx.Client) -> None:
    params = DAY | {"market_tickers": f"{CHI_BIN},KXNONE,{NY_BIN},{CHI_LOW}"}
    body = api.get("/markets/candlesticks", params=params).json()
    assert [(m["market_ticker"], len(m["candlesticks"])) for m in body["markets"]] == [
        (CHI_BIN, CANDLES),
        (CHI_LOW, 0),
    ]


def test_a_batch_counts_tickers_times_periods(api: httpx.Client) -> None:
    params = {"market_tickers": f"{CHI_BIN},{CHI_LOW}", "start_ts": START, "period_interval": 1}
    fits = params | {"end_ts": START + 5000 * 60}
    assert api.get("/markets/candlesticks", params=fits).status_code == 200
    answer = api.get("/markets/candlesticks", params=params | {"end_ts": START + 5001 * 60})
    assert answer.status_code == 400
    assert "10002, max candlesticks: 10000" in answer.json()["error"]["details"]
    many = DAY | {"market_tickers": ",".join(f"T{n}" for n in range(101))}
    assert "'max' tag" in api.get("/markets/candlesticks", params=many).json()["msg"]


def test_trades_are_newest_first_in_the_present_shape(api: httpx.Client) -> None:
    body = api.get("/markets/trades", params={"ticker": CHI_BIN}).json()

    assert body["cursor"] == ""
    assert [t["trade_id"] for t in body["trades"]] == ["id-04", "id-03", "id-02", "id-01", "id-00"]
    assert body["trades"][1] == {
        "count_fp": "4.00",
        "created_time": "2025-05-04T14:01:00.6Z",
        "no_price_dollars": "0.5700",
        "taker_book_side": "bid",
        "taker_outcome_side": "yes",
        "taker_side": "yes",
        "ticker": CHI_BIN,
        "trade_id": "id-03",
        "yes_price_dollars": "0.4300",
        "is_block_trade": False,
    }
    assert body["trades"][0]["taker_book_side"] == "ask"


def test_pages_of_trades_join_to_the_whole_tape(api: httpx.Client) -> None:
    walked, cursor, pages = [], "", 0
    while pages == 0 or cursor:
        params = {"ticker": NY_BIN, "limit": 7, "cursor": cursor}
        body = api.get("/historical/trades", params=params).json()
        walked += [t["trade_id"] for t in body["trades"]]
        cursor, pages = body["cursor"], pages + 1

    assert walked == [f"id-{n:02d}" for n in reversed(range(25))]
    assert pages == 4


def test_trades_are_in_the_tier_of_their_time(api: httpx.Client) -> None:
    for path, ticker in (("/markets/trades", NY_BIN), ("/historical/trades", CHI_BIN)):
        assert api.get(path, params={"ticker": ticker}).json()["trades"] == []


def test_trades_of_all_markets_are_merged(api: httpx.Client) -> None:
    assert len(api.get("/markets/trades").json()["trades"]) == 5
    newest = api.get("/historical/trades", params={"limit": 1}).json()
    assert [t["trade_id"] for t in newest["trades"]] == ["id-24"]
    assert newest["cursor"]


def test_the_range_of_trades_is_in_seconds(api: httpx.Client) -> None:
    params = {"ticker": CHI_BIN, "min_ts": START + 1, "max_ts": START + 61}
    ids = [t["trade_id"] for t in api.get("/markets/trades", params=params).json()["trades"]]
    assert ids == ["id-03", "id-02"]
    later = START + int(timedelta(days=2).total_seconds())
    assert api.get("/markets/trades", params={"min_ts": later}).json()["trades"] == []


def test_there_are_no_block_trades(api: httpx.Client) -> None:
    for flag, number in (("true", 0), ("false", 5)):
        params = {"ticker": CHI_BIN, "is_block_trade": flag}
        assert len(api.get("/markets/trades", params=params).json()["trades"]) == number
