"""What can be asked of Stripe, by name. The tenant is the caller's context; its customer comes from the database."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from shared.billing.errors import (
    BillingRefused,
    CardRefused,
    InvoiceOwed,
    InvoiceUnpaid,
    NoSubscription,
    NothingToChange,
    PaymentRefused,
    StripeRefused,
    StripeUnavailable,
)
from shared.billing.gateway.meters import Meters, Used
from shared.billing.gateway.pages import Pages
from shared.billing.gateway.subscriptions import Owner, Subscriptions
from shared.billing.model import Plan
from tenant_context.context import TenantContext
from tenant_context.entry.invoke import Operation
from tenant_context.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Stripe:
    """The ways to Stripe."""

    subscriptions: Subscriptions
    pages: Pages
    meters: Meters


def operations(stripe: Stripe) -> dict[str, Operation]:
    """Every operation, with Stripe's refusals in words that the API's callers may read."""
    asked: dict[str, Callable[[Owner, dict[str, Any]], Any]] = {
        "change": lambda owner, data: stripe.subscriptions.change(owner, Plan(data["plan"])),
        "preview": lambda owner, data: stripe.subscriptions.preview(owner, Plan(data["plan"])),
        "cancel": lambda owner, _: stripe.subscriptions.cancel(owner),
        "resume": lambda owner, _: stripe.subscriptions.resume(owner),
        "subscription": lambda owner, _: stripe.subscriptions.present(owner),
        "invoices": lambda owner, data: stripe.subscriptions.invoices(owner, data["limit"], data["after"]),
        "checkout": lambda owner, data: stripe.pages.checkout(
            owner, Plan(data["plan"]), data["success_url"], data["cancel_url"]
        ),
        "portal": lambda owner, data: stripe.pages.portal(owner, data["return_url"]),
        "meter": lambda owner, data: stripe.meters.push(owner.customer, msgspec.convert(data["used"], list[Used])),
    }
    return {name: _translated(work) for name, work in asked.items()}


def _translated(work: Callable[[Owner, dict[str, Any]], Any]) -> Operation:
    def operation(tenant: TenantContext, data: dict[str, Any]) -> Any:
        owner = Owner(tenant.tenant, data["customer"], data.get("key") or tenant.request_id)
        try:
            return msgspec.to_builtins(work(owner, data))
        except NothingToChange as error:
            raise NoSubscription(str(error)) from error
        except InvoiceOwed as error:
            raise InvoiceUnpaid(str(error)) from error
        except CardRefused as error:
            raise PaymentRefused(str(error)) from error
        except StripeRefused as error:
            raise BillingRefused(str(error)) from error
        except StripeUnavailable as error:
            raise Unavailable(f"{error} Try again.") from error

    return operation
