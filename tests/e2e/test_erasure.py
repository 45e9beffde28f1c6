"""An organization is closed and erased by the deployed functions, IAM enforced, until no store names it any more."""

import json
from pathlib import Path
from typing import Any

import psycopg

from infra.settings import STAGES
from infra.vocabulary import Table
from local.demo.api import wait_for
from local.demo.tenants import SignedIn, device_key, log_in
from local.stack import Stack
from tests.e2e.conftest import SOON, Wire, newcomer
from tests.e2e.test_webhooks import Hook, happens

EVENTS = Path(__file__).parents[2] / "events"
SAMPLE = "01a1fc00-0000-7000-8000-000000000001"
LOCAL = STAGES["local"]


def started(stack: Stack, function: str, event: str) -> None:
    """One run of a function, as its queue or its schedule starts it."""
    answer = stack.client("lambda").invoke(FunctionName=f"{LOCAL.named(function)}:live", Payload=event.encode())
    payload = json.loads(answer["Payload"].read() or b"null")
    assert "FunctionError" not in answer, payload
    assert not (payload or {}).get("batchItemFailures"), payload


def tending(tenant: str) -> str:
    """The work item of the job that ends the thirty days."""
    event = json.loads((EVENTS / "refresh_worker" / "dunning.json").read_text())
    (record,) = event["Records"]
    record["body"] = json.dumps({"tenant": tenant, "id": "erasure-test", "kind": "life", "data": {}})
    record["attributes"]["MessageGroupId"] = tenant
    return json.dumps(event)


def where_named(stack: Stack, text: str) -> set[str]:
    """The tables of both stores, and the bucket, in which anything names something."""
    found: set[str] = set()
    with psycopg.connect(stack.database_admin_url, autocommit=True) as admin:
        tables = admin.execute("""
            SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
                   AND c.relkind IN ('r', 'p') AND NOT c.relispartition""").fetchall()  # fmt: skip
        for (table,) in tables:
            query: Any = f"SELECT 1 FROM {table} t WHERE strpos(row_to_json(t)::text, %s) > 0 LIMIT 1"
            if admin.execute(query, (text,)).fetchone():
                found.add(f"postgresql/{table}")
    pages = stack.client("dynamodb").get_paginator("scan")
    for table in Table:
        items = (item for page in pages.paginate(TableName=LOCAL.named(table)) for item in page["Items"])
        if any(text in str(item) for item in items):
            found.add(f"dynamodb/{table}")
    return found


def closed_for_good(stack: Stack, owner: SignedIn) -> None:
    """What an owner asks for, and thirty days later."""
    path = f"/api/v1/organizations/{owner.organization}/close"
    asked = Wire(owner.api.url, owner.token).send("POST", path)
    assert (asked.status, asked.json["state"]) == (200, "closing"), asked.body
    with psycopg.connect(stack.database_admin_url, autocommit=True) as admin:
        admin.execute(
            "UPDATE tenants SET closes_at = now() - interval '1 minute' WHERE tenant_id = %s", (owner.organization,)
        )
        started(stack, "refresh_worker", tending(owner.organization))
        admin.execute(
            "UPDATE tenants SET status_since = now() - interval '1 hour' WHERE tenant_id = %s", (owner.organization,)
        )


def test_an_organization_that_is_closed_is_erased_everywhere_and_its_certificate_can_be_read(
    stack: Stack, globex: SignedIn
) -> None:
    owner = newcomer(stack.api_url, "leaving")
    site = owner.api.post("/api/v1/sites", {"name": "Flagship"})["id"]
    owner.api.post("/api/v1/sensors", {"site_id": site, "name": "Door", "serial": f"leaving-{site[-12:]}"})
    hook = Hook(stack, owner)
    happens(owner)
    hook.comes_to(hook.waits_for(1)[0]["headers"]["webhook-id"], "delivered", 1)
    assert device_key(owner, "till").key
    before = where_named(stack, owner.organization)
    assert before >= {
        "postgresql/tenants", "dynamodb/api_keys", "dynamodb/sessions", "dynamodb/data_keys", "dynamodb/deliveries",
    }  # fmt: skip
    operator = Wire(stack.api_url, stack.operator_secret)
    flag = f"/api/v1/operator/flags/{owner.user.slug}"
    both = json.dumps({"percent": 0.01, "on": [owner.organization, globex.organization], "off": [owner.organization]})
    assert operator.send("PUT", flag, both.encode(), content_type="application/json").status == 200
    closed_for_good(stack, owner)
    started(stack, "erasure", "{}")
    address = f"/api/v1/operator/erasures/{owner.organization}"
    wait_for("its end", lambda: operator.send("GET", address).json.get("finished_at"), seconds=120)
    counts = operator.send("GET", address).json["counts"]
    assert (counts["postgresql/tenants"], counts["people"], counts["flags"]) == (1, 1, 1)
    flags = {one["flag"]: one for one in operator.send("GET", "/api/v1/operator/flags").json["items"]}
    left = {"flag": owner.user.slug, "percent": 0.01, "on": [globex.organization], "off": []}
    assert flags[owner.user.slug] == left
    assert owner.organization not in json.dumps(flags)
    assert operator.send("DELETE", flag).status == 204
    # That an old token is good no more is known for as long as it could live; a lease may say how far a run came.
    named = where_named(stack, owner.organization) - {"dynamodb/leases"}
    assert named == {"postgresql/erasures", "dynamodb/revocations"}
    # What was mailed to confirm an address waits for its click until it expires.
    assert where_named(stack, owner.user.email) - {"dynamodb/tickets"} == set()
    old = Wire(stack.api_url, owner.token)
    wait_for("the old token's end", lambda: old.send("GET", "/api/v1/sites").status == 401, seconds=SOON)
    assert log_in(globex.api.url, globex.user).api.get("/api/v1/sites")
