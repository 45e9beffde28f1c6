"""What Stripe's events say of a tenant's billing, as far as it matters here; whether they are Stripe's is not asked."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from shared.billing.errors import Nonsense
from shared.billing.gateway.shapes import Thing, bill, moment, named, told_of_subscription
from shared.billing.model import BillingEvent, CardAdded
from tenant_context.errors import BadRequest

_FOLLOWED = ("customer.subscription.", "invoice.")
_CHECKED_OUT = "checkout.session.completed"


class _Data(msgspec.Struct):
    object: Thing


class _Event(msgspec.Struct):
    id: str
    type: str
    created: int
    data: _Data


class _Named(msgspec.Struct):
    type: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """An event of Stripe's that says something of a tenant's billing, and what it says."""

    id: str
    type: str
    created: datetime
    tenant: UUID
    about: BillingEvent | CardAdded

    @property
    def subject(self) -> str:
        """What it is about: the customer, whose words are judged together."""
        return f"customer/{self.about.customer}"


def read(payload: bytes) -> Told | None:
    """What an event says; None for what says nothing of a tenant's billing.

    Errors: `BadRequest` for one that cannot be read; `Nonsense` for one that can, and says what cannot be.
    """
    try:
        kind = msgspec.json.decode(payload, type=_Named).type
        if kind != _CHECKED_OUT and not kind.startswith(_FOLLOWED):
            return None
        event = msgspec.json.decode(payload, type=_Event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest("The event cannot be read.") from error
    if not event.id:
        raise Nonsense("An event without an id is none of Stripe's.")
    if kind == _CHECKED_OUT:
        return _card(event)
    about = _understood(event)
    return Told(about.id, about.type, about.created, about.tenant, about) if about else None


def _understood(event: _Event) -> BillingEvent | None:
    """What an event says of a tenant. Errors: Nonsense."""
    thing, created = event.data.object, moment(event.created)
    tenant = thing.tenant
    if tenant is None or not thing.customer or created is None:
        return None
    if thing.object != "invoice":
        return told_of_subscription(thing, event.id, event.type, created, tenant) if thing.id else None
    details = thing.parent.subscription_details if thing.parent else None
    if details is None or not details.subscription:
        return None
    return BillingEvent(
        id=named(event.id),
        type=named(event.type),
        created=created,
        tenant=tenant,
        customer=named(thing.customer),
        subscription=named(details.subscription),
        invoice=named(thing.id),
        reason=f"The payment of invoice {thing.id} failed." if event.type == "invoice.payment_failed" else "",
        bill=bill(thing),
    )


def _card(event: _Event) -> Told | None:
    """A page on which a card was given; one that sold a subscription tells of that by itself. Errors: Nonsense."""
    session, created = event.data.object, moment(event.created)
    if session.mode != "setup" or session.tenant is None or not session.customer or created is None:
        return None
    return Told(named(event.id), named(event.type), created, session.tenant, CardAdded(named(session.customer)))
