"""Signatures as Standard Webhooks 1.0.0 has them: symmetric, `v1`, and asymmetric, `v1a`.

Source: https://www.standardwebhooks.com, "Signature scheme".
"""

import base64
import hmac
import os
from collections.abc import Sequence

from shared.webhooks.model import Algorithm
from tenant_context.events import WEBHOOK_AGENT

SECRET_BYTES = 32
"""The specification asks for 24 to 64; an Ed25519 key is 32."""
USER_AGENT = f"{WEBHOOK_AGENT}/1"
Key = tuple[Algorithm, bytes]


def new_key(algorithm: Algorithm) -> tuple[bytes, str]:
    """A fresh key, and what is to be shown of it for good: the public key where there is one."""
    key = os.urandom(SECRET_BYTES)
    if algorithm is Algorithm.HMAC:
        return key, ""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415  few ask for it

    public = Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw()
    return key, f"whpk_{base64.b64encode(public).decode()}"


def shown(secret: bytes) -> str:
    """The secret as its owner gets to see it, once."""
    return "whsec_" + base64.b64encode(secret).decode()


def signature(keys: Sequence[Key], message: str, timestamp: int, body: bytes) -> str:
    """The header webhook-signature: one signature a key, so that a rotation breaks no receiver."""
    signed = f"{message}.{timestamp}.".encode() + body
    return " ".join(_one(algorithm, key, signed) for algorithm, key in keys)


def _one(algorithm: Algorithm, key: bytes, signed: bytes) -> str:
    if algorithm is Algorithm.HMAC:
        return f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}"
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415  few ask for it

    return f"v1a,{base64.b64encode(Ed25519PrivateKey.from_private_bytes(key).sign(signed)).decode()}"


def headers(keys: Sequence[Key], message: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of one attempt; `timestamp` in seconds since 1970."""
    return {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(keys, message, timestamp, body),
    }
