"""The wire's shapes of the inbox."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from shared.inbox.model import NOBODY, Kept, Source, State, Wanted
from shared.mail.repository import Suppression
from tenant_context.clock import rfc3339
from tenant_context.wire import Email, In, Moment, Name, Out, PageQuery, Until, cursor_of


class StripeReceiptOut(Out):
    """What Stripe is told: `queued` is false for an event that says nothing of a tenant's billing, or came before.

    `reason` says why one was let go that says what cannot be; else it is empty.
    """

    received: bool
    queued: bool
    reason: str


class InboxReceiptOut(Out):
    """What a sender is told: how many things wait to be worked on, and how many came and were settled before."""

    received: bool
    kept: int
    repeated: int


class ChallengeQuery(In):
    """What Meta asks with when the address is set up."""

    mode: Annotated[str, Field(alias="hub.mode", max_length=50)]
    verify_token: Annotated[str, Field(alias="hub.verify_token", max_length=500)]
    challenge: Annotated[str, Field(alias="hub.challenge", max_length=500)]

    def as_sent(self) -> dict[str, str]:
        """By the names that Meta uses."""
        return {"hub.mode": self.mode, "hub.verify_token": self.verify_token, "hub.challenge": self.challenge}


class InboxEntryOut(Out):
    """Something that was posted: what it was, when, and what became of it. `organization` is null where it is nobody's.

    `reason` says in words why it failed, or why there was nothing to do.
    """

    id: UUID
    source: Source
    external_id: str
    organization: UUID | None
    kind: str
    subject: str
    occurred_at: str
    received_at: str
    state: State
    tries: int
    reason: str
    settled_at: str | None


class InboxEntryPage(Out):
    """A page of what was posted, newest first."""

    items: list[InboxEntryOut]
    next_cursor: str | None


class InboxQuery(PageQuery):
    """Which entries; without a parameter, any. `since` and `until` are about when they came."""

    source: Source | None = None
    state: State | None = None
    organization: UUID | None = None
    since: Moment | None = None
    until: Until | None = None

    def wanted(self) -> Wanted:
        """The same in the inbox's words."""
        return Wanted(None, self.organization, self.source, self.state, self.since, self.until)


class InboxReplayIn(In):
    """Which entries are worked on again, by when they came; `after` goes on where an answer ended."""

    since: Moment
    until: Until
    source: Source | None = None
    state: State | None = None
    organization: UUID | None = None
    after: UUID | None = None


class InboxReplayedOut(Out):
    """How many wait again; `after` is where to go on, null where that was all."""

    replayed: int
    after: UUID | None


class InboxLetGoIn(In):
    """Why nobody works on it."""

    reason: Name


class AddressIn(In):
    """A mail address."""

    email: Email


class SuppressedOut(Out):
    """Whether an address is not mailed any more; `reason` is `bounce` or `complaint`."""

    suppressed: bool
    reason: str | None
    since: str | None


def shown(kept: Kept) -> dict[str, Any]:
    """An entry as `InboxEntryOut` describes it."""
    return {
        "id": kept.id,
        "source": kept.source,
        "external_id": kept.external_id,
        "organization": None if kept.tenant == NOBODY else kept.tenant,
        "kind": kept.kind,
        "subject": kept.subject,
        "occurred_at": rfc3339(kept.occurred_at),
        "received_at": rfc3339(kept.received_at),
        "state": kept.state,
        "tries": kept.tries,
        "reason": kept.reason,
        "settled_at": rfc3339(kept.settled_at) if kept.settled_at else None,
    }


def page(found: Sequence[Kept], limit: int) -> dict[str, Any]:
    """A page; `found` holds one more than `limit` where another page follows."""
    following = cursor_of(found[limit - 1].id) if len(found) > limit else None
    return {"items": [shown(kept) for kept in found[:limit]], "next_cursor": following}


def suppressed(found: Suppression | None) -> dict[str, Any]:
    """What is known of an address."""
    return {
        "suppressed": found is not None,
        "reason": found.why if found else None,
        "since": rfc3339(found.since) if found else None,
    }
