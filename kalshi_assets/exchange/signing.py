"""Request signatures: RSA-PSS or Ed25519, depending on the key (kalshi.md 1).

Here: one signing function for REST and WebSocket. Not here: where the key is stored (settings),
verification of signatures (done by the exchange).
"""

import base64
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


class SigningKeyError(ValueError):
    """The private key cannot be used; the message says which keys are accepted."""


@dataclass(frozen=True)
class Signer:
    """Key ID and private key."""

    key_id: str
    private_key: RSAPrivateKey | Ed25519PrivateKey = field(repr=False)

    @classmethod
    def from_pem(cls, key_id: str, pem: bytes) -> "Signer":
        """Read an unencrypted RSA or Ed25519 private key in PEM format.

        Parameters
        ----------
        key_id
            The exchange's ID of the key.
        pem
            The private key.

        Raises
        ------
        SigningKeyError
            Not a PEM private key, encrypted, another kind of key, or an empty key ID.
        """
        if not key_id.strip():
            raise SigningKeyError("the key ID is empty: set KALSHI_API_KEY_ID")
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except TypeError:
            raise SigningKeyError(
                "the private key is encrypted: store it without a passphrase, readable by its "
                "owner only"
            ) from None
        except (ValueError, UnsupportedAlgorithm):
            raise SigningKeyError(
                "not a private key in PEM format: it starts with -----BEGIN PRIVATE KEY----- or "
                "-----BEGIN RSA PRIVATE KEY-----"
            ) from None
        if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
            raise SigningKeyError(
                f"the exchange accepts RSA and Ed25519 keys, not {type(key).__name__}"
            )
        return cls(key_id.strip(), key)

    def headers(self, method: str, path: str, now_ms: int) -> dict[str, str]:
        """The three headers that sign a request.

        Parameters
        ----------
        method
            HTTP method.
        path
            Including /trade-api/v2, without the query.
        now_ms
            Unix milliseconds, read just before sending.

        Raises
        ------
        ValueError
            The path contains a query, which is not part of the signature.
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
