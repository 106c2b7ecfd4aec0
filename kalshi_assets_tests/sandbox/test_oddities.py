from collections.abc import Iterator
from datetime import date
from pathlib import Path

import httpx
import polars as pl
import pytest

from kalshi_assets.sandbox.oddities import KINDS, Oddities, Oddity
from kalshi_assets.sandbox.server import Sandbox, running
from kalshi_assets_tests.sandbox.conftest import ENDLESS
from kalshi_assets_tests.sandbox.tiny import CHI_EVENT, NY_BIN, NY_EVENT, write_archive

FORMER = NY_EVENT.removeprefix("KX")


@pytest.fixture(scope="module")
def sandbox(tiny_root: Path) -> Iterator[Sandbox]:
    with running(tiny_root, anonymous_bucket=ENDLESS) as odd:
        yield odd


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox.url) as http:
        yield http
        http.post("/sandbox/oddities", json={"oddities": []}).raise_for_status()


def _switch(client: httpx.Client, *oddities: dict[str, str]) -> None:
    client.post("/sandbox/oddities", json={"oddities": oddities}).raise_for_status()


def _get(client: httpx.Client, path: str, **params: str) -> httpx.Response:
    return client.get("/trade-api/v2" + path, params=params)


def _markets(client: httpx.Client, event: str) -> dict[str, dict]:
    rows = _get(client, "/historical/markets", event_ticker=event).json()["markets"]
    return {row["ticker"]: row for row in rows}


def test_without_a_switch_the_recordings_are_served_as_they_are(client: httpx.Client) -> None:
    assert client.get("/sandbox/oddities").json() == {"oddities": []}
    assert _markets(client, NY_EVENT)[NY_BIN]["expiration_value"] == "73.00"
    assert _markets(client, FORMER) == {}


def test_a_value_in_words_begins_with_the_value(client: httpx.Client) -> None:
    _switch(client, {"kind": "value_in_words"})
    assert _markets(client, NY_EVENT)[NY_BIN]["expiration_value"].startswith("73. As reported")
    _switch(client, {"kind": "value_in_words", "words": "see the report"})
    values = {m["expiration_value"] for m in _markets(client, NY_EVENT).values()}
    assert values == {"see the report", ""}


def test_only_the_winner_of_the_named_days_lacks_its_strikes(client: httpx.Client) -> None:
    whole = _markets(client, NY_EVENT)
    _switch(client, {"kind": "winner_without_strikes", "last": "2025-04-20"})
    odd = _markets(client, NY_EVENT)
    assert whole[NY_BIN].keys() - odd[NY_BIN].keys() == {
        "strike_type",
        "floor_strike",
        "cap_strike",
    }
    assert {t: m for t, m in odd.items() if t != NY_BIN} == {
        t: m for t, m in whole.items() if t != NY_BIN
    }
    path = f"/events/{CHI_EVENT}"
    nested = _get(client, path, with_nested_markets="true").json()["event"]["markets"]
    assert all("strike_type" in market for market in nested)
    _switch(client, {"kind": "winner_without_strikes"})
    nested = _get(client, path, with_nested_markets="true").json()["event"]["markets"]
    assert ["strike_type" in m for m in nested] == [m["result"] != "yes" for m in nested]


def test_under_a_former_ticker_all_of_the_event_is_found_and_under_the_present_none(
    client: httpx.Client,
) -> None:
    trades = _get(client, "/historical/trades", ticker=NY_BIN).json()["trades"]
    _switch(client, {"kind": "former_ticker", "last": "2025-04-30"})
    answer = _get(client, f"/events/{FORMER}").json()["event"]
    assert (answer["event_ticker"], answer["series_ticker"]) == (FORMER, "KXHIGHNY")
    assert _get(client, f"/events/{NY_EVENT}").status_code == 404
    assert _markets(client, NY_EVENT) == {}
    assert NY_BIN.removeprefix("KX") in _markets(client, FORMER)
    former = _get(client, "/historical/trades", ticker=NY_BIN.removeprefix("KX")).json()["trades"]
    assert [t["trade_id"] for t in former] == [t["trade_id"] for t in trades]
    listed = _get(client, "/events", tickers=f"{FORMER},{NY_EVENT},{CHI_EVENT}").json()["events"]
    assert {event["event_ticker"] for event in listed} == {FORMER, CHI_EVENT}
    assert _get(client, "/series/KXHIGHNY").json()["series"]["ticker"] == "KXHIGHNY"


def test_an_event_recorded_under_its_former_name_keeps_it(tmp_path: Path) -> None:
    root = write_archive(tmp_path)
    markets = pl.read_parquet(root / "markets.parquet")
    renamed = pl.col("event_ticker", "market_ticker").str.replace("KXHIGHNY", "HIGHNY")
    markets.with_columns(renamed).write_parquet(root / "markets.parquet")
    switches = Oddities([Oddity(kind="former_ticker")])
    with (
        running(root, oddities=switches, anonymous_bucket=ENDLESS) as odd,
        httpx.Client(base_url=odd.url) as http,
    ):
        assert _get(http, f"/events/{FORMER}").json()["event"]["event_ticker"] == FORMER
        assert _get(http, f"/events/{NY_EVENT}").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"oddities":[{"kind":"gremlins"}]}',
        b'{"oddities":[{"kind":"former_ticker","first":"someday"}]}',
        b'{"oddities":[{"kind":"former_ticker","first":"2025-01-02","last":"2025-01-01"}]}',
        b'{"oddities":[{"kind":"former_ticker","often":true}]}',
    ],
)
def test_an_unknown_oddity_is_refused_and_changes_nothing(
    client: httpx.Client, body: bytes
) -> None:
    answer = client.post("/sandbox/oddities", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("oddities: ")
    assert client.get("/sandbox/oddities").json() == {"oddities": []}


def test_the_error_lists_the_known_oddities() -> None:
    with pytest.raises(ValueError, match=", ".join(KINDS)):
        Oddity(kind="gremlins")
    assert Oddity.of_json(Oddity(kind=KINDS[0], first=date(2025, 1, 1)).as_json()).words
