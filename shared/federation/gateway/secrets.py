"""Clients' secrets at identity providers, sealed as fields: only for the same tenant does a ciphertext open again."""

import base64
from uuid import UUID

from tenant_context.aws import AwsClient
from tenant_context.dynamo import Table
from tenant_context.fields import DataKeys, FieldCipher, is_sealed

FIELD = "identity-provider/client-secret"
"""A tenant has one provider, so the tenant names the row."""


class ClientSecrets:
    """Seals and opens the secrets of tenants' clients with data keys of their tenant.

    Secrets of the release before were encrypted by KMS itself; they open until they are set anew.
    """

    def __init__(self, field_key: str, data_keys: Table, client: AwsClient | None = None) -> None:
        self._field_key = field_key
        self._client = client or AwsClient("kms")
        self._fields = FieldCipher(DataKeys(data_keys, field_key, self._client))

    def seal(self, tenant: UUID, secret: str) -> bytes:
        """The secret, encrypted."""
        return self._fields.seal(tenant, FIELD, secret.encode())

    def open(self, tenant: UUID, ciphertext: bytes) -> str:
        """The secret behind a ciphertext. Raises `Unreadable` or `AwsError` where it is another tenant's."""
        if is_sealed(ciphertext):
            return self._fields.open(tenant, FIELD, ciphertext).decode()
        return self._open_by_kms(tenant, ciphertext)

    def _open_by_kms(self, tenant: UUID, ciphertext: bytes) -> str:
        request = {
            "KeyId": self._field_key,
            "CiphertextBlob": base64.b64encode(ciphertext).decode(),
            "EncryptionContext": {"tenant": str(tenant), "purpose": "identity-provider"},
        }
        return base64.b64decode(self._client.call("Decrypt", request)["Plaintext"]).decode()
