"""Fields open where they were sealed and nowhere else; their keys turn, are few, and go with a tenant."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest

from local.stack import Stack
from tenant_context import fields
from tenant_context.aws import AwsClient
from tenant_context.clock import uuid7
from tenant_context.dynamo import Table, tenant_key
from tenant_context.fields import DataKeys, FieldCipher, Unreadable, is_sealed, key_of

ACME, GLOBEX = uuid7(), uuid7()


@dataclass
class Counted(DataKeys):
    """The real keys; how often KMS was asked."""

    inner: DataKeys
    made: int = 0
    unwrapped: int = 0
    now: float = 0.0
    table: Table = field(default=None)  # type: ignore[assignment]

    def make(self, tenant: UUID) -> tuple[UUID, bytes]:
        self.made += 1
        return self.inner.make(tenant)

    def unwrap(self, tenant: UUID, key: UUID) -> bytes:
        self.unwrapped += 1
        return self.inner.unwrap(tenant, key)


@pytest.fixture(scope="module")
def store(servers: Stack) -> Iterator[tuple[Table, str, AwsClient]]:
    kms, dynamodb = servers.client("kms"), servers.client("dynamodb")
    name = f"data-keys-{uuid4().hex[:12]}"
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": part, "AttributeType": "S"} for part in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    clients = AwsClient("dynamodb"), AwsClient("kms")
    yield Table(name, clients[0]), key, clients[1]
    dynamodb.delete_table(TableName=name)
    for client in (kms, dynamodb, *clients):
        client.close()


@pytest.fixture
def keys(store: tuple[Table, str, AwsClient]) -> Counted:
    return Counted(DataKeys(*store), table=store[0])


@pytest.fixture
def cipher(keys: Counted) -> FieldCipher:
    return FieldCipher(keys, elapsed=lambda: keys.now)


def test_a_field_opens_where_it_was_sealed(cipher: FieldCipher) -> None:
    sealed = cipher.seal(ACME, "endpoint/1", b"secret")
    assert cipher.open(ACME, "endpoint/1", sealed) == b"secret"
    assert b"secret" not in sealed
    assert cipher.seal(ACME, "endpoint/1", b"secret") != sealed


def test_in_another_field_or_tenant_it_does_not_open(cipher: FieldCipher, keys: Counted) -> None:
    sealed = cipher.seal(ACME, "endpoint/1", b"secret")
    with pytest.raises(Unreadable):
        cipher.open(ACME, "endpoint/2", sealed)
    with pytest.raises(Unreadable):
        cipher.open(GLOBEX, "endpoint/1", sealed)
    # Nor with the key itself carried over: KMS unwraps it for its tenant only.
    item = keys.table.get(tenant_key(ACME, "data-keys"), str(key_of(sealed)))
    assert item is not None
    keys.table.put({**item, "pk": tenant_key(GLOBEX, "data-keys")})
    with pytest.raises(Exception, match="InvalidCiphertext"):
        cipher.open(GLOBEX, "endpoint/1", sealed)


@pytest.mark.parametrize("place", [0, 1, 16, 17, 28, 29, 34, -1])
def test_a_changed_byte_is_noticed(cipher: FieldCipher, place: int) -> None:
    sealed = bytearray(cipher.seal(ACME, "endpoint/1", b"secret"))
    sealed[place] ^= 1
    with pytest.raises(Unreadable):
        cipher.open(ACME, "endpoint/1", bytes(sealed))


@pytest.mark.parametrize("content", [b"", b"\xf1", b"\xf1" * 44, b"\x01\x02" * 60])
def test_what_is_no_sealed_field_is_told_so(cipher: FieldCipher, content: bytes) -> None:
    assert not is_sealed(content)
    with pytest.raises(Unreadable):
        cipher.open(ACME, "endpoint/1", content)


def test_who_seals_never_unwraps(cipher: FieldCipher, keys: Counted) -> None:
    for number in range(5):
        cipher.seal(ACME, f"endpoint/{number}", b"secret")
    assert (keys.made, keys.unwrapped) == (1, 0)


def test_a_key_seals_for_an_hour_or_so_many_fields_and_is_then_another(
    cipher: FieldCipher, keys: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cipher.seal(ACME, "f", b"1")
    keys.now = fields.SEAL_SECONDS - 1
    assert key_of(cipher.seal(ACME, "f", b"2")) == key_of(first)
    keys.now = fields.SEAL_SECONDS
    second = cipher.seal(ACME, "f", b"3")
    assert key_of(second) != key_of(first)
    monkeypatch.setattr(fields, "SEAL_USES", 3)
    used = {key_of(cipher.seal(ACME, "f", b"4")) for _ in range(2)}
    assert used == {key_of(second)}
    assert key_of(cipher.seal(ACME, "f", b"5")) not in {key_of(first), key_of(second)}
    assert cipher.open(ACME, "f", first) == b"1"


def test_an_unwrapped_key_is_kept_five_minutes(cipher: FieldCipher, keys: Counted) -> None:
    sealed = cipher.seal(ACME, "f", b"secret")
    for keys.now in (0.0, fields.OPEN_SECONDS - 1):
        cipher.open(ACME, "f", sealed)
    assert keys.unwrapped == 1
    keys.now = fields.OPEN_SECONDS
    cipher.open(ACME, "f", sealed)
    assert keys.unwrapped == 2


def test_no_more_keys_are_kept_than_said(keys: Counted) -> None:
    cipher = FieldCipher(keys, elapsed=lambda: 0.0, kept=2)
    tenants = [uuid7() for _ in range(3)]
    sealed: dict[Any, bytes] = {tenant: cipher.seal(tenant, "f", b"x") for tenant in tenants}
    for tenant in (*tenants, tenants[0]):
        cipher.open(tenant, "f", sealed[tenant])
    assert keys.unwrapped == 4
    cipher.seal(tenants[0], "f", b"x")
    assert keys.made == 4


def test_without_its_key_a_field_is_lost_for_good(cipher: FieldCipher, keys: Counted) -> None:
    sealed = cipher.seal(ACME, "f", b"secret")
    keys.table.delete(tenant_key(ACME, "data-keys"), str(key_of(sealed)))
    with pytest.raises(Unreadable):
        cipher.open(ACME, "f", sealed)
