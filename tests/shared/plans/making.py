"""What tests of limits make and ask, as the platform would."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

from shared.plans.model import Grant, Kind
from shared.plans.repository import PlanRepository
from shared.plans.service import Grants, Plans
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext, at_tenant, from_operator
from tenant_context.postgres import Database, Transaction

Tenants = tuple[TenantContext, TenantContext]
LIMIT, ATTEMPTS, CONNECTIONS = 10, 1000, 40
REFUSAL = {"limit": "sites", "value": LIMIT, "usage": LIMIT, "resets_at": None}
SOON = timedelta(minutes=5)


class Nobody:
    """No door to tell, and nothing counted today."""

    def tell(self, tx: Transaction) -> None:
        """Tell nobody."""

    def today(self, tenant: UUID, now: datetime) -> tuple[int, int]:  # noqa: ARG002  as the real one is asked
        return 70, 7


def site(tx: Transaction) -> UUID:
    made = uuid7()
    tx.run(
        "INSERT INTO sites (tenant_id, id, name, code, time_zone, created_at, updated_at)"
        " VALUES (%s, %s, 'Main', %s, 'UTC', %s, %s)",
        (tx.tenant.tenant, made, made.hex, tx.now, tx.now),
    )
    return made


def campaign(tx: Transaction) -> UUID:
    made = uuid7()
    tx.run(
        "INSERT INTO campaigns (tenant_id, id, name, type, status, budget, currency, version, created_by, created_at,"
        " updated_at) VALUES (%s, %s, 'Spring', 'in_store', 'draft', 1, 'EUR', 1, %s, %s, %s)",
        (tx.tenant.tenant, made, tx.tenant.user, tx.now, tx.now),
    )
    return made


def invitation(tx: Transaction, expires_in: timedelta = SOON) -> UUID:
    made = uuid7()
    tx.run(
        "INSERT INTO invitations (tenant_id, id, email, role, invited_by, created_at, expires_at)"
        " VALUES (%s, %s, 'x@acme.example', 'viewer', %s, %s, %s)",
        (tx.tenant.tenant, made, tx.tenant.user, tx.now, tx.now + expires_in),
    )
    return made


def sensor(tx: Transaction, place: UUID) -> UUID:
    made = uuid7()
    tx.run(
        "INSERT INTO sensors (tenant_id, id, site_id, name, serial, kind, interval_minutes, created_at, updated_at)"
        " VALUES (%s, %s, %s, 'Door', %s, 'line', 15, %s, %s)",
        (tx.tenant.tenant, made, place, made.hex, tx.now, tx.now),
    )
    return made


def endpoint(tx: Transaction) -> UUID:
    made = uuid7()
    tx.run(
        "INSERT INTO webhook_endpoints (tenant_id, id, url, event_types, secret, created_at, updated_at)"
        " VALUES (%s, %s, 'https://x.example', '{*}', 'x', %s, %s)",
        (tx.tenant.tenant, made, tx.now, tx.now),
    )
    return made


def role(tx: Transaction) -> None:
    tx.run(
        "INSERT INTO roles (tenant_id, name, description, permissions, created_at, updated_at)"
        " VALUES (%s, %s, '', '{sites.read}', %s, %s)",
        (tx.tenant.tenant, f"role-{uuid7().hex[-8:]}", tx.now, tx.now),
    )


def do(database: Database, tenant: TenantContext, *works: Callable[[Transaction], Any]) -> None:
    """Each in a transaction of its own."""
    for work in works:
        with database.transaction(tenant) as tx:
            work(tx)


def put(database: Database, tenant: TenantContext, statement: LiteralString, *values: Any) -> None:
    do(database, tenant, lambda tx: tx.run(statement, (*values, tenant.tenant)))


def on_plan(database: Database, tenant: TenantContext, plan: str, subscription: str = "active") -> None:
    put(
        database,
        tenant,
        "UPDATE tenants SET plan = %s, status = 'active', subscription_status = %s WHERE tenant_id = %s",
        plan,
        subscription,
    )


def operator_at(tenant: TenantContext) -> TenantContext:
    return at_tenant(from_operator("the tests"), tenant.tenant)


def give(database: Database, tenant: TenantContext, kind: Kind, name: str, **more: Any) -> Grant:
    grants = Grants(PlanRepository(database), uuid7, Nobody())
    said = {"amount": None, "until": None, "reason": "asked for it", **more}
    with database.transaction(operator_at(tenant)) as tx:
        return grants.give(tx, kind, name, **said)


def shown(database: Database, tenant: TenantContext) -> dict[str, tuple[int | None, float, str]]:
    found = Plans(PlanRepository(database), Nobody(), database.clock).allowances(tenant, tenant.tenant)
    return {one.limit: (one.value, one.usage, one.source) for one in found.limits}
