"""Asks for an organization to be filled from an archive; the worker does it."""

from uuid import UUID

from shared.exports.errors import ExportUnderWay, NotOwned, OwnersFill
from shared.exports.gateway.archives import key_of
from shared.exports.model import ExportId
from shared.exports.repository.exports import ExportRepository
from shared.exports.service.requests import Send
from tenant_context.entry.queue import Message
from tenant_context.postgres import Transaction
from tenant_context.states import Need, permits, refusal


class Imports:
    """Fills the transaction's tenant."""

    def __init__(self, exports: ExportRepository, send: Send) -> None:
        self._exports = exports
        self._send = send

    def by_owner(self, tx: Transaction, organization: UUID, export: ExportId) -> bytes:
        """From an archive of another organization that the caller owns too.

        Errors: OwnersFill, NotOwned, ExportUnderWay, and what says the state of one that is read-only.
        """
        if not self._exports.owns(tx.tenant.user, tx.tenant.tenant):
            raise OwnersFill
        if organization == tx.tenant.tenant or not self._exports.owns(tx.tenant.user, organization):
            raise NotOwned
        return self.ask(tx, organization, export)

    def ask(self, tx: Transaction, organization: UUID, export: ExportId) -> bytes:
        """From any archive; asked again, one that failed goes on where it stopped.

        Errors: ExportNotFound, ExportUnderWay, and what says the state of an organization that is read-only.
        """
        state = self._exports.state(tx)
        if not permits(state, Need.WRITE):
            raise refusal(state)
        present = self._exports.import_of(tx, export)
        if present is None:
            self._exports.add(tx, export, "import", key_of(organization, export))
        elif present[0] != "import" or present[2] != key_of(organization, export):
            raise NotOwned
        elif present[1] == "running":
            raise ExportUnderWay
        else:
            self._exports.again(tx, export)
        if present is None or present[1] != "done":
            data = {"export": str(export), "from": str(organization)}
            message = Message(tx.tenant.tenant, tx.tenant.request_id, "import", data)
            # After the commit, so that the worker finds the row. Should it fail, the same may be asked again.
            tx.after_commit(lambda: self._send([message]))
        return self._exports.shown(tx, export)
