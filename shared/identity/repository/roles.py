"""Roles of a tenant's own making, in PostgreSQL."""

from typing import LiteralString

from psycopg import errors

from shared.identity.errors import RoleExists
from shared.identity.model import Role
from tenant_context.context import TenantContext
from tenant_context.permissions import ROLES
from tenant_context.postgres import Database, Transaction

_ALL: LiteralString = """
    SELECT name, description, permissions, version FROM roles WHERE tenant_id = %s ORDER BY name"""
_ADD: LiteralString = """
    INSERT INTO roles (tenant_id, name, description, permissions, created_at, updated_at)
    VALUES (%s, %s, %s, %s, %s, %s) RETURNING 1"""
_CHANGE: LiteralString = """
    UPDATE roles SET description = %s, permissions = %s, version = version + 1, updated_at = %s
    WHERE tenant_id = %s AND name = %s RETURNING version"""
_REMOVE: LiteralString = "DELETE FROM roles WHERE tenant_id = %s AND name = %s"
# Whoever gives a role holds its row as a foreign key would, until the membership stands.
_GIVE: LiteralString = "SELECT permissions FROM roles WHERE tenant_id = %s AND name = %s FOR KEY SHARE"
_LOCK: LiteralString = """
    SELECT name, description, permissions, version FROM roles WHERE tenant_id = %s AND name = %s FOR UPDATE"""
_COUNT: LiteralString = "SELECT count(*) FROM roles WHERE tenant_id = %s"
_IN_USE: LiteralString = """
    SELECT EXISTS (SELECT FROM memberships WHERE tenant_id = %(tenant)s AND role = %(role)s)
        OR EXISTS (SELECT FROM invitations WHERE tenant_id = %(tenant)s AND role = %(role)s AND accepted_at IS NULL
                   AND revoked_at IS NULL AND expires_at > %(now)s)
        OR EXISTS (SELECT FROM identity_providers WHERE tenant_id = %(tenant)s
                   AND (default_role = %(role)s
                        OR %(role)s IN (SELECT pair->>1 FROM jsonb_array_elements(role_map) pair)))"""


class RoleRepository:
    """The roles of one tenant at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, tenant: TenantContext) -> list[Role]:
        """Those of the tenant's own making, by name."""
        rows = self._database.read(tenant, _ALL, (tenant.tenant,))
        return [Role(name, description, tuple(granted), version) for name, description, granted, version in rows]

    def permissions(self, tx: Transaction, role: str) -> frozenset[str] | None:
        """What a role may do, built in or not, held until the transaction ends; None where there is none."""
        if role in ROLES:
            return ROLES[role]
        row = tx.one(_GIVE, (tx.tenant.tenant, role))
        return frozenset(row[0]) if row else None

    def add(self, tx: Transaction, role: Role) -> None:
        """Keep a new one. Errors: RoleExists."""
        values = (tx.tenant.tenant, role.name, role.description, list(role.permissions), tx.now, tx.now)
        try:
            tx.one(_ADD, values)
        except errors.UniqueViolation as error:
            raise RoleExists from error

    def count(self, tx: Transaction) -> int:
        """How many there are."""
        row = tx.one(_COUNT, (tx.tenant.tenant,))
        return int(row[0]) if row else 0

    def lock(self, tx: Transaction, name: str) -> Role | None:
        """One of the tenant's own, which nobody gives or changes until the transaction ends."""
        row = tx.one(_LOCK, (tx.tenant.tenant, name))
        return Role(row[0], row[1], tuple(row[2]), row[3]) if row else None

    def change(self, tx: Transaction, role: Role) -> None:
        """Other particulars."""
        tx.run(_CHANGE, (role.description, list(role.permissions), tx.now, tx.tenant.tenant, role.name))

    def is_in_use(self, tx: Transaction, name: str) -> bool:
        """Whether somebody holds it, was invited to it, or comes to it by the identity provider."""
        row = tx.one(_IN_USE, {"tenant": tx.tenant.tenant, "role": name, "now": tx.now})
        return bool(row and row[0])

    def remove(self, tx: Transaction, name: str) -> None:
        """No role any more."""
        tx.run(_REMOVE, (tx.tenant.tenant, name))
