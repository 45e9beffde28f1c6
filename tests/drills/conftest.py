"""Fixtures of the drills: a place to export and erase in, and tenants with a row in every table."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from local.stack import Stack
from shared.exports.rules import archive
from shared.exports.rules.contents import LEFT_OUT
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext, from_message
from tenant_context.dynamo import tenant_key
from tenant_context.flags import Flag
from tenant_context.postgres import Database
from tests.conftest import Clone
from tests.drills.places import Place
from tests.isolation.tables import Tenant, World

DAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
COUNTS = 40


@pytest.fixture
def now() -> list[datetime]:
    """The time, which a test may move."""
    return [datetime.now(UTC)]


@pytest.fixture
def place(servers: Stack, clone: Clone, now: list[datetime]) -> Iterator[Place]:
    """Where the workers work."""
    opened = Database(clone.settings(), clock=lambda: now[0])
    made = Place(servers, opened, clone)
    yield made
    made.remove()
    opened.close()


def member_of(clone: Clone, tenant: UUID, person: UUID) -> None:
    """Make a person a member."""
    with clone.connect() as admin:
        admin.execute("INSERT INTO memberships VALUES (%s, %s, 'member', now())", (tenant, person))


def fill_every_table(clone: Clone, tenant: TenantContext, name: str, number: int) -> None:
    """A row of the tenant's in every table of PostgreSQL's catalog, which refer to each other.

    Made up as for the tests of isolation, so that a table of a later migration is judged without a line here.
    """
    assert tenant.user is not None
    whose = Tenant(name, tenant.tenant, tenant.user, number)
    with clone.connect() as admin:
        world = World(cast("Any", admin))
        world.read_catalog()
        world.drop_checks()
        world.make_months()
        # An erasure's own row would be one that is under way; an export's would be in the way of the next.
        mine = [table for table in world.tables.values() if "tenant_id" in table.columns and table.name not in LEFT_OUT]
        with admin.transaction():
            admin.execute("SET LOCAL session_replication_role = replica")
            for table in mine:
                world.insert(table, table.row(whose), or_leave=True)


def fill(clone: Clone, place: Place, tenant: UUID, name: str) -> None:
    """Rows and items of every interesting kind: of months, with secrets, that refer to each other."""
    site, sensor, campaign, batch, endpoint = (uuid7() for _ in range(5))
    with clone.connect() as admin:
        say: Any = admin.execute
        say("SELECT app.ensure_month('people_counts', %s)", (DAY,))
        say("SELECT app.ensure_month('people_counts', %s)", (DAY + timedelta(days=40),))
        say("SELECT app.ensure_month('transactions', %s)", (DAY,))
        say("INSERT INTO sites (tenant_id, id, name, code, time_zone, metadata, created_at, updated_at)"
            " VALUES (%s, %s, %s, 'main', 'Europe/Berlin', %s, %s, %s)",
            (tenant, site, f'Straße 1 "{name}"', '{"a": [1, 2.50]}', DAY, DAY))  # fmt: skip
        say("INSERT INTO sensors (tenant_id, id, site_id, name, serial, kind, interval_minutes, created_at, updated_at)"
            " VALUES (%s, %s, %s, 'Door', 'AX-1', 'line', 15, %s, %s)", (tenant, sensor, site, DAY, DAY))  # fmt: skip
        for number in range(COUNTS):
            start = DAY + timedelta(days=number)
            say("INSERT INTO people_counts VALUES (%s, %s, 'a', %s, %s, %s, %s, 1, %s, 1, %s)",
                (tenant, sensor, start, start + timedelta(minutes=15), site, number, DAY, batch))  # fmt: skip
        say("INSERT INTO transactions (tenant_id, site_id, id, at, currency, total, units, lines, received_at,"
            " batch_id) VALUES (%s, %s, 't-1', %s, 'EUR', 12.50, 2, '[]', %s, %s)",
            (tenant, site, DAY, DAY, batch))  # fmt: skip
        say("INSERT INTO campaigns (tenant_id, id, name, type, status, budget, currency, created_by, created_at,"
            " updated_at) VALUES (%s, %s, 'Spring', 'in_store', 'draft', 10, 'EUR', %s, %s, %s)",
            (tenant, campaign, uuid7(), DAY, DAY))  # fmt: skip
        say("INSERT INTO campaign_sites VALUES (%s, %s, %s)", (tenant, campaign, site))
        say("INSERT INTO webhook_endpoints (tenant_id, id, url, event_types, secret, old_secret, old_secret_until,"
            " created_at, updated_at) VALUES (%s, %s, 'https://x.example', '{*}', 'sealed', 'older', %s, %s, %s)",
            (tenant, endpoint, DAY, DAY, DAY))  # fmt: skip
        say("UPDATE tenants SET plan = 'enterprise' WHERE tenant_id = %s", (tenant,))
        say("INSERT INTO tenant_settings VALUES (%s, 'Europe/Berlin', 'de-DE', 'EUR', 'monday', %s, 3, %s)",
            (tenant, f"ops@{name}.example", DAY))  # fmt: skip
        say("INSERT INTO tenant_branding VALUES (%s, %s, '#123456', NULL, %s, 'Logo', NULL, NULL, 'Imprint', 2, %s)",
            (tenant, f"{name} Media", f"https://{name}.example/logo.svg", DAY))  # fmt: skip
        say("INSERT INTO custom_domains VALUES (%s, %s, 'rmap-challenge=x', %s)", (tenant, f"{name}.example", DAY))
        say("INSERT INTO audit_log VALUES (%s, %s, %s, 'user:1', 'campaign.created', 'x', 'r', '{}')",
            (tenant, uuid7(), DAY))  # fmt: skip
    shown = {"name": "till", "scopes": ["ingest.write"], "tenant": str(tenant)}
    place.put("api_keys", {**shown, "pk": tenant_key(tenant, "keys"), "sk": f"prefix{name}"})
    place.put("api_keys", {**shown, "pk": f"key#prefix{name}", "sk": "key", "digest": "of the key"})
    for number in range(30):
        place.put("devices", {"pk": tenant_key(tenant, "sensors"), "sk": f"AX-{number}", "id": "1", "tenant": tenant})
    place.put("sessions", {"pk": f"session#{uuid7()}", "sk": "session", "tenant": tenant, "seed": "of tokens"})
    place.put("tickets", {"pk": f"ticket#{uuid7()}", "sk": "ticket", "tenant": str(tenant)})
    place.put("suppressions", {"pk": f"address#{uuid7()}", "sk": "mail", "tenant": str(tenant), "why": "bounce"})
    place.put("rates", {"pk": tenant_key(tenant, "rate"), "sk": "bucket"})
    place.put("answers", {"pk": tenant_key(tenant, "answer#1"), "sk": "answer"})
    place.put("revocations", {"pk": f"state#{tenant}", "sk": "state", "state": "closed"})
    place.put("data_keys", {"pk": tenant_key(tenant, "data-keys"), "sk": "1", "wrapped": b"key", "tenant": tenant})
    place.put("deliveries", {"pk": tenant_key(tenant, "endpoint#1"), "sk": "target", "tenant": tenant,
                             "url": "https://x.example", "secrets": [{"ciphertext": "sealed"}]})  # fmt: skip


def name_in_flags(place: Place, tenant: UUID, name: str) -> None:
    """A flag of the tenant's own, on for it, and one that is off for it and for everybody else who is filled."""
    place.flags.set(f"of-{name}", Flag(0, on=frozenset({str(tenant)})))
    off = place.flags.all().get("of-everybody", Flag()).off
    place.flags.set("of-everybody", Flag(25, off=off | {str(tenant)}))


def filled(clone: Clone, place: Place, tenant: TenantContext, name: str, number: int) -> TenantContext:
    """The tenant, with something of everything; its owner has an authenticator app."""
    fill(clone, place, tenant.tenant, name)
    fill_every_table(clone, tenant, name, number)
    name_in_flags(place, tenant.tenant, name)
    place.put("credentials", {"pk": f"user#{tenant.user}", "sk": "totp", "sealed": b"seed", "confirmed": True})
    return tenant


@pytest.fixture
def acme(clone: Clone, place: Place, two_tenants: tuple[TenantContext, TenantContext]) -> TenantContext:
    """A tenant with something of everything."""
    return filled(clone, place, two_tenants[0], "acme", 3)


@pytest.fixture
def globex(clone: Clone, place: Place, two_tenants: tuple[TenantContext, TenantContext]) -> TenantContext:
    """Another."""
    return filled(clone, place, two_tenants[1], "globex", 5)


def worker_of(tenant: TenantContext) -> TenantContext:
    """The tenant as a worker enters it."""
    return from_message(tenant.tenant, "worker")


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "FILE_ROWS", 16)
