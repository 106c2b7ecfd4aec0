import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from kalshi_assets.lake.raw import NotRecordedError, RawArchive
from kalshi_assets_tests.lake.handmade import KEY

BODIES = {"/a": b'{"a": 1}', "/b": b'{"b": 2}'}


class Service(httpx.BaseTransport):
    """Answers from `BODIES`, 500 for anything else; counts."""

    def __init__(self) -> None:
        self.asked = 0
        self.closed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        body = BODIES.get(request.url.path)
        if body is None:
            return httpx.Response(500, content=b"no")
        headers = {"content-type": "application/json", "content-encoding": "gzip"}
        return httpx.Response(200, headers=headers, content=gzip.compress(body))

    def close(self) -> None:
        self.closed = True


def _ask(transport: httpx.BaseTransport, *paths: str) -> list[httpx.Response]:
    with httpx.Client(transport=transport, base_url="https://one.example") as client:
        return [client.get(path) for path in paths]


@pytest.fixture
def raw(tmp_path: Path) -> RawArchive:
    return RawArchive(tmp_path / "raw")


def _kept(raw: RawArchive) -> Callable[[str], list[Path]]:
    return lambda pattern: sorted(raw.folder("kalshi", KEY).glob(pattern))


def test_an_answer_is_kept_as_it_came_under_its_hash(raw: RawArchive) -> None:
    with raw.recording("kalshi", KEY, "events", Service()) as transport:
        answers = _ask(transport, "/a")
    assert answers[0].content == BODIES["/a"]
    sha256 = hashlib.sha256(BODIES["/a"]).hexdigest()
    assert raw.read("kalshi", KEY, sha256) == BODIES["/a"]
    assert raw.folder("kalshi", KEY) == raw.root / "kalshi" / "city=new_york" / "date=2025-04-25"


def test_the_same_answer_is_kept_once_and_as_the_same_bytes(raw: RawArchive) -> None:
    files = _kept(raw)
    for _ in range(2):
        with raw.recording("kalshi", KEY, "events", Service()) as transport:
            _ask(transport, "/a", "/a", "/b")
    assert len(files("*.json.gz")) == 2
    before = [path.read_bytes() for path in files("*.json.gz")]
    for path in files("*.json.gz"):
        path.unlink()
    with raw.recording("kalshi", KEY, "events", Service()) as transport:
        _ask(transport, "/b", "/a")
    assert [path.read_bytes() for path in files("*.json.gz")] == before


def test_a_replay_answers_like_the_service_and_asks_nobody(raw: RawArchive) -> None:
    with raw.recording("kalshi", KEY, "events", Service()) as transport:
        asked = _ask(transport, "/a?x=1", "/b")
    replayed = _ask(raw.replaying("kalshi", KEY, "events"), "/b", "/a?x=1")
    assert [answer.json() for answer in replayed] == [asked[1].json(), asked[0].json()]


def test_a_replay_does_not_care_for_the_host_or_the_key(raw: RawArchive) -> None:
    with raw.recording("kalshi", KEY, "events", Service()) as transport:
        _ask(transport, "/a?key=secret&x=1")
    transport = raw.replaying("kalshi", KEY, "events")
    with httpx.Client(transport=transport, base_url="https://other.example") as client:
        assert client.get("/a?key=another&x=1").json() == {"a": 1}


def test_keys_are_nowhere_in_what_is_kept(raw: RawArchive) -> None:
    with raw.recording("kalshi", KEY, "events", Service()) as transport:
        _ask(transport, "/a?key=hunter2&x=1")
    for path in raw.folder("kalshi", KEY).iterdir():
        content = path.read_bytes()
        assert b"hunter2" not in content
        assert path.suffix != ".gz" or b"hunter2" not in gzip.decompress(content)


def test_refusals_are_not_kept(raw: RawArchive) -> None:
    with raw.recording("kalshi", KEY, "events", Service()) as transport:
        assert _ask(transport, "/c")[0].status_code == 500
    assert _kept(raw)("*.json.gz") == []


def test_what_was_never_asked_is_named(raw: RawArchive) -> None:
    with pytest.raises(NotRecordedError, match="kalshi for events of new_york 2025-04-25"):
        raw.replaying("kalshi", KEY, "events")
    with raw.recording("kalshi", KEY, "events", Service()) as transport:
        _ask(transport, "/a")
    with pytest.raises(NotRecordedError, match="/b"):
        _ask(raw.replaying("kalshi", KEY, "events"), "/b")


def _interrupted(raw: RawArchive) -> None:
    with raw.recording("kalshi", KEY, "events", Service()) as transport:
        _ask(transport, "/a")
        raise KeyboardInterrupt


def test_a_failed_run_leaves_bodies_but_no_list_and_keeps_the_old_one(raw: RawArchive) -> None:
    with pytest.raises(KeyboardInterrupt):
        _interrupted(raw)
    assert len(_kept(raw)("*.json.gz")) == 1
    with pytest.raises(NotRecordedError):
        raw.replaying("kalshi", KEY, "events")
    with raw.recording("kalshi", KEY, "events", Service()) as transport:
        _ask(transport, "/a", "/b")
    before = _kept(raw)("events.requests.json")[0].read_bytes()
    with pytest.raises(KeyboardInterrupt):
        _interrupted(raw)
    assert _kept(raw)("events.requests.json")[0].read_bytes() == before


def test_the_list_says_which_bytes_answered_which_request(raw: RawArchive) -> None:
    with raw.recording("kalshi", KEY, "events", Service()) as transport:
        _ask(transport, "/a?x=1")
    listed = json.loads(_kept(raw)("events.requests.json")[0].read_text("utf-8"))
    assert list(listed) == ["/a?x=1"]
    assert listed["/a?x=1"]["sha256"] == hashlib.sha256(BODIES["/a"]).hexdigest()


def test_a_client_that_closes_leaves_the_connections_to_the_next(raw: RawArchive) -> None:
    service = Service()
    with raw.recording("kalshi", KEY, "events", service) as transport:
        _ask(transport, "/a")
    assert not service.closed
