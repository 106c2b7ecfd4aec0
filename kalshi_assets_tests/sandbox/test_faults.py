import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.sandbox.faults import KINDS, Fault, FaultLayer, Faults
from kalshi_assets.sandbox.server import Sandbox, running
from kalshi_assets_tests.sandbox.conftest import ENDLESS
from kalshi_assets_tests.sandbox.tiny import NY_BIN

MARKETS = "/trade-api/v2/markets"
TIMELINE = "/VisualCrossingWebServices/rest/services/timeline/stn:KNYC/2025-04-20?key=k"


@pytest.fixture(scope="module")
def faulty(tiny_root: Path) -> Iterator[Sandbox]:
    with running(tiny_root, anonymous_bucket=ENDLESS) as sandbox:
        yield sandbox


@pytest.fixture
def client(faulty: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=faulty.url) as http:
        yield http
    assert faulty.faults is not None
    faulty.faults.clear()


def _switch(client: httpx.Client, **fault: object) -> None:
    client.post("/sandbox/faults", json={"faults": [fault]}).raise_for_status()


@given(every=st.integers(1, 9), number=st.integers(1, 60))
def test_every_nth_matching_request_is_struck(every: int, number: int) -> None:
    faults = Faults([Fault(kind="http_500", every=every, path="/a")])
    struck = [bool(faults.hit("/a/b")) for _ in range(number)]
    assert struck == [(n + 1) % every == 0 for n in range(number)]
    assert faults.hit("/b") == []


def test_a_fault_may_strike_one_method_and_a_number_of_times() -> None:
    faults = Faults([Fault(kind="error_after", path="/a", method="POST", times=2)])
    methods = ["POST", "GET", "POST", "POST"]
    assert [bool(faults.hit("/a/b", method)) for method in methods] == [True, False, True, False]


def test_short_pages_are_for_the_lists_of_the_account() -> None:
    faults = Faults([Fault(kind="short_page")])
    assert faults.hit(MARKETS) == []
    assert len(faults.hit("/trade-api/v2/portfolio/orders")) == 1


def test_faults_are_switched_at_run_time(client: httpx.Client) -> None:
    _switch(client, kind="http_429", every=2, path=MARKETS)
    (fault,) = client.get("/sandbox/faults").json()["faults"]
    assert fault == {
        "kind": "http_429",
        "every": 2,
        "path": MARKETS,
        "seconds": 0.2,
        "method": None,
        "times": None,
    }
    answers = [client.get(MARKETS) for _ in range(4)]
    assert [a.status_code for a in answers] == [200, 429, 200, 429]
    assert answers[1].json() == {"error": "too many requests"}
    assert client.get("/trade-api/v2/events").status_code == 200
    client.post("/sandbox/faults", json={"faults": []})
    assert client.get(MARKETS).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"faults":[{"kind":"gremlins"}]}',
        b'{"faults":[{"kind":"cut","every":0}]}',
        b'{"faults":[{"kind":"cut","often":true}]}',
    ],
)
def test_an_unknown_fault_is_refused_and_changes_nothing(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/sandbox/faults", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("faults: ")
    assert client.get("/sandbox/faults").json() == {"faults": []}


def test_the_error_lists_the_known_faults() -> None:
    with pytest.raises(ValueError, match="latency, http_429, http_500, cut"):
        Fault(kind="gremlins")
    assert len(KINDS) == 11


def test_each_service_fails_in_its_own_words(client: httpx.Client) -> None:
    _switch(client, kind="http_500")
    assert client.get(MARKETS).json()["error"]["code"] == "internal_server_error"
    assert client.get(TIMELINE).headers["content-type"].startswith("text/plain")
    _switch(client, kind="http_429")
    assert client.get(TIMELINE).text == "Maximum concurrent jobs has been exceeded"


def test_a_cut_breaks_the_connection_within_the_body(client: httpx.Client) -> None:
    _switch(client, kind="cut")
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(MARKETS)
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(TIMELINE)
    client.post("/sandbox/faults", json={"faults": []})
    assert client.get(MARKETS).status_code == 200


def test_truncated_json_arrives_whole_but_does_not_parse(client: httpx.Client) -> None:
    whole = client.get(MARKETS).content
    _switch(client, kind="truncated_json")
    answer = client.get(MARKETS)

    assert answer.status_code == 200
    assert answer.content == whole[: len(whole) // 2]
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_an_empty_page_has_a_cursor_that_leads_on(client: httpx.Client) -> None:
    path = "/trade-api/v2/historical/trades"
    whole = client.get(path, params={"ticker": NY_BIN}).json()["trades"]
    _switch(client, kind="empty_page", every=2, path=path)
    walked, sizes, cursor = [], [], None
    while cursor != "":
        body = client.get(path, params={"ticker": NY_BIN, "limit": 10, "cursor": cursor or ""})
        walked += body.json()["trades"]
        sizes.append(len(body.json()["trades"]))
        assert body.json()["cursor"] != cursor
        cursor = body.json()["cursor"]

    assert sizes == [10, 0, 10, 0, 5]
    assert walked == whole


def test_an_empty_first_page_leads_to_the_first_page(client: httpx.Client) -> None:
    whole = client.get(MARKETS).json()
    _switch(client, kind="empty_page", every=1)
    empty = client.get(MARKETS).json()
    client.post("/sandbox/faults", json={"faults": []})

    assert empty["markets"] == []
    assert client.get(MARKETS, params={"cursor": empty["cursor"]}).json() == whole


def test_a_repeated_cursor_is_the_one_that_was_sent(client: httpx.Client) -> None:
    _switch(client, kind="repeated_cursor")
    first = client.get(MARKETS, params={"limit": 2}).json()["cursor"]
    second = client.get(MARKETS, params={"limit": 2, "cursor": first}).json()["cursor"]
    assert first == second != ""


def test_cursor_faults_leave_other_answers_alone(client: httpx.Client) -> None:
    _switch(client, kind="empty_page")
    assert client.get("/trade-api/v2/series").json()["series"]
    assert client.get("/trade-api/v2/events", params={"limit": 999}).status_code == 400


def test_requests_are_counted_by_path(faulty: Sandbox, client: httpx.Client) -> None:
    before = client.get("/sandbox/requests").json()["requests"].get(MARKETS, 0)
    client.get(MARKETS)
    client.get(MARKETS, params={"limit": 1})
    assert client.get("/sandbox/requests").json()["requests"][MARKETS] == before + 2
    assert "/sandbox/requests" not in client.get("/sandbox/requests").json()["requests"]


def test_latency_waits_and_then_answers() -> None:
    waited, sent = [], []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    async def app(scope: dict, receive: object, send: object) -> None:
        sent.append(scope["path"])

    async def send(message: dict) -> None:
        sent.append(message)

    async def receive() -> dict:
        return {}

    faults = Faults([Fault(kind="latency", seconds=3.5)])
    layer = FaultLayer(app, faults=faults, sleep=sleep)
    asyncio.run(layer({"type": "http", "method": "GET", "path": "/x"}, receive, send))
    assert (waited, sent) == ([3.5], ["/x"])
