"""Telemetry: one line an event, on disk, of the declared form, without a secret."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.lake.files import Files
from kalshi_assets.live.masking import UnsafePayloadError, ensure_safe_payload, masking
from kalshi_assets.live.telemetry import REQUIRED, Event, Telemetry, telemetry_name, ulid
from kalshi_assets_tests.live.desk import START_US
from kalshi_assets_tests.live.fake_exchange import KEY_ID, PRIVATE_KEY, SIGNER

DAY_US = 86_400_000_000
PEM = PRIVATE_KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
SIGNATURE = SIGNER.headers("GET", "/trade-api/v2/portfolio/balance", 0)["KALSHI-ACCESS-SIGNATURE"]


@pytest.fixture
def telemetry(tmp_path: Path) -> Telemetry:
    return Telemetry(
        Files(tmp_path), session_id="session-1", mode="demo", random=bytes, key_id=KEY_ID
    )


def event(type_: str = "ack", at_us: int = START_US, **data: Any) -> Event:
    fields = dict.fromkeys(REQUIRED.get(type_, ())) | data
    return Event(type=type_, data=fields, source="gateway", at_us=at_us)


def lines(folder: Path, at_us: int = START_US) -> list[dict[str, Any]]:
    text = (folder / telemetry_name(at_us, "session-1")).read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_has_every_field_in_the_file_of_its_day(
    telemetry: Telemetry, tmp_path: Path
) -> None:
    ids = {"market_ticker": "KXHIGHCHI-26NOV20-B52.5", "client_order_id": "c"}
    telemetry.emit(
        Event(
            type="ack",
            data={"status": "acknowledged", "remaining": 10.0},
            source="gateway",
            at_us=START_US + 7,
            ids=ids,
        )
    )
    assert telemetry_name(START_US, "session-1") == "telemetry/2026/09/21/exec-session-1.jsonl"
    assert lines(tmp_path) == [
        {
            "v": 1,
            "event_id": ulid(START_US, bytes(10)),
            "ts": "2026-09-21T14:13:20.000007Z",
            "exchange_ts": None,
            "type": "ack",
            "source": "gateway",
            "session_id": "session-1",
            "mode": "demo",
            "family": None,
            "series": None,
            "event_ticker": None,
            "market_ticker": "KXHIGHCHI-26NOV20-B52.5",
            "client_order_id": "c",
            "order_id": None,
            "data": {"status": "acknowledged", "remaining": 10.0},
        }
    ]


def test_lines_are_appended_to_the_day_of_the_event_not_of_the_process(
    telemetry: Telemetry, tmp_path: Path
) -> None:
    for at_us in (START_US, START_US + DAY_US, START_US + 1):
        telemetry.emit(event(at_us=at_us))
    assert len(lines(tmp_path)) == 2
    assert len(lines(tmp_path, START_US + DAY_US)) == 1


@pytest.mark.parametrize("type_", sorted(REQUIRED))
def test_every_type_is_written_with_its_fields_and_refused_without(
    telemetry: Telemetry, tmp_path: Path, type_: str
) -> None:
    telemetry.emit(event(type_))
    assert [line["type"] for line in lines(tmp_path)] == [type_]
    with pytest.raises(ValueError, match=f"telemetry {type_} lacks"):
        telemetry.emit(Event(type=type_, data={}, source="gateway", at_us=START_US))


def test_an_unknown_type_or_id_is_refused_where_it_is_emitted(telemetry: Telemetry) -> None:
    with pytest.raises(ValueError, match="unknown type"):
        telemetry.emit(event("order"))
    wrong = Event(type="roll", data=event("roll").data, source="x", at_us=0, ids={"user": "u"})
    with pytest.raises(ValueError, match="no IDs user"):
        telemetry.emit(wrong)


@pytest.mark.parametrize(
    "data",
    [
        {"error": f"could not load {PEM}"},
        {"error": f"headers: {SIGNATURE}"},
        {"error": f"key {KEY_ID} is unknown"},
        {"error": {"headers": [{"KALSHI-ACCESS-KEY": KEY_ID}]}},
        {"error": {"KALSHI-ACCESS-SIGNATURE": SIGNATURE}},
        {"error": {"api_key": KEY_ID, "webhook": "https://hooks.example/T0/B0/short"}},
        {"error": [PEM.encode(), (SIGNATURE,), {SIGNATURE}]},
        {f"{KEY_ID}": 1},
    ],
)
def test_a_secret_planted_anywhere_is_not_written(
    telemetry: Telemetry, tmp_path: Path, data: Mapping[str, Any]
) -> None:
    telemetry.emit(event("unknown", asked="create", **data))
    written = (tmp_path / telemetry_name(START_US, "session-1")).read_text("utf-8")
    body = "".join(PEM.splitlines()[1:-1])
    for secret in (KEY_ID, SIGNATURE, body, PEM.splitlines()[1], "hooks.example"):
        assert secret not in written
    ensure_safe_payload(json.loads(written), KEY_ID)


def test_masked_values_keep_their_last_four_characters_if_they_are_long() -> None:
    mask = masking()
    assert mask({"token": "abcdefghijkl", "password": "short"}) == {
        "token": "***ijkl",
        "password": "*****",
    }


def test_what_is_no_secret_is_written_as_it_is() -> None:
    plain = {
        "client_order_id": "c4c50f47-22cd-5da3-b792-6893ac89b4ba",
        "market_ticker": "KXHIGHCHI-26NOV20-B52.5",
        "path": "/trade-api/v2/portfolio/events/orders",
        "numbers": [1, 2.5, None, True],
    }
    assert masking(KEY_ID)(plain) == plain
    ensure_safe_payload(plain, KEY_ID)


@pytest.mark.parametrize(
    "payload",
    [
        {"error": SIGNATURE},
        {"list": [{"deep": PEM}]},
        {"signature": "anything that is long"},
        {KEY_ID: 1},
        {KEY_ID: [{"b": SIGNATURE}]},
        {"note": f"key {KEY_ID}"},
    ],
)
def test_a_payload_with_a_secret_is_refused_without_naming_it(payload: Mapping[str, Any]) -> None:
    with pytest.raises(UnsafePayloadError) as error:
        ensure_safe_payload(payload, KEY_ID)
    for secret in (SIGNATURE, PEM, KEY_ID, "anything"):
        assert secret not in str(error.value)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just(SIGNATURE) | st.just(KEY_ID),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["a", "token", "b"]), inner),
)


@given(_VALUES)
def test_whatever_was_masked_is_safe(value: object) -> None:
    ensure_safe_payload(masking(KEY_ID)(value), KEY_ID)


def test_ids_of_events_sort_by_time_and_differ() -> None:
    ids = [ulid(START_US + n * 1000, os.urandom(10)) for n in range(100)]
    assert ids == sorted(ids)
    assert {len(each) for each in ids} == {26}
    assert ulid(0, bytes(10)) == "0" * 26
    with pytest.raises(ValueError, match="10 random bytes"):
        ulid(0, b"")
