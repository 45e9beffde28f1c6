"""The query of the runbook names every data key that is in use: whoever follows it deletes the others."""

import base64
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any, LiteralString, cast
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from infra.settings import ROOT
from local.stack import Stack
from shared.webhooks.model import Algorithm, Endpoint, EndpointId, Filters, KeyId, Manner, SigningKey
from shared.webhooks.repository.endpoints import EndpointRepository
from tenant_context.aws import AwsClient
from tenant_context.clock import rfc3339, utc_now, uuid7
from tenant_context.context import TenantContext
from tenant_context.fields import DataKeys, FieldCipher, key_of
from tenant_context.postgres import Database
from tests.conftest import Clone
from tests.dynamo import watched

RUNBOOK = ROOT / "docs" / "operations" / "rotate-keys.md"
SEALED = {
    "webhook_endpoints.secret",
    "webhook_endpoints.old_secret",
    "webhook_endpoints.secret_headers",
    "webhook_endpoints.secret_keys",
    "identity_providers.client_secret",
    "inbox.body",
}
OPEN = {
    "webhook_endpoints.old_secret_until": "a moment",
    "idempotency_keys.request_hash": "a digest",
    "idempotency_keys.body": "an answer as it was given",
}
"""Columns that look as if they were sealed, and what they are."""

Seal = Callable[[TenantContext], bytes]


@pytest.fixture
def seal(servers: Stack, table_name: str) -> Iterator[Seal]:
    """Seals something, each time with another data key."""
    with closing(servers.client("kms")) as made, watched(table_name) as table, closing(AwsClient("kms")) as kms:
        wrapping = made.create_key()["KeyMetadata"]["KeyId"]
        yield lambda tenant: FieldCipher(DataKeys(table, wrapping, kms)).seal(tenant.tenant, "some field", b"s3cret")


def in_use(clone: Clone, tenant: TenantContext) -> dict[UUID, list[tuple[str, datetime | None]]]:
    """What the runbook's query says, asked as the runbook says: by key, each field and until when."""
    (query,) = re.findall(r"```sql\n(.*?)```", RUNBOOK.read_text(), re.DOTALL)
    asked = cast("LiteralString", query.replace("<id>", str(tenant.tenant)))
    found: dict[UUID, list[tuple[str, datetime | None]]] = {}
    with clone.connect("owner") as owner:
        owner.execute("SELECT set_config('app.tenant_id', %s, false)", (str(tenant.tenant),))
        rows: list[Any] = owner.execute(asked).fetchall()
    for key, made_at, field, until in rows:
        assert abs(utc_now() - made_at) < timedelta(minutes=10)
        found.setdefault(key, []).append((field, until))
    return found


def endpoint(headers: dict[str, bytes], *keys: SigningKey) -> Endpoint:
    now = utc_now()
    return Endpoint(
        EndpointId(uuid7()), "https://x.example", "", Filters(("*",)), Manner(), headers, keys, None, True, 1, now, now
    )  # fmt: skip


def key(sealed: bytes, algorithm: Algorithm = Algorithm.HMAC, until: datetime | None = None) -> SigningKey:
    return SigningKey(KeyId(uuid7()), algorithm, sealed, utc_now(), until)


def insert(database: Database, tenant: TenantContext, *endpoints: Endpoint) -> None:
    with database.transaction(tenant) as tx:
        tx.run("UPDATE tenants SET plan = 'enterprise' WHERE tenant_id = %s", (tenant.tenant,))
        for one in endpoints:
            EndpointRepository().insert(tx, one)


def test_every_key_of_every_kind_of_field_is_named(
    clone: Clone, database: Database, two_tenants: tuple[TenantContext, TenantContext], seal: Seal
) -> None:
    """As the repository writes them, as the release before did, as an import leaves them; and nobody else's."""
    acme, globex = two_tenants
    soon = utc_now().replace(microsecond=0) + timedelta(hours=168)
    parts = {
        name: seal(acme)
        for name in ("newest", "ed25519", "before", "first", "second", "old", "older", "client", "posted")
    }
    now = endpoint(
        {"authorization": parts["first"], "x-key": parts["second"]},
        key(parts["newest"]),
        key(parts["ed25519"], Algorithm.ED25519),
        key(parts["before"], until=soon),
    )
    release_before, imported = endpoint({}), endpoint({})
    insert(database, acme, now, release_before, imported)
    insert(database, globex, endpoint({"authorization": seal(globex)}, key(seal(globex))))
    with clone.connect() as admin:
        admin.execute(
            "UPDATE webhook_endpoints SET secret = %s, old_secret = %s, old_secret_until = %s WHERE id = %s",
            (parts["old"], parts["older"], soon, release_before.id),
        )
        put_provider(admin, acme, parts["client"])
        post(admin, acme, parts["posted"])
    found = in_use(clone, acme)
    assert found.keys() == {key_of(sealed) for sealed in parts.values()}
    assert found[key_of(parts["first"])] == [(f"webhook {now.id}, header authorization", None)]
    assert [until for _, until in found[key_of(parts["before"])]] == [soon]
    assert list(found) == sorted(found)


def post(admin: Any, tenant: TenantContext, sealed: bytes) -> None:
    admin.execute(
        "INSERT INTO inbox (tenant_id, id, source, external_id, kind, subject, occurred_at, received_at, body,"
        " waits_since) VALUES (%s, %s, 'ses', 'one', 'Bounce', '', now(), now(), %s, now())",
        (tenant.tenant, uuid7(), sealed),
    )


def put_provider(admin: Any, tenant: TenantContext, sealed: bytes) -> None:
    admin.execute(
        "INSERT INTO identity_providers (tenant_id, issuer, client_id, client_secret, role_claim, role_map,"
        " default_role, return_urls, created_at, updated_at)"
        " VALUES (%s, 'https://id.example', 'rmap', %s, '', '[]', NULL, '{https://x.example/}', now(), now())",
        (tenant.tenant, sealed),
    )


def test_a_key_that_signs_no_more_is_not_named(
    clone: Clone, database: Database, two_tenants: tuple[TenantContext, TenantContext], seal: Seal
) -> None:
    acme, _ = two_tenants
    over, present = seal(acme), seal(acme)
    insert(database, acme, endpoint({}, key(present), key(over, until=utc_now() - timedelta(seconds=1))))
    assert in_use(clone, acme).keys() == {key_of(present)}


def test_a_column_that_may_be_sealed_is_in_the_query_or_said_to_be_open(clone: Clone) -> None:
    """Bytes, and whatever is called a secret: a new one is put into the query, and into the test above."""
    with clone.connect() as admin:
        found = admin.execute("""
            SELECT c.relname || '.' || a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                  AND a.attnum > 0 AND NOT a.attisdropped
                  AND (a.atttypid = 'bytea'::regtype OR a.attname ~ 'secret|sealed|cipher|encrypted')""").fetchall()
    assert {str(name) for (name,) in found} == SEALED | OPEN.keys()
    (query,) = re.findall(r"```sql\n(.*?)```", RUNBOOK.read_text(), re.DOTALL)
    for name in SEALED:
        table, column = name.split(".")
        assert re.search(rf"\b{column}\b", query), name
        assert f"FROM {table}" in query, name


def test_the_ciphertexts_of_each_form_are_found_where_only_that_form_holds_them(
    clone: Clone, database: Database, two_tenants: tuple[TenantContext, TenantContext], seal: Seal
) -> None:
    """One column at a time, so that none is named only because another has the same."""
    acme, _ = two_tenants
    bare = endpoint({})
    insert(database, acme, bare)
    soon = utc_now() + timedelta(hours=1)

    def kept(sealed: bytes) -> str:
        return base64.b64encode(sealed).decode()

    for column in sorted(name.split(".")[1] for name in SEALED if name.startswith("webhook_endpoints.")):
        sealed = seal(acme)
        forms: dict[str, Any] = {
            "secret_headers": Jsonb({"authorization": kept(sealed)}),
            "secret_keys": Jsonb([{"id": str(uuid7()), "ciphertext": kept(sealed), "until": rfc3339(soon)}]),
        }
        with clone.connect() as admin:
            admin.execute(
                "UPDATE webhook_endpoints SET secret = '', old_secret = '', old_secret_until = %s,"
                " secret_headers = '{}', secret_keys = '[]' WHERE id = %s",
                (soon, bare.id),
            )
            change = f"UPDATE webhook_endpoints SET {column} = %s WHERE id = %s"
            admin.execute(change, (forms.get(column, sealed), bare.id))
        assert in_use(clone, acme).keys() == {key_of(sealed)}, column
