"""Wires the billing_provisioner function."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from functions.billing_provisioner.provisioner import Provisioner, Stripe, read_order
from shared.billing.gateway.endings import Endings
from shared.billing.gateway.pages import Pages
from shared.billing.gateway.provision import StripeGateway
from shared.billing.gateway.subscriptions import Subscriptions
from shared.billing.rules import ATTEMPTS
from tenant_context.entry.queue import QueueEntry
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.settings import Settings


@dataclass(frozen=True)
class ProvisionerSettings(Settings):
    """What this function needs beside the common settings."""

    stripe_secret: str
    queue_billing_outcomes: str
    stripe_url: str = ""


kernel = Kernel("billing_provisioner")
settings = ProvisionerSettings.load()
gateway = StripeGateway(settings.stripe_secret, settings.stripe_url)
stripe = Stripe(
    gateway,
    Subscriptions(settings.stripe_secret, settings.stripe_url, clock=kernel.clock),
    Pages(settings.stripe_secret, settings.stripe_url),
    Endings(settings.stripe_secret, settings.stripe_url),
)
provisioner = Provisioner(stripe, Queue(settings.queue_billing_outcomes))
usually = QueueEntry(provisioner.attempt, observability=kernel.observability, read=read_order)
at_last = QueueEntry(provisioner.last_attempt, observability=kernel.observability, read=read_order)


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Handle a batch, each record knowing whether it comes again; answers which records failed."""
    failed: list[dict[str, str]] = []
    for record in event["Records"]:
        last = int(record["attributes"]["ApproximateReceiveCount"]) >= ATTEMPTS
        entry = at_last if last else usually
        failed += entry({"Records": [record]}, context)["batchItemFailures"]
    return {"batchItemFailures": failed}
