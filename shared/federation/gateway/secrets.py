"""Clients' secrets at identity providers, sealed by KMS: only for the same tenant does a ciphertext open again."""

import base64
from uuid import UUID

from tenant_context.aws import AwsClient


class ClientSecrets:
    """Seals and opens the secrets of tenants' clients."""

    def __init__(self, field_key: str, client: AwsClient | None = None) -> None:
        self._field_key = field_key
        self._client = client or AwsClient("kms")

    def seal(self, tenant: UUID, secret: str) -> bytes:
        """The secret, encrypted."""
        plain = base64.b64encode(secret.encode()).decode()
        answer = self._client.call("Encrypt", {**self._common(tenant), "Plaintext": plain})
        return base64.b64decode(answer["CiphertextBlob"])

    def open(self, tenant: UUID, ciphertext: bytes) -> str:
        """The secret behind a ciphertext. Raises `AwsError` where it is another tenant's."""
        blob = base64.b64encode(ciphertext).decode()
        answer = self._client.call("Decrypt", {**self._common(tenant), "CiphertextBlob": blob})
        return base64.b64decode(answer["Plaintext"]).decode()

    def _common(self, tenant: UUID) -> dict[str, object]:
        context = {"tenant": str(tenant), "purpose": "identity-provider"}
        return {"KeyId": self._field_key, "EncryptionContext": context}
