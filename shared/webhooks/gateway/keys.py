"""Signing secrets, sealed by KMS: only with the same tenant and endpoint does a ciphertext open again."""

import base64
import time
from collections import OrderedDict
from collections.abc import Callable

from shared.webhooks.model import EndpointId
from tenant_context.aws import AwsClient
from tenant_context.context import TenantContext

_KEPT_SECONDS = 300.0
_KEPT = 2000


class SecretKeys:
    """Seals and opens secrets; an opened one is kept five minutes, so that KMS is not asked at every attempt."""

    def __init__(
        self, field_key: str, client: AwsClient | None = None, *, elapsed: Callable[[], float] = time.monotonic
    ) -> None:
        self._field_key = field_key
        self._client = client or AwsClient("kms")
        self._elapsed = elapsed
        self._opened: OrderedDict[tuple[str, str, bytes], tuple[float, bytes]] = OrderedDict()

    def seal(self, tenant: TenantContext, endpoint: EndpointId, secret: bytes) -> bytes:
        """The secret, encrypted."""
        answer = self._client.call(
            "Encrypt",
            {
                "KeyId": self._field_key,
                "Plaintext": base64.b64encode(secret).decode(),
                "EncryptionContext": _context(tenant, endpoint),
            },
        )
        return base64.b64decode(answer["CiphertextBlob"])

    def open(self, tenant: TenantContext, endpoint: EndpointId, ciphertext: bytes) -> bytes:
        """The secret behind a ciphertext. Raises `AwsError` where it is another endpoint's."""
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
                "EncryptionContext": _context(tenant, endpoint),
            },
        )
        secret = base64.b64decode(answer["Plaintext"])
        self._opened[key] = (now + _KEPT_SECONDS, secret)
        self._opened.move_to_end(key)
        if len(self._opened) > _KEPT:
            self._opened.popitem(last=False)
        return secret


def _context(tenant: TenantContext, endpoint: EndpointId) -> dict[str, str]:
    return {"tenant": str(tenant.tenant), "endpoint": str(endpoint)}
