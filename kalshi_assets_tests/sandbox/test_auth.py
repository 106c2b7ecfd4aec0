import base64
import json
import time

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kalshi_assets.sandbox.auth import verify
from kalshi_assets.sandbox.exchange_errors import WireError
from kalshi_assets.sandbox.server import Sandbox
from kalshi_assets_tests.sandbox.signing import signed_headers
from kalshi_assets_tests.shared import SAMPLES, needs_samples

PATH = "/trade-api/v2/portfolio/balance"
NOW_MS = 1_781_159_350_000
ED25519 = Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KEYS = {"ed": ED25519.public_key(), "rsa": RSA.public_key()}


def _verify(headers: dict[str, str]) -> str:
    lowered = {name.lower(): value for name, value in headers.items()}
    return verify(lowered, method="GET", path=PATH, keys=KEYS, now_ms=NOW_MS)


def _headers(skew_s: float = 0, path: str = PATH, key: str = "ed") -> dict[str, str]:
    private = {"ed": ED25519, "rsa": RSA}[key]
    at_ms = NOW_MS + int(skew_s * 1000)
    return signed_headers(private, key, method="GET", path=path, at_ms=at_ms)


def _refusal(headers: dict[str, str]) -> dict:
    with pytest.raises(WireError) as caught:
        _verify(headers)
    assert caught.value.status == 401
    return caught.value.body


def _sample(name: str) -> dict:
    return json.loads((SAMPLES / "kalshi" / f"auth__{name}.json").read_text())


@pytest.mark.parametrize("key", ["ed", "rsa"])
def test_both_kinds_of_key_are_accepted(key: str) -> None:
    assert _verify(_headers(key=key)) == key


@pytest.mark.parametrize("skew_s", [-5, 5])
def test_five_seconds_of_skew_pass(skew_s: float) -> None:
    assert _verify(_headers(skew_s)) == "ed"


@needs_samples
@pytest.mark.parametrize(
    ("skew_s", "name"), [(-30, "minus30s"), (-300, "minus5min"), (300, "plus5min")]
)
def test_more_skew_is_refused_in_the_recorded_words(skew_s: float, name: str) -> None:
    assert _refusal(_headers(skew_s)) == _sample(f"skew_{name}")


@needs_samples
def test_a_missing_signature_is_refused_in_the_recorded_words() -> None:
    headers = _headers()
    del headers["KALSHI-ACCESS-SIGNATURE"]
    assert _refusal(headers) == _sample("missing_signature_header")


@needs_samples
def test_an_unknown_key_is_refused_in_the_recorded_words() -> None:
    headers = _headers() | {"KALSHI-ACCESS-KEY": "00000000-0000-0000-0000-000000000000"}
    assert _refusal(headers) == _sample("unknown_key_id")


@needs_samples
@pytest.mark.parametrize(
    "headers",
    [
        _headers(path="/portfolio/balance"),
        _headers(path=PATH + "?subaccount=0"),
        _headers(key="rsa") | {"KALSHI-ACCESS-KEY": "ed"},
        _headers() | {"KALSHI-ACCESS-SIGNATURE": "not base64"},
    ],
    ids=["without the prefix", "with the query", "of another key", "no base64"],
)
def test_a_wrong_signature_is_refused_in_the_recorded_words(headers: dict[str, str]) -> None:
    assert _refusal(headers) == _sample("bad_signature")


def test_the_old_rsa_padding_is_refused() -> None:
    message = f"{NOW_MS}GET{PATH}".encode()
    signature = RSA.sign(message, padding.PKCS1v15(), hashes.SHA256())
    headers = _headers(key="rsa")
    headers["KALSHI-ACCESS-SIGNATURE"] = base64.b64encode(signature).decode()
    assert _refusal(headers)["error"]["details"] == "INCORRECT_API_KEY_SIGNATURE"


@pytest.mark.parametrize("timestamp", ["", "soon", "1781159350.5", "-5", "²"])
def test_a_timestamp_that_is_no_number_is_refused(timestamp: str) -> None:
    body = _refusal(_headers() | {"KALSHI-ACCESS-TIMESTAMP": timestamp})
    assert body["error"]["code"] == "header_timestamp_expired"


def _tiny_headers(tiny: Sandbox, path: str) -> dict[str, str]:
    key = load_pem_private_key(tiny.private_key_pem, password=None)
    assert isinstance(key, Ed25519PrivateKey)
    at_ms = int(time.time() * 1000)
    return signed_headers(key, tiny.key_id, method="GET", path=path, at_ms=at_ms)


def test_the_balance_needs_a_signature(api: httpx.Client, tiny: Sandbox) -> None:
    assert api.get("/portfolio/balance").status_code == 401
    answer = api.get(
        "/portfolio/balance", params={"subaccount": 0}, headers=_tiny_headers(tiny, PATH)
    )
    assert answer.status_code == 200
    assert answer.json()["balance_dollars"] == "1000.0000"


def test_limits_are_those_of_the_basic_tier(api: httpx.Client, tiny: Sandbox) -> None:
    headers = _tiny_headers(tiny, "/trade-api/v2/account/limits")
    assert api.get("/account/limits", headers=headers).json() == {
        "grants": [],
        "read": {"bucket_capacity": 200, "refill_rate": 200},
        "usage_tier": "basic",
        "write": {"bucket_capacity": 100, "refill_rate": 100},
    }


def test_a_signature_on_a_public_endpoint_must_be_right(api: httpx.Client, tiny: Sandbox) -> None:
    headers = _tiny_headers(tiny, "/trade-api/v2/markets")
    assert api.get("/markets", headers=headers).status_code == 200
    assert api.get("/events", headers=headers).status_code == 401


@needs_samples
def test_the_balance_has_the_recorded_keys(api: httpx.Client, tiny: Sandbox) -> None:
    answer = api.get("/portfolio/balance", headers=_tiny_headers(tiny, PATH)).json()
    assert answer.keys() == _sample("balance_ok").keys()
