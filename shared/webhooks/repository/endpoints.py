"""Webhook endpoints in PostgreSQL."""

import base64
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from shared.webhooks.errors import EndpointNotFound
from shared.webhooks.model import (
    Algorithm,
    Condition,
    Disabled,
    Endpoint,
    EndpointId,
    Filters,
    KeyId,
    Manner,
    Op,
    Ordering,
    SigningKey,
)
from tenant_context.clock import rfc3339
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Transaction

_COLUMNS: LiteralString = """
    id, url, description, event_types, conditions, site_ids, campaign_ids, secret_headers, payload_version,
    retry_schedule, timeout_seconds, rate_per_second, max_concurrency, ordering, replay_per_second, secret_keys,
    enabled, disabled_by, disabled_at, must_prove, version, created_at, updated_at, secret, old_secret,
    old_secret_until"""
_FIND: LiteralString = f"SELECT {_COLUMNS} FROM webhook_endpoints WHERE tenant_id = %s AND id = %s"
_LOCK: LiteralString = f"{_FIND} FOR UPDATE"
_PAGE: LiteralString = f"""
    SELECT {_COLUMNS} FROM webhook_endpoints
    WHERE tenant_id = %(tenant)s AND (%(after)s::uuid IS NULL OR id < %(after)s)
    ORDER BY id DESC LIMIT %(limit)s"""
_PLAN: LiteralString = "(SELECT plan FROM tenants t WHERE t.tenant_id = e.tenant_id)"
_MATCHING: LiteralString = f"""
    SELECT {_COLUMNS}, {_PLAN} FROM webhook_endpoints e
    WHERE tenant_id = %s AND (enabled OR disabled_at > %s) AND event_types && %s::text[] ORDER BY id"""
_ALONE: LiteralString = f"SELECT {_COLUMNS}, {_PLAN} FROM webhook_endpoints e WHERE tenant_id = %s AND id = %s"
_INSERT: LiteralString = """
    INSERT INTO webhook_endpoints (
        tenant_id, id, url, description, event_types, conditions, site_ids, campaign_ids, secret_headers,
        payload_version, retry_schedule, timeout_seconds, rate_per_second, max_concurrency, ordering,
        replay_per_second, secret_keys, secret, enabled, disabled_by, disabled_at, must_prove, version,
        created_at, updated_at)
    VALUES (
        %(tenant)s, %(id)s, %(url)s, %(description)s, %(event_types)s, %(conditions)s, %(site_ids)s, %(campaign_ids)s,
        %(headers)s, %(payload_version)s, %(retry_schedule)s, %(timeout_seconds)s, %(rate_per_second)s,
        %(max_concurrency)s, %(ordering)s, %(replay_per_second)s, %(keys)s, %(secret)s, %(enabled)s, %(disabled_by)s,
        %(disabled_at)s, %(must_prove)s, %(version)s, %(created_at)s, %(updated_at)s)"""
_UPDATE: LiteralString = """
    UPDATE webhook_endpoints
    SET url = %(url)s, description = %(description)s, event_types = %(event_types)s, conditions = %(conditions)s,
        site_ids = %(site_ids)s, campaign_ids = %(campaign_ids)s, secret_headers = %(headers)s,
        payload_version = %(payload_version)s, retry_schedule = %(retry_schedule)s,
        timeout_seconds = %(timeout_seconds)s, rate_per_second = %(rate_per_second)s,
        max_concurrency = %(max_concurrency)s, ordering = %(ordering)s, replay_per_second = %(replay_per_second)s,
        secret_keys = %(keys)s, secret = %(secret)s,
        old_secret = NULL, old_secret_until = NULL, enabled = %(enabled)s, disabled_by = %(disabled_by)s,
        disabled_at = %(disabled_at)s, must_prove = %(must_prove)s, version = %(version)s, updated_at = %(updated_at)s
    WHERE tenant_id = %(tenant)s AND id = %(id)s"""
_UNKNOWN: LiteralString = """
    SELECT id FROM unnest(%(sites)s::uuid[]) id
    WHERE NOT EXISTS (SELECT FROM sites s WHERE s.tenant_id = %(tenant)s AND s.id = id.id)
    UNION ALL
    SELECT id FROM unnest(%(campaigns)s::uuid[]) id
    WHERE NOT EXISTS (SELECT FROM campaigns c WHERE c.tenant_id = %(tenant)s AND c.id = id.id)"""
_DELETE: LiteralString = "DELETE FROM webhook_endpoints WHERE tenant_id = %s AND id = %s"
REMEMBERED = timedelta(days=30)
"""For so long after it was disabled, what an endpoint misses is kept for it, if the plan keeps it."""
_NAMES = tuple(name.strip() for name in _COLUMNS.split(","))


@dataclass(frozen=True, slots=True)
class Audience:
    """Who an event is for, and the plan that says how long that is remembered."""

    endpoints: list[Endpoint]
    plan: str


class EndpointRepository:
    """Reads and writes endpoints of one tenant at a time."""

    def show(self, database: Database, tenant: TenantContext, endpoint: EndpointId) -> Endpoint:
        """An endpoint. Errors: EndpointNotFound."""
        found = self.find(database, tenant, endpoint)
        if found is None:
            raise EndpointNotFound
        return found

    def page(self, database: Database, tenant: TenantContext, *, after: UUID | None, limit: int) -> list[Endpoint]:
        """Endpoints, newest first, `limit` at most."""
        values = {"tenant": tenant.tenant, "after": after, "limit": limit}
        return [_endpoint(row) for row in database.read(tenant, _PAGE, values)]

    def find(self, database: Database, tenant: TenantContext, endpoint: EndpointId) -> Endpoint | None:
        """The endpoint, or None."""
        rows = database.read(tenant, _FIND, (tenant.tenant, endpoint))
        return _endpoint(rows[0]) if rows else None

    def matching(self, database: Database, tenant: TenantContext, filters: tuple[str, ...]) -> Audience:
        """The endpoints that asked for any of the types' filters: enabled, or disabled lately, which may miss it."""
        since = database.clock() - REMEMBERED
        return _audience(database.read(tenant, _MATCHING, (tenant.tenant, since, list(filters))))

    def alone(self, database: Database, tenant: TenantContext, endpoint: EndpointId) -> Audience:
        """One endpoint, where it is there and enabled."""
        rows = database.read(tenant, _ALONE, (tenant.tenant, endpoint))
        found = _audience(rows)
        return Audience([one for one in found.endpoints if one.enabled], found.plan)

    def lock(self, tx: Transaction, endpoint: EndpointId) -> Endpoint:
        """The endpoint, held until the transaction ends. Errors: EndpointNotFound."""
        row = tx.one(_LOCK, (tx.tenant.tenant, endpoint))
        if row is None:
            raise EndpointNotFound
        return _endpoint(row)

    def unknown(self, tx: Transaction, sites: Collection[UUID], campaigns: Collection[UUID]) -> frozenset[UUID]:
        """Which of these are no place and no campaign of the tenant."""
        if not (sites or campaigns):
            return frozenset()
        values = {"tenant": tx.tenant.tenant, "sites": list(sites), "campaigns": list(campaigns)}
        return frozenset(row[0] for row in tx.all(_UNKNOWN, values))

    def insert(self, tx: Transaction, endpoint: Endpoint) -> None:
        """Queue a new endpoint."""
        tx.run(_INSERT, _values(tx, endpoint))

    def update(self, tx: Transaction, endpoint: Endpoint) -> None:
        """Queue an endpoint's new particulars and keys."""
        tx.run(_UPDATE, _values(tx, endpoint))

    def delete(self, tx: Transaction, endpoint: EndpointId) -> None:
        """Queue the removal of an endpoint."""
        tx.run(_DELETE, (tx.tenant.tenant, endpoint))


def _audience(rows: list[tuple[Any, ...]]) -> Audience:
    return Audience([_endpoint(row) for row in rows], rows[0][-1] if rows else "")


def _values(tx: Transaction, endpoint: Endpoint) -> dict[str, Any]:
    newest = (key.ciphertext for key in endpoint.keys if key.algorithm is Algorithm.HMAC)
    filters, manner = endpoint.filters, endpoint.manner
    return {
        "tenant": tx.tenant.tenant,
        "id": endpoint.id,
        "url": endpoint.url,
        "description": endpoint.description,
        "event_types": list(filters.event_types),
        "conditions": Jsonb([asdict(condition) for condition in filters.conditions]),
        "site_ids": list(filters.site_ids),
        "campaign_ids": list(filters.campaign_ids),
        "headers": Jsonb({name: base64.b64encode(value).decode() for name, value in endpoint.headers.items()}),
        **asdict(manner),
        "retry_schedule": None if manner.retry_schedule is None else list(manner.retry_schedule),
        "keys": Jsonb([_kept(key) for key in endpoint.keys]),
        "secret": next(newest, b""),
        "enabled": endpoint.enabled,
        "disabled_by": endpoint.disabled.by if endpoint.disabled else None,
        "disabled_at": endpoint.disabled.at if endpoint.disabled else None,
        "must_prove": endpoint.must_prove,
        "version": endpoint.version,
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
    }


def _kept(key: SigningKey) -> dict[str, Any]:
    return {
        "id": str(key.id),
        "algorithm": key.algorithm,
        "ciphertext": base64.b64encode(key.ciphertext).decode(),
        "created_at": rfc3339(key.created_at),
        "until": rfc3339(key.until) if key.until else None,
        "public": key.public,
    }


def _key(kept: Mapping[str, Any]) -> SigningKey:
    return SigningKey(
        KeyId(UUID(kept["id"])),
        Algorithm(kept["algorithm"]),
        base64.b64decode(kept["ciphertext"]),
        datetime.fromisoformat(kept["created_at"]),
        datetime.fromisoformat(kept["until"]) if kept["until"] else None,
        kept["public"],
    )


def _endpoint(row: tuple[Any, ...]) -> Endpoint:
    found = dict(zip(_NAMES, row, strict=False))  # the plan may stand after them
    return Endpoint(
        id=EndpointId(found["id"]),
        url=found["url"],
        description=found["description"],
        filters=Filters(
            tuple(found["event_types"]),
            tuple(map(_condition, found["conditions"])),
            tuple(found["site_ids"]),
            tuple(found["campaign_ids"]),
        ),
        manner=Manner(
            found["payload_version"],
            None if found["retry_schedule"] is None else tuple(found["retry_schedule"]),
            found["timeout_seconds"],
            found["rate_per_second"],
            found["max_concurrency"],
            Ordering(found["ordering"]),
            found["replay_per_second"],
        ),
        headers={name: base64.b64decode(value) for name, value in found["secret_headers"].items()},
        keys=tuple(map(_key, found["secret_keys"])) or _keys_before(found),
        disabled=None
        if found["enabled"]
        else Disabled(found["disabled_by"] or "", found["disabled_at"] or found["updated_at"]),
        must_prove=found["must_prove"],
        version=found["version"],
        created_at=found["created_at"],
        updated_at=found["updated_at"],
    )


def _condition(kept: Mapping[str, Any]) -> Condition:
    value = kept["value"]
    return Condition(kept["path"], Op(kept["op"]), tuple(value) if isinstance(value, list) else value)


def _keys_before(found: Mapping[str, Any]) -> tuple[SigningKey, ...]:
    """The keys of a row that the release before wrote; none in one that came with an import."""
    if not found["secret"]:
        return ()
    first, second = (KeyId(UUID(int=number)) for number in range(2))
    present = SigningKey(first, Algorithm.HMAC, bytes(found["secret"]), found["created_at"])
    if found["old_secret"] is None:
        return (present,)
    old = SigningKey(second, Algorithm.HMAC, bytes(found["old_secret"]), found["created_at"], found["old_secret_until"])
    return present, old
