import base64

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kalshi_assets.exchange.signing import Signer, SigningKeyError

PATH = "/trade-api/v2/portfolio/balance"
NOW_MS = 1703123456789
MESSAGE = b"1703123456789GET/trade-api/v2/portfolio/balance"


def pem(key, encryption=None):
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        encryption or serialization.NoEncryption(),
    )


@pytest.fixture(scope="module")
def rsa_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def test_an_rsa_key_signs_with_pss_and_a_salt_of_32_bytes(rsa_key):
    headers = Signer.from_pem("id-1", pem(rsa_key)).headers("get", PATH, NOW_MS)
    assert headers["KALSHI-ACCESS-KEY"] == "id-1"
    assert headers["KALSHI-ACCESS-TIMESTAMP"] == "1703123456789"
    rsa_key.public_key().verify(
        base64.b64decode(headers["KALSHI-ACCESS-SIGNATURE"]),
        MESSAGE,
        padding.PSS(padding.MGF1(hashes.SHA256()), salt_length=32),
        hashes.SHA256(),
    )


def test_an_ed25519_key_signs_the_same_bytes_directly():
    key = Ed25519PrivateKey.generate()
    headers = Signer.from_pem("id-2", pem(key)).headers("GET", PATH, NOW_MS)
    signature = base64.b64decode(headers["KALSHI-ACCESS-SIGNATURE"])
    assert len(signature) == 64
    key.public_key().verify(signature, MESSAGE)
    with pytest.raises(InvalidSignature):
        key.public_key().verify(signature, MESSAGE.replace(b"GET", b"PUT"))


def test_the_query_is_never_signed(rsa_key):
    with pytest.raises(ValueError, match="without its query"):
        Signer.from_pem("id", pem(rsa_key)).headers("GET", PATH + "?limit=1", NOW_MS)


def test_the_key_does_not_show_when_a_signer_is_printed(rsa_key):
    assert repr(Signer.from_pem("id-1", pem(rsa_key))) == "Signer(key_id='id-1')"


def test_unusable_keys_are_refused_with_what_to_do(rsa_key):
    with pytest.raises(SigningKeyError, match="PEM form"):
        Signer.from_pem("id", b"not a key")
    with pytest.raises(SigningKeyError, match="RSA and Ed25519"):
        Signer.from_pem("id", pem(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(SigningKeyError, match="passphrase"):
        Signer.from_pem("id", pem(rsa_key, serialization.BestAvailableEncryption(b"secret")))
    with pytest.raises(SigningKeyError, match="KALSHI_API_KEY_ID"):
        Signer.from_pem(" ", pem(rsa_key))
