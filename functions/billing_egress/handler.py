"""Wires the billing_egress function: Stripe, for functions that have the database and wait for an answer."""

from dataclasses import dataclass

from functions.billing_egress.operations import Stripe, operations
from shared.billing.gateway.meters import Meters
from shared.billing.gateway.pages import Pages
from shared.billing.gateway.subscriptions import Subscriptions
from tenant_context.entry.invoke import InvokeEntry
from tenant_context.kernel import Kernel
from tenant_context.settings import Settings


@dataclass(frozen=True)
class EgressSettings(Settings):
    """What this function needs beside the common settings."""

    stripe_secret: str
    stripe_url: str = ""


kernel = Kernel("billing_egress")
settings = EgressSettings.load()
stripe = Stripe(
    Subscriptions(settings.stripe_secret, settings.stripe_url, clock=kernel.clock),
    Pages(settings.stripe_secret, settings.stripe_url),
    Meters(settings.stripe_secret, settings.stripe_url),
)
handler = InvokeEntry(operations(stripe), observability=kernel.observability)
