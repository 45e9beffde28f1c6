"""Clients' secrets open for their own tenant, those of the release before too, and never again without its keys."""

import base64
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest

from local.stack import Stack
from shared.federation.gateway.secrets import FIELD, ClientSecrets
from tenant_context.aws import AwsClient, AwsError
from tenant_context.clock import uuid7
from tenant_context.dynamo import Table, tenant_key
from tenant_context.fields import DataKeys, FieldCipher, Unreadable, is_sealed, key_of
from tests.dynamo import watched

ACME, GLOBEX = uuid7(), uuid7()


@dataclass
class Store:
    """A table of data keys and the key that wraps them."""

    table: Table
    key: str
    kms: AwsClient

    @property
    def secrets(self) -> ClientSecrets:
        """As a sandbox opens them that has nothing in memory yet."""
        return ClientSecrets(self.key, self.table, self.kms)


@pytest.fixture
def store(servers: Stack, table_name: str) -> Iterator[Store]:
    with closing(servers.client("kms")) as made, watched(table_name) as table, closing(AwsClient("kms")) as kms:
        yield Store(table, made.create_key()["KeyMetadata"]["KeyId"], kms)


def test_a_secret_opens_for_its_tenant_and_no_other(store: Store) -> None:
    sealed = store.secrets.seal(ACME, "s3cret")
    assert is_sealed(sealed)
    assert store.secrets.open(ACME, sealed) == "s3cret"
    with pytest.raises(Unreadable):
        store.secrets.open(GLOBEX, sealed)


def test_it_is_no_field_of_another_name(store: Store) -> None:
    cipher = FieldCipher(DataKeys(store.table, store.key, store.kms))
    moved = cipher.seal(ACME, f"{FIELD}/old", b"s3cret")
    with pytest.raises(Unreadable):
        store.secrets.open(ACME, moved)


def test_a_secret_of_the_release_before_still_opens(store: Store) -> None:
    context = {"tenant": str(ACME), "purpose": "identity-provider"}
    request = {"KeyId": store.key, "EncryptionContext": context, "Plaintext": base64.b64encode(b"older").decode()}
    old = base64.b64decode(store.kms.call("Encrypt", request)["CiphertextBlob"])
    assert not is_sealed(old)
    assert store.secrets.open(ACME, old) == "older"
    with pytest.raises(AwsError):
        store.secrets.open(GLOBEX, old)


def test_without_the_tenants_data_keys_it_is_lost(store: Store) -> None:
    sealed = store.secrets.seal(ACME, "s3cret")
    store.table.delete(tenant_key(ACME, "data-keys"), str(key_of(sealed)))
    with pytest.raises(Unreadable):
        store.secrets.open(ACME, sealed)
