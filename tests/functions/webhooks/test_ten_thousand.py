"""A tenant with ten thousand endpoints, however it came by them, harms nobody, and is told where its plan ends."""

import base64
from typing import Any, LiteralString
from uuid import UUID

import pytest

from shared.webhooks.model import EndpointId
from tenant_context.context import TenantContext
from tenant_context.dynamo import Table, TenantTable
from tests.conftest import Clone
from tests.functions.webhooks.line import Line, fan_out, launched, message
from tests.functions.webhooks.stores import Receiver

Tenants = tuple[TenantContext, TenantContext]
MANY = 10_000
PARTS = 40
"""As many messages open an event's ten thousand deliveries, 250 each."""
_COPIES: LiteralString = """
    INSERT INTO webhook_endpoints
    SELECT (jsonb_populate_record(e, jsonb_build_object('id', gen_random_uuid()))).*
    FROM webhook_endpoints e, generate_series(2, %(many)s) WHERE e.id = %(one)s"""


def crowd(line: Line, clone: Clone, tenant: TenantContext, url: str) -> None:
    """One endpoint made as its owner does, and copies of it that no plan was asked about."""
    made = line.endpoint(tenant, url, "campaign.*")
    line.settle()
    with clone.connect() as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute(_COPIES, {"many": MANY, "one": made["id"]})
        ids = [str(row[0]) for row in admin.execute("SELECT id FROM webhook_endpoints").fetchall()]
    table = TenantTable(Table(line.resources.table), tenant)
    target = table.get(f"endpoint#{made['id']}", "target")
    assert target is not None
    keys, secret = line.module("webhooks_dispatcher").keys, bytes(32)

    def copy(endpoint: str) -> dict[str, Any]:
        sealed = base64.b64encode(keys.seal(tenant, EndpointId(UUID(endpoint)), secret)).decode()
        secrets = [target["secrets"][0] | {"ciphertext": sealed}]
        return target | {"pk": table.key(f"endpoint#{endpoint}"), "endpoint": endpoint, "secrets": secrets}

    Table(line.resources.table).put_many([copy(one) for one in ids])


def listed(line: Line, tenant: TenantContext) -> list[str]:
    """Every endpoint that a tenant's list shows, page by page."""
    found: list[str] = []
    after = ""
    while True:
        page = line.api(tenant, "GET", f"webhooks/endpoints?limit=200{after}")
        assert (page.status, len(page.json["items"]) <= 200) == (200, True)
        found += [one["id"] for one in page.json["items"]]
        if page.json["next_cursor"] is None:
            return found
        after = f"&cursor={page.json['next_cursor']}"


@pytest.mark.timeout(600)
def test_ten_thousand_endpoints_of_one_tenant_harm_no_other_and_one_more_is_refused(
    line: Line, clone: Clone, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, globex = two_tenants
    many = Receiver()
    crowd(line, clone, acme, many.url)
    theirs = line.endpoint(globex, receiver.url, "campaign.*")
    line.settle()

    refused = line.api(acme, "POST", "webhooks/endpoints", {"url": receiver.url, "event_types": ["*"]})
    assert (refused.status, refused.json["code"], refused.json["limit"]) == (402, "limit-reached", "webhook_endpoints")
    assert refused.json["usage"] == MANY
    assert refused.json["value"] < MANY
    assert refused.json["detail"]

    assert len(set(listed(line, acme))) == MANY
    assert listed(line, globex) == [theirs["id"]]

    fan_out(line, launched(acme))
    assert line.resources.count(line.resources.deliveries) == PARTS
    envelope = launched(globex)
    fan_out(line, envelope)
    batches = 0
    while not receiver.received and batches < PARTS:
        assert line.dispatch(seconds=5) > 0
        batches += 1
    assert batches <= PARTS // 10 + 1  # behind the parts, and not behind what comes of them
    assert [one["state"] for one in message(line, globex, envelope)["deliveries"]] == ["delivered"]
    many.close()
