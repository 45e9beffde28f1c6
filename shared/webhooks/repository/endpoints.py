"""Webhook endpoints in PostgreSQL. What is read for an answer comes as the JSON that PostgreSQL builds."""

from typing import Any, LiteralString
from uuid import UUID

from shared.webhooks.errors import EndpointNotFound
from shared.webhooks.model import Endpoint, EndpointId, SealedSecret
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Transaction

_JSON: LiteralString = """
    json_build_object(
        'id', e.id, 'url', e.url, 'description', e.description, 'event_types', e.event_types, 'enabled', e.enabled,
        'version', e.version, 'created_at', app.rfc3339(e.created_at), 'updated_at', app.rfc3339(e.updated_at))"""
_SHOW: LiteralString = f"SELECT e.version, {_JSON}::text FROM webhook_endpoints e WHERE e.tenant_id = %s AND e.id = %s"
_PAGE: LiteralString = f"""
    SELECT {_JSON}::text, e.id FROM webhook_endpoints e
    WHERE e.tenant_id = %(tenant)s AND (%(after)s::uuid IS NULL OR e.id < %(after)s)
    ORDER BY e.id DESC LIMIT %(limit)s"""
_COLUMNS: LiteralString = """
    id, url, description, event_types, secret, old_secret, old_secret_until, enabled, version, created_at, updated_at"""
_FIND: LiteralString = f"SELECT {_COLUMNS} FROM webhook_endpoints WHERE tenant_id = %s AND id = %s"
_LOCK: LiteralString = f"{_FIND} FOR UPDATE"
_MATCHING: LiteralString = f"""
    SELECT {_COLUMNS} FROM webhook_endpoints
    WHERE tenant_id = %s AND enabled AND event_types && %s::text[] ORDER BY id"""
_INSERT: LiteralString = """
    INSERT INTO webhook_endpoints (tenant_id, id, url, description, event_types, secret, enabled, version,
                                   created_at, updated_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""
_UPDATE: LiteralString = """
    UPDATE webhook_endpoints
    SET url = %(url)s, description = %(description)s, event_types = %(event_types)s, secret = %(secret)s,
        old_secret = %(old_secret)s, old_secret_until = %(old_secret_until)s, enabled = %(enabled)s,
        version = %(version)s, updated_at = %(updated_at)s
    WHERE tenant_id = %(tenant)s AND id = %(id)s"""
_DELETE: LiteralString = "DELETE FROM webhook_endpoints WHERE tenant_id = %s AND id = %s"


class EndpointRepository:
    """Reads and writes endpoints of one tenant at a time."""

    def show(self, database: Database, tenant: TenantContext, endpoint: EndpointId) -> tuple[int, str]:
        """The version and the JSON of an endpoint; never its secrets."""
        rows = database.read(tenant, _SHOW, (tenant.tenant, endpoint))
        if not rows:
            raise EndpointNotFound
        return rows[0][0], rows[0][1]

    def page(
        self, database: Database, tenant: TenantContext, *, after: UUID | None, limit: int
    ) -> list[tuple[str, UUID]]:
        """JSON and id of endpoints, newest first, `limit` at most."""
        values = {"tenant": tenant.tenant, "after": after, "limit": limit}
        return [(row[0], row[1]) for row in database.read(tenant, _PAGE, values)]

    def find(self, database: Database, tenant: TenantContext, endpoint: EndpointId) -> Endpoint | None:
        """The endpoint, or None."""
        rows = database.read(tenant, _FIND, (tenant.tenant, endpoint))
        return _endpoint(rows[0]) if rows else None

    def matching(self, database: Database, tenant: TenantContext, filters: tuple[str, ...]) -> list[Endpoint]:
        """The enabled endpoints that asked for any of the filters."""
        return [_endpoint(row) for row in database.read(tenant, _MATCHING, (tenant.tenant, list(filters)))]

    def lock(self, tx: Transaction, endpoint: EndpointId) -> Endpoint:
        """The endpoint, held until the transaction ends."""
        row = tx.one(_LOCK, (tx.tenant.tenant, endpoint))
        if row is None:
            raise EndpointNotFound
        return _endpoint(row)

    def insert(self, tx: Transaction, endpoint: Endpoint) -> None:
        """Queue a new endpoint."""
        tx.run(
            _INSERT,
            (
                tx.tenant.tenant,
                endpoint.id,
                endpoint.url,
                endpoint.description,
                list(endpoint.event_types),
                endpoint.secrets[0].ciphertext,
                endpoint.enabled,
                endpoint.version,
                endpoint.created_at,
                endpoint.updated_at,
            ),
        )

    def update(self, tx: Transaction, endpoint: Endpoint) -> None:
        """Queue an endpoint's new particulars and secrets."""
        old = endpoint.secrets[1] if len(endpoint.secrets) > 1 else None
        tx.run(
            _UPDATE,
            {
                "tenant": tx.tenant.tenant,
                "id": endpoint.id,
                "url": endpoint.url,
                "description": endpoint.description,
                "event_types": list(endpoint.event_types),
                "secret": endpoint.secrets[0].ciphertext,
                "old_secret": old.ciphertext if old else None,
                "old_secret_until": old.until if old else None,
                "enabled": endpoint.enabled,
                "version": endpoint.version,
                "updated_at": endpoint.updated_at,
            },
        )

    def delete(self, tx: Transaction, endpoint: EndpointId) -> None:
        """Queue the removal of an endpoint."""
        tx.run(_DELETE, (tx.tenant.tenant, endpoint))


def _endpoint(row: tuple[Any, ...]) -> Endpoint:
    secrets = [SealedSecret(bytes(row[4]))]
    if row[5] is not None:
        secrets.append(SealedSecret(bytes(row[5]), row[6]))
    return Endpoint(
        id=EndpointId(row[0]),
        url=row[1],
        description=row[2],
        event_types=tuple(row[3]),
        secrets=tuple(secrets),
        enabled=row[7],
        version=row[8],
        created_at=row[9],
        updated_at=row[10],
    )
