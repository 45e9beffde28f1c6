"""Fixtures of the inbox."""

import json
from collections.abc import Iterator
from uuid import UUID

import pytest

from local.stack import Stack
from tests.conftest import Clone
from tests.functions.billing.harness import Inspected, database_environment, queue_of, secret_of
from tests.functions.inbound.place import AGREED, OPERATOR, Place, wired

TENANT = UUID("01920d5a-7b1e-7c3a-9f10-5a1b2c3d4e5f")
"""Whom the samples are about."""


@pytest.fixture(scope="session")
def field_key(servers: Stack) -> Iterator[str]:
    """A key that wraps data keys."""
    kms = servers.client("kms")
    yield kms.create_key()["KeyMetadata"]["KeyId"]
    kms.close()


@pytest.fixture
def place(
    clone: Clone,
    servers: Stack,
    secret_name: str,
    outcomes: Inspected,
    errands: Inspected,
    table_name: str,
    field_key: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Place]:
    """The inbox of this test; the tenant of the samples is there."""
    with (
        secret_of(servers, json.dumps(AGREED)) as agreed,
        secret_of(servers, OPERATOR) as operator,
        secret_of(servers, "pepper of the tests") as pepper,
        queue_of(servers) as inbox,
    ):
        environment = {
            **database_environment(clone.settings()),
            "RMAP_STRIPE_SECRET": secret_name,
            "RMAP_INBOUND_SECRET": agreed,
            "RMAP_OPERATOR_SECRET": operator,
            "RMAP_PEPPER_SECRET": pepper,
            "RMAP_QUEUE_INBOX": inbox.url,
            "RMAP_QUEUE_BILLING_OUTCOMES": outcomes.url,
            "RMAP_QUEUE_BILLING": errands.url,
            "RMAP_FIELD_KEY": field_key,
            "RMAP_TABLE_DATA_KEYS": table_name,
            "RMAP_TABLE_SUPPRESSIONS": table_name,
            "RMAP_FUNCTION_INBOUND_EGRESS": "inbound_egress",
        }
        _sign_up(clone)
        with wired(clone, environment, (inbox, outcomes, errands), monkeypatch) as made:
            yield made


def _sign_up(clone: Clone) -> None:
    with clone.connect() as admin:
        admin.execute(
            "INSERT INTO tenants (tenant_id, slug, name, created_at, updated_at)"
            " VALUES (%s, 'sample', 'Sample', now(), now())",
            (TENANT,),
        )
