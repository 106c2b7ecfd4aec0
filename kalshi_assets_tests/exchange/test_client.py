import base64
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kalshi_assets.exchange.errors import (
    AuthenticationError,
    ExchangeError,
    MalformedAnswerError,
    NotFoundError,
    PaginationError,
    RateLimitedError,
    ServerError,
    UndecodableAnswerError,
    UnreachableError,
)
from kalshi_assets.exchange.signing import Signer
from kalshi_assets.exchange.throttle import TokenBucket
from kalshi_assets.tables import CANDLES
from kalshi_assets_tests.exchange.fake_exchange import (
    API,
    EVENT,
    FakeExchange,
    candle,
    exchange,
    markets,
    sha256_of,
    trade,
)

T0 = datetime(2026, 6, 15, 12, tzinfo=UTC)
T0_S = int(T0.timestamp())
STATUS = {"exchange_active": True, "trading_active": True}


def minutes(n):
    return timedelta(minutes=n)


def test_an_answer_carries_its_json_and_the_hash_of_its_bytes():
    fake = FakeExchange({"/exchange/status": STATUS})
    answer = fake.client().get("/exchange/status")
    assert answer.payload == STATUS
    assert answer.raw_sha256 == sha256_of(STATUS)


@pytest.mark.parametrize(
    "fault",
    [
        httpx.Response(429, json={"error": "too many requests"}),
        httpx.Response(500, text="oops"),
        httpx.Response(503, json={"error": {"code": "unavailable"}}),
        httpx.Response(200, content=b'{"exchange_active": tr'),
        httpx.ConnectError("refused"),
        httpx.RemoteProtocolError("peer closed connection"),
        httpx.ReadTimeout("slow"),
    ],
)
def test_a_read_survives_what_a_second_try_cures(fault):
    fake = FakeExchange({"/exchange/status": [fault, fault, STATUS]})
    assert fake.client().get("/exchange/status").payload == STATUS
    assert len(fake.asked) == 3


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (httpx.Response(429, json={"error": "too many requests"}), RateLimitedError, "read rate"),
        (httpx.Response(500, text="oops"), ServerError, "oops"),
        (httpx.Response(200, content=b"{"), UndecodableAnswerError, r"1 bytes\) is not JSON"),
        (httpx.ConnectError("refused"), UnreachableError, "ConnectError: refused"),
    ],
)
def test_a_fault_that_stays_ends_in_an_error_that_names_the_endpoint(fault, kind, words):
    fake = FakeExchange({"/exchange/status": fault})
    with pytest.raises(kind, match=f"GET /exchange/status.*{words}"):
        fake.client().get("/exchange/status")
    assert len(fake.asked) == 4


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ExchangeError),
        (401, AuthenticationError),
        (403, AuthenticationError),
        (404, NotFoundError),
        (410, ExchangeError),
    ],
)
def test_refusals_are_not_retried(status, kind):
    refusal = httpx.Response(status, json={"error": {"code": "no", "message": "no way"}})
    fake = FakeExchange({"/exchange/status": refusal})
    with pytest.raises(kind, match="no way") as caught:
        fake.client().get("/exchange/status")
    assert (caught.value.status, caught.value.code) == (status, "no")
    assert len(fake.asked) == 1


def test_every_try_is_signed_anew_and_never_over_the_query():
    key = Ed25519PrivateKey.generate()
    now = iter(range(1_781_000_000, 1_781_000_100))
    fake = exchange()
    fake.routes["/series/fee_changes"] = [
        httpx.Response(500),
        {"series_fee_change_arr": []},
    ]
    client = fake.client(signer=Signer("id", key))
    client._clock = lambda: float(next(now))
    client.fee_changes("KXHIGHCHI")
    stamps = [r.headers["KALSHI-ACCESS-TIMESTAMP"] for r in fake.asked]
    assert len(set(stamps)) == 2
    for request, stamp in zip(fake.asked, stamps, strict=True):
        assert b"show_historical=true" in request.url.query
        message = f"{stamp}GET{API}/series/fee_changes".encode()
        signature = base64.b64decode(request.headers["KALSHI-ACCESS-SIGNATURE"])
        key.public_key().verify(signature, message)


def test_every_try_pays_ten_tokens(tmp_path):
    waits = []
    file = tmp_path / "bucket"
    bucket = TokenBucket(file, rate=10, capacity=20, clock=lambda: 0.0, sleep=waits.append)
    fake = FakeExchange({"/exchange/status": [httpx.Response(500), httpx.Response(500), STATUS]})
    fake.client(bucket=bucket).get("/exchange/status")
    assert waits == [1.0]


def pages(*answers):
    fake = exchange()
    fake.routes["/markets/trades"] = list(answers)
    return fake


def all_trades(fake):
    return fake.client().event_trades([f"{EVENT}-T78"], T0, T0 + minutes(10))


def test_an_empty_page_with_a_cursor_is_not_the_end():
    fake = pages(
        {"trades": [trade(1)], "cursor": "a"},
        {"trades": [], "cursor": "b"},
        {"trades": [trade(2), trade(1)], "cursor": ""},
    )
    assert all_trades(fake)["trade_id"].to_list() == ["trade-1", "trade-2"]
    cursors = [dict(r.url.params).get("cursor") for r in fake.asked if "trades" in r.url.path]
    assert cursors == [None, "a", "b"]


def test_a_repeated_cursor_is_an_error():
    with pytest.raises(PaginationError, match=r"GET /markets/trades.*'a' was repeated"):
        all_trades(pages({"trades": [trade(1)], "cursor": "a"}))


def test_pages_that_never_end_are_an_error(monkeypatch):
    monkeypatch.setattr("kalshi_assets.exchange.rest.MAX_PAGES", 5)
    numbers = iter(range(100))
    fake = pages()
    fake.routes["/markets/trades"] = lambda _: {"trades": [trade(1)], "cursor": f"{next(numbers)}"}
    with pytest.raises(PaginationError, match="no end after 5 pages"):
        all_trades(fake)


def test_empty_pages_that_never_end_are_an_error():
    numbers = iter(range(100))
    fake = pages()
    fake.routes["/markets/trades"] = lambda _: {"trades": [], "cursor": f"c{next(numbers)}"}
    with pytest.raises(PaginationError, match="20 empty pages in a row"):
        all_trades(fake)


@pytest.mark.parametrize("page", [{"trades": []}, {"cursor": ""}, {"trades": {}, "cursor": ""}])
def test_a_page_that_may_be_incomplete_is_refused(page):
    with pytest.raises(MalformedAnswerError, match="GET /markets/trades"):
        all_trades(pages(page))


def test_a_damaged_record_names_its_endpoint():
    fake = pages({"trades": [trade(1, count_fp=None)], "cursor": ""})
    with pytest.raises(MalformedAnswerError, match=r"GET /markets/trades\?ticker=.*trade-1.*count"):
        all_trades(fake)


def test_trades_around_the_cutoff_come_from_both_tiers_once():
    fake = exchange()
    cutoff = "2026-06-15T12:05:00Z"
    fake.routes |= {
        "/historical/cutoff": {"market_settled_ts": cutoff, "trades_created_ts": cutoff},
        "/markets/trades": {"trades": [trade(3), trade(2)], "cursor": ""},
        "/historical/trades": {"trades": [trade(2), trade(1)], "cursor": ""},
    }
    frame = all_trades(fake)
    assert frame["trade_id"].to_list() == ["trade-1", "trade-2", "trade-3"]
    asked = dict(fake.asked[-1].url.params)
    assert (asked["min_ts"], asked["max_ts"], asked["limit"]) == (
        str(T0_S),
        str(T0_S + 600),
        "1000",
    )


def test_trades_far_from_the_cutoff_come_from_one_tier():
    fake = pages({"trades": [], "cursor": ""})
    all_trades(fake)
    assert fake.paths() == ["/historical/cutoff", "/markets/trades"]


def held(params, tickers=("A",)):
    first, last = int(params["start_ts"]), int(params["end_ts"])
    assert (last - first) * len(tickers) <= 10_000 * 60
    assert last - first <= 5_000 * 60
    return [candle(t) for t in range(-(-first // 60) * 60, last + 1, 60)]


def test_long_ranges_are_asked_in_chunks_that_leave_nothing_out():
    path = "/historical/markets/A/candlesticks"
    fake = FakeExchange({path: lambda params: {"candlesticks": held(params)}})
    frame = fake.client().archived_candles(["A"], T0, T0 + minutes(12_000))
    assert len(fake.asked) == 3
    assert len(frame) == 12_001
    assert frame["event_time"].diff().drop_nulls().unique().to_list() == [minutes(1)]


def test_a_batch_asks_a_hundred_tickers_and_ten_thousand_periods_at_most():
    def answer(params):
        tickers = params["market_tickers"].split(",")
        assert len(tickers) <= 100
        rows = held(params, tickers)
        return {"markets": [{"market_ticker": t, "candlesticks": rows} for t in tickers]}

    fake = FakeExchange({"/markets/candlesticks": answer})
    tickers = [f"M{i:03d}" for i in range(103)]
    frame = fake.client().batch_candles(tickers, T0, T0 + minutes(250))
    assert len(fake.asked) == 4
    assert frame.group_by("market_ticker").len()["len"].unique().to_list() == [251]


def test_a_ticker_that_a_batch_leaves_out_is_an_error():
    fake = FakeExchange({"/markets/candlesticks": {"markets": []}})
    with pytest.raises(NotFoundError, match=r"missing from the response.*: A, B"):
        fake.client().batch_candles(["B", "A"], T0, T0 + minutes(1))


@pytest.mark.parametrize("archived", [False, True])
def test_the_markets_of_an_event_are_found_in_either_tier(archived):
    fake = exchange(archived=archived)
    found = fake.client().event_markets(EVENT)
    assert [m.ticker for m in found] == [m["ticker"] for m in markets()]
    assert {m.raw_sha256 for m in found} == {sha256_of({"markets": markets(), "cursor": ""})}


def test_markets_that_both_tiers_hold_come_once():
    fake = exchange(archived=True)
    fake.routes["/markets"] = {"markets": markets()[:4], "cursor": ""}
    found = fake.client().event_markets(EVENT)
    assert sorted(m.ticker for m in found) == sorted(m["ticker"] for m in markets())


def test_the_cutoff_is_read_once_in_ten_minutes():
    fake = exchange()
    client = fake.client()
    client.cutoff()
    client.cutoff()
    assert fake.paths() == ["/historical/cutoff"]
    client._clock = lambda: (datetime(2026, 7, 1, tzinfo=UTC)).timestamp()
    client.cutoff()
    assert len(fake.asked) == 2


def test_settled_events_are_asked_by_series_and_time():
    fake = exchange()
    assert fake.client().settled_events("KXHIGHCHI", T0) == ["KXHIGHCHI-26JUN15"]
    assert dict(fake.asked[0].url.params) == {
        "series_ticker": "KXHIGHCHI",
        "status": "settled",
        "min_settled_ts": str(T0_S),
        "limit": "1000",
    }


def test_of_settled_markets_only_the_event_is_read():
    markets = [{"event_ticker": "KXHIGHCHI-25MAY05", "result": 7}, {"ticker": "B"}, "odd"]
    fake = FakeExchange({"/markets": {"markets": markets, "cursor": ""}})
    assert fake.client().settled_events("KXHIGHCHI", T0) == ["KXHIGHCHI-25MAY05", "None", "odd"]


def test_the_order_book_is_read_with_its_asks_implied():
    book = {
        "orderbook_fp": {"yes_dollars": [["0.4700", "3.00"]], "no_dollars": [["0.4800", "2.00"]]}
    }
    fake = FakeExchange({"/markets/A/orderbook": book})
    read = fake.client().order_book("A")
    assert (read.bids, read.asks) == (((4_700, 300),), ((5_200, 200),))


@pytest.mark.parametrize(
    ("call", "path"),
    [
        (lambda c: c.series("S"), "/series/S"),
        (lambda c: c.event("E"), "/events/E"),
        (lambda c: c.cutoff(), "/historical/cutoff"),
    ],
)
def test_an_answer_without_its_object_is_refused(call, path):
    with pytest.raises(MalformedAnswerError, match=f"GET {path}"):
        call(FakeExchange({path: {"something": "else"}}).client())
    with pytest.raises(MalformedAnswerError, match="not an object"):
        call(FakeExchange({path: [[1]]}).client())


def test_tickers_are_quoted_into_paths():
    fake = FakeExchange()
    with pytest.raises(NotFoundError):
        fake.client().event("A/B?c")
    assert fake.asked[0].url.raw_path == f"{API}/events/A%2FB%3Fc".encode()


def test_no_candles_at_all_are_an_empty_frame():
    assert FakeExchange().client().batch_candles([], T0, T0).equals(CANDLES.empty())
