"""Signatures as Standard Webhooks 1.0.0 has them: symmetric, `v1`.

Source: https://www.standardwebhooks.com, "Signature scheme".
"""

import base64
import hmac
from collections.abc import Sequence

SECRET_BYTES = 32
"""The specification asks for 24 to 64."""
_PREFIX = "whsec_"


def shown(secret: bytes) -> str:
    """The secret as its owner gets to see it, once."""
    return _PREFIX + base64.b64encode(secret).decode()


def signature(secrets: Sequence[bytes], message: str, timestamp: int, body: bytes) -> str:
    """The header webhook-signature: one signature a secret, so that a rotation breaks no receiver."""
    signed = f"{message}.{timestamp}.".encode() + body
    return " ".join(f"v1,{base64.b64encode(hmac.digest(secret, signed, 'sha256')).decode()}" for secret in secrets)


def headers(secrets: Sequence[bytes], message: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of one attempt; `timestamp` in seconds since 1970."""
    return {
        "content-type": "application/json",
        "user-agent": "RMAP-Webhooks/1",
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secrets, message, timestamp, body),
    }
