"""What operators do with what came."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from functions.inbound import schemas as wire
from functions.inbound.routes.declared import Inbound, routes
from shared.inbox.model import Wanted
from tenant_context.context import TenantContext, at_tenant
from tenant_context.routing import Answer, Call, Proof

AT = "/api/v1/operator/inbox"
MAIL = "/api/v1/operator/mail"


@routes.read(AT, proof=Proof.OPERATOR, query=wire.InboxQuery, answer=wire.InboxEntryPage)
def entries(call: Call[None], inbound: Inbound) -> Answer:
    """List what came, newest first: of a source, in a state, of an organization, within a time."""
    query: wire.InboxQuery = call.query
    found = inbound.replaying.page(query.wanted(), after=query.after(), limit=query.limit + 1)
    return Answer(wire.page(found, query.limit))


@routes.read(AT + "/{entry_id}", proof=Proof.OPERATOR, answer=wire.InboxEntryOut)
def entry(call: Call[None], inbound: Inbound) -> Answer:
    """Read what became of one."""
    return Answer(wire.shown(inbound.replaying.show(call.id("entry_id"))))


@routes.act("POST", AT + "/{entry_id}/replay", proof=Proof.OPERATOR, answer=wire.InboxEntryOut, status=202)
def replay(call: Call[None], inbound: Inbound) -> Answer:
    """Have one worked on again, whatever became of it; what was done before is not done twice."""
    entry_id = call.id("entry_id")
    inbound.replaying.replay(entry_id, _at(call))
    return Answer(wire.shown(inbound.replaying.show(entry_id)))


@routes.act("POST", AT + "/{entry_id}/let-go", proof=Proof.OPERATOR, body=wire.InboxLetGoIn, answer=wire.InboxEntryOut)
def let_go(call: Call[wire.InboxLetGoIn], inbound: Inbound) -> Answer:
    """Settle one without working on it, with the reason."""
    entry_id = call.id("entry_id")
    inbound.replaying.let_go(entry_id, call.body.reason, _at(call))
    return Answer(wire.shown(inbound.replaying.show(entry_id)))


@routes.act(
    "POST", AT + "/replay", proof=Proof.OPERATOR, body=wire.InboxReplayIn, answer=wire.InboxReplayedOut, status=202
)
def replay_all(call: Call[wire.InboxReplayIn], inbound: Inbound) -> Answer:
    """Have everything of a stretch of time worked on again, oldest first.

    Ten thousand at a time: where `after` is not null there are more, and the same request with it goes on.
    """
    body = call.body
    wanted = Wanted(None, body.organization, body.source, body.state, body.since, body.until)
    done = inbound.replaying.replay_all(wanted, _at(call), after=body.after)
    return Answer({"replayed": done.entries, "after": done.after})


@routes.act("POST", MAIL + "/suppressed", proof=Proof.OPERATOR, body=wire.AddressIn, answer=wire.SuppressedOut)
def suppressed(call: Call[wire.AddressIn], inbound: Inbound) -> Answer:
    """Tell whether a mail address is not mailed any more, why and since when."""
    return Answer(wire.suppressed(inbound.suppressions.find(call.body.email)))


@routes.act("POST", MAIL + "/lift", proof=Proof.OPERATOR, body=wire.AddressIn, answer=wire.SuppressedOut)
def lift(call: Call[wire.AddressIn], inbound: Inbound) -> Answer:
    """Have a mail address mailed again; what happened before stops it no more."""
    inbound.suppressions.lift(call.body.email, inbound.clock())
    return Answer(wire.suppressed(inbound.suppressions.find(call.body.email)))


def _at(call: Call[Any]) -> Callable[[UUID], TenantContext]:
    def at(tenant: UUID) -> TenantContext:
        return at_tenant(call.tenant, tenant)

    return at
