import gzip
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from kalshi_assets.lake.errors import NotRecordedError
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.raw import RawArchive
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
    return RawArchive(Files(tmp_path))


def _folder(raw: RawArchive) -> Path:
    return raw.files.root / raw.folder("kalshi", KEY)


def _kept(raw: RawArchive) -> Callable[[str], list[Path]]:
    return lambda pattern: sorted(_folder(raw).glob(pattern))


def test_an_answer_is_kept_as_it_came_under_its_hash(raw: RawArchive) -> None:
    with raw.recording("kalshi", KEY, "events", Service()) as transport:
        answers = _ask(transport, "/a")
    assert answers[0].content == BODIES["/a"]
    sha256 = hashlib.sha256(BODIES["/a"]).hexdigest()
    assert raw.read("kalshi", KEY, sha256) == BODIES["/a"]
    assert raw.folder("kalshi", KEY) == "raw/kalshi/city=new_york/date=2025-04-25"


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
    for path in _folder(raw).iterdir():
        content = path.read_bytes()
        assert b"hunter2" not in content
        assert path.suffix != ".gz" or b"hunter2" not in gzip.decompress(content)


Answers = list[httpx.Response | httpx.RequestError]


class Scripted(httpx.BaseTransport):
    """Gives its answers one after the other; errors are raised."""

    def __init__(self, *answers: httpx.Response | httpx.RequestError) -> None:
        self.answers = list(answers)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self.answers.pop(0)
        if isinstance(answer, httpx.RequestError):
            raise answer
        return answer


def _replayed(raw: RawArchive, path: str) -> httpx.Response:
    return _ask(raw.replaying("kalshi", KEY, "events"), path)[0]


@pytest.mark.parametrize(
    "decided",
    [
        httpx.Response(404, json={"error": {"code": "not_found"}}),
        httpx.Response(403, json={"error": "no"}),
        httpx.Response(429, text="Maximum daily cost exceeded"),
        httpx.Response(503, text="<html>", headers={"content-type": "text/html"}),
        httpx.Response(200, text="<html>", headers={"content-type": "text/html"}),
        httpx.Response(200, content=b'{"half": ', headers={"content-type": "application/json"}),
        httpx.Response(200, content=b""),
    ],
    ids=lambda answer: f"{answer.status_code} {answer.text[:10]}",
)
def test_whatever_decided_is_replayed_with_its_status_and_type(
    raw: RawArchive, decided: httpx.Response
) -> None:
    with raw.recording("kalshi", KEY, "events", Scripted(decided)) as transport:
        asked = _ask(transport, "/a?x=1")[0]
    replayed = _replayed(raw, "/a?x=1")
    assert (replayed.status_code, replayed.content) == (asked.status_code, asked.content)
    assert replayed.headers.get("content-type") == asked.headers.get("content-type")


@pytest.mark.parametrize(
    "earlier",
    [
        [httpx.Response(500, text="no")] * 2,
        [httpx.Response(429, json={"error": "too many requests"})],
        [httpx.Response(200, content=b'{"a":')],
        [httpx.ReadError("cut")],
    ],
    ids=["500 twice", "429", "half", "cut"],
)
def test_of_several_answers_the_last_one_decided(raw: RawArchive, earlier: Answers) -> None:
    service = Scripted(*earlier, httpx.Response(200, content=BODIES["/a"]))
    with raw.recording("kalshi", KEY, "events", service) as transport:
        for _ in earlier:
            try:
                _ask(transport, "/a")
            except httpx.ReadError:
                continue
        _ask(transport, "/a")
    assert _replayed(raw, "/a").json() == {"a": 1}


def test_no_answer_at_all_is_replayed_as_none(raw: RawArchive) -> None:
    service = Scripted(httpx.ConnectTimeout("to ?key=hunter2"))
    with (
        raw.recording("kalshi", KEY, "events", service) as transport,
        pytest.raises(httpx.ConnectTimeout),
    ):
        _ask(transport, "/a?key=hunter2")
    # Not as one that cannot be reached: that would end a run of many days.
    with pytest.raises(httpx.ReadError, match="ConnectTimeout"):
        _replayed(raw, "/a")
    assert b"hunter2" not in _kept(raw)("*.requests.json")[0].read_bytes()


def test_a_refusal_that_repeats_the_key_is_kept_without_it(raw: RawArchive) -> None:
    refusal = httpx.Response(401, text="No account for hunter%2F2 (hunter/2)")
    with raw.recording("kalshi", KEY, "events", Scripted(refusal)) as transport:
        assert "hunter/2" in _ask(transport, "/a?key=hunter%2F2")[0].text
    assert _replayed(raw, "/a").text == "No account for *** (***)"


def test_a_list_from_before_refusals_were_kept_is_read(raw: RawArchive) -> None:
    with raw.recording("kalshi", KEY, "events", Service()) as transport:
        _ask(transport, "/a")
    path = _kept(raw)("events.requests.json")[0]
    old = {
        name: {"sha256": kept["sha256"], "fetched_at": "2025-04-26T14:30:05+00:00"}
        for name, kept in json.loads(path.read_text("utf-8")).items()
    }
    path.write_text(json.dumps(old), "utf-8")
    transport = raw.replaying("kalshi", KEY, "events")
    assert transport.as_of == datetime(2025, 4, 26, 14, 30, 5, tzinfo=UTC)
    (answer,) = _ask(transport, "/a")
    assert (answer.status_code, answer.json()) == (200, {"a": 1})
    with pytest.raises(NotRecordedError, match="backfill once without --replay"):
        _replayed(raw, "/b")


def test_a_replay_takes_place_when_the_recording_did(tmp_path: Path) -> None:
    began = datetime(2025, 4, 25, 17, 0, 30, 123456, tzinfo=UTC)
    times = iter([began, began + timedelta(seconds=90)])
    raw = RawArchive(Files(tmp_path), clock=lambda: next(times))
    with raw.recording("kalshi", KEY, "events", Service()) as transport:
        assert transport.as_of == began
        _ask(transport, "/a")
    assert raw.replaying("kalshi", KEY, "events").as_of == began


def _refuse(raw: RawArchive, *paths: str) -> None:
    with raw.recording("kalshi", KEY, "events", Service()) as transport:
        _ask(transport, *paths)
        raise ValueError("refused")


def _refused(raw: RawArchive, *paths: str) -> None:
    with pytest.raises(ValueError, match="refused"):
        _refuse(raw, *paths)


def test_a_refused_day_is_replayed_with_what_it_was_refused_for(raw: RawArchive) -> None:
    _refused(raw, "/a", "/c")
    assert _replayed(raw, "/a").json() == {"a": 1}
    assert _replayed(raw, "/c").status_code == 500


def test_a_later_refusal_leaves_what_the_partition_was_made_from(raw: RawArchive) -> None:
    with raw.recording("kalshi", KEY, "events", Service()) as transport:
        _ask(transport, "/b")
    _refused(raw, "/a", "/c")
    assert _replayed(raw, "/b").json() == {"b": 2}
    failed = _kept(raw)("events.requests.failed.json")
    assert list(json.loads(failed[0].read_text("utf-8"))) == ["/a", "/c"]
    with raw.recording("kalshi", KEY, "events", Service()) as transport:
        _ask(transport, "/a")
    assert _kept(raw)("events.requests.failed.json") == []


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


def test_an_interrupted_run_leaves_bodies_but_no_list_and_keeps_the_old_one(
    raw: RawArchive,
) -> None:
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
