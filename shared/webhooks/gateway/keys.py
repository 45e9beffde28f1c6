"""Signing keys and headers, sealed as fields: only for the same tenant and endpoint does a ciphertext open again."""

import base64
import time
from collections import OrderedDict
from collections.abc import Callable

from shared.webhooks.model import EndpointId
from tenant_context.aws import AwsClient
from tenant_context.context import TenantContext
from tenant_context.dynamo import Table
from tenant_context.fields import DataKeys, FieldCipher, is_sealed

SECRET = "secret"  # noqa: S105  the name of a part
_KEPT_SECONDS = 300.0
_KEPT = 2000


class SecretKeys:
    """Seals and opens what an endpoint keeps secret, with data keys of its tenant: `part` says which it is.

    Secrets of the release before were encrypted by KMS itself; they open until they are rotated.
    """

    def __init__(
        self,
        field_key: str,
        data_keys: Table,
        client: AwsClient | None = None,
        *,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._field_key = field_key
        self._client = client or AwsClient("kms")
        self._fields = FieldCipher(DataKeys(data_keys, field_key, self._client), elapsed=elapsed)
        self._elapsed = elapsed
        self._opened: OrderedDict[tuple[str, str, bytes], tuple[float, bytes]] = OrderedDict()

    def seal(self, tenant: TenantContext, endpoint: EndpointId, plain: bytes, part: str = SECRET) -> bytes:
        """It, encrypted."""
        return self._fields.seal(tenant.tenant, _field(endpoint, part), plain)

    def open(self, tenant: TenantContext, endpoint: EndpointId, ciphertext: bytes, part: str = SECRET) -> bytes:
        """What is behind a ciphertext. Raises `Unreadable` or `AwsError` where it is another endpoint's or part's."""
        if is_sealed(ciphertext):
            return self._fields.open(tenant.tenant, _field(endpoint, part), ciphertext)
        return self._open_by_kms(tenant, endpoint, ciphertext)

    def _open_by_kms(self, tenant: TenantContext, endpoint: EndpointId, ciphertext: bytes) -> bytes:
        key = (str(tenant.tenant), str(endpoint), ciphertext)
        now = self._elapsed()
        kept = self._opened.get(key)
        if kept is not None and now < kept[0]:
            return kept[1]
        answer = self._client.call(
            "Decrypt",
            {
                "KeyId": self._field_key,
                "CiphertextBlob": base64.b64encode(ciphertext).decode(),
                "EncryptionContext": {"tenant": str(tenant.tenant), "endpoint": str(endpoint)},
            },
        )
        secret = base64.b64decode(answer["Plaintext"])
        self._opened[key] = (now + _KEPT_SECONDS, secret)
        self._opened.move_to_end(key)
        if len(self._opened) > _KEPT:
            self._opened.popitem(last=False)
        return secret


def header_part(name: str) -> str:
    """What the value of a header is sealed as."""
    return f"header/{name}"


def _field(endpoint: EndpointId, part: str) -> str:
    return f"webhook-endpoint/{endpoint}/{part}"
