"""One message about something that was used, in a transaction of its own; one that comes again changes nothing."""

import msgspec

from shared.usage.model import Calls, Delivered, Kind
from shared.usage.service.ledger import Ledger
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.postgres import Database


class Recorder:
    """Handles what sandboxes and the dispatcher of webhooks tell."""

    def __init__(self, database: Database, ledger: Ledger) -> None:
        self._database = database
        self._ledger = ledger

    def __call__(self, tenant: TenantContext, message: Message) -> None:
        """Write it into the ledger."""
        with self._database.transaction(tenant) as tx:
            match message.kind:
                case Kind.CALLS:
                    self._ledger.called(tx, msgspec.convert(message.data, Calls))
                case Kind.DELIVERY:
                    self._ledger.delivered(tx, msgspec.convert(message.data, Delivered))
                case _:
                    raise ValueError(f"Nobody knows the usage message {message.kind}.")
