"""Errands to Stripe that nobody waits for, and the word of them that goes to billing_outcomes."""

from dataclasses import dataclass

import msgspec

from shared.billing.errors import StripeError, StripeRefused
from shared.billing.gateway.endings import Endings
from shared.billing.gateway.pages import Pages
from shared.billing.gateway.provision import StripeGateway
from shared.billing.gateway.subscriptions import Subscriptions
from shared.billing.model import (
    BillingEvent,
    CardAdded,
    CustomerMade,
    Doubt,
    Ending,
    Kind,
    Plan,
    Provisioned,
    Setback,
    SignUp,
)
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message, read_bus_event, read_message
from tenant_context.queues import Queue

SIGNED_UP = "tenant.created"
"""The event that carries name, email, plan and slug of a new tenant."""


@dataclass(frozen=True, slots=True)
class Stripe:
    """What the errands are done with; each of them may be done twice."""

    sign_ups: StripeGateway
    subscriptions: Subscriptions
    pages: Pages
    endings: Endings


class Provisioner:
    """Handles what waits for Stripe. A setback is raised, so that the queue hands the message out again."""

    def __init__(self, stripe: Stripe, outcomes: Queue) -> None:
        self._stripe = stripe
        self._outcomes = outcomes

    def attempt(self, tenant: TenantContext, message: Message) -> None:
        """Do an errand; of a sign-up, a failure that may pass is told as a delay."""
        self._do(tenant, message, setback=Kind.DELAYED)

    def last_attempt(self, tenant: TenantContext, message: Message) -> None:
        """Do an errand; of a sign-up, any failure is told as the end of trying."""
        self._do(tenant, message, setback=Kind.FAILED)

    def _do(self, tenant: TenantContext, message: Message, *, setback: Kind) -> None:
        match message.kind:
            case Kind.REREAD:
                self._reread(tenant, message, msgspec.convert(message.data, Doubt))
            case Kind.CARD_ADDED:
                self._stripe.pages.adopt_card(msgspec.convert(message.data, CardAdded).customer)
            case Kind.ENDING:
                asked = msgspec.convert(message.data, Ending)
                self._stripe.endings.settle(asked.customer, asked.ends)
            case _:
                self._provision(tenant, message, setback=setback)

    def _reread(self, tenant: TenantContext, message: Message, doubt: Doubt) -> None:
        read = self._stripe.subscriptions.reread(tenant.tenant, doubt.customer, doubt.event, doubt.created)
        if read is not None:
            self._tell(tenant, message, Kind.EVENT, read)

    def _provision(self, tenant: TenantContext, message: Message, *, setback: Kind) -> None:
        try:
            provisioned = self._stripe.sign_ups.provision(
                tenant,
                _sign_up(message),
                lambda customer: self._tell(tenant, message, Kind.CUSTOMER_MADE, CustomerMade(customer)),
            )
        except StripeError as error:
            kind = Kind.FAILED if isinstance(error, StripeRefused) else setback
            self._tell(tenant, message, kind, Setback(str(error)))
            raise
        self._tell(tenant, message, Kind.PROVISIONED, provisioned)

    def _tell(
        self,
        tenant: TenantContext,
        message: Message,
        kind: Kind,
        what: CustomerMade | Provisioned | Setback | BillingEvent,
    ) -> None:
        data = msgspec.to_builtins(what)
        self._outcomes.send([Message(tenant=tenant.tenant, id=message.id, kind=kind, data=data)])


def read_order(body: str) -> Message:
    """A message of our own form, or the event tenant.created as a rule of the bus passes it on."""
    if "detail" not in msgspec.json.decode(body):
        return read_message(body)
    event = read_bus_event(body)
    if event.kind != SIGNED_UP:
        raise ValueError(f"The provisioner does not know the event {event.kind}.")
    return Message(tenant=event.tenant, id=event.id, kind=Kind.PROVISION, data=event.data["data"])


def _sign_up(message: Message) -> SignUp:
    if message.kind != Kind.PROVISION:
        raise ValueError(f"The provisioner does not know {message.kind}.")
    try:
        return msgspec.convert(message.data, SignUp)
    except msgspec.ValidationError as error:
        raise StripeRefused(_unbillable(message.data.get("plan"))) from error


def _unbillable(plan: object) -> str:
    if plan not in set(Plan):
        return f"There is no plan called {str(plan)[:40]!r}; choose one of {', '.join(Plan)}."
    return "The sign-up lacks something that its bill needs. Ask the platform's support about it."
