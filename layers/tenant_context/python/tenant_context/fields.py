"""Single fields, encrypted with data keys of their tenant (AES-256-GCM); the data keys are wrapped by KMS.

    sealed = version (1 byte) | id of the data key (16) | nonce (12) | ciphertext and tag

What a field is sealed for (the tenant, the field's name with the id of its row) is associated data: the same bytes in
another row, field or tenant do not open. Wrapped data keys are items of one table, under their tenant: when a tenant
is erased they go, and with them whatever they sealed, wherever a copy of it is.

Keys turn by themselves. Who seals makes a data key of its own (GenerateDataKey) and uses it for an hour, or a thousand
fields, and never asks KMS to unwrap one: a function that only seals needs no right to read, and has none. Who opens
unwraps; keys that are in use are kept in memory for five minutes, a thousand at most.
"""

import base64
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tenant_context.aws import AwsClient
from tenant_context.clock import uuid7
from tenant_context.dynamo import Table, tenant_key

VERSION = b"\xf1"
"""No ciphertext of KMS itself begins so: fields that it encrypted, in releases before, are told apart by it."""
SEAL_SECONDS = 3600.0
SEAL_USES = 1000
"""GCM with random nonces is good for 2^32 uses of a key; this is about how much one lost key would open."""
OPEN_SECONDS = 300.0
KEPT = 1000
_HEAD = 1 + 16 + 12
_PARTITION = "data-keys"


class Unreadable(Exception):
    """The field was sealed for something else, was changed, or its key is gone."""


@dataclass(slots=True)
class DataKey:
    """A data key in use: until when, and how often more."""

    id: UUID
    plain: bytes
    until: float
    uses: int = 0


class DataKeys:
    """The wrapped data keys of tenants."""

    def __init__(self, table: Table, field_key: str, kms: AwsClient | None = None) -> None:
        self._table = table
        self._field_key = field_key
        self._kms = kms or AwsClient("kms")

    def make(self, tenant: UUID) -> tuple[UUID, bytes]:
        """A new data key: its id and itself; its wrapped form is kept before anything is sealed with it."""
        request = {"KeyId": self._field_key, "KeySpec": "AES_256", "EncryptionContext": _context(tenant)}
        answer = self._kms.call("GenerateDataKey", request)
        key = uuid7()
        wrapped = base64.b64decode(answer["CiphertextBlob"])
        self._table.put({"pk": tenant_key(tenant, _PARTITION), "sk": str(key), "wrapped": wrapped, "tenant": tenant})
        return key, base64.b64decode(answer["Plaintext"])

    def unwrap(self, tenant: UUID, key: UUID) -> bytes:
        """A data key of the tenant. Errors: Unreadable."""
        item = self._table.get(tenant_key(tenant, _PARTITION), str(key))
        if item is None:
            raise Unreadable("its data key is gone")
        wrapped = base64.b64encode(item["wrapped"]).decode()
        request = {"KeyId": self._field_key, "CiphertextBlob": wrapped, "EncryptionContext": _context(tenant)}
        return base64.b64decode(self._kms.call("Decrypt", request)["Plaintext"])


class FieldCipher:
    """Seals and opens fields."""

    def __init__(self, keys: DataKeys, *, elapsed: Callable[[], float] = time.monotonic, kept: int = KEPT) -> None:
        self._keys = keys
        self._elapsed = elapsed
        self._kept = kept
        self._sealing: OrderedDict[UUID, DataKey] = OrderedDict()
        self._opening: OrderedDict[tuple[UUID, UUID], DataKey] = OrderedDict()

    def seal(self, tenant: UUID, field: str, plain: bytes) -> bytes:
        """The field, encrypted; `field` says which it is, for example `webhook-endpoint/<id>/secret`."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415  few requests seal anything

        key, nonce = self._sealing_key(tenant), os.urandom(12)
        head = VERSION + key.id.bytes + nonce
        return head + AESGCM(key.plain).encrypt(nonce, plain, _associated(tenant, field, head))

    def open(self, tenant: UUID, field: str, sealed: bytes) -> bytes:
        """The field behind a ciphertext. Errors: Unreadable."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415  few requests open anything
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        if not is_sealed(sealed):
            raise Unreadable("is no sealed field")
        head = sealed[:_HEAD]
        key = self._opening_key(tenant, key_of(sealed))
        try:
            return AESGCM(key.plain).decrypt(head[17:], sealed[_HEAD:], _associated(tenant, field, head))
        except InvalidTag as error:
            raise Unreadable("was sealed for something else, or changed") from error

    def _sealing_key(self, tenant: UUID) -> DataKey:
        now, key = self._elapsed(), self._sealing.get(tenant)
        if key is None or now >= key.until or key.uses >= SEAL_USES:
            key = DataKey(*self._keys.make(tenant), now + SEAL_SECONDS)
            _keep(self._sealing, tenant, key, self._kept)
        key.uses += 1
        return key

    def _opening_key(self, tenant: UUID, name: UUID) -> DataKey:
        now, key = self._elapsed(), self._opening.get((tenant, name))
        if key is None or now >= key.until:
            key = DataKey(name, self._keys.unwrap(tenant, name), now + OPEN_SECONDS)
            _keep(self._opening, (tenant, name), key, self._kept)
        return key


def is_sealed(content: bytes) -> bool:
    """Whether it has the form of a sealed field."""
    return content[:1] == VERSION and len(content) >= _HEAD + 16


def key_of(sealed: bytes) -> UUID:
    """The id of the data key that a field was sealed with."""
    return UUID(bytes=sealed[1:17])


def _keep(kept: OrderedDict[Any, DataKey], name: object, key: DataKey, most: int) -> None:
    kept[name] = key
    kept.move_to_end(name)
    while len(kept) > most:
        kept.popitem(last=False)


def _associated(tenant: UUID, field: str, head: bytes) -> bytes:
    return b"\0".join((tenant.bytes, field.encode(), head))


def _context(tenant: UUID) -> dict[str, str]:
    return {"tenant": str(tenant), "purpose": "fields"}
