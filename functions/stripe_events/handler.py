"""Wires the stripe_events function."""

from dataclasses import dataclass

from functions.stripe_events.inbox import Inbox
from functions.stripe_events.routes import routes
from shared.billing.gateway.inbox import StripeInbox
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.settings import Settings


@dataclass(frozen=True)
class InboxSettings(Settings):
    """What this function needs beside the common settings."""

    stripe_secret: str
    queue_billing_outcomes: str
    queue_billing: str


kernel = Kernel("stripe_events")
settings = InboxSettings.load()
outcomes, errands = Queue(settings.queue_billing_outcomes), Queue(settings.queue_billing)
inbox = Inbox(StripeInbox(settings.stripe_secret), outcomes, errands, kernel.observability)
handler = kernel.http(routes, inbox)
