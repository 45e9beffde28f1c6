"""Access tokens, signed by a key that never leaves KMS."""

import base64
import hashlib
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from tenant_context.aws import AwsClient


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class TokenSigner:
    """Signs access tokens (RS256) with a key that never leaves KMS."""

    def __init__(self, key_id: str, client: AwsClient | None = None) -> None:
        self._key_id = key_id
        self._client = client or AwsClient("kms")

    def sign(self, claims: dict[str, Any]) -> str:
        """The compact JWT of the claims."""
        header = _base64url(msgspec.json.encode({"alg": "RS256", "typ": "JWT", "kid": self._key_id}))
        signing_input = f"{header}.{_base64url(msgspec.json.encode(claims))}"
        answer = self._client.call(
            "Sign",
            {
                "KeyId": self._key_id,
                "Message": base64.b64encode(hashlib.sha256(signing_input.encode()).digest()).decode(),
                "MessageType": "DIGEST",
                "SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256",
            },
        )
        return f"{signing_input}.{_base64url(base64.b64decode(answer['Signature']))}"


def jwk(kid: str, key: RSAPublicKey) -> dict[str, str]:
    """A public key as RFC 7517 writes it."""
    numbers = key.public_numbers()
    return {
        "kty": "RSA",
        "use": "sig",
        "alg": "RS256",
        "kid": kid,
        "n": _base64url(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")),
        "e": _base64url(numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8, "big")),
    }
