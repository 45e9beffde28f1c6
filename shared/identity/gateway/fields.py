"""Secrets of users, sealed by KMS: only for the same user and purpose does a ciphertext open again."""

import base64
from uuid import UUID

from tenant_context.aws import AwsClient


class UserSecrets:
    """Seals and opens secrets of users."""

    def __init__(self, field_key: str, client: AwsClient | None = None) -> None:
        self._field_key = field_key
        self._client = client or AwsClient("kms")

    def seal(self, user: UUID, purpose: str, secret: bytes) -> bytes:
        """The secret, encrypted."""
        plain = base64.b64encode(secret).decode()
        answer = self._client.call("Encrypt", {**self._common(user, purpose), "Plaintext": plain})
        return base64.b64decode(answer["CiphertextBlob"])

    def open(self, user: UUID, purpose: str, ciphertext: bytes) -> bytes:
        """The secret behind a ciphertext. Raises `AwsError` where it is another user's."""
        blob = base64.b64encode(ciphertext).decode()
        answer = self._client.call("Decrypt", {**self._common(user, purpose), "CiphertextBlob": blob})
        return base64.b64decode(answer["Plaintext"])

    def _common(self, user: UUID, purpose: str) -> dict[str, object]:
        return {"KeyId": self._field_key, "EncryptionContext": {"user": str(user), "purpose": purpose}}
