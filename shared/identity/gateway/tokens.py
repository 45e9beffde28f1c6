"""Access tokens, signed by a key that never leaves KMS."""

import base64
import hashlib
from typing import Any, Protocol

import msgspec

from tenant_context.aws import AwsClient, AwsError
from tenant_context.key_ring import PublishedKey

_KMS_ALGORITHMS = {"RS256": "RSASSA_PKCS1_V1_5_SHA_256"}
_ENDED = frozenset({"DisabledException", "KMSInvalidStateException", "NotFoundException"})
"""What KMS says of a key that is disabled, waits to be deleted, or is gone."""


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Ring(Protocol):
    """Knows the key that signs."""

    def signing(self) -> PublishedKey:
        """The key that signs now."""

    def read(self) -> None:
        """Look again which one it is."""


class TokenSigner:
    """Signs access tokens with the ring's signing key, which never leaves KMS."""

    def __init__(self, ring: Ring, client: AwsClient | None = None) -> None:
        self._ring = ring
        self._client = client or AwsClient("kms")

    def sign(self, claims: dict[str, Any]) -> str:
        """The compact JWT of the claims."""
        try:
            return self._signed(self._ring.signing(), claims)
        except AwsError as error:
            if error.code not in _ENDED:
                raise
        # The key was ended a moment ago, and another one signs.
        self._ring.read()
        return self._signed(self._ring.signing(), claims)

    def _signed(self, key: PublishedKey, claims: dict[str, Any]) -> str:
        header = _base64url(msgspec.json.encode({"alg": key.algorithm, "typ": "JWT", "kid": key.kid}))
        signing_input = f"{header}.{_base64url(msgspec.json.encode(claims))}"
        answer = self._client.call(
            "Sign",
            {
                "KeyId": key.arn,
                "Message": base64.b64encode(hashlib.sha256(signing_input.encode()).digest()).decode(),
                "MessageType": "DIGEST",
                "SigningAlgorithm": _KMS_ALGORITHMS[key.algorithm],
            },
        )
        return f"{signing_input}.{_base64url(base64.b64decode(answer['Signature']))}"


def jwk(key: PublishedKey) -> dict[str, str]:
    """A public key as RFC 7517 writes it."""
    numbers = key.public.public_numbers()
    return {
        "kty": "RSA",
        "use": "sig",
        "alg": key.algorithm,
        "kid": key.kid,
        "n": _base64url(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")),
        "e": _base64url(numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8, "big")),
    }
