"""Who is told of an organization's webhooks."""

from typing import LiteralString

from tenant_context.context import TenantContext
from tenant_context.postgres import Database

_OWNERS: LiteralString = """
    SELECT u.name, u.email, t.name FROM memberships m JOIN users u USING (user_id) JOIN tenants t USING (tenant_id)
    WHERE m.tenant_id = %s AND m.role = 'owner' ORDER BY m.created_at"""


def owners(database: Database, tenant: TenantContext) -> list[tuple[str, str, str]]:
    """Name and mail address of the owners, and the organization's name."""
    return [(row[0], row[1], row[2]) for row in database.read(tenant, _OWNERS, (tenant.tenant,))]
