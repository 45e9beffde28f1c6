"""One sign-up's work with Stripe, and the word of it that goes to billing_outcomes."""

from typing import Protocol

import msgspec

from shared.billing.errors import StripeError, StripeRefused
from shared.billing.model import Kind, Provisioned, Setback, SignUp
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message, read_bus_event, read_message
from tenant_context.queues import Queue

SIGNED_UP = "tenant.created"
"""The event that carries name, email, plan and slug of a new tenant."""


class Subscriptions(Protocol):
    """Who makes customers and subscriptions."""

    def provision(self, tenant: TenantContext, sign_up: SignUp) -> Provisioned:
        """The tenant's customer and subscription, the same ones however often it is asked."""


class Provisioner:
    """Handles `billing.provision`. A setback is told and raised, so that the queue hands the message out again."""

    def __init__(self, subscriptions: Subscriptions, outcomes: Queue) -> None:
        self._subscriptions = subscriptions
        self._outcomes = outcomes

    def attempt(self, tenant: TenantContext, message: Message) -> None:
        """Provision; a failure that may pass is told as a delay."""
        self._provision(tenant, message, setback=Kind.DELAYED)

    def last_attempt(self, tenant: TenantContext, message: Message) -> None:
        """Provision; any failure is told as the end of trying."""
        self._provision(tenant, message, setback=Kind.FAILED)

    def _provision(self, tenant: TenantContext, message: Message, *, setback: Kind) -> None:
        try:
            provisioned = self._subscriptions.provision(tenant, _sign_up(message))
        except StripeError as error:
            kind = Kind.FAILED if isinstance(error, StripeRefused) else setback
            self._tell(tenant, message, kind, Setback(str(error)))
            raise
        self._tell(tenant, message, Kind.PROVISIONED, provisioned)

    def _tell(self, tenant: TenantContext, message: Message, kind: Kind, what: Provisioned | Setback) -> None:
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
        raise StripeRefused(f"The sign-up cannot be billed: {error}.") from error
