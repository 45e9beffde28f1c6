"""Each source's row at work: who works on what it told."""

from collections.abc import Mapping

import msgspec

from shared.billing.gateway import told
from shared.billing.model import CardAdded
from shared.billing.model import Kind as Billing
from shared.inbox.gateway.elsewhere import Elsewhere
from shared.inbox.model import DONE, NOBODY, Kept, Order, Source, State, Verdict
from shared.inbox.repository import InboxRepository
from shared.inbox.rules import ses, sns
from shared.inbox.service.working import Desk
from shared.mail.repository import Suppression, Suppressions
from tenant_context.entry.queue import Message
from tenant_context.errors import BadRequest
from tenant_context.observability import Observability
from tenant_context.postgres import Transaction
from tenant_context.queues import Queue

NOBODYS_YET = Verdict(State.IGNORED, "Nobody's yet: no organization is connected with this account.")


class StripeDesk:
    """Hands events on to billing, which knows its own again and judges their order."""

    def __init__(self, outcomes: Queue, errands: Queue) -> None:
        self._outcomes = outcomes
        self._errands = errands

    def __call__(self, tx: Transaction, kept: Kept, body: bytes) -> Verdict:
        """A state to the outcomes, an errand to the provisioner."""
        found = told.read(body)
        if found is None:
            return Verdict(State.IGNORED, "It says nothing of a tenant's billing.")
        if kept.tenant == NOBODY:
            return Verdict(State.IGNORED, "It names an organization that is not here.")
        is_card = isinstance(found.about, CardAdded)
        queue, kind = (self._errands, Billing.CARD_ADDED) if is_card else (self._outcomes, Billing.EVENT)
        queue.send([Message(kept.tenant, tx.tenant.request_id, kind, msgspec.to_builtins(found.about))])
        return DONE


class MailDesk:
    """Keeps addresses that are not to be mailed again; confirms the subscription that tells of them."""

    def __init__(
        self,
        repository: InboxRepository,
        suppressions: Suppressions,
        elsewhere: Elsewhere,
        observability: Observability,
    ) -> None:
        self._repository = repository
        self._suppressions = suppressions
        self._elsewhere = elsewhere
        self._observability = observability

    def __call__(self, tx: Transaction, kept: Kept, body: bytes) -> Verdict:
        """Work on one message of SNS."""
        if kept.kind == sns.CONFIRMATION:
            self._elsewhere.confirm(sns.read(body).confirm_url, tx.tenant.request_id)
            return DONE
        if kept.kind == sns.END:
            return Verdict(State.IGNORED, "A subscription was ended: SES's words do not come by it any more.")
        found = ses.unwanted(body)
        if found is None:
            return Verdict(State.IGNORED, "Nothing to do: neither a hard bounce nor a complaint.")
        for address in found.addresses:
            self._suppress(tx, kept, address, Suppression(found.why, found.at))
        self._observability.count("MailsUnwanted", len(found.addresses))
        return DONE

    def _suppress(self, tx: Transaction, kept: Kept, address: str, suppression: Suppression) -> None:
        user = self._repository.user_of(tx, address)
        tenant = None if kept.tenant == NOBODY else kept.tenant
        self._suppressions.add(address, suppression, tenant=tenant, user=user)


def nobodys_yet(_tx: Transaction, _kept: Kept, body: bytes) -> Verdict:
    """Of ad platforms: no organization says yet which accounts are its own, so that they wait for operators."""
    if not body:
        raise BadRequest("It is empty.")
    return NOBODYS_YET


def desks(stripe: StripeDesk, mail: MailDesk) -> Mapping[Source, Desk]:
    """The registry."""
    return {
        Source.STRIPE: Desk(stripe, Order.EACH),
        Source.SES: Desk(mail, Order.EACH),
        Source.META: Desk(nobodys_yet, Order.NEWEST),
        Source.GOOGLE: Desk(nobodys_yet, Order.NEWEST),
        Source.TIKTOK: Desk(nobodys_yet, Order.NEWEST),
    }
