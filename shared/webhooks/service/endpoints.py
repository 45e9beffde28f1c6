"""Endpoints and what was delivered to them, as the API uses them."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from shared.events.rules.catalogue import ENDPOINT_CHANGES, TEST
from shared.outbound.rules.addresses import AllowList
from shared.webhooks.errors import EndpointDisabled
from shared.webhooks.gateway.keys import SecretKeys
from shared.webhooks.model import Endpoint, EndpointDraft, EndpointId, MessageId, SealedSecret
from shared.webhooks.repository.deliveries import DeliveryRepository
from shared.webhooks.repository.endpoints import EndpointRepository
from shared.webhooks.repository.targets import TargetRepository
from shared.webhooks.rules import endpoints as rules
from shared.webhooks.rules import signature
from tenant_context.clock import NewId
from tenant_context.context import TenantContext
from tenant_context.dynamo import Item
from tenant_context.errors import PreconditionFailed
from tenant_context.events import Event
from tenant_context.postgres import Database, Transaction

Shown = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stores:
    """Where endpoints and deliveries are kept."""

    database: Database
    targets: TargetRepository
    deliveries: DeliveryRepository
    endpoints: EndpointRepository


class Endpoints:
    """Create, change, test and read endpoints of the caller's tenant."""

    def __init__(self, stores: Stores, keys: SecretKeys, allowed: AllowList, new_id: NewId) -> None:
        self._stores = stores
        self._keys = keys
        self._allowed = allowed
        self._new_id = new_id

    def create(self, tx: Transaction, draft: EndpointDraft) -> tuple[Endpoint, str]:
        """A new endpoint and its secret, which nobody gets to see again. Errors: UrlRefused, UnknownEventTypes."""
        rules.check(draft, self._allowed)
        endpoint_id = EndpointId(self._new_id())
        sealed, shown = self._new_secret(tx.tenant, endpoint_id)
        endpoint = rules.create(endpoint_id, draft, sealed, self._allowed, tx.now)
        self._stores.endpoints.insert(tx, endpoint)
        self._tell(tx, "created", endpoint)
        return endpoint, shown

    def amend(self, tx: Transaction, endpoint_id: EndpointId, draft: EndpointDraft, version: int) -> Endpoint:
        """Other particulars. Errors: PreconditionFailed for a stale version."""
        endpoint = self._stores.endpoints.lock(tx, endpoint_id)
        if endpoint.version != version:
            raise PreconditionFailed(f"The endpoint is at version {endpoint.version}; read it again.")
        amended = rules.amend(endpoint, draft, self._allowed, tx.now)
        self._stores.endpoints.update(tx, amended)
        self._tell(tx, "updated", amended)
        return amended

    def rotate(self, tx: Transaction, endpoint_id: EndpointId) -> tuple[Endpoint, str]:
        """A new secret, shown once; the one before it signs as well for 24 hours."""
        endpoint = self._stores.endpoints.lock(tx, endpoint_id)
        sealed, shown = self._new_secret(tx.tenant, endpoint_id)
        rotated = rules.rotate(endpoint, sealed, tx.now)
        self._stores.endpoints.update(tx, rotated)
        self._tell(tx, "secret_rotated", rotated)
        return rotated, shown

    def delete(self, tx: Transaction, endpoint_id: EndpointId) -> None:
        """Remove it; what still waits for it is stopped."""
        endpoint = self._stores.endpoints.lock(tx, endpoint_id)
        self._stores.endpoints.delete(tx, endpoint_id)
        self._tell(tx, "deleted", endpoint)

    def test(self, tx: Transaction, endpoint_id: EndpointId) -> MessageId:
        """Emit a test event for this endpoint only; answers the id of its message. Errors: EndpointDisabled."""
        endpoint = self._stores.endpoints.lock(tx, endpoint_id)
        if not endpoint.enabled:
            raise EndpointDisabled("Enable the endpoint first.")
        data = {"endpoint": str(endpoint_id), "greeting": "It works."}
        event = Event(TEST, _subject(endpoint_id), data, self._new_id())
        tx.emit(event)
        return MessageId(event.id)

    def show(self, tenant: TenantContext, endpoint_id: EndpointId) -> tuple[int, Shown]:
        """Version and particulars of an endpoint."""
        version, content = self._stores.endpoints.show(self._stores.database, tenant, endpoint_id)
        return version, self._with_health(tenant, [(content, endpoint_id)])[0]

    def page(self, tenant: TenantContext, *, after: UUID | None, limit: int) -> list[tuple[Shown, UUID]]:
        """Particulars and id of endpoints, newest first."""
        rows = self._stores.endpoints.page(self._stores.database, tenant, after=after, limit=limit)
        shown = self._with_health(tenant, rows)
        return [(content, row[1]) for content, row in zip(shown, rows, strict=True)]

    def attempts(
        self, tenant: TenantContext, endpoint_id: EndpointId, *, cursor: str | None, limit: int
    ) -> tuple[list[Item], str | None]:
        """The attempts at an endpoint, newest first, and where to go on. Errors: EndpointNotFound."""
        self._stores.endpoints.show(self._stores.database, tenant, endpoint_id)
        return self._stores.deliveries.attempts(tenant, endpoint_id, cursor=cursor, limit=limit)

    def message(self, tenant: TenantContext, message: MessageId) -> tuple[Item, list[Item], list[Item]]:
        """A message, its deliveries and their attempts. Errors: MessageNotFound."""
        return self._stores.deliveries.message(tenant, message)

    def _with_health(self, tenant: TenantContext, rows: Sequence[tuple[str, UUID]]) -> list[Shown]:
        gone = self._stores.targets.gone(tenant, [EndpointId(row[1]) for row in rows]) if rows else {}
        return [{**msgspec.json.decode(content), "gone_at": gone.get(UUID(str(row)))} for content, row in rows]

    def _new_secret(self, tenant: TenantContext, endpoint: EndpointId) -> tuple[SealedSecret, str]:
        secret = secrets.token_bytes(signature.SECRET_BYTES)
        return SealedSecret(self._keys.seal(tenant, endpoint, secret)), signature.shown(secret)

    @staticmethod
    def _tell(tx: Transaction, change: str, endpoint: Endpoint) -> None:
        data = {
            "id": str(endpoint.id),
            "url": endpoint.url,
            "enabled": endpoint.enabled,
            "version": endpoint.version,
        }
        tx.emit(Event(f"{ENDPOINT_CHANGES}{change}", _subject(endpoint.id), data))


def _subject(endpoint: EndpointId) -> str:
    return f"webhook-endpoint/{endpoint}"
