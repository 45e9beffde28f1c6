"""Wires the stripe_events function."""

from dataclasses import dataclass

from functions.stripe_events.inbox import Inbox
from functions.stripe_events.routes import routes
from shared.billing.gateway import StripeInbox
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.settings import Settings


@dataclass(frozen=True)
class InboxSettings(Settings):
    """What this function needs beside the common settings."""

    stripe_secret: str
    queue_billing_outcomes: str


kernel = Kernel("stripe_events")
settings = InboxSettings.load()
inbox = Inbox(StripeInbox(settings.stripe_secret), Queue(settings.queue_billing_outcomes))
handler = kernel.http(routes, inbox)
