"""Verification of signed requests as by the exchange.

Here: the three headers, the signed string, the time window, both kinds of key. Not here: signing
(`exchange.signing`), which endpoints require it (`gate`).
"""

import base64
import binascii
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from kalshi_assets.sandbox.exchange_errors import WireError, coded

KEY = "kalshi-access-key"
TIMESTAMP = "kalshi-access-timestamp"
SIGNATURE = "kalshi-access-signature"
HEADERS = (KEY, TIMESTAMP, SIGNATURE)

OLDEST_MS = 25_000
NEWEST_MS = 30_000
"""Measured: +-5 s is accepted, -30 s and +-5 min are not; +30 s has been accepted once."""

PublicKey = RSAPublicKey | Ed25519PublicKey


def verify(
    headers: Mapping[str, str],
    *,
    method: str,
    path: str,
    keys: Mapping[str, PublicKey],
    now_ms: int,
) -> str:
    """The ID of the key that signed the request.

    `headers` have lower-case names, `path` includes /trade-api/v2 but no query, `now_ms` is in Unix
    milliseconds.

    Raises
    ------
    WireError
        401 with the exchange's wording.
    """
    signature = headers.get(SIGNATURE)
    if not signature:
        raise coded(401, "signature_is_missing_from_headers", "signature is missing from headers")
    timestamp = headers.get(TIMESTAMP, "")
    age = now_ms - int(timestamp) if timestamp.isascii() and timestamp.isdigit() else None
    if age is None or not -NEWEST_MS <= age <= OLDEST_MS:
        raise coded(401, "header_timestamp_expired", "header timestamp expired")
    key_id = headers.get(KEY, "")
    public_key = keys.get(key_id)
    if public_key is None:
        raise _refused("NOT_FOUND")
    if not _signed(public_key, signature, f"{timestamp}{method}{path}".encode()):
        raise _refused("INCORRECT_API_KEY_SIGNATURE")
    return key_id


def _signed(public_key: PublicKey, signature: str, message: bytes) -> bool:
    try:
        raw = base64.b64decode(signature, validate=True)
        if isinstance(public_key, Ed25519PublicKey):
            public_key.verify(raw, message)
        else:
            pss = padding.PSS(
                mgf=padding.MGF1(hashes.SHA256()), salt_length=hashes.SHA256.digest_size
            )
            public_key.verify(raw, message, pss, hashes.SHA256())
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return True


def _refused(details: str) -> WireError:
    return coded(401, "authentication_error", "authentication_error", details)
