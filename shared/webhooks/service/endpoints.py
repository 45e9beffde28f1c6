"""Endpoints and what was delivered to them, as the API uses them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from shared.events.rules.catalogue import ENDPOINT_CHANGES, TEST
from shared.outbound.rules.addresses import AllowList
from shared.outbound.rules.own import NOBODY, Own
from shared.webhooks.errors import DeliveryNotFound, EndpointDisabled
from shared.webhooks.gateway.keys import SecretKeys, header_part
from shared.webhooks.model import (
    Algorithm,
    Endpoint,
    EndpointDraft,
    EndpointId,
    Filters,
    Findings,
    KeyId,
    MessageId,
    SigningKey,
    What,
)
from shared.webhooks.repository.cursors import cursor_of
from shared.webhooks.repository.deliveries import DeliveryRepository
from shared.webhooks.repository.endpoints import EndpointRepository
from shared.webhooks.repository.history import HistoryRepository, MessageLog
from shared.webhooks.repository.targets import TargetRepository
from shared.webhooks.rules import endpoints as rules
from shared.webhooks.rules import signature
from shared.webhooks.rules.log import Search, Span, fitting
from shared.webhooks.service.order import Order
from shared.webhooks.service.recovery import Recovery
from tenant_context.clock import NewId
from tenant_context.context import TenantContext
from tenant_context.dynamo import Item
from tenant_context.errors import PreconditionFailed
from tenant_context.events import Event
from tenant_context.postgres import Database, Transaction


@dataclass(frozen=True, slots=True)
class Stores:
    """Where endpoints and deliveries are kept."""

    database: Database
    targets: TargetRepository
    deliveries: DeliveryRepository
    history: HistoryRepository
    endpoints: EndpointRepository
    order: Order
    recovery: Recovery


class Endpoints:
    """Create, change, test and read endpoints of the caller's tenant."""

    def __init__(
        self, stores: Stores, keys: SecretKeys, new_id: NewId, *, allowed: AllowList, own: Own = NOBODY
    ) -> None:
        self._stores = stores
        self._keys = keys
        self._allowed = allowed
        self._own = own
        self._new_id = new_id

    def create(
        self, tx: Transaction, draft: EndpointDraft, algorithms: Sequence[Algorithm]
    ) -> tuple[Endpoint, str | None]:
        """A new endpoint and its secret, where it has one, which nobody gets to see again.

        Errors: UrlRefused, UnknownEventTypes, EndpointRefused.
        """
        rules.check(draft, self._allowed, own=self._own)
        self._check_places(tx, draft.filters, Filters(()))
        endpoint_id = EndpointId(self._new_id())
        made = [self._new_key(tx, endpoint_id, algorithm) for algorithm in dict.fromkeys(algorithms)]
        sealed = self._seal(tx.tenant, endpoint_id, draft, {})
        endpoint = rules.create(endpoint_id, draft, tuple(key for key, _ in made), sealed, tx.tenant.actor, tx.now)
        self._stores.endpoints.insert(tx, endpoint)
        self._tell(tx, "created", endpoint)
        return endpoint, next((secret for _, secret in made if secret), None)

    def amend(
        self, tx: Transaction, endpoint_id: EndpointId, draft: EndpointDraft, version: int
    ) -> tuple[Endpoint, Findings]:
        """Other particulars. Errors: PreconditionFailed for a stale version, and those of `create`."""
        endpoint = self._stores.endpoints.lock(tx, endpoint_id)
        if endpoint.version != version:
            raise PreconditionFailed(f"The endpoint is at version {endpoint.version}; read it again.")
        rules.check(draft, self._allowed, endpoint, own=self._own)
        self._check_places(tx, draft.filters, endpoint.filters)
        sealed = self._seal(tx.tenant, endpoint_id, draft, endpoint.headers)
        amended = rules.amend(endpoint, draft, sealed, tx.tenant.actor, tx.now)
        self._change(tx, "updated", amended)
        return amended, self._found_of(tx.tenant, amended)

    def _check_places(self, tx: Transaction, filters: Filters, known: Filters) -> None:
        """Refuse what is newly asked for and is not there; what was there once may go on being asked for."""
        sites, campaigns = (
            set(filters.site_ids) - set(known.site_ids),
            set(filters.campaign_ids) - set(known.campaign_ids),
        )
        if unknown := self._stores.endpoints.unknown(tx, sites, campaigns):
            raise rules.not_there(filters, unknown)

    def rotate(
        self, tx: Transaction, endpoint_id: EndpointId, algorithm: Algorithm, overlap: timedelta
    ) -> tuple[Endpoint, Findings, str | None]:
        """A new key, its secret shown once; those of its algorithm sign on for the overlap. Errors: TooManyKeys."""
        endpoint = self._stores.endpoints.lock(tx, endpoint_id)
        key, secret = self._new_key(tx, endpoint_id, algorithm)
        rotated = rules.rotate(endpoint, key, overlap, tx.now)
        self._change(tx, "secret_rotated", rotated)
        return rotated, self._found_of(tx.tenant, rotated), secret

    def end_key(self, tx: Transaction, endpoint_id: EndpointId, key: KeyId) -> None:
        """Have a key sign no more, at once. Errors: KeyNotFound, LastKey."""
        endpoint = self._stores.endpoints.lock(tx, endpoint_id)
        changed = rules.end_key(endpoint, key, tx.now)
        self._change(tx, "key_ended", changed)

    def delete(self, tx: Transaction, endpoint_id: EndpointId) -> None:
        """Remove it; what still waits for it is stopped."""
        endpoint = self._stores.endpoints.lock(tx, endpoint_id)
        self._stores.endpoints.delete(tx, endpoint_id)
        self._tell(tx, "deleted", endpoint)
        tx.after_commit(lambda: self._stores.targets.bury(tx.tenant, endpoint_id, tx.now))

    def verify(self, tx: Transaction, endpoint_id: EndpointId) -> tuple[Endpoint, Findings]:
        """Have its URL challenged once more; one that is verified stays so. Errors: EndpointDisabled."""
        endpoint = self._stores.endpoints.lock(tx, endpoint_id)
        self._check_enabled(endpoint)
        self._tell(tx, "verification_requested", endpoint)
        return endpoint, self._found_of(tx.tenant, endpoint)

    def test(self, tx: Transaction, endpoint_id: EndpointId) -> MessageId:
        """Emit a test event for this endpoint only; answers the id of its message. Errors: EndpointDisabled."""
        self._check_enabled(self._stores.endpoints.lock(tx, endpoint_id))
        data = {"endpoint": str(endpoint_id), "greeting": "It works."}
        event = Event(TEST, _subject(endpoint_id), data, self._new_id())
        tx.emit(event)
        return MessageId(event.id)

    def show(self, tenant: TenantContext, endpoint_id: EndpointId) -> tuple[Endpoint, Findings]:
        """An endpoint and how it does. Errors: EndpointNotFound."""
        endpoint = self._stores.endpoints.show(self._stores.database, tenant, endpoint_id)
        return endpoint, self._found_of(tenant, endpoint)

    def page(self, tenant: TenantContext, *, after: UUID | None, limit: int) -> list[tuple[Endpoint, Findings]]:
        """Endpoints and how they do, newest first."""
        found = self._stores.endpoints.page(self._stores.database, tenant, after=after, limit=limit)
        findings = self._stores.targets.findings(tenant, [one.id for one in found]) if found else {}
        return [(one, findings.get(one.id, Findings())) for one in found]

    def attempts(
        self,
        tenant: TenantContext,
        endpoint_id: EndpointId,
        search: Search,
        *,
        cursor: str | None,
        limit: int,
    ) -> tuple[list[Item], str | None]:
        """Attempts at an endpoint that are looked for, newest first, and the next cursor; those of one message at once.

        Errors: EndpointNotFound, DeliveryNotFound for a message that was not for the endpoint.
        """
        self._stores.endpoints.show(self._stores.database, tenant, endpoint_id)
        if search.message is not None:
            found = self._stores.history.of_message(tenant, MessageId(search.message), endpoint_id)
            if not found:
                self.delivery(tenant, endpoint_id, MessageId(search.message))
            fit = [one for one in found if search.fits(one)]
            return fit[: fitting(fit)], None
        items, following = self._stores.deliveries.attempts(tenant, endpoint_id, search, cursor=cursor, limit=limit)
        many = fitting(items)
        return (items, following) if many == len(items) else (items[:many], cursor_of(items[many - 1]))

    def dead(
        self, tenant: TenantContext, endpoint_id: EndpointId, span: Span, *, after: UUID | None, limit: int
    ) -> list[tuple[Item, Item | None]]:
        """What was given up, oldest first, each with its last attempt. Errors: EndpointNotFound."""
        self._stores.endpoints.show(self._stores.database, tenant, endpoint_id)
        start = str(after) if after else None
        return self._stores.deliveries.dead(tenant, endpoint_id, span, after=start, limit=limit)

    def resend(self, tx: Transaction, endpoint_id: EndpointId, message: MessageId) -> Item:
        """Have a message sent once more. Errors: EndpointNotFound, EndpointDisabled, those of `Recovery.resend`."""
        self._check_enabled(self._stores.endpoints.lock(tx, endpoint_id))
        return self._stores.recovery.resend(tx.tenant, message, endpoint_id)

    def recover(self, tx: Transaction, endpoint_id: EndpointId, what: What, span: Span) -> None:
        """Have what was sent in some time sent again. Errors: EndpointNotFound, EndpointDisabled."""
        self._check_enabled(self._stores.endpoints.lock(tx, endpoint_id))
        self._stores.recovery.begin(tx.tenant, endpoint_id, what, span)

    def delivery(self, tenant: TenantContext, endpoint_id: EndpointId, message: MessageId) -> Item:
        """Where a message stands with an endpoint. Errors: DeliveryNotFound."""
        found = self._stores.deliveries.find(tenant, message, endpoint_id)
        if found is None:
            raise DeliveryNotFound
        return found

    def message(self, tenant: TenantContext, message: MessageId) -> MessageLog:
        """A message, its deliveries and their attempts. Errors: MessageNotFound."""
        found = self._stores.history.log(tenant, message)
        many = fitting(found.attempts)
        return replace(found, attempts=found.attempts[:many], is_whole=found.is_whole and many == len(found.attempts))

    def skip(self, tenant: TenantContext, endpoint_id: EndpointId, message: MessageId) -> Item:
        """Give up a delivery that waits; those behind it go on. Errors: DeliveryNotFound, DeliveryEnded."""
        return self._stores.order.skip(tenant, message, endpoint_id)

    def payload(self, tenant: TenantContext, message: MessageId) -> bytes:
        """The whole event of a message, however long. Errors: MessageNotFound."""
        return self._stores.deliveries.payload(tenant, message)

    def _found_of(self, tenant: TenantContext, endpoint: Endpoint) -> Findings:
        return self._stores.targets.findings(tenant, [endpoint.id]).get(endpoint.id, Findings())

    def _new_key(self, tx: Transaction, endpoint: EndpointId, algorithm: Algorithm) -> tuple[SigningKey, str | None]:
        key, public = signature.new_key(algorithm)
        sealed = self._keys.seal(tx.tenant, endpoint, key)
        secret = signature.shown(key) if algorithm is Algorithm.HMAC else None
        return SigningKey(KeyId(self._new_id()), algorithm, sealed, tx.now, public=public), secret

    def _seal(
        self, tenant: TenantContext, endpoint: EndpointId, draft: EndpointDraft, present: Mapping[str, bytes]
    ) -> Mapping[str, bytes]:
        """The headers of a draft, sealed; those without a value as they are."""
        if draft.headers is None:
            return present
        named = {name.lower(): value for name, value in draft.headers.items()}
        new = {
            name: self._keys.seal(tenant, endpoint, value.encode(), header_part(name))
            for name, value in named.items()
            if value is not None
        }
        return {name: new.get(name) or present[name] for name in named}

    def _change(self, tx: Transaction, change: str, endpoint: Endpoint) -> None:
        """Keep a new version, and have the dispatcher go by it before the caller has an answer.

        Where this sandbox dies in between, the fan-out does so when the event comes.
        """
        self._stores.endpoints.update(tx, endpoint)
        self._tell(tx, change, endpoint)
        tx.after_commit(lambda: self._stores.targets.put(tx.tenant, endpoint))

    @staticmethod
    def _check_enabled(endpoint: Endpoint) -> None:
        if not endpoint.enabled:
            raise EndpointDisabled("Enable the endpoint first.")

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
