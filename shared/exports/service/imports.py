"""Asks for an organization to be filled from an archive; the worker does it."""

from collections.abc import Callable
from uuid import UUID

from shared.exports.errors import ImportUnderWay, IntoItself, NotOwned, OwnersFill
from shared.exports.gateway.archives import key_of
from shared.exports.model import ExportId
from shared.exports.repository.exports import ExportRepository
from shared.exports.service.requests import Send
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.postgres import Transaction
from tenant_context.states import Need, permits, refusal


class Imports:
    """Fills the transaction's tenant; `way_in` raises unless a caller might come into another organization as well."""

    def __init__(self, exports: ExportRepository, send: Send, way_in: Callable[[TenantContext, UUID], None]) -> None:
        self._exports = exports
        self._send = send
        self._way_in = way_in

    def by_owner(self, tx: Transaction, organization: UUID, export: ExportId) -> bytes:
        """From an archive of another organization that the caller owns too, and is proved well enough for.

        Errors: OwnersFill, NotOwned, IntoItself, ImportUnderWay, what says the state of either, and what the other asks
        for beside the proofs that were given here.
        """
        if not self._exports.owns(tx.tenant.user, tx.tenant.tenant):
            raise OwnersFill
        if not self._exports.owns(tx.tenant.user, organization):
            raise NotOwned
        self._way_in(tx.tenant, organization)
        return self.ask(tx, organization, export)

    def ask(self, tx: Transaction, organization: UUID, export: ExportId) -> bytes:
        """From any archive; asked again, one that failed goes on where it stopped, one that was deleted begins anew.

        Errors: ExportNotFound, NotOwned, IntoItself, ImportUnderWay, and what says the state of an organization that is
        read-only, or of one that lets no archive go.
        """
        if organization == tx.tenant.tenant:
            raise IntoItself
        if barred := self._exports.barred(organization):
            raise refusal(barred)
        state = self._exports.state(tx)
        if not permits(state, Need.WRITE):
            raise refusal(state)
        present = self._exports.import_of(tx, export)
        if present is None:
            self._exports.add(tx, export, "import", key_of(organization, export))
        elif present[0] != "import" or present[2] != key_of(organization, export):
            raise NotOwned
        elif present[1] == "running":
            raise ImportUnderWay
        elif present[1] in {"failed", "deleted"}:
            self._exports.again(tx, export, anew=present[1] == "deleted")
        if present is None or present[1] != "done":
            data = {"export": str(export), "from": str(organization)}
            message = Message(tx.tenant.tenant, tx.tenant.request_id, "import", data)
            # After the commit, so that the worker finds the row. Should it fail, the same may be asked again.
            tx.after_commit(lambda: self._send([message]))
        return self._exports.shown(tx, export)
