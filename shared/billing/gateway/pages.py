"""Stripe's own pages: where owners give a card, buy a plan and see their papers."""

from typing import Any

import stripe

from shared.billing.errors import InvoiceOwed
from shared.billing.gateway.connection import Connection, translated
from shared.billing.gateway.shapes import money
from shared.billing.gateway.subscriptions import Owner
from shared.billing.model import Plan
from shared.billing.rules import LIVE


class Pages(Connection):
    """Opens sessions on Stripe's pages. Errors: `StripeUnavailable`, `StripeRefused`."""

    def checkout(self, owner: Owner, plan: Plan, success_url: str, cancel_url: str) -> dict[str, str]:
        """A page to begin a subscription, or, while there is one, to give the card it is paid with.

        Never a second subscription beside a live one, nor a new one beside an invoice that is owed (`InvoiceOwed`); a
        page that was opened before and not finished is closed.
        """
        with translated():
            client = self._connected()
            known = client.v1.subscriptions.list({"customer": owner.customer, "status": "all", "limit": 20})
            alive = any(one.status in LIVE for one in known.data)
            asked: Any = {
                "customer": owner.customer,
                "client_reference_id": str(owner.tenant),
                "metadata": {"tenant": str(owner.tenant)},
                "success_url": success_url,
                "cancel_url": cancel_url,
            }
            if alive:
                asked |= {"mode": "setup", "currency": "usd"}
            else:
                _check_owes_nothing(client, owner.customer)
                items = [{"price": self._price_of(client, plan), "quantity": 1}]
                metadata = {"tenant": str(owner.tenant)}
                asked |= {"mode": "subscription", "line_items": items, "subscription_data": {"metadata": metadata}}
            made = client.v1.checkout.sessions.create(asked, owner.once(f"checkout-{plan}"))
            close_pages(client, owner.customer, made.id)
            return {"id": made.id, "url": made.url or "", "purpose": "card" if alive else "subscription"}

    def portal(self, owner: Owner, return_url: str) -> dict[str, str]:
        """A page with the tenant's cards and invoices."""
        with translated():
            asked: Any = {"customer": owner.customer, "return_url": return_url}
            made = self._connected().v1.billing_portal.sessions.create(asked, owner.once("portal"))
            return {"id": made.id, "url": made.url}

    def adopt_card(self, customer: str) -> None:
        """Let the newest card be the one that is charged, and pay with it what waits for one. May be repeated."""
        with translated():
            client = self._connected()
            cards = client.v1.payment_methods.list({"customer": customer, "limit": 1}).data
            if not cards:
                return
            client.v1.customers.update(customer, {"invoice_settings": {"default_payment_method": cards[0].id}})
            for one in client.v1.subscriptions.list({"customer": customer, "status": "all", "limit": 20}).data:
                if one.status == "paused":
                    client.v1.subscriptions.resume(one.id)
            for invoice in client.v1.invoices.list({"customer": customer, "status": "open", "limit": 20}).data:
                if invoice.id:
                    _try_to_pay(client, invoice.id)


def _check_owes_nothing(client: stripe.StripeClient, customer: str) -> None:
    """Raise `InvoiceOwed` for an invoice that is neither paid nor voided: being written off does not end it."""
    for status in ("open", "uncollectible"):
        for invoice in client.v1.invoices.list({"customer": customer, "status": status, "limit": 20}).data:
            if invoice.amount_remaining > 0:
                amount = f"{money(invoice.amount_remaining)} {invoice.currency.upper()}"
                where = invoice.hosted_invoice_url or "the portal"
                raise InvoiceOwed(
                    f"Invoice {invoice.number or invoice.id} over {amount} is not paid: pay it at {where}"
                )


def _try_to_pay(client: stripe.StripeClient, invoice: str) -> None:
    """A card that is declined is told by Stripe's own event."""
    try:
        client.v1.invoices.pay(invoice)
    except stripe.CardError:
        return


def close_pages(client: stripe.StripeClient, customer: str, present: str = "") -> None:
    """Close a customer's open checkout pages, but for the present one."""
    for session in client.v1.checkout.sessions.list({"customer": customer, "status": "open", "limit": 20}).data:
        if session.id != present:
            client.v1.checkout.sessions.expire(session.id)
