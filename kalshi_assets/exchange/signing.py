"""Signatures of requests: RSA-PSS or Ed25519, by the kind of key (kalshi.md 1).

Here: one signing function for REST and WebSocket. Not here: where a key is kept (settings) and
the checking of signatures (the exchange does that).
"""

import base64
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


class SigningKeyError(ValueError):
    """A private key that cannot sign for the exchange; the message says what is accepted."""


@dataclass(frozen=True)
class Signer:
    """A key pair's identifier and its private half."""

    key_id: str
    private_key: RSAPrivateKey | Ed25519PrivateKey = field(repr=False)

    @classmethod
    def from_pem(cls, key_id: str, pem: bytes) -> "Signer":
        """Read an unencrypted PEM private key, RSA or Ed25519 by its content.

        Raises
        ------
        SigningKeyError
            Not a PEM private key, encrypted, of another kind, or no key id.
        """
        if not key_id.strip():
            raise SigningKeyError("the key id is empty: set KALSHI_API_KEY_ID")
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except TypeError:
            raise SigningKeyError(
                "the private key is encrypted: store it without a passphrase, readable by its "
                "owner only"
            ) from None
        except (ValueError, UnsupportedAlgorithm):
            raise SigningKeyError(
                "not a private key in PEM form: it starts with -----BEGIN PRIVATE KEY----- or "
                "-----BEGIN RSA PRIVATE KEY-----"
            ) from None
        if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
            raise SigningKeyError(
                f"the exchange takes RSA and Ed25519 keys, this is {type(key).__name__}"
            )
        return cls(key_id.strip(), key)

    def headers(self, method: str, path: str, now_ms: int) -> dict[str, str]:
        """The three headers that sign one request.

        Parameters
        ----------
        method
            HTTP method, in any case.
        path
            From the host's root, with /trade-api/v2 and without the query.
        now_ms
            Unix milliseconds, read just before sending.

        Raises
        ------
        ValueError
            The path carries a query, which the exchange does not sign.
        """
        if "?" in path:
            raise ValueError(f"sign the path without its query, got {path!r}")
        message = f"{now_ms}{method.upper()}{path}".encode()
        return {
            "KALSHI-ACCESS-KEY": self.key_id,
            "KALSHI-ACCESS-TIMESTAMP": str(now_ms),
            "KALSHI-ACCESS-SIGNATURE": base64.b64encode(self._sign(message)).decode("ascii"),
        }

    def _sign(self, message: bytes) -> bytes:
        if isinstance(self.private_key, Ed25519PrivateKey):
            return self.private_key.sign(message)
        return self.private_key.sign(
            message,
            padding.PSS(padding.MGF1(hashes.SHA256()), salt_length=hashes.SHA256.digest_size),
            hashes.SHA256(),
        )
