"""Signed headers as a client of the exchange makes them; independent of the platform's own."""

import base64

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


def signed_headers(
    key: Ed25519PrivateKey | RSAPrivateKey, key_id: str, *, method: str, path: str, at_ms: int
) -> dict[str, str]:
    """The three headers; `path` as the caller says, so that wrong ones can be tried."""
    message = f"{at_ms}{method}{path}".encode()
    if isinstance(key, Ed25519PrivateKey):
        signature = key.sign(message)
    else:
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
        signature = key.sign(message, pss, hashes.SHA256())
    return {
        "KALSHI-ACCESS-KEY": key_id,
        "KALSHI-ACCESS-TIMESTAMP": str(at_ms),
        "KALSHI-ACCESS-SIGNATURE": base64.b64encode(signature).decode(),
    }
