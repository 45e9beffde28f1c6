"""Who asks for a place gets every event that is about it or about something in it, for each type of the catalogue."""

import json
from typing import Any
from uuid import UUID

import pytest

from shared.events.model import EventType
from shared.events.rules.bodies import type_document
from shared.events.rules.catalogue import CATALOGUE
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tests.conftest import Clone
from tests.functions.webhooks.line import Line, fan_out
from tests.functions.webhooks.stores import Receiver

Tenants = tuple[TenantContext, TenantContext]
AREAS = {"site", "sensor", "occupancy", "alert", "target"}
"""Whose events are each about one place."""
OF_PLACES = [kind for kind in CATALOGUE if kind.area in AREAS or kind.name == "batch.processed"]
OF_CAMPAIGNS = [kind for kind in CATALOGUE if kind.area == "campaign"]
KINDS = ("region", "district", "site", "zone")


@pytest.fixture
def tree(clone: Clone, two_tenants: Tenants) -> dict[str, UUID]:
    """A region, a district in it, a store in that and a zone in the store."""
    acme, _ = two_tenants
    made = {kind: uuid7() for kind in KINDS}
    with clone.connect() as admin:
        for kind, place in made.items():
            admin.execute(
                "INSERT INTO sites (tenant_id, id, name, code, time_zone, kind, created_at, updated_at)"
                " VALUES (%s, %s, %s, %s, 'UTC', %s, now(), now())",
                (acme.tenant, place, kind, kind, kind),
            )
        for kind, above in zip(KINDS[1:], KINDS, strict=False):
            row = (acme.tenant, made[kind], kind, made[above], above)
            admin.execute("INSERT INTO site_tree VALUES (%s, %s, %s, %s, %s, now())", row)
    return made


def about(kind: EventType, tenant: TenantContext, place: UUID, store: UUID | None = None) -> dict[str, Any]:
    """The catalogue's own example of a type, of one place or campaign; `store` is where that is a zone of a sensor."""
    example = json.loads(json.dumps(type_document(kind)["example"]))
    name, _, _ = kind.subject.partition("/")
    data = example["data"]
    if name in {"site", "campaign"} and "id" in data:
        data["id"] = str(place)
    for field in {"site_id"} & set(data):
        data[field] = str(place)
    if "zone_id" in data:
        data |= {"site_id": str(store or place), "zone_id": str(place) if store else None}
    if "site_ids" in data:
        data["site_ids"] = [str(uuid7()), str(place)]
    subject = str(place) if name in {"site", "campaign"} else example["subject"].partition("/")[2]
    return {**example, "id": str(uuid7()), "tenant": str(tenant.tenant), "subject": f"{name}/{subject}", "data": data}


def queued(line: Line) -> set[tuple[str, str]]:
    """The endpoints and events of the deliveries that wait."""
    found = set()
    while records := line.resources.receive(line.resources.deliveries, seconds=0):
        for record in records:
            said = json.loads(record["body"])["data"]
            found.add((str(said["endpoint"]), str(said["message"])))
            line.resources.done(line.resources.deliveries, record)
    return found


def test_every_event_that_is_about_a_place_comes_to_who_asked_for_what_it_is_in(
    line: Line, receiver: Receiver, two_tenants: Tenants, tree: dict[str, UUID]
) -> None:
    acme, _ = two_tenants
    wanting = {
        line.endpoint(acme, f"{receiver.url}/{kind}", "*", site_ids=[str(place)])["id"] for kind, place in tree.items()
    }
    line.endpoint(acme, f"{receiver.url}/other", "*", site_ids=[line.place(acme)])
    line.settle()
    for kind in OF_PLACES:
        envelope = about(kind, acme, tree["zone"], tree["site"])
        fan_out(line, envelope)
        assert queued(line) == {(endpoint, envelope["id"]) for endpoint in wanting}, kind.name
    assert len(OF_PLACES) > len(AREAS)


def test_what_is_about_a_region_is_not_about_its_stores(
    line: Line, receiver: Receiver, two_tenants: Tenants, tree: dict[str, UUID]
) -> None:
    acme, _ = two_tenants
    line.endpoint(acme, receiver.url, "*", site_ids=[str(tree["site"])])
    line.settle()
    fan_out(line, about(next(kind for kind in OF_PLACES if kind.area == "alert"), acme, tree["region"]))
    assert queued(line) == set()


def test_a_place_of_another_tenant_is_nobodys(
    line: Line, receiver: Receiver, two_tenants: Tenants, tree: dict[str, UUID]
) -> None:
    _, globex = two_tenants
    made = line.endpoint(globex, receiver.url, "*", site_ids=[line.place(globex)])["id"]
    with line.admin() as admin:  # which the API refuses
        admin.execute("UPDATE webhook_endpoints SET site_ids = %s WHERE id = %s", ([tree["region"]], made))
    line.settle()
    fan_out(line, about(OF_PLACES[0], globex, tree["zone"]))
    assert queued(line) == set()


def test_what_was_moved_or_removed_comes_to_who_asked_for_where_it_was(
    line: Line, receiver: Receiver, two_tenants: Tenants, tree: dict[str, UUID]
) -> None:
    acme, _ = two_tenants
    made = line.endpoint(acme, receiver.url, "site.*", site_ids=[str(tree["region"])])["id"]
    line.settle()
    types = {kind.name: kind for kind in OF_PLACES}
    for name, field in (
        ("site.moved", "previous_parent_id"),
        ("site.moved", "parent_id"),
        ("site.removed", "parent_id"),
    ):
        envelope = about(types[name], acme, uuid7())
        envelope["data"][field] = str(tree["district"])
        fan_out(line, envelope)
        assert queued(line) == {(made, envelope["id"])}, (name, field)


def test_every_event_of_a_campaign_comes_to_who_asked_for_it(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    campaign = uuid7()
    made = line.endpoint(acme, receiver.url, "*", campaign_ids=[line.campaign(acme, campaign)])["id"]
    line.settle()
    for kind in OF_CAMPAIGNS:
        mine, other = about(kind, acme, campaign), about(kind, acme, uuid7())
        fan_out(line, mine)
        fan_out(line, other)
        assert queued(line) == {(made, mine["id"])}, kind.name


def test_no_type_names_a_place_that_is_not_looked_at() -> None:
    fields = {kind.name for kind in CATALOGUE if {"site_id", "site_ids", "parent_id"} & set(kind.example)}
    assert fields <= {kind.name for kind in OF_PLACES}
