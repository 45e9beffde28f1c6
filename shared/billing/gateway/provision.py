"""A new tenant's customer and subscription.

Everything here may be asked twice. A customer and a subscription carry the tenant's id in their metadata and are
looked for before they are made; while two askers race, Stripe's Idempotency-Key, made from the tenant's id, lets one
of them win. A price is known by its lookup key and a product by its id, which exist once in an account.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import stripe

from shared.billing.gateway.connection import Connection, made_once, translated
from shared.billing.model import Plan, Provisioned, SignUp
from shared.billing.rules import PRICES, TRIAL_DAYS
from tenant_context.context import TenantContext


class StripeGateway(Connection):
    """Makes customers and subscriptions. Errors: `StripeUnavailable`, `StripeRefused`."""

    def provision(self, tenant: TenantContext, sign_up: SignUp) -> Provisioned:
        """The tenant's customer and trial subscription, made unless they are there."""
        with translated():
            client = self._connected()
            customer = self._customer(client, tenant.tenant, sign_up)
            subscription = self._subscription(client, tenant.tenant, customer, sign_up.plan)
            return Provisioned(
                customer=customer,
                subscription=subscription.id,
                status=subscription.status,
                plan=sign_up.plan,
                as_of=datetime.fromtimestamp(subscription.created, UTC),
            )

    def _customer(self, client: stripe.StripeClient, tenant: UUID, sign_up: SignUp) -> str:
        known = client.v1.customers.list({"email": sign_up.email, "limit": 100})
        for customer in known.auto_paging_iter():
            metadata = customer.metadata
            if metadata is not None and "tenant" in metadata and metadata["tenant"] == str(tenant):
                return customer.id
        made = made_once(
            f"rmap-{tenant}-customer",
            lambda key: client.v1.customers.create(
                {
                    "email": sign_up.email,
                    "name": sign_up.name,
                    "metadata": {"tenant": str(tenant), "slug": sign_up.slug},
                },
                {"idempotency_key": key},
            ),
        )
        return made.id

    def _subscription(
        self, client: stripe.StripeClient, tenant: UUID, customer: str, plan: Plan
    ) -> stripe.Subscription:
        known = client.v1.subscriptions.list({"customer": customer, "status": "all", "limit": 1})
        if known.data:
            return known.data[0]
        price = self._price(client, PRICES[plan])
        asked: Any = {"customer": customer, "items": [{"price": price}], "metadata": {"tenant": str(tenant)}}
        return made_once(
            f"rmap-{tenant}-subscription",
            lambda key: client.v1.subscriptions.create(
                asked if plan is Plan.FREE else asked | _TRIAL, {"idempotency_key": key}
            ),
        )


_TRIAL: dict[str, Any] = {
    "trial_period_days": TRIAL_DAYS,
    # Nobody has given a card yet: the trial ends in a pause and not in an unpaid invoice.
    "trial_settings": {"end_behavior": {"missing_payment_method": "pause"}},
}
