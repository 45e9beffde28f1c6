"""Endpoints as the dispatcher sees them, in DynamoDB: written by functions with the database, read without it.

    endpoint#<id> / target    url, sealed secrets, enabled, version, gone_at

A copy is only ever replaced by a later version, so writers may race. A deleted endpoint leaves a tombstone, so that
a writer that still knew it cannot bring it back.
"""

import base64
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from shared.webhooks.model import Endpoint, EndpointId, SealedSecret, Target
from tenant_context.clock import rfc3339
from tenant_context.context import TenantContext
from tenant_context.dynamo import ConditionFailed, Item, Table, TenantTable

_SK = "target"
_TOMBSTONE_VERSION = 2**53
_TOMBSTONE_KEPT = timedelta(days=60)


class TargetRepository:
    """The dispatcher's view of endpoints."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def put(self, tenant: TenantContext, endpoint: Endpoint) -> None:
        """Make the copy at least as new as this; a new version forgets that the receiver was gone."""
        with suppress(ConditionFailed):
            self._of(tenant).update(
                _key(endpoint.id),
                _SK,
                "SET endpoint = :id, #url = :url, secrets = :secrets, enabled = :enabled, version = :version "
                "REMOVE gone_at",
                {
                    ":id": endpoint.id,
                    ":url": endpoint.url,
                    ":secrets": [_sealed(secret) for secret in endpoint.secrets],
                    ":enabled": endpoint.enabled,
                    ":version": endpoint.version,
                },
                condition="attribute_not_exists(pk) OR version < :version",
                names={"#url": "url"},
            )

    def bury(self, tenant: TenantContext, endpoint: EndpointId, now: datetime) -> None:
        """Leave a tombstone for a deleted endpoint."""
        tombstone: Item = {
            "endpoint": endpoint,
            "url": "",
            "secrets": [],
            "enabled": False,
            "version": _TOMBSTONE_VERSION,
            "expires_at": int((now + _TOMBSTONE_KEPT).timestamp()),
        }
        self._of(tenant).put(_key(endpoint), _SK, tombstone)

    def find(self, tenant: TenantContext, endpoint: EndpointId) -> Target | None:
        """The endpoint as last written, or None."""
        item = self._of(tenant).get(_key(endpoint), _SK)
        return _target(item) if item else None

    def gone(self, tenant: TenantContext, endpoints: Iterable[EndpointId]) -> dict[UUID, str]:
        """When each of some endpoints said 410 Gone, for those that did."""
        items = self._of(tenant).get_many([(_key(endpoint), _SK) for endpoint in endpoints])
        return {UUID(item["endpoint"]): item["gone_at"] for item in items if item.get("gone_at")}

    def mark_gone(self, tenant: TenantContext, target: Target, now: datetime) -> None:
        """Stop deliveries until the endpoint is changed; nothing when it was changed meanwhile."""
        with suppress(ConditionFailed):
            self._of(tenant).update(
                _key(target.id),
                _SK,
                "SET gone_at = :now",
                {":now": rfc3339(now), ":version": target.version},
                condition="version = :version",
            )

    def _of(self, tenant: TenantContext) -> TenantTable:
        return TenantTable(self._table, tenant)


def _key(endpoint: EndpointId) -> str:
    return f"endpoint#{endpoint}"


def _sealed(secret: SealedSecret) -> dict[str, str | None]:
    return {
        "ciphertext": base64.b64encode(secret.ciphertext).decode(),
        "until": rfc3339(secret.until) if secret.until else None,
    }


def _target(item: Item) -> Target:
    return Target(
        id=EndpointId(UUID(item["endpoint"])),
        url=item["url"],
        secrets=tuple(
            SealedSecret(
                base64.b64decode(sealed["ciphertext"]),
                datetime.fromisoformat(sealed["until"]) if sealed["until"] else None,
            )
            for sealed in item["secrets"]
        ),
        enabled=item["enabled"],
        version=item["version"],
        gone_at=item.get("gone_at"),
    )
