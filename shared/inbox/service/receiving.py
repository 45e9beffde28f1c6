"""From a delivery to the inbox: believed, read, kept, and only then acknowledged."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from uuid import UUID

from shared.inbox.model import ENTRY, NOBODY, Delivery, Door, Entry, Kept, Receipt, Source, State
from shared.inbox.repository import InboxRepository
from tenant_context.aws import AwsError
from tenant_context.clock import NewId
from tenant_context.context import TenantContext, from_signature
from tenant_context.entry.queue import Message
from tenant_context.errors import NotInState
from tenant_context.fields import FieldCipher
from tenant_context.observability import Observability
from tenant_context.postgres import Database
from tenant_context.states import Need, permitting

_SETTLES = permitting(Need.SETTLE)
"""Any state; but what comes for a tenant that was erased leaves nothing behind."""


def field_of(entry: UUID) -> str:
    """What the body of an entry is sealed for."""
    return f"inbox/{entry}/body"


class Receiving:
    """Takes deliveries of all sources."""

    def __init__(
        self,
        database: Database,
        repository: InboxRepository,
        doors: Mapping[Source, Door],
        cipher: FieldCipher,
        send: Callable[[Sequence[Message]], None],
        *,
        new_id: NewId,
        observability: Observability,
    ) -> None:
        self._database = database
        self._repository = repository
        self._doors = doors
        self._cipher = cipher
        self._send = send
        self._new_id = new_id
        self._observability = observability

    def take(self, source: Source, delivery: Delivery, request_id: str) -> Receipt:
        """Keep what a delivery tells; what is there already is not kept again.

        Errors: what its door raises; Unavailable and AwsError, when nothing may have been kept.
        """
        door = self._doors[source]
        door.verify(delivery)
        found = {
            kept.id: kept
            for tenant, entries in _by_tenant(door.read(delivery.body))
            for kept in self._put(source, tenant, list(entries), request_id)
        }
        waiting = [kept for kept in found.values() if kept.state is State.RECEIVED]
        self._tell(waiting, request_id)
        self._observability.info("kept", source=source, entries=len(found), waiting=len(waiting))
        return Receipt(kept=len(waiting), repeated=len(found) - len(waiting))

    def _put(self, source: Source, tenant: UUID, entries: list[Entry], request_id: str) -> list[Kept]:
        """Keep a tenant's entries, all or none; nobody's, where the tenant is not here."""
        try:
            found, homeless = self._keep(source, _context(tenant, request_id), entries)
        except NotInState:
            self._observability.warning("let go", reason="The organization was erased.", source=source)
            return []
        if homeless:
            found += self._keep(source, _context(NOBODY, request_id), homeless)[0]
        return found

    def _keep(self, source: Source, tenant: TenantContext, entries: list[Entry]) -> tuple[list[Kept], list[Entry]]:
        found, homeless = [], []
        with self._database.transaction(tenant) as tx:
            for entry in entries:
                name = self._new_id()
                sealed = self._cipher.seal(tenant.tenant, field_of(name), entry.body)
                kept = self._repository.put(tx, source, entry, name, sealed)
                if kept is None:
                    homeless.append(entry)
                else:
                    found.append(kept)
        return found, homeless

    def _tell(self, waiting: Sequence[Kept], request_id: str) -> None:
        """Have the worker begin at once; what it is not told of now, the sweep tells it of."""
        try:
            self._send([message_of(kept, request_id) for kept in waiting])
        except AwsError as error:
            self._observability.warning("left to the sweep", code=error.code, entries=len(waiting))


def message_of(kept: Kept, request_id: str) -> Message:
    """What tells the worker of an entry."""
    return Message(tenant=kept.tenant, id=request_id, kind=ENTRY, data={"id": str(kept.id)})


def _context(tenant: UUID, request_id: str) -> TenantContext:
    return from_signature(tenant, request_id, () if tenant == NOBODY else _SETTLES)


def _by_tenant(entries: Sequence[Entry]) -> Iterable[tuple[UUID, Iterable[Entry]]]:
    return groupby(sorted(entries, key=lambda entry: entry.tenant), key=lambda entry: entry.tenant)
