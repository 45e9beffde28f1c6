"""A new tenant's customer and subscription.

Everything here may be asked twice. A customer and a subscription carry the tenant's id in their metadata and are
looked for before they are made: the customer first in the tenant's own row, then by its metadata, and never by a mail
address, which changes. Search does not find what was made a moment ago; for that while, and for two askers who race,
Stripe's Idempotency-Key, made from the tenant's id, lets one of them win. So a customer is made of nothing that may
differ when it is asked for again; name and mail address follow. A price is known by its lookup key and a product by
its id, which exist once in an account.
"""

from collections.abc import Callable
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

    def provision(
        self, tenant: TenantContext, sign_up: SignUp, tell: Callable[[str], None] = lambda _: None
    ) -> Provisioned:
        """The tenant's customer and trial subscription, made unless they are there.

        `tell` hears of a customer that the sign-up does not name, before anything else can go wrong.
        """
        with translated():
            client = self._connected()
            customer = sign_up.customer
            if customer is None:
                customer = self._customer(client, tenant.tenant)
                tell(customer)
            subscription = self._subscription(client, tenant.tenant, customer, sign_up)
            return Provisioned(
                customer=customer,
                subscription=subscription.id,
                status=subscription.status,
                plan=sign_up.plan,
                as_of=datetime.fromtimestamp(subscription.created, UTC),
            )

    def _customer(self, client: stripe.StripeClient, tenant: UUID) -> str:
        found = client.v1.customers.search({"query": f"metadata['tenant']:'{tenant}'", "limit": 100}).data
        if found:
            return min(found, key=lambda one: one.created).id
        made = made_once(
            f"rmap-{tenant}-customer",
            lambda key: client.v1.customers.create({"metadata": {"tenant": str(tenant)}}, {"idempotency_key": key}),
        )
        return made.id

    def _subscription(
        self, client: stripe.StripeClient, tenant: UUID, customer: str, sign_up: SignUp
    ) -> stripe.Subscription:
        known = client.v1.subscriptions.list({"customer": customer, "status": "all", "limit": 1})
        if known.data:
            return known.data[0]
        client.v1.customers.update(
            customer, {"email": sign_up.email, "name": sign_up.name, "metadata": {"slug": sign_up.slug}}
        )
        plan = sign_up.plan
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
